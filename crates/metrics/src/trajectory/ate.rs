//! Absolute trajectory error.

use super::{EgoPose, Spread};

/// Differences of paired poses.
#[derive(Debug, Clone, PartialEq)]
pub struct AbsoluteErrors {
    /// Distance of the positions, metres.
    pub translation_m: Vec<f64>,
    /// Angle between the orientations, degrees.
    pub rotation_deg: Vec<f64>,
}

impl AbsoluteErrors {
    /// Statistics of the distances, metres.
    pub fn translation(&self) -> Spread {
        Spread::of(&self.translation_m)
    }

    /// Statistics of the angles, degrees.
    pub fn rotation(&self) -> Spread {
        Spread::of(&self.rotation_deg)
    }
}

/// Absolute trajectory error of aligned, paired, non-empty poses, one per pair.
///
/// Sturm et al. 2012, Eq. (3); evo's APE of the translation part and of the rotation angle.
pub fn absolute_errors(truth: &[EgoPose], estimate: &[EgoPose]) -> AbsoluteErrors {
    assert!(!truth.is_empty() && truth.len() == estimate.len(), "poses are paired");
    let pairs = || truth.iter().zip(estimate);
    AbsoluteErrors {
        translation_m: pairs().map(|(t, e)| (e.translation - t.translation).norm()).collect(),
        rotation_deg: pairs().map(|(t, e)| t.rotation.angle_to(&e.rotation).to_degrees()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::testing::{helix, straight};

    #[test]
    fn distances_by_hand() {
        let truth = straight(&[0.0, 1.0, 2.0, 3.0]);
        let estimate = straight(&[0.0, 1.0, 5.0, -1.0]);
        let error = absolute_errors(&truth, &estimate).translation();
        assert_eq!((error.rmse, error.max), (2.5, 4.0)); // sqrt((9 + 16) / 4)
        assert_eq!((error.mean, error.median), (1.75, 1.5));
    }

    #[test]
    fn identical_is_zero() {
        let path = helix(30);
        let errors = absolute_errors(&path, &path);
        assert_eq!(errors.translation().max, 0.0);
        assert!(errors.rotation().max < 1e-5);
    }
}
