//! The essential matrix E of two calibrated views, `f2^T E f1 = 0` for bearings f1 and f2,
//! `E = [t]x R` with `second_from_first = (R, t)`.

use nalgebra::{Matrix3, Matrix4, Rotation3, SMatrix, SVector, UnitQuaternion, Vector3, Vector4};

use super::{BearingPair, check_data, linear::null_space, polynomial::real_and_nearly_real_roots};
use crate::{Camera, Error, Pose, so3};

const FIVE_POINT: &str = "five_point";
/// Bases of the null space that are tried while a solution is missing. The polynomial of degree ten
/// is badly conditioned where roots cluster; another basis moves them apart.
const MAX_BASES: usize = 4;
/// A rotation far from any permutation of the axes (a quaternion product by 0.1, 0.3, 0.5, 0.8 of
/// unit length), applied from one basis to the next.
const TURN: Matrix4<f64> = turn([0.1, 0.3, 0.5, 0.8062257748298549]);
/// Solutions of norm sqrt(2) nearer than this are one.
const SAME_SOLUTION: f64 = 1e-7;
/// The error of the constraints, on matrices of unit norm, above which polishing has failed.
const UNPOLISHED: f64 = 1e-10;
/// Extrema of the polynomial this near to zero, relative to its terms, are polished like roots: rounding
/// may have hidden a pair of roots there.
const NEARLY_REAL: f64 = 1e-4;
const POLISH_STEPS: usize = 12;

/// Products of a quadric's monomials `x2 y2 z2 xy xz yz x y z 1` (rows) with `x y z 1`, in the order
/// of the columns of Nistér's table: `x3 y3 x2y xy2 x2z x2 y2z y2 xyz xy xz2 xz x yz2 yz y z3 z2 z 1`.
const PRODUCT: [[usize; 4]; 10] = [
    [0, 2, 4, 5],
    [3, 1, 6, 7],
    [10, 13, 16, 17],
    [2, 3, 8, 9],
    [4, 8, 10, 11],
    [8, 6, 13, 14],
    [5, 9, 11, 12],
    [9, 7, 14, 15],
    [11, 14, 17, 18],
    [12, 15, 18, 19],
];

type Linear = Vector4<f64>;
type Quadric = SVector<f64, 10>;
type Cubic = SVector<f64, 20>;

const fn turn([a, b, c, d]: [f64; 4]) -> Matrix4<f64> {
    Matrix4::new(a, -b, -c, -d, b, a, -d, c, c, d, a, -b, d, -c, b, a)
}

/// `[t]x R`, scaled to a translation of unit length. Zero for a pure rotation.
pub fn essential_matrix(second_from_first: &Pose<Camera, Camera>) -> Matrix3<f64> {
    let t = second_from_first.translation;
    let norm = t.norm();
    let direction = if norm > 0.0 { t / norm } else { t };
    so3::hat(&direction) * second_from_first.rotation_matrix()
}

/// Up to ten essential matrices, of Frobenius norm sqrt(2), that five pairs satisfy.
///
/// Nistér, *An efficient solution to the five-point relative pose problem*, PAMI 2004, with the
/// roots polished on the ten constraints. Planar scenes are no exception. If the camera only
/// turned, every translation fits, and an arbitrary one is returned.
///
/// # Errors
/// Numbers that are not finite; pairs that repeat or are otherwise dependent.
pub fn five_point(pairs: &[BearingPair; 5]) -> Result<Vec<Matrix3<f64>>, Error> {
    check_data(FIVE_POINT, pairs, 5, BearingPair::is_finite)?;
    let dependent = Error::Degenerate {
        estimator: FIVE_POINT,
        reason: "the five epipolar constraints are dependent",
    };
    let constraints =
        SMatrix::<f64, 9, 5>::from_fn(|k, i| pairs[i].second[k / 3] * pairs[i].first[k % 3]);
    let mut basis: SMatrix<f64, 9, 4> = null_space(&constraints).ok_or(dependent.clone())?;
    let mut found: Vec<Matrix3<f64>> = Vec::with_capacity(10);
    let mut answered = false;
    for _ in 0..MAX_BASES {
        let Some(candidates) = solve_in_basis(&basis) else { break };
        answered = true;
        let all_polished = candidates.iter().all(Option::is_some);
        for e in candidates.into_iter().flatten() {
            let is_new =
                |other: &Matrix3<f64>| (other - e).norm().min((other + e).norm()) > SAME_SOLUTION;
            if found.iter().all(is_new) {
                found.push(e);
            }
        }
        // Complex solutions come in pairs: an odd number of real ones means one was lost.
        if all_polished && !found.is_empty() && found.len().is_multiple_of(2) {
            break;
        }
        basis *= TURN;
    }
    if answered { Ok(found) } else { Err(dependent) }
}

