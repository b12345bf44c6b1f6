//! The homography H of a plane, or of a turning camera, between bearings: `f2 ~ H f1`.

use nalgebra::{Matrix3, Rotation3, SMatrix, SVector, Unit, UnitQuaternion, Vector3};

use super::{
    BearingPair, check_data,
    linear::{null_space, smallest_singular, tangent_basis},
    pnp::angle_rad,
};
use crate::{Camera, Error, Pose};

const NAME: &str = "homography";
/// A homography with a smaller ratio of determinant to norm cubed maps the scene to a line.
const SINGULAR: f64 = 1e-9;
/// The second smallest singular value of the equations, per pair, of an undetermined homography.
const UNDETERMINED: f64 = 1e-9;
/// Singular values of H apart by less than this: a pure rotation.
const ROTATION_ONLY: f64 = 1e-7;

/// A homography and its inverse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Homography {
    /// Scaled to a middle singular value of 1, so that for a plane `n^T p = d` in the first camera
    /// it is `R + t n^T / d` with `second_from_first = (R, t)`.
    pub second_from_first: Matrix3<f64>,
    inverse: Matrix3<f64>,
}

/// A motion that explains a homography.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlaneMotion {
    /// The translation is in units of the plane's distance from the first camera.
    pub second_from_first: Pose<Camera, Camera>,
    /// Of the plane, in the first camera, pointing away from it. `None` for a pure rotation.
    pub normal: Option<Unit<Vector3<f64>>>,
}

/// The homography of four or more pairs with the least algebraic error. Direct linear
/// transformation on the tangent planes of the second rays, so that any field of view will do.
///
/// # Errors
/// Fewer than four pairs, numbers that are not finite, three of four points on a line.
pub fn homography(pairs: &[BearingPair]) -> Result<Homography, Error> {
    check_data(NAME, pairs, 4, BearingPair::is_finite)?;
    let degenerate =
        || Error::Degenerate { estimator: NAME, reason: "too many of the points lie on a line" };
    let equations = |pair: &BearingPair| {
        let basis = tangent_basis(&pair.second);
        [0, 1].map(|i| SVector::<f64, 9>::from_fn(|k, _| basis[(k / 3, i)] * pair.first[k % 3]))
    };
    let h = if let [a, b, c, d] = pairs {
        let rows = [a, b, c, d].map(equations);
        let constraints = SMatrix::<f64, 9, 8>::from_fn(|k, i| rows[i / 2][i % 2][k]);
        null_space::<9, 8, 1>(&constraints).ok_or_else(degenerate)?
    } else {
        let rows: Vec<_> = pairs.iter().flat_map(equations).collect();
        let (h, singular) = smallest_singular(rows.into_iter()).ok_or_else(degenerate)?;
        if singular[1] < UNDETERMINED * (pairs.len() as f64).sqrt() {
            return Err(degenerate());
        }
        h
    };
    let h = Matrix3::from_fn(|r, c| h[3 * r + c]);
    let forwards = pairs.iter().filter(|p| p.second.dot(&(h * *p.first)) > 0.0).count();
    let h = if 2 * forwards < pairs.len() { -h } else { h };
    Homography::new(&h).ok_or_else(degenerate)
}

impl Homography {
    /// From a matrix of any positive scale. `None` if it is singular or not finite.
    pub fn new(second_from_first: &Matrix3<f64>) -> Option<Self> {
        let h = second_from_first.try_normalize(f64::MIN_POSITIVE)?;
        if h.iter().any(|x| !x.is_finite()) || h.determinant().abs() < SINGULAR {
            return None;
        }
        let mut singular = h.singular_values();
        singular.as_mut_slice().sort_by(f64::total_cmp);
        let second_from_first = h / singular[1];
        Some(Self { second_from_first, inverse: second_from_first.try_inverse()? })
    }

    /// The larger angle by which one ray misses the other's image, radians.
    pub fn transfer_error_rad(&self, pair: &BearingPair) -> f64 {
        let forwards = angle_rad(&(self.second_from_first * *pair.first), &pair.second);
        forwards.max(angle_rad(&(self.inverse * *pair.second), &pair.first))
    }

    /// Up to two motions that put the plane in front of the first camera where `pairs` lie.
    /// Ma, Soatto, Košecká & Sastry, *An invitation to 3-D vision*, 2004, section 5.3.3.
    ///
    /// # Errors
    /// Non-finite or no pairs; a homography that mirrors.
    pub fn decompose(&self, pairs: &[BearingPair]) -> Result<Vec<PlaneMotion>, Error> {
        const NAME: &str = "Homography::decompose";
        check_data(NAME, pairs, 1, BearingPair::is_finite)?;
        let h = self.second_from_first;
        if h.determinant() < 0.0 {
            let reason = "the homography mirrors, which no motion does";
            return Err(Error::Degenerate { estimator: NAME, reason });
        }
        let eigen = (h.transpose() * h).symmetric_eigen();
        let mut order = [0, 1, 2];
        order.sort_by(|&l, &r| eigen.eigenvalues[r].total_cmp(&eigen.eigenvalues[l]));
        let [s1, _, s3] = order.map(|i| eigen.eigenvalues[i]);
        let [v1, v2, v3] = order.map(|i| eigen.eigenvectors.column(i).into_owned());
        if s1 - s3 < ROTATION_ONLY {
            let second_from_first = Pose::new(nearest_rotation(&h), Vector3::zeros());
            return Ok(vec![PlaneMotion { second_from_first, normal: None }]);
        }
        // Table 5.1.
        let (a, b) = ((1.0 - s3).max(0.0).sqrt(), (s1 - 1.0).max(0.0).sqrt());
        let motions = [b, -b].map(|b| {
            let u = (v1 * a + v3 * b) / (s1 - s3).sqrt();
            let normal = v2.cross(&u);
            let from = Matrix3::from_columns(&[v2, u, normal]);
            let (hv, hu) = (h * v2, h * u);
            let to = Matrix3::from_columns(&[hv, hu, hv.cross(&hu)]);
            let rotation = nearest_rotation(&(to * from.transpose()));
            let translation = (h - rotation.to_rotation_matrix().matrix()) * normal;
            // Of n and -n, the one that most points confirm.
            let ahead = pairs.iter().filter(|p| normal.dot(&p.first) > 0.0).count();
            let sign = if 2 * ahead < pairs.len() { -1.0 } else { 1.0 };
            let all_ahead = ahead == pairs.len() || ahead == 0;
            let motion = PlaneMotion {
                second_from_first: Pose::new(rotation, translation * sign),
                normal: Unit::try_new(normal * sign, f64::MIN_POSITIVE),
            };
            (all_ahead, motion)
        });
        let consistent: Vec<_> = motions.iter().filter(|m| m.0).map(|m| m.1).collect();
        let all = || motions.iter().map(|m| m.1).collect();
        Ok(if consistent.is_empty() { all() } else { consistent })
    }
}

