//! Absolute trajectory error.

use super::EgoPose;

/// Distances between paired positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AbsoluteError {
    /// Root of the mean square, metres.
    pub rmse_m: f64,
    /// Largest, metres.
    pub max_m: f64,
    /// Mean, metres.
    pub mean_m: f64,
    /// Lower of the two middle ones where their number is even, metres.
    pub median_m: f64,
}

/// Absolute trajectory error of aligned, paired, non-empty poses.
///
/// Sturm et al. 2012, Eq. (3); evo's APE of the translation part.
pub fn absolute_error(truth: &[EgoPose], estimate: &[EgoPose]) -> AbsoluteError {
    assert!(!truth.is_empty() && truth.len() == estimate.len(), "poses are paired");
    let distance = |(t, e): (&EgoPose, &EgoPose)| (e.translation - t.translation).norm();
    let mut errors: Vec<f64> = truth.iter().zip(estimate).map(distance).collect();
    let n = errors.len() as f64;
    let (rmse_m, mean_m) = (super::rms(&errors), errors.iter().sum::<f64>() / n);
    errors.sort_by(f64::total_cmp);
    let median_m = errors[(errors.len() - 1) / 2];
    AbsoluteError { rmse_m, max_m: errors[errors.len() - 1], mean_m, median_m }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::testing::{helix, straight};

    #[test]
    fn distances_by_hand() {
        let truth = straight(&[0.0, 1.0, 2.0, 3.0]);
        let estimate = straight(&[0.0, 1.0, 5.0, -1.0]);
        let error = absolute_error(&truth, &estimate);
        assert_eq!((error.rmse_m, error.max_m), (2.5, 4.0)); // sqrt((9 + 16) / 4)
        assert_eq!((error.mean_m, error.median_m), (1.75, 0.0));
    }

    #[test]
    fn identical_is_zero() {
        let path = helix(30);
        assert_eq!(absolute_error(&path, &path).max_m, 0.0);
    }
}