/// Solutions within the span of four matrices; `None` where a root did not lead to one.
/// `None` for all if the elimination is singular.
fn solve_in_basis(basis: &SMatrix<f64, 9, 4>) -> Option<Vec<Option<Matrix3<f64>>>> {
    let cubics = constraint_matrix(basis);
    let left = cubics.fixed_columns::<10>(0).into_owned();
    let right = cubics.fixed_columns::<10>(10).into_owned();
    let reduced = left.lu().solve(&right)?;
    let basis = std::array::from_fn(|i| Matrix3::from_fn(|r, c| basis[(3 * r + c, i)]));
    let candidates = hidden_variable_solutions(&reduced);
    let polished = candidates.into_iter().map(|(c, is_root)| (polish(&basis, c), is_root));
    Some(polished.filter(|(e, is_root)| *is_root || e.is_some()).map(|(e, _)| e).collect())
}

fn multiply_linear(a: &Linear, b: &Linear) -> Quadric {
    Quadric::from_column_slice(&[
        a.x * b.x,
        a.y * b.y,
        a.z * b.z,
        a.x * b.y + a.y * b.x,
        a.x * b.z + a.z * b.x,
        a.y * b.z + a.z * b.y,
        a.x * b.w + a.w * b.x,
        a.y * b.w + a.w * b.y,
        a.z * b.w + a.w * b.z,
        a.w * b.w,
    ])
}

fn multiply_quadric(q: &Quadric, l: &Linear) -> Cubic {
    let mut product = Cubic::zeros();
    for (i, row) in PRODUCT.iter().enumerate() {
        for (j, &monomial) in row.iter().enumerate() {
            product[monomial] += q[i] * l[j];
        }
    }
    product
}

/// `det E = 0` and `2 E E^T E - tr(E E^T) E = 0` for `E = x E0 + y E1 + z E2 + E3`. Eq. (2), (3).
fn constraint_matrix(basis: &SMatrix<f64, 9, 4>) -> SMatrix<f64, 10, 20> {
    let e = |r: usize, c: usize| Linear::from_fn(|i, _| basis[(3 * r + c, i)]);
    let minor =
        |c1, c2| multiply_linear(&e(1, c1), &e(2, c2)) - multiply_linear(&e(1, c2), &e(2, c1));
    let determinant = multiply_quadric(&minor(1, 2), &e(0, 0))
        + multiply_quadric(&minor(2, 0), &e(0, 1))
        + multiply_quadric(&minor(0, 1), &e(0, 2));
    let gram = |r: usize, s: usize| -> Quadric {
        (0..3).map(|c| multiply_linear(&e(r, c), &e(s, c))).sum()
    };
    let mut lambda: [[Quadric; 3]; 3] =
        std::array::from_fn(|r| std::array::from_fn(|s| gram(r, s)));
    let half_trace = (lambda[0][0] + lambda[1][1] + lambda[2][2]) * 0.5;
    for r in 0..3 {
        lambda[r][r] -= half_trace;
    }
    let mut rows = SMatrix::<f64, 10, 20>::zeros();
    rows.row_mut(0).tr_copy_from(&determinant);
    for r in 0..3 {
        for c in 0..3 {
            let cubic: Cubic = (0..3).map(|k| multiply_quadric(&lambda[r][k], &e(k, c))).sum();
            rows.row_mut(1 + 3 * r + c).tr_copy_from(&cubic);
        }
    }
    rows
}

