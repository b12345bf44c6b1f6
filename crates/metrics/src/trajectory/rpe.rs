//! Relative pose error.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{EgoPose, Spread};
use crate::Error;

/// How far apart the two poses of a pair are, measured on the estimate as evo does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Delta {
    /// Poses.
    Frames(usize),
    /// Path driven, metres: a pair ends at the first pose at least that far along.
    Metres(f64),
    /// Angle turned, degrees: a pair ends at the first pose by which at least that much was turned.
    Degrees(f64),
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
            Self::Degrees(degrees) => write!(f, "{degrees} degrees"),
        }
    }
}

/// Which of the pairs that are a delta apart count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelativePairs {
    /// One after the other, none overlapping; evo's default.
    #[default]
    Consecutive,
    /// From every pose: by frames all, by metres the one pose nearest to the delta along the path, by
    /// degrees every later pose turned by the delta; the last two only within a tenth of the delta.
    /// evo's `all_pairs`.
    All,
}

/// Tolerance of [`RelativePairs::All`] relative to the delta, evo's default.
const TOLERANCE: f64 = 0.1;

/// Errors of relative motion, one per pair.
#[derive(Debug, Clone, PartialEq)]
pub struct RelativeErrors {
    /// Indices of the first and the last pose of each pair.
    pub pairs: Vec<(usize, usize)>,
    /// Metres.
    pub translation_m: Vec<f64>,
    /// Degrees.
    pub rotation_deg: Vec<f64>,
}

impl RelativeErrors {
    /// Statistics in metres.
    pub fn translation(&self) -> Spread {
        Spread::of(&self.translation_m)
    }

    /// Statistics in degrees.
    pub fn rotation(&self) -> Spread {
        Spread::of(&self.rotation_deg)
    }
}

/// Relative pose errors of paired poses.
///
/// `E_i = (Q_i^-1 Q_j)^-1 (P_i^-1 P_j)`, Sturm et al. 2012, Eq. (1); pairs as evo 1.38 chooses them.
///
/// # Errors
/// [`Error::NoPairs`] where no two poses are `delta` apart.
pub fn relative_errors(
    truth: &[EgoPose],
    estimate: &[EgoPose],
    delta: Delta,
    which: RelativePairs,
) -> Result<RelativeErrors, Error> {
    assert_eq!(truth.len(), estimate.len(), "poses are paired");
    let pairs = match which {
        RelativePairs::Consecutive => {
            let ends = pair_ends(estimate, delta);
            ends.windows(2).map(|pair| (pair[0], pair[1])).collect()
        }
        RelativePairs::All => all_pairs(estimate, delta),
    };
    if pairs.is_empty() {
        return Err(Error::NoPairs { poses: truth.len(), delta: delta.to_string() });
    }
    let error = |&(i, j): &(usize, usize)| {
        let true_motion = truth[i].inverse() * truth[j];
        true_motion.inverse() * (estimate[i].inverse() * estimate[j])
    };
    let errors: Vec<_> = pairs.iter().map(error).collect();
    Ok(RelativeErrors {
        translation_m: errors.iter().map(|e| e.translation.norm()).collect(),
        rotation_deg: errors.iter().map(|e| e.rotation.angle().to_degrees()).collect(),
        pairs,
    })
}

/// Indices that split the estimate into pieces of `delta`.
fn pair_ends(estimate: &[EgoPose], delta: Delta) -> Vec<usize> {
    let size: fn(&[EgoPose]) -> f64 = match delta {
        Delta::Frames(step) => return (0..estimate.len()).step_by(step.max(1)).collect(),
        Delta::Metres(_) => |pair| (pair[1].translation - pair[0].translation).norm(),
        Delta::Degrees(_) => |pair| pair[0].rotation.angle_to(&pair[1].rotation).to_degrees(),
    };
    let (Delta::Metres(wanted) | Delta::Degrees(wanted)) = delta else { unreachable!("returned") };
    let (mut ends, mut gone) = (vec![0], 0.0);
    for (i, pair) in estimate.windows(2).enumerate() {
        gone += size(pair);
        if gone >= wanted {
            ends.push(i + 1);
            gone = 0.0;
        }
    }
    ends
}

