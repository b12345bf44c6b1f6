//! FIERY's measures of instances seen from above over time: IoU and video panoptic quality.
//!
//! Hu et al. 2021, section 5.1, and `fiery/metrics.py`: an instance is found where it overlaps by more than
//! half of the union in a frame; one that was found under another number before counts as both missed and
//! wrong in the frame of the change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::panoptic::Overlaps;

/// Sums over sequences. Instance 0 is the background.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VideoPanoptic {
    /// Instances found, over all frames.
    pub matched: u64,
    /// Instances predicted without a match.
    pub false_positives: u64,
    /// True instances without a match.
    pub missed: u64,
    /// Sum of the matches' intersection over union.
    pub iou_sum: f64,
    /// Cells with an instance on both sides.
    pub both_cells: u64,
    /// Cells with one on either.
    pub either_cells: u64,
}

/// FIERY's figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct VideoPanopticReport {
    /// Intersection over union of cells with any instance; 0 if neither side has one.
    pub iou: f64,
    /// Video panoptic quality; 0 without any instance.
    pub vpq: f64,
    /// Mean intersection over union of matches; 0 without one.
    pub vsq: f64,
    /// F1 of instances; 0 without any.
    pub vrq: f64,
}

impl VideoPanoptic {
    /// Adds a sequence: each frame's true and predicted instance of every cell.
    ///
    /// # Errors
    /// [`Error::Lengths`] where frames or cells do not correspond. Nothing is added then.
    pub fn add_sequence(&mut self, truth: &[&[u32]], predicted: &[&[u32]]) -> Result<(), Error> {
        let differ = |what, truth, predicted| Err(Error::Lengths { what, truth, predicted });
        if truth.len() != predicted.len() {
            return differ("frames", truth.len(), predicted.len());
        }
        if let Some((t, p)) = truth.iter().zip(predicted).find(|(t, p)| t.len() != p.len()) {
            return differ("cells", t.len(), p.len());
        }
        let mut known: BTreeMap<u64, u64> = BTreeMap::new();
        for (truth, predicted) in truth.iter().zip(predicted) {
            self.add_frame(truth, predicted, &mut known);
        }
        Ok(())
    }

    fn add_frame(&mut self, truth: &[u32], predicted: &[u32], known: &mut BTreeMap<u64, u64>) {
        for (&t, &p) in truth.iter().zip(predicted) {
            self.both_cells += u64::from(t > 0 && p > 0);
            self.either_cells += u64::from(t > 0 || p > 0);
        }
        let keys = |instances: &[u32]| instances.iter().map(|&i| u64::from(i)).collect::<Vec<_>>();
        let overlaps = Overlaps::new(keys(truth).into_iter(), keys(predicted).into_iter(), None);
        let pairs = overlaps.pairs_above_half();
        let mut matches = 0;
        for (t, p, iou) in pairs.into_iter().filter(|&(t, p, _)| t > 0 && p > 0) {
            matches += 1;
            if known.insert(t, p).is_some_and(|before| before != p) {
                self.missed += 1;
                self.false_positives += 1;
            } else {
                self.matched += 1;
                self.iou_sum += iou;
            }
        }
        let (true_instances, predicted_instances) = overlaps.segments_above(0);
        self.missed += true_instances - matches;
        self.false_positives += predicted_instances - matches;
    }

    /// Adds other sequences' sums.
    pub fn add(&mut self, other: &Self) {
        self.matched += other.matched;
        self.false_positives += other.false_positives;
        self.missed += other.missed;
        self.iou_sum += other.iou_sum;
        self.both_cells += other.both_cells;
        self.either_cells += other.either_cells;
    }

    /// The figures.
    pub fn report(&self) -> VideoPanopticReport {
        let all = self.matched as f64 + 0.5 * (self.false_positives + self.missed) as f64;
        let (all, matched) = (all.max(1.0), self.matched as f64);
        VideoPanopticReport {
            iou: self.both_cells as f64 / self.either_cells.max(1) as f64,
            vpq: self.iou_sum / all,
            vsq: self.iou_sum / matched.max(1.0),
            vrq: matched / all,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(truth: &[&[u32]], predicted: &[&[u32]]) -> VideoPanopticReport {
        let mut sums = VideoPanoptic::default();
        sums.add_sequence(truth, predicted).unwrap();
        sums.report()
    }

    #[test]
    fn a_change_of_number_costs() {
        let truth: [&[u32]; 3] = [&[0, 1, 1, 2], &[1, 1, 0, 2], &[1, 0, 0, 0]];
        let r = report(&truth, &[&[0, 5, 5, 6], &[5, 5, 0, 6], &[5, 0, 0, 0]]);
        assert_eq!((r.vpq, r.vsq, r.vrq, r.iou), (1.0, 1.0, 1.0, 1.0));
        // Number 1 is 5, then 7, then 7 again: one missed and wrong, not two.
        let r = report(&truth, &[&[0, 5, 5, 6], &[7, 7, 0, 6], &[7, 0, 0, 0]]);
        assert_eq!((r.vpq, r.vsq), (4.0 / 5.0, 1.0));
    }

    #[test]
    fn nothing_scores_nothing() {
        let r = report(&[&[0, 0]], &[&[0, 0]]);
        assert_eq!((r.vpq, r.iou), (0.0, 0.0));
        let error = VideoPanoptic::default().add_sequence(&[&[0, 0]], &[&[0]]).unwrap_err();
        assert_eq!(error, Error::Lengths { what: "cells", truth: 2, predicted: 1 });
    }

    proptest! {
        #[test]
        fn identity_scores_one(cells in proptest::collection::vec(0u32..4, 2..60)) {
            prop_assume!(cells.iter().any(|&i| i > 0));
            let r = report(&[&cells, &cells], &[&cells, &cells]);
            prop_assert_eq!((r.vpq, r.iou), (1.0, 1.0));
        }

        #[test]
        fn a_false_positive_never_helps(
            cells in proptest::collection::vec((0u32..4, 0u32..4), 2..60),
        ) {
            let (mut truth, mut predicted): (Vec<u32>, Vec<u32>) = cells.into_iter().unzip();
            let before = report(&[&truth], &[&predicted]);
            truth.push(0);
            predicted.push(9);
            let worse = report(&[&truth], &[&predicted]);
            prop_assert!(worse.vpq <= before.vpq && worse.iou <= before.iou);
        }
    }
}