/// Coefficients (x, y, z, 1) of the solutions, and whether each is a root rather than nearly one, from the reduced columns `xz2 … 1`: z is hidden in a
/// 3 x 3 matrix B(z) with `B(z) (x, y, 1)^T = 0`. Section 3.2.
fn hidden_variable_solutions(reduced: &SMatrix<f64, 10, 10>) -> Vec<(Vector4<f64>, bool)> {
    // Row pairs of the monomials (x2z, x2), (y2z, y2), (xyz, xy): upper - z * lower.
    let eliminate = |upper: usize, first: usize, count: usize| {
        let mut polynomial = [0.0; 5];
        for k in 0..count {
            // Columns run from the highest power of z down.
            let power = count - 1 - k;
            polynomial[power] += reduced[(upper, first + k)];
            polynomial[power + 1] -= reduced[(upper + 1, first + k)];
        }
        polynomial
    };
    let b: [[[f64; 5]; 3]; 3] = [4, 6, 8]
        .map(|upper| [eliminate(upper, 0, 3), eliminate(upper, 3, 3), eliminate(upper, 6, 4)]);
    let determinant = determinant_polynomial(&b);
    let at = |p: &[f64; 5], z: f64| p.iter().rev().fold(0.0, |value, c| value * z + c);
    real_and_nearly_real_roots(&determinant, NEARLY_REAL)
        .into_iter()
        .filter_map(|(z, is_root)| {
            let rows = b.map(|row| Vector3::from(row.map(|p| at(&p, z))).normalize());
            let candidates =
                [rows[0].cross(&rows[1]), rows[0].cross(&rows[2]), rows[1].cross(&rows[2])];
            let kernel = candidates.into_iter().max_by(|l, r| l.norm().total_cmp(&r.norm()))?;
            // Homogeneous: a solution at infinity keeps finite coefficients.
            let solution = Vector4::new(kernel.x, kernel.y, kernel.z * z, kernel.z);
            Some((solution.try_normalize(f64::MIN_POSITIVE)?, is_root))
        })
        .collect()
}

fn determinant_polynomial(b: &[[[f64; 5]; 3]; 3]) -> [f64; 11] {
    const SIGNED: [([usize; 3], f64); 6] = [
        ([0, 1, 2], 1.0),
        ([1, 2, 0], 1.0),
        ([2, 0, 1], 1.0),
        ([0, 2, 1], -1.0),
        ([2, 1, 0], -1.0),
        ([1, 0, 2], -1.0),
    ];
    let degree = |column: usize| if column == 2 { 4 } else { 3 };
    let mut determinant = [0.0; 11];
    for (columns, sign) in SIGNED {
        for i in 0..=degree(columns[0]) {
            for j in 0..=degree(columns[1]) {
                let product = sign * b[0][columns[0]][i] * b[1][columns[1]][j];
                for k in 0..=degree(columns[2]) {
                    determinant[i + j + k] += product * b[2][columns[2]][k];
                }
            }
        }
    }
    determinant
}

/// Gauss–Newton on the ten constraints over the unit sphere of the four coefficients.
fn polish(basis: &[Matrix3<f64>; 4], mut coefficients: Vector4<f64>) -> Option<Matrix3<f64>> {
    let combine = |v: &Vector4<f64>| -> Matrix3<f64> { (0..4).map(|i| basis[i] * v[i]).sum() };
    let constraint = |e: &Matrix3<f64>| {
        let gram = e * e.transpose();
        let cubic = gram * e * 2.0 - e * gram.trace();
        let mut all = SVector::<f64, 10>::zeros();
        all.fixed_rows_mut::<9>(0).copy_from_slice(cubic.as_slice());
        all[9] = e.determinant();
        all
    };
    let mut e = combine(&coefficients);
    let mut error = constraint(&e);
    for _ in 0..POLISH_STEPS {
        let mut jacobian = SMatrix::<f64, 10, 4>::zeros();
        let cofactors = cofactors(&e);
        let gram = e * e.transpose();
        for (i, d) in basis.iter().enumerate() {
            let d_gram = d * e.transpose() + e * d.transpose();
            let d_cubic = (d_gram * e + gram * d) * 2.0 - d * gram.trace() - e * d_gram.trace();
            jacobian.fixed_view_mut::<9, 1>(0, i).copy_from_slice(d_cubic.as_slice());
            jacobian[(9, i)] = cofactors.dot(d);
        }
        let normal: Matrix4<f64> =
            jacobian.transpose() * jacobian + coefficients * coefficients.transpose();
        let Some(cholesky) = normal.cholesky() else { break };
        let step = cholesky.solve(&(jacobian.transpose() * error));
        let next = (coefficients - step).normalize();
        let next_e = combine(&next);
        let next_error = constraint(&next_e);
        let improves = next_error.norm() < error.norm();
        if !improves {
            break;
        }
        (coefficients, e, error) = (next, next_e, next_error);
    }
    let norm = e.norm();
    (error.norm() < UNPOLISHED).then(|| e * (std::f64::consts::SQRT_2 / norm))
}

