//! Relative pose error.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::EgoPose;
use crate::Error;

/// How far apart the two poses of a pair are, measured on the estimate as evo does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Delta {
    /// Poses.
    Frames(usize),
    /// Path driven, metres: a pair ends at the first pose at least that far along.
    Metres(f64),
}

impl Default for Delta {
    /// Neighbouring poses, evo's default.
    fn default() -> Self {
        Self::Frames(1)
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames(frames) => write!(f, "{frames} frames"),
            Self::Metres(metres) => write!(f, "{metres} m"),
        }
    }
}

/// Error of relative motion, root of the mean square over the pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelativeError {
    /// Metres per pair.
    pub translation_m: f64,
    /// Degrees per pair.
    pub rotation_deg: f64,
    /// Pairs compared.
    pub pairs: usize,
}

/// Relative pose error of paired poses over consecutive, not overlapping pairs.
///
/// `E_i = (Q_i^-1 Q_j)^-1 (P_i^-1 P_j)`, Sturm et al. 2012, Eq. (1); pairs as evo 1.38 chooses them
/// with `all_pairs=False`.
///
/// # Errors
/// [`Error::NoPairs`] where the trajectory is shorter than `delta`.
pub fn relative_error(
    truth: &[EgoPose],
    estimate: &[EgoPose],
    delta: Delta,
) -> Result<RelativeError, Error> {
    assert_eq!(truth.len(), estimate.len(), "poses are paired");
    let ends = pair_ends(estimate, delta);
    if ends.len() < 2 {
        return Err(Error::NoPairs { poses: truth.len(), delta: delta.to_string() });
    }
    let error = |pair: &[usize]| {
        let (i, j) = (pair[0], pair[1]);
        let true_motion = truth[i].inverse() * truth[j];
        true_motion.inverse() * (estimate[i].inverse() * estimate[j])
    };
    let errors: Vec<_> = ends.windows(2).map(error).collect();
    let of = |size: fn(&ommatidia_geometry::Pose<_, _>) -> f64| {
        super::rms(&errors.iter().map(size).collect::<Vec<f64>>())
    };
    Ok(RelativeError {
        translation_m: of(|e| e.translation.norm()),
        rotation_deg: of(|e| e.rotation.angle().to_degrees()),
        pairs: errors.len(),
    })
}

/// Indices that split the estimate into pieces of `delta`.
fn pair_ends(estimate: &[EgoPose], delta: Delta) -> Vec<usize> {
    match delta {
        Delta::Frames(step) => (0..estimate.len()).step_by(step.max(1)).collect(),
        Delta::Metres(length_m) => {
            let mut ends = vec![0];
            let mut driven_m = 0.0;
            for (i, pair) in estimate.windows(2).enumerate() {
                driven_m += (pair[1].translation - pair[0].translation).norm();
                if driven_m >= length_m {
                    ends.push(i + 1);
                    driven_m = 0.0;
                }
            }
            ends
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::testing::{helix, random_pose, straight};

    #[test]
    fn steps_by_hand() {
        let truth = straight(&[0.0, 1.0, 2.0, 3.0]);
        let estimate = straight(&[0.0, 1.0, 2.5, 3.5]);
        let error = relative_error(&truth, &estimate, Delta::default()).unwrap();
        assert!((error.translation_m - (0.25f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!((error.rotation_deg, error.pairs), (0.0, 3));
        let error = relative_error(&truth, &estimate, Delta::Frames(2)).unwrap();
        assert_eq!((error.translation_m, error.pairs), (0.5, 1));
    }

    #[test]
    fn pieces_end_at_the_first_pose_that_is_far_enough() {
        let path = straight(&[0.0, 0.6, 1.2, 1.3, 2.9, 3.0]);
        assert_eq!(pair_ends(&path, Delta::Metres(1.0)), [0, 2, 4]);
        assert_eq!(pair_ends(&path, Delta::Frames(2)), [0, 2, 4]);
        let error = relative_error(&path, &path, Delta::Metres(9.0)).unwrap_err();
        assert_eq!(error, Error::NoPairs { poses: 6, delta: "9 m".into() });
    }

    #[test]
    fn moving_the_whole_estimate_changes_nothing() {
        let truth = helix(40);
        for seed in 0..20 {
            let moved: Vec<EgoPose> =
                truth.iter().map(|pose| random_pose(seed).cast() * *pose).collect();
            let error = relative_error(&truth, &moved, Delta::default()).unwrap();
            assert!(error.translation_m < 1e-12 && error.rotation_deg < 1e-9, "{error:?}");
        }
    }
}
