//! Small linear algebra that the solvers share.

use nalgebra::{DMatrix, Matrix3x2, SMatrix, SVector, Unit, Vector3};

/// Diagonal entries of R below this share of the first count as rank loss.
const RANK_TOLERANCE: f64 = 1e-12;

/// Orthonormal basis (`K` columns) of the vectors orthogonal to all `M` columns of `constraints`.
/// `None` if the columns are linearly dependent or not finite.
///
/// Householder QR with column pivoting: Golub & Van Loan 2013, section 5.4.2. Unlike the
/// eigenvectors of the normal equations it keeps all 16 digits.
pub(crate) fn null_space<const N: usize, const M: usize, const K: usize>(
    constraints: &SMatrix<f64, N, M>,
) -> Option<SMatrix<f64, N, K>> {
    const { assert!(N == M + K, "the null space has as many columns as are missing") };
    let mut a = *constraints;
    let mut reflectors = SMatrix::<f64, N, M>::zeros();
    let mut largest = 0.0_f64;
    for step in 0..M {
        let tail = |c: usize| a.column(c).rows(step, N - step).norm_squared();
        let pivot = (step..M).max_by(|&l, &r| tail(l).total_cmp(&tail(r)))?;
        a.swap_columns(step, pivot);
        let norm = a.column(step).rows(step, N - step).norm();
        largest = largest.max(norm);
        if !norm.is_finite() || norm <= RANK_TOLERANCE * largest {
            return None;
        }
        let mut v = SVector::<f64, N>::zeros();
        v.rows_mut(step, N - step).copy_from(&a.column(step).rows(step, N - step));
        v[step] += norm.copysign(v[step]);
        v.normalize_mut();
        for c in step..M {
            let along = 2.0 * v.dot(&a.column(c));
            a.column_mut(c).axpy(-along, &v, 1.0);
        }
        reflectors.set_column(step, &v);
    }
    let mut basis = SMatrix::<f64, N, K>::zeros();
    for k in 0..K {
        let mut e = SVector::<f64, N>::zeros();
        e[M + k] = 1.0;
        for step in (0..M).rev() {
            let v = reflectors.column(step);
            let along = 2.0 * v.dot(&e);
            e.axpy(-along, &v, 1.0);
        }
        basis.set_column(k, &e);
    }
    Some(basis)
}

/// Unit `x` with the smallest `|A x|` over the rows of A, with the two smallest singular values.
/// `None` if not finite.
pub(crate) fn smallest_singular<const N: usize>(
    rows: impl ExactSizeIterator<Item = SVector<f64, N>>,
) -> Option<(SVector<f64, N>, [f64; 2])> {
    let mut a = DMatrix::zeros(rows.len().max(N), N);
    for (r, row) in rows.enumerate() {
        a.row_mut(r).tr_copy_from(&row);
    }
    if a.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let r = a.qr().r();
    let r = SMatrix::<f64, N, N>::from_fn(|i, j| r[(i, j)]);
    let svd = DMatrix::from_fn(N, N, |i, j| r[(i, j)]).try_svd(false, true, f64::EPSILON, 500)?;
    let mut order: Vec<usize> = (0..N).collect();
    order.sort_by(|&l, &r| svd.singular_values[l].total_cmp(&svd.singular_values[r]));
    let v_t = svd.v_t?;
    let x = SVector::from_fn(|i, _| v_t[(order[0], i)]);
    Some((x, [svd.singular_values[order[0]], svd.singular_values[order[1]]]))
}

/// Two unit vectors orthogonal to `axis` and to each other. Duff et al., *Building an orthonormal
/// basis, revisited*, 2017.
pub(crate) fn tangent_basis(axis: &Unit<Vector3<f64>>) -> Matrix3x2<f64> {
    let n = axis;
    let sign = 1.0_f64.copysign(n.z);
    let a = -1.0 / (sign + n.z);
    let b = n.x * n.y * a;
    Matrix3x2::new(1.0 + sign * n.x * n.x * a, b, sign * b, sign + n.y * n.y * a, -sign * n.x, -n.y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solvers::testing::Random;

    #[test]
    fn null_space_is_orthogonal_and_orthonormal() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            let a = SMatrix::<f64, 9, 5>::from_fn(|_, _| random.normal());
            let n: SMatrix<f64, 9, 4> = null_space(&a).expect("full rank");
            assert!((a.transpose() * n).norm() < 1e-13);
            assert!((n.transpose() * n - SMatrix::<f64, 4, 4>::identity()).norm() < 1e-14);
        }
    }

    #[test]
    fn null_space_refuses_dependent_and_nan_columns() {
        let mut a = SMatrix::<f64, 9, 5>::from_fn(|r, c| ((r * 5 + c) as f64).sin());
        a.set_column(4, &(a.column(0) + 2.0 * a.column(1)));
        assert!(null_space::<9, 5, 4>(&a).is_none());
        a[(3, 4)] = f64::NAN;
        assert!(null_space::<9, 5, 4>(&a).is_none());
    }

    #[test]
    fn smallest_singular_vector_of_exact_data() {
        let mut random = Random::new(2);
        let x = SVector::<f64, 9>::from_fn(|_, _| random.normal()).normalize();
        let rows: Vec<_> = (0..20)
            .map(|_| {
                let row = SVector::<f64, 9>::from_fn(|_, _| random.normal());
                row - x * x.dot(&row)
            })
            .collect();
        let (found, singular) = smallest_singular(rows.into_iter()).unwrap();
        assert!(found.dot(&x).abs() > 1.0 - 1e-14 && singular[0] < 1e-13 && singular[1] > 0.5);
    }

    #[test]
    fn tangents_are_orthonormal() {
        let mut random = Random::new(3);
        for axis in (0..1000).map(|_| random.direction()).chain([-Vector3::z_axis()]) {
            let basis = tangent_basis(&axis);
            assert!((basis.transpose() * basis - nalgebra::Matrix2::identity()).norm() < 1e-14);
            assert!((basis.transpose() * axis.into_inner()).norm() < 1e-14);
        }
    }
}