/// Derivative of the determinant by the entries.
fn cofactors(m: &Matrix3<f64>) -> Matrix3<f64> {
    let (a, b, c) = (m.column(0), m.column(1), m.column(2));
    Matrix3::from_columns(&[b.cross(&c), c.cross(&a), a.cross(&b)])
}

/// The nearest matrix with singular values (1, 1, 0), in the Frobenius norm up to scale.
/// `None` if not finite or of rank below two. Hartley & Zisserman 2003, section 11.7.3.
pub fn nearest_essential(matrix: &Matrix3<f64>) -> Option<Matrix3<f64>> {
    if matrix.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let svd = matrix.try_svd(true, true, f64::EPSILON, 200)?;
    let mut order = [0, 1, 2];
    order.sort_by(|&l, &r| svd.singular_values[r].total_cmp(&svd.singular_values[l]));
    let (u, v_t) = (svd.u?, svd.v_t?);
    let has_rank_two = svd.singular_values[order[1]] > 1e-12 * svd.singular_values[order[0]];
    if !has_rank_two {
        return None;
    }
    Some(order[..2].iter().map(|&i| u.column(i) * v_t.row(i)).sum())
}

/// The four poses `second_from_first`, of unit translation, whose essential matrix is `essential` up
/// to sign. Points in front of both cameras tell which is meant: see
/// [`super::RelativePose::from_essential`].
///
/// `essential` must satisfy the constraints; put another through [`nearest_essential`] first.
/// `None` if it is zero or not finite. Horn, *Recovering baseline and orientation from essential
/// matrix*, 1990.
pub fn decompose_essential(essential: &Matrix3<f64>) -> Option<[Pose<Camera, Camera>; 4]> {
    let squared = 0.5 * essential.norm_squared();
    if !squared.is_finite() || squared <= 0.0 {
        return None;
    }
    let e = essential / squared.sqrt();
    let cofactors = cofactors(&e);
    // The cofactors are b (R^T b)^T: their largest column is the best multiple of the baseline.
    let column = (0..3).max_by(|&l, &r| {
        cofactors.column(l).norm_squared().total_cmp(&cofactors.column(r).norm_squared())
    })?;
    let baseline: Vector3<f64> = cofactors.column(column).try_normalize(f64::MIN_POSITIVE)?;
    let rotation = |b: &Vector3<f64>| {
        let matrix = cofactors - so3::hat(b) * e;
        let rotation = Rotation3::from_matrix_unchecked(matrix);
        UnitQuaternion::new_normalize(UnitQuaternion::from_rotation_matrix(&rotation).into_inner())
    };
    let (one, other) = (rotation(&baseline), rotation(&-baseline));
    Some(
        [(one, baseline), (one, -baseline), (other, baseline), (other, -baseline)]
            .map(|(rotation, translation)| Pose::new(rotation, translation)),
    )
}

#[cfg(test)]
mod tests {
    use nalgebra::Point3;

    use super::*;
    use crate::solvers::testing::{Random, spread};

    fn distance(found: &Matrix3<f64>, truth: &Matrix3<f64>) -> f64 {
        (found - truth).norm().min((found + truth).norm())
    }

    fn check(
        name: &str,
        trials: usize,
        max_angle_rad: f64,
        limits: (f64, f64),
        mut point: impl FnMut(&mut Random) -> Point3<f64>,
    ) {
        let mut random = Random::new(21);
        let mut errors = Vec::new();
        for _ in 0..trials {
            let truth = random.pose(max_angle_rad);
            let pairs = random.pairs(&truth, 5, &mut point).try_into().expect("five");
            let truth = essential_matrix(&truth);
            let found = five_point(&pairs).expect("general position");
            errors.push(found.iter().map(|e| distance(e, &truth)).fold(f64::MAX, f64::min));
        }
        let above = errors.iter().filter(|e| **e > 1e-6).count();
        let (median, worst) = spread(&mut errors);
        println!(
            "five_point, {name}: median {median:.1e}, worst {worst:.1e}, {above} of {trials} above 1e-6"
        );
        let share = above as f64 / trials as f64;
        assert!(median < limits.0 && share <= limits.1, "{name}: {median}, {share}");
    }

    #[test]
    fn exact_on_random_scenes() {
        check("random", 10_000, 1.0, (1e-12, 0.001), Random::point_in_camera);
    }

