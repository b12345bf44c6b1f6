//! Which true and estimated poses belong together.

use ommatidia_geometry::{Duration, Timestamp};
use ommatidia_scene::PoseSample;
use serde::{Deserialize, Serialize};

/// How poses are paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Association {
    /// The first with the first, and so on: KITTI's files, which hold no times.
    Index,
    /// Nearest in time, at most this far apart.
    Time(Duration),
}

impl Default for Association {
    /// 0.01 s: the TUM tools' `associate.py` works at 0.02, evo at 0.01; this is evo's.
    fn default() -> Self {
        Self::Time(Duration(10_000_000))
    }
}

/// Index pairs `(truth, estimate)` of nearest poses in time, at most `tolerance` apart.
///
/// As in evo 1.38 (`sync.matching_time_indices`): each pose of the sparser trajectory takes the
/// nearest of the denser, the earlier on a tie; two may take the same one. Neither slice
/// runs backwards in time.
pub fn nearest_in_time(
    truth: &[PoseSample],
    estimate: &[PoseSample],
    tolerance: Duration,
) -> Vec<(usize, usize)> {
    if estimate.len() > truth.len() {
        match_into(truth, estimate, tolerance)
    } else {
        match_into(estimate, truth, tolerance).into_iter().map(|(e, t)| (t, e)).collect()
    }
}

fn match_into(
    sparse: &[PoseSample],
    dense: &[PoseSample],
    tolerance: Duration,
) -> Vec<(usize, usize)> {
    let nearest = |time: Timestamp| {
        let after = dense.partition_point(|sample| sample.timestamp <= time);
        let gap = |&i: &usize| (dense[i].timestamp - time).abs();
        // The earlier one wins a tie: `min_by_key` keeps the first of equals.
        [after.checked_sub(1), Some(after)]
            .into_iter()
            .flatten()
            .filter(|&i| i < dense.len())
            .min_by_key(gap)
            .filter(|i| gap(i) <= tolerance)
    };
    let pair = |(i, sample): (usize, &PoseSample)| Some((i, nearest(sample.timestamp)?));
    sparse.iter().enumerate().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::Pose;

    fn at(times: &[i64]) -> Vec<PoseSample> {
        let sample = |&t| PoseSample { timestamp: Timestamp(t), world_from_ego: Pose::identity() };
        times.iter().map(sample).collect()
    }

    fn check(truth: &[i64], estimate: &[i64], tolerance: i64, expected: &[(usize, usize)]) {
        let pairs = nearest_in_time(&at(truth), &at(estimate), Duration(tolerance));
        assert_eq!(pairs, expected, "{truth:?} {estimate:?}");
    }

    #[test]
    fn each_of_the_sparser_takes_the_nearest() {
        check(&[0, 10, 20, 30], &[9, 22], 5, &[(1, 0), (2, 1)]);
        check(&[9, 22], &[0, 10, 20, 30], 5, &[(0, 1), (1, 2)]);
        check(&[0, 10], &[4, 6], 5, &[(0, 0), (1, 1)]);
    }

    #[test]
    fn a_tie_goes_to_the_earlier_and_the_tolerance_is_inclusive() {
        check(&[0, 10, 20], &[5], 5, &[(0, 0)]);
        check(&[0, 10, 20], &[26], 6, &[(2, 0)]);
        check(&[0, 10, 20], &[26], 5, &[]);
    }

    #[test]
    fn nothing_pairs_with_nothing() {
        check(&[], &[1, 2], 5, &[]);
        check(&[1, 2], &[], 5, &[]);
    }

    #[test]
    fn two_may_take_the_same() {
        check(&[0, 100, 200], &[99, 101], 5, &[(1, 0), (1, 1)]);
    }
}
