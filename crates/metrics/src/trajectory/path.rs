//! Length of the path, and where it ends.

use super::EgoPose;

/// Path driven up to each pose, metres; the first is 0.
pub fn distances_m(poses: &[EgoPose]) -> Vec<f64> {
    let mut driven_m = 0.0;
    let mut distances = Vec::with_capacity(poses.len());
    for (i, pose) in poses.iter().enumerate() {
        if i > 0 {
            driven_m += (pose.translation - poses[i - 1].translation).norm();
        }
        distances.push(driven_m);
    }
    distances
}

/// Length of the path, metres.
pub fn length_m(poses: &[EgoPose]) -> f64 {
    distances_m(poses).last().copied().unwrap_or(0.0)
}

/// Distance between the last positions once the first poses coincide, in percent of the true path.
///
/// The first poses are made to coincide whatever the alignment: drift counts from the start.
/// `None` where the truth does not move.
pub fn end_drift_percent(truth: &[EgoPose], estimate: &[EgoPose]) -> Option<f64> {
    let path_m = length_m(truth);
    let true_motion = truth.first()?.inverse() * *truth.last()?;
    let motion = estimate.first()?.inverse() * *estimate.last()?;
    let drift_m = (motion.translation - true_motion.translation).norm();
    (path_m > 0.0).then(|| 100.0 * drift_m / path_m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::testing::{helix, random_pose, straight};

    #[test]
    fn there_and_back_counts_twice() {
        assert_eq!(distances_m(&straight(&[0.0, 2.0, 2.0, -1.0])), [0.0, 2.0, 2.0, 5.0]);
        assert_eq!(length_m(&[]), 0.0);
    }

    #[test]
    fn drift_by_hand() {
        let truth = straight(&[0.0, 5.0, 10.0]);
        assert_eq!(end_drift_percent(&truth, &straight(&[1.0, 6.0, 11.5])), Some(5.0));
        assert_eq!(end_drift_percent(&truth, &truth), Some(0.0));
        assert_eq!(end_drift_percent(&straight(&[3.0, 3.0]), &straight(&[3.0, 4.0])), None);
    }

    #[test]
    fn moving_the_whole_estimate_changes_nothing() {
        let truth = helix(40);
        let moved: Vec<EgoPose> = truth.iter().map(|pose| random_pose(7).cast() * *pose).collect();
        assert!(end_drift_percent(&truth, &moved).unwrap() < 1e-12);
    }
}
