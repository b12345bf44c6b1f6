//! The rotation of a camera that only turned.

use nalgebra::{Matrix3, UnitQuaternion};

use super::{BearingPair, check_data, umeyama::rotation_of};
use crate::Error;

/// The rotation `second_from_first` that best turns the first rays into the second (least squared
/// chords). Kabsch 1976; Wahba's problem.
///
/// # Errors
/// Fewer than two pairs, numbers that are not finite, rays that are all parallel.
pub fn rotation_between(pairs: &[BearingPair]) -> Result<UnitQuaternion<f64>, Error> {
    const NAME: &str = "rotation_between";
    check_data(NAME, pairs, 2, BearingPair::is_finite)?;
    let covariance: Matrix3<f64> =
        pairs.iter().map(|p| p.second.into_inner() * p.first.transpose()).sum();
    let parallel = Error::Degenerate { estimator: NAME, reason: "the rays are all parallel" };
    rotation_of(&covariance).map(|(rotation, _)| rotation).ok_or(parallel)
}

#[cfg(test)]
mod tests {
    use nalgebra::{Point3, Vector3};

    use super::*;
    use crate::Pose;
    use crate::solvers::testing::Random;

    #[test]
    fn exact_from_two_rays_on() {
        let mut random = Random::new(81);
        for trial in 0..2_000 {
            let truth = Pose::new(random.rotation(3.1), Vector3::zeros());
            let pairs = random.pairs(&truth, 2 + trial % 5, |random| Point3::from(random.vector()));
            let error = rotation_between(&pairs).unwrap().angle_to(&truth.rotation);
            assert!(error < 1e-6, "{error}");
        }
    }

    #[test]
    fn degenerate_and_bad_input() {
        let mut random = Random::new(82);
        let pairs = random.pairs(&Pose::identity(), 3, Random::point_in_camera);
        assert!(matches!(rotation_between(&pairs[..1]), Err(Error::TooFewData { .. })));
        assert!(matches!(rotation_between(&[pairs[0]; 3]), Err(Error::Degenerate { .. })));
        let mut nan = pairs;
        nan[1].first.as_mut_unchecked().z = f64::NAN;
        assert!(matches!(rotation_between(&nan), Err(Error::NotFinite { index: 1, .. })));
    }
}