/// All pairs that are `delta` apart, see [`RelativePairs::All`].
fn all_pairs(estimate: &[EgoPose], delta: Delta) -> Vec<(usize, usize)> {
    let n = estimate.len();
    match delta {
        Delta::Frames(step) => (step.max(1)..n).map(|j| (j - step.max(1), j)).collect(),
        Delta::Metres(wanted_m) => {
            let along_m = super::distances_m(estimate);
            let nearest = |i: usize| {
                // The first of equals, as NumPy's argmin.
                let off = |j: &usize| (along_m[*j] - along_m[i] - wanted_m).abs();
                let j = (i + 1..n).min_by(|a, b| off(a).total_cmp(&off(b)))?;
                (off(&j) <= TOLERANCE * wanted_m).then_some((i, j))
            };
            (0..n).filter_map(nearest).collect()
        }
        Delta::Degrees(wanted_deg) => {
            let turned = |i: usize, j: usize| {
                estimate[i].rotation.angle_to(&estimate[j].rotation).to_degrees()
            };
            let fits =
                |i: usize, j: usize| (turned(i, j) - wanted_deg).abs() <= TOLERANCE * wanted_deg;
            (0..n)
                .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
                .filter(|&(i, j)| fits(i, j))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::testing::{helix, random_pose, straight};

    fn consecutive(
        truth: &[EgoPose],
        estimate: &[EgoPose],
        delta: Delta,
    ) -> Result<RelativeErrors, Error> {
        relative_errors(truth, estimate, delta, RelativePairs::Consecutive)
    }

    #[test]
    fn steps_by_hand() {
        let truth = straight(&[0.0, 1.0, 2.0, 3.0]);
        let estimate = straight(&[0.0, 1.0, 2.5, 3.5]);
        let error = consecutive(&truth, &estimate, Delta::default()).unwrap();
        assert!((error.translation().rmse - (0.25f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!((error.rotation().max, error.pairs.len()), (0.0, 3));
        let error = consecutive(&truth, &estimate, Delta::Frames(2)).unwrap();
        assert_eq!((error.translation_m, error.pairs), (vec![0.5], vec![(0, 2)]));
    }

    #[test]
    fn pieces_end_at_the_first_pose_that_is_far_enough() {
        let path = straight(&[0.0, 0.6, 1.2, 1.3, 2.9, 3.0]);
        assert_eq!(pair_ends(&path, Delta::Metres(1.0)), [0, 2, 4]);
        assert_eq!(pair_ends(&path, Delta::Frames(2)), [0, 2, 4]);
        assert_eq!(all_pairs(&path, Delta::Metres(1.2)), [(0, 2)]);
        assert_eq!(all_pairs(&path, Delta::Frames(4)), [(0, 4), (1, 5)]);
        for which in [RelativePairs::Consecutive, RelativePairs::All] {
            let error = relative_errors(&path, &path, Delta::Metres(9.0), which).unwrap_err();
            assert_eq!(error, Error::NoPairs { poses: 6, delta: "9 m".into() });
            assert!(relative_errors(&path, &path, Delta::Degrees(5.0), which).is_err());
        }
    }

    #[test]
    fn moving_the_whole_estimate_changes_nothing() {
        let truth = helix(40);
        for seed in 0..20 {
            let moved: Vec<EgoPose> =
                truth.iter().map(|pose| random_pose(seed).cast() * *pose).collect();
            for delta in [Delta::default(), Delta::Metres(3.0), Delta::Degrees(10.0)] {
                let error = consecutive(&truth, &moved, delta).unwrap();
                assert!(error.translation().max < 1e-9 && error.rotation().max < 1e-5);
            }
        }
    }
}