fn nearest_rotation(matrix: &Matrix3<f64>) -> UnitQuaternion<f64> {
    let start = Rotation3::from_matrix_eps(matrix, f64::EPSILON, 50, Rotation3::identity());
    UnitQuaternion::from_rotation_matrix(&start)
}

#[cfg(test)]
mod tests {
    use nalgebra::Point3;

    use super::*;
    use crate::solvers::testing::{Random, spread};

    struct Scene {
        second_from_first: Pose<Camera, Camera>,
        normal: Unit<Vector3<f64>>,
        distance_m: f64,
        pairs: Vec<BearingPair>,
    }

    fn scene(random: &mut Random, count: usize) -> Scene {
        let second_from_first: Pose<Camera, Camera> = random.pose(0.3);
        let (normal, distance_m) =
            (Unit::new_normalize(Vector3::z() + random.vector() * 0.2), random.between(4.0, 12.0));
        let pairs = random.pairs(&second_from_first, count, |random| {
            let ray = Vector3::new(random.between(-0.6, 0.6), random.between(-0.6, 0.6), 1.0);
            Point3::from(ray * (distance_m / normal.dot(&ray)))
        });
        Scene { second_from_first, normal, distance_m, pairs }
    }

    #[test]
    fn exact_on_planes() {
        let mut random = Random::new(71);
        let (mut errors, mut motions) = (Vec::new(), Vec::new());
        for trial in 0..5_000 {
            let scene = scene(&mut random, 4 + trial % 10);
            let found = homography(&scene.pairs).unwrap();
            let translation = scene.second_from_first.translation / scene.distance_m;
            let truth =
                scene.second_from_first.rotation_matrix() + translation * scene.normal.transpose();
            errors.push((found.second_from_first - truth).norm());
            let truth: Pose<Camera, Camera> =
                Pose::new(scene.second_from_first.rotation, translation);
            let error = |m: &PlaneMotion| {
                let normal = m.normal.expect("the camera moved");
                (truth.inverse() * m.second_from_first).log().norm() + normal.angle(&scene.normal)
            };
            let found = found.decompose(&scene.pairs).unwrap();
            motions.push(found.iter().map(error).fold(f64::MAX, f64::min));
        }
        let (median, worst) = spread(&mut errors);
        println!("homography: median {median:.1e}, worst {worst:.1e}");
        assert!(median < 1e-13 && worst < 1e-6, "{median} {worst}");
        let (median, worst) = spread(&mut motions);
        println!("decomposition: median {median:.1e}, worst {worst:.1e}");
        assert!(median < 1e-12 && worst < 1e-3, "{median} {worst}");
    }

    #[test]
    fn a_turning_camera_gives_its_rotation() {
        let mut random = Random::new(72);
        let truth = Pose::new(random.rotation(1.0), Vector3::zeros());
        let pairs = random.pairs(&truth, 10, |random| Point3::from(random.vector()));
        let found = homography(&pairs).unwrap();
        assert!(pairs.iter().all(|p| found.transfer_error_rad(p) < 1e-13));
        let motions = found.decompose(&pairs).unwrap();
        assert_eq!(motions.len(), 1);
        assert!(motions[0].normal.is_none());
        assert!(motions[0].second_from_first.rotation.angle_to(&truth.rotation) < 1e-12);
    }

    #[test]
    fn degenerate_and_bad_input() {
        let mut random = Random::new(73);
        let good = scene(&mut random, 6).pairs;
        assert!(matches!(homography(&good[..3]), Err(Error::TooFewData { .. })));
        assert!(matches!(homography(&[good[0]; 4]), Err(Error::Degenerate { .. })));
        assert!(matches!(homography(&[good[0]; 6]), Err(Error::Degenerate { .. })));
        let on_line = random.pairs(&Pose::identity(), 7, |random| {
            Point3::new(1.0, 2.0, 5.0) + Vector3::new(1.0, 0.5, 0.1) * random.uniform()
        });
        assert!(matches!(homography(&on_line), Err(Error::Degenerate { .. })));
        assert!(matches!(homography(&on_line[..4]), Err(Error::Degenerate { .. })));
        let mut nan = good;
        nan[5].first.as_mut_unchecked().x = f64::NAN;
        assert!(matches!(homography(&nan), Err(Error::NotFinite { index: 5, .. })));
        assert!(Homography::new(&Matrix3::from_element(f64::NAN)).is_none());
    }
}
