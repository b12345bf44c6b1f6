//! The fundamental matrix F of two uncalibrated pinhole views, `x2^T F x1 = 0` for pixels x1, x2.

use nalgebra::{Matrix3, Point2, SMatrix, SVector, Vector2, Vector3};

use super::{
    check_data,
    linear::{null_space, smallest_singular},
    polynomial::real_roots,
};
use crate::Error;

/// The second smallest singular value of the equations below this share of a row's length: the
/// points lie on a plane or another critical surface.
const UNDETERMINED: f64 = 1e-9;

/// One scene point's pixels in the first and the second image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelPair {
    /// In the first image.
    pub first: Point2<f64>,
    /// In the second image.
    pub second: Point2<f64>,
}

impl PixelPair {
    fn is_finite(&self) -> bool {
        self.first.iter().chain(self.second.iter()).all(|x| x.is_finite())
    }
}

/// One or three fundamental matrices, of unit norm, that seven pairs satisfy.
/// Hartley & Zisserman 2003, section 11.1.2, on normalised pixels.
///
/// # Errors
/// Numbers that are not finite; dependent pairs.
pub fn seven_point(pairs: &[PixelPair; 7]) -> Result<Vec<Matrix3<f64>>, Error> {
    const NAME: &str = "seven_point";
    check_data(NAME, pairs, 7, PixelPair::is_finite)?;
    let dependent =
        || Error::Degenerate { estimator: NAME, reason: "the seven constraints are dependent" };
    let normalised = Normalised::new(pairs).ok_or_else(dependent)?;
    let constraints = SMatrix::<f64, 9, 7>::from_fn(|k, i| normalised.row(&pairs[i])[k]);
    let basis: SMatrix<f64, 9, 2> = null_space(&constraints).ok_or_else(dependent)?;
    let [a, b] = [0, 1].map(|i| Matrix3::from_fn(|r, c| basis[(3 * r + c, i)]));
    // det(x A + B) = 0.
    let at = |x: f64| (a * x + b).determinant();
    let (constant, cubic) = (b.determinant(), a.determinant());
    let (plus, minus) = (at(1.0), at(-1.0));
    let square = 0.5 * (plus + minus) - constant;
    let linear = 0.5 * (plus - minus) - cubic;
    let roots = real_roots(&[constant, linear, square, cubic]);
    Ok(roots.into_iter().filter_map(|x| normalised.restore(&(a * x + b))).collect())
}

/// The fundamental matrix, of rank two and unit norm, that fits eight or more pairs with the least
/// algebraic error. Hartley, *In defense of the eight-point algorithm*, PAMI 1997.
///
/// # Errors
/// Fewer than eight pairs; numbers that are not finite; points on a plane, or a camera that only
/// turned, where F is undetermined.
pub fn eight_point(pairs: &[PixelPair]) -> Result<Matrix3<f64>, Error> {
    const NAME: &str = "eight_point";
    check_data(NAME, pairs, 8, PixelPair::is_finite)?;
    let degenerate = |reason| Error::Degenerate { estimator: NAME, reason };
    let normalised =
        Normalised::new(pairs).ok_or_else(|| degenerate("all pixels of one image coincide"))?;
    let rows = pairs.iter().map(|pair| normalised.row(pair));
    let (f, singular) =
        smallest_singular(rows).ok_or_else(|| degenerate("the equations have no solution"))?;
    if singular[1] < UNDETERMINED * (pairs.len() as f64).sqrt() {
        return Err(degenerate("the points lie on a plane or the camera only turned"));
    }
    let f = Matrix3::from_fn(|r, c| f[3 * r + c]);
    rank_two(&f)
        .and_then(|f| normalised.restore(&f))
        .ok_or_else(|| degenerate("the solution vanishes"))
}

/// Sampson's error, pixels: to first order, how far the two pixels must move to satisfy F.
/// Hartley & Zisserman 2003, Eq. (11.9).
pub fn sampson_px(fundamental: &Matrix3<f64>, pair: &PixelPair) -> f64 {
    let (x1, x2) = (pair.first.to_homogeneous(), pair.second.to_homogeneous());
    let (in_second, in_first) = (fundamental * x1, fundamental.tr_mul(&x2));
    let squared = in_second.xy().norm_squared() + in_first.xy().norm_squared();
    let e = x2.dot(&in_second).abs();
    if squared <= f64::MIN_POSITIVE { 0.0 } else { e / squared.sqrt() }
}

fn rank_two(f: &Matrix3<f64>) -> Option<Matrix3<f64>> {
    let svd = f.try_svd(true, true, f64::EPSILON, 200)?;
    let mut values = svd.singular_values;
    let smallest = values.imin();
    values[smallest] = 0.0;
    Some(svd.u? * Matrix3::from_diagonal(&values) * svd.v_t?)
}

/// Both images shifted and scaled to centroid zero and mean distance sqrt(2).
struct Normalised {
    first: Matrix3<f64>,
    second: Matrix3<f64>,
}

impl Normalised {
    fn new(pairs: &[PixelPair]) -> Option<Self> {
        let first = normalisation(pairs.iter().map(|p| p.first.coords))?;
        let second = normalisation(pairs.iter().map(|p| p.second.coords))?;
        Some(Self { first, second })
    }

