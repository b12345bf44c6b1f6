//! From boxes in images to frames, with MOTChallenge's rules about what does not count.
//!
//! `MotChallenge2DBox.get_preprocessed_seq_data` of TrackEval 1.3.0: predictions that match a distractor are taken
//! out, then all true boxes that are of another class or marked as not counting.

use super::frames::Frame;
use super::similarity::{ImageBox, iou_2d, table};
use crate::assignment::assign;

/// Similarity from which a prediction matches a distractor.
const DISTRACTOR_SIMILARITY: f64 = 0.5;

/// A true box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueBox {
    /// Identity.
    pub id: u64,
    /// Place, pixels.
    pub bounds_px: ImageBox,
    /// MOTChallenge's number of its class; `None` in data sets without classes.
    pub class: Option<u32>,
    /// Not marked as to be left out.
    pub counts: bool,
}

/// A predicted box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictedBox {
    /// Identity.
    pub id: u64,
    /// Place, pixels.
    pub bounds_px: ImageBox,
}

/// One frame. `counted`: the class that is evaluated; `distractors`: those whose predictions are neither right nor
/// wrong. Boxes without class count whatever these are.
pub fn frame(
    truth: &[TrueBox],
    predicted: &[PredictedBox],
    counted: u32,
    distractors: &[u32],
) -> Frame {
    let is_distractor =
        |given: &TrueBox| given.class.is_some_and(|class| distractors.contains(&class));
    let mut removed = vec![false; predicted.len()];
    if truth.iter().any(is_distractor) && !predicted.is_empty() {
        for (row, column) in matches(truth, predicted) {
            removed[column] = is_distractor(&truth[row]);
        }
    }
    let keeps = |given: &&TrueBox| given.counts && given.class.is_none_or(|c| c == counted);
    let truth: Vec<&TrueBox> = truth.iter().filter(keeps).collect();
    let kept = predicted.iter().zip(&removed).filter(|(_, removed)| !**removed);
    let predicted: Vec<&PredictedBox> = kept.map(|(given, _)| given).collect();
    let bounds_of_truth: Vec<ImageBox> = truth.iter().map(|given| given.bounds_px).collect();
    let bounds: Vec<ImageBox> = predicted.iter().map(|given| given.bounds_px).collect();
    Frame {
        truth: truth.iter().map(|given| given.id).collect(),
        predicted: predicted.iter().map(|given| given.id).collect(),
        similarity: table(&bounds_of_truth, &bounds, iou_2d),
    }
}

/// The most similar pairs among those that are similar enough.
fn matches(truth: &[TrueBox], predicted: &[PredictedBox]) -> Vec<(usize, usize)> {
    let score: Vec<f64> = table(
        &truth.iter().map(|given| given.bounds_px).collect::<Vec<_>>(),
        &predicted.iter().map(|given| given.bounds_px).collect::<Vec<_>>(),
        |a, b| {
            Some(iou_2d(a, b)).filter(|&s| s >= DISTRACTOR_SIMILARITY - f64::EPSILON).unwrap_or(0.0)
        },
    );
    let cost: Vec<f64> = score.iter().map(|score| -score).collect();
    let mut pairs = assign(&cost, truth.len(), predicted.len());
    pairs.retain(|&(row, column)| score[row * predicted.len() + column] > f64::EPSILON);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_of_distractors_are_taken_out() {
        let at = |x: f64| [x, 0.0, x + 10.0, 10.0];
        let truth =
            |id, x, class, counts| TrueBox { id, bounds_px: at(x), class: Some(class), counts };
        let given = [
            truth(1, 0.0, 1, true),
            truth(2, 50.0, 8, true),
            truth(3, 100.0, 1, false),
            truth(4, 150.0, 3, true),
        ];
        let predicted: Vec<PredictedBox> = [0.0, 51.0, 100.0, 150.0]
            .iter()
            .zip(10u64..)
            .map(|(&x, id)| PredictedBox { id, bounds_px: at(x) })
            .collect();
        let found = frame(&given, &predicted, 1, &[2, 7, 8, 12]);
        assert_eq!((found.truth, found.predicted), (vec![1], vec![10, 12, 13]));
        assert_eq!(found.similarity, [1.0, 0.0, 0.0]);
    }
}
