//! KITTI's matching of one image, as `cleanData` and `computeStatistics` of the development kit do it.

use super::protocol::{Difficulty, KittiClass};
use super::{KittiObject, Overlap};
use crate::tracking::similarity::{iou_2d, share_inside};

/// How a box takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Counts,
    /// Finding it is neither right nor wrong.
    Ignored,
    Other,
}

/// One image as one class, difficulty and kind of overlap see it.
pub(super) struct Image<'a> {
    truth: Vec<(&'a KittiObject, Part)>,
    predicted: Vec<(&'a KittiObject, Part)>,
    regions: Vec<&'a KittiObject>,
    /// A row for each of `truth`.
    overlaps: Vec<f64>,
    min_overlap: f64,
    with_regions: bool,
}

/// Counts at one score.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) tp: u64,
    pub(super) fp: u64,
    /// Sum over true positives of (1 + cos of the angle between) / 2.
    pub(super) similarity: f64,
}

impl<'a> Image<'a> {
    pub(super) fn new(
        truth: &'a [KittiObject],
        predicted: &'a [KittiObject],
        class: &KittiClass,
        difficulty: &Difficulty,
        overlap: Overlap,
    ) -> Self {
        let truth_parts: Vec<_> =
            truth.iter().map(|object| (object, part_of_truth(object, class, difficulty))).collect();
        let parts: Vec<_> =
            predicted.iter().map(|object| (object, part(object, class, difficulty))).collect();
        let kept: Vec<_> =
            truth_parts.into_iter().filter(|(_, part)| *part != Part::Other).collect();
        let predicted: Vec<_> =
            parts.into_iter().filter(|(_, part)| *part != Part::Other).collect();
        let pairs =
            kept.iter().flat_map(|(a, _)| predicted.iter().map(move |(b, _)| overlap.of(b, a)));
        let overlaps = pairs.collect();
        let regions = truth.iter().filter(|object| object.class == "DontCare").collect();
        Self {
            truth: kept,
            predicted,
            regions,
            overlaps,
            min_overlap: class.min_overlap,
            with_regions: overlap == Overlap::Image,
        }
    }

    /// True boxes that count.
    pub(super) fn truths(&self) -> u64 {
        self.truth.iter().filter(|(_, part)| *part == Part::Counts).count() as u64
    }

    fn overlap(&self, row: usize, column: usize) -> f64 {
        self.overlaps[row * self.predicted.len() + column]
    }

    /// Scores of true positives where each true box takes the surest prediction.
    pub(super) fn scores(&self, scores: &mut Vec<f64>) {
        let mut assigned = vec![false; self.predicted.len()];
        for (row, (_, truth_part)) in self.truth.iter().enumerate() {
            let mut best: Option<usize> = None;
            for (column, (given, _)) in self.predicted.iter().enumerate() {
                let surer = best.is_none_or(|best| given.score > self.predicted[best].0.score);
                if !assigned[column] && surer && self.overlap(row, column) > self.min_overlap {
                    best = Some(column);
                }
            }
            let Some(column) = best else { continue };
            assigned[column] = true;
            if *truth_part == Part::Counts && self.predicted[column].1 == Part::Counts {
                scores.push(self.predicted[column].0.score);
            }
        }
    }

    /// Counts of predictions from a score on.
    pub(super) fn counts(&self, least_score: f64) -> Counts {
        let mut counts = Counts::default();
        let mut assigned: Vec<bool> =
            self.predicted.iter().map(|(given, _)| given.score < least_score).collect();
        let below = assigned.clone();
        for (row, (truth, truth_part)) in self.truth.iter().enumerate() {
            let Some(column) = self.best_overlap(row, &assigned) else { continue };
            assigned[column] = true;
            let (given, part) = self.predicted[column];
            if *truth_part == Part::Counts && part == Part::Counts {
                counts.tp += 1;
                counts.similarity += (1.0 + (truth.alpha_rad - given.alpha_rad).cos()) / 2.0;
            }
        }
        for (column, (_, part)) in self.predicted.iter().enumerate() {
            let wrong = !assigned[column] && !below[column] && *part == Part::Counts;
            counts.fp += u64::from(wrong && !self.in_region(column));
        }
        counts
    }

    /// The prediction that a true box takes: the one that overlaps most of those that count, else the first ignored.
    fn best_overlap(&self, row: usize, assigned: &[bool]) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        let mut ignored = None;
        for (column, (_, part)) in self.predicted.iter().enumerate() {
            let overlap = self.overlap(row, column);
            if assigned[column] || overlap <= self.min_overlap {
                continue;
            }
            match part {
                Part::Counts if best.is_none_or(|(_, most)| overlap > most) => {
                    best = Some((column, overlap));
                }
                Part::Ignored if ignored.is_none() => ignored = Some(column),
                _ => {}
            }
        }
        best.map(|(column, _)| column).or(ignored)
    }

    /// Whether a prediction lies in a region that nobody labelled. Such have bounds in the image only.
    fn in_region(&self, column: usize) -> bool {
        let bounds = &self.predicted[column].0.bounds_px;
        let covers =
            |region: &&KittiObject| share_inside(bounds, &region.bounds_px) > self.min_overlap;
        self.with_regions && self.regions.iter().any(covers)
    }
}

fn part_of_truth(object: &KittiObject, class: &KittiClass, difficulty: &Difficulty) -> Part {
    let height_px = object.bounds_px[3] - object.bounds_px[1];
    let hard = object.occlusion > difficulty.max_occlusion
        || object.truncation > difficulty.max_truncation
        || height_px <= difficulty.min_height_px;
    if object.class.eq_ignore_ascii_case(&class.name) {
        return if hard { Part::Ignored } else { Part::Counts };
    }
    let neighbour = |name: &String| object.class.eq_ignore_ascii_case(name);
    if class.neighbours.iter().any(neighbour) { Part::Ignored } else { Part::Other }
}

/// A prediction too low in the image is ignored, of whatever class it is: the development kit asks for the height
/// first.
fn part(object: &KittiObject, class: &KittiClass, difficulty: &Difficulty) -> Part {
    let height_px = (object.bounds_px[3] - object.bounds_px[1]).abs().trunc();
    if height_px < difficulty.min_height_px {
        Part::Ignored
    } else if object.class.eq_ignore_ascii_case(&class.name) {
        Part::Counts
    } else {
        Part::Other
    }
}

impl Overlap {
    fn of(self, a: &KittiObject, b: &KittiObject) -> f64 {
        match self {
            Self::Image => iou_2d(&a.bounds_px, &b.bounds_px),
            Self::Ground => a.upright().ground_iou(&b.upright()),
            Self::Volume => a.upright().volume_iou(&b.upright()),
        }
    }
}