    /// The constraint on F's entries, row by row.
    fn row(&self, pair: &PixelPair) -> SVector<f64, 9> {
        let x1 = self.first * pair.first.to_homogeneous();
        let x2 = self.second * pair.second.to_homogeneous();
        SVector::from_fn(|k, _| x2[k / 3] * x1[k % 3])
    }

    fn restore(&self, f: &Matrix3<f64>) -> Option<Matrix3<f64>> {
        (self.second.transpose() * f * self.first).try_normalize(f64::MIN_POSITIVE)
    }
}

fn normalisation(pixels: impl Iterator<Item = Vector2<f64>> + Clone) -> Option<Matrix3<f64>> {
    let count = pixels.clone().count() as f64;
    let centroid: Vector2<f64> = pixels.clone().sum::<Vector2<f64>>() / count;
    let distance = pixels.map(|p| (p - centroid).norm()).sum::<f64>() / count;
    let scale = std::f64::consts::SQRT_2 / distance;
    let shift: Vector3<f64> = (-centroid * scale).push(1.0);
    (scale.is_finite() && distance > 0.0)
        .then(|| Matrix3::from_columns(&[Vector3::x() * scale, Vector3::y() * scale, shift]))
}

#[cfg(test)]
mod tests {
    use nalgebra::Point3;

    use super::*;
    use crate::solvers::{
        essential_matrix,
        testing::{Random, spread},
    };
    use crate::{Camera, Pose};

    const K: Matrix3<f64> = Matrix3::new(700.0, 0.0, 640.0, 0.0, 710.0, 360.0, 0.0, 0.0, 1.0);

    fn pixel(p_in_camera: &Point3<f64>) -> Point2<f64> {
        Point2::from_homogeneous(K * p_in_camera.coords).expect("in front")
    }

    fn scene(
        random: &mut Random,
        count: usize,
        mut point: impl FnMut(&mut Random) -> Point3<f64>,
    ) -> (Matrix3<f64>, Vec<PixelPair>) {
        let second_from_first: Pose<Camera, Camera> = random.pose(0.2);
        let k_inverse = K.try_inverse().unwrap();
        let truth = k_inverse.transpose() * essential_matrix(&second_from_first) * k_inverse;
        let pairs = (0..count)
            .map(|_| {
                let p = point(random) + nalgebra::Vector3::z() * 2.0;
                PixelPair { first: pixel(&p), second: pixel(&(second_from_first * p)) }
            })
            .collect();
        (truth.normalize(), pairs)
    }

    fn distance(found: &Matrix3<f64>, truth: &Matrix3<f64>) -> f64 {
        (found - truth).norm().min((found + truth).norm())
    }

    #[test]
    fn seven_points_are_exact() {
        let mut random = Random::new(61);
        let mut errors = Vec::new();
        for _ in 0..5_000 {
            let (truth, pairs) = scene(&mut random, 7, Random::point_in_camera);
            let found = seven_point(&pairs.try_into().unwrap()).unwrap();
            errors.push(found.iter().map(|f| distance(f, &truth)).fold(f64::MAX, f64::min));
        }
        let lost = errors.iter().filter(|e| **e > 1e-6).count();
        let (median, worst) = spread(&mut errors);
        println!("seven_point: median {median:.1e}, worst {worst:.1e}, {lost} of 5000 above 1e-6");
        assert!(median < 1e-12 && lost <= 10, "{median} {lost}");
    }

    #[test]
    fn eight_points_are_exact() {
        let mut random = Random::new(62);
        let mut errors = Vec::new();
        for trial in 0..5_000 {
            let (truth, pairs) = scene(&mut random, 8 + trial % 30, Random::point_in_camera);
            errors.push(distance(&eight_point(&pairs).unwrap(), &truth));
        }
        let (median, worst) = spread(&mut errors);
        println!("eight_point: median {median:.1e}, worst {worst:.1e}");
        assert!(median < 1e-13 && worst < 1e-7, "{median} {worst}");
    }

    #[test]
    fn sampson_is_the_distance_to_the_constraint() {
        let mut random = Random::new(63);
        let (truth, pairs) = scene(&mut random, 200, Random::point_in_camera);
        for pair in pairs {
            assert!(sampson_px(&truth, &pair) < 1e-9);
            let moved = PixelPair { first: pair.first + Vector2::new(0.3, -0.4), ..pair };
            assert!(sampson_px(&truth, &moved) <= 0.5 + 1e-3);
        }
    }

    #[test]
    fn degenerate_and_bad_input() {
        let mut random = Random::new(64);
        let (_, plane) = scene(&mut random, 20, |random| {
            Point3::new(random.between(-4.0, 4.0), random.between(-3.0, 3.0), 8.0)
        });
        assert!(matches!(eight_point(&plane), Err(Error::Degenerate { .. })));
        assert!(matches!(eight_point(&[plane[0]; 9]), Err(Error::Degenerate { .. })));
        assert!(matches!(seven_point(&[plane[0]; 7]), Err(Error::Degenerate { .. })));
        assert!(matches!(eight_point(&plane[..7]), Err(Error::TooFewData { .. })));
        let mut nan = plane;
        nan[2].first.x = f64::NAN;
        assert!(matches!(eight_point(&nan), Err(Error::NotFinite { index: 2, .. })));
    }
}