    #[test]
    fn exact_on_planes() {
        check("plane", 5_000, 0.5, (1e-12, 0.004), |random| {
            let (x, y) = (random.between(-5.0, 5.0), random.between(-5.0, 5.0));
            Point3::new(x, y, 10.0 + 0.3 * x - 0.2 * y)
        });
    }

    #[test]
    fn exact_in_every_direction() {
        check("sphere", 5_000, 3.0, (1e-12, 0.001), |random| {
            Point3::from(random.direction().into_inner() * random.between(3.0, 20.0))
        });
    }

    #[test]
    fn solutions_satisfy_their_constraints() {
        let mut random = Random::new(22);
        let mut errors = Vec::new();
        for _ in 0..2_000 {
            let truth = random.pose(1.0);
            let pairs: [BearingPair; 5] =
                random.pairs(&truth, 5, Random::point_in_camera).try_into().unwrap();
            for e in five_point(&pairs).unwrap() {
                let epipolar = pairs.iter().map(|p| p.second.dot(&(e * *p.first)).abs());
                errors.push(epipolar.fold(e.determinant().abs(), f64::max));
            }
        }
        let (median, worst) = spread(&mut errors);
        println!("five_point residuals: median {median:.1e}, worst {worst:.1e}");
        assert!(median < 1e-14 && worst < 1e-6, "{median} {worst}");
    }

    #[test]
    fn pure_rotation_keeps_the_rotation() {
        let mut random = Random::new(23);
        let mut errors = Vec::new();
        for _ in 0..500 {
            let truth = Pose::new(random.rotation(0.5), Vector3::zeros());
            let pairs: [BearingPair; 5] =
                random.pairs(&truth, 5, Random::point_in_camera).try_into().unwrap();
            let Ok(found) = five_point(&pairs) else { continue };
            let angle = found
                .iter()
                .filter_map(decompose_essential)
                .flatten()
                .map(|p| p.rotation.angle_to(&truth.rotation))
                .fold(f64::MAX, f64::min);
            if !found.is_empty() {
                errors.push(angle);
            }
        }
        let (median, worst) = spread(&mut errors);
        println!(
            "five_point, pure rotation: {} answers, median {median:.1e} rad, worst {worst:.1e}",
            errors.len()
        );
        assert!(median < 1e-6, "{median}");
    }

    #[test]
    fn degenerate_and_bad_input() {
        let mut random = Random::new(24);
        let truth = random.pose(0.5);
        let good: [BearingPair; 5] =
            random.pairs(&truth, 5, Random::point_in_camera).try_into().unwrap();
        let mut twice = good;
        twice[4] = twice[1];
        assert!(matches!(five_point(&twice), Err(Error::Degenerate { .. })));
        let mut nan = good;
        nan[3].second.as_mut_unchecked().y = f64::NAN;
        assert_eq!(five_point(&nan), Err(Error::NotFinite { estimator: "five_point", index: 3 }));
    }

    #[test]
    fn decomposition_holds_the_pose() {
        let mut random = Random::new(25);
        for _ in 0..2_000 {
            let mut truth: Pose<Camera, Camera> = random.pose(3.1);
            truth.translation.normalize_mut();
            let poses = decompose_essential(&(essential_matrix(&truth) * random.normal())).unwrap();
            let nearest =
                poses.iter().map(|p| (truth.inverse() * *p).log().norm()).fold(f64::MAX, f64::min);
            assert!(nearest < 1e-12, "{nearest}");
            let same = poses
                .iter()
                .all(|p| distance(&essential_matrix(p), &essential_matrix(&truth)) < 1e-12);
            assert!(same, "one of the four has another essential matrix");
        }
        assert!(decompose_essential(&Matrix3::zeros()).is_none());
        assert!(decompose_essential(&Matrix3::from_element(f64::NAN)).is_none());
    }

    #[test]
    fn nearest_essential_is_a_projection() {
        let mut random = Random::new(26);
        for _ in 0..500 {
            let truth = essential_matrix(&random.pose(1.0));
            let disturbed = truth * 3.0 + Matrix3::from_fn(|_, _| 1e-3 * random.normal());
            let nearest = nearest_essential(&disturbed).unwrap();
            assert!(distance(&nearest, &truth) < 5e-3);
            assert!(distance(&nearest_essential(&nearest).unwrap(), &nearest) < 1e-14);
        }
        assert!(nearest_essential(&Matrix3::from_element(f64::NAN)).is_none());
        assert!(nearest_essential(&Matrix3::from_element(1.0)).is_none());
    }
}
