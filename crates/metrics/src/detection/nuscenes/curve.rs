//! Precision and errors over recall, for one class and matching distance.

use super::matching::{ClassMatches, Errors, Scored};
use super::protocol::DetectionProtocol;
use crate::numeric::{interpolate, mean};

/// Recalls at which curves are sampled: 0, 0.01, ..., 1.
const RECALLS: usize = 101;

/// Curves sampled at 101 recalls from 0 to 1; `DetectionMetricData` of the devkit.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Curve {
    /// Precision; 0 where the recall is not reached.
    pub precision: Vec<f64>,
    /// Score down to which predictions count; 0 where the recall is not reached.
    pub confidence: Vec<f64>,
    /// Mean errors down to that score, in the order of [`super::TruePositiveError::ALL`]; empty where not asked for.
    pub errors: Vec<Vec<f64>>,
}

impl Curve {
    /// Nothing was matched.
    pub(super) fn nothing(with_errors: bool) -> Self {
        Self {
            precision: vec![0.0; RECALLS],
            confidence: vec![0.0; RECALLS],
            errors: vec![vec![1.0; RECALLS]; if with_errors { 5 } else { 0 }],
        }
    }

    /// From the matches of all samples, predictions best first. `bit`: of the matching distance.
    pub(super) fn new(matches: &ClassMatches, bit: u32, with_errors: bool) -> Self {
        let (truths, predictions) = (matches.truths, &matches.predictions);
        let hit = |prediction: &&Scored| prediction.matched & bit != 0;
        if truths == 0 || !predictions.iter().any(|prediction| hit(&prediction)) {
            return Self::nothing(with_errors);
        }
        let mut precision = Vec::with_capacity(predictions.len());
        let mut recall = Vec::with_capacity(predictions.len());
        let mut scores = Vec::with_capacity(predictions.len());
        let mut hits = 0u64;
        for (i, prediction) in predictions.iter().enumerate() {
            hits += u64::from(hit(&prediction));
            precision.push(hits as f64 / (i + 1) as f64);
            recall.push(hits as f64 / truths as f64);
            scores.push(prediction.score);
        }
        let sampled = |values: &[f64]| -> Vec<f64> {
            let at = |i| interpolate(recall_at(i), &recall, values, values[0], 0.0);
            (0..RECALLS).map(at).collect()
        };
        let (precision, confidence) = (sampled(&precision), sampled(&scores));
        let mut errors = Vec::new();
        if with_errors {
            let hits: Vec<&Scored> = predictions.iter().filter(hit).collect();
            let ascending: Vec<f64> = hits.iter().rev().map(|hit| hit.score).collect();
            let rows: Vec<&Errors> =
                hits.iter().map(|hit| &matches.errors[hit.errors as usize]).collect();
            errors = (0..5).map(|kind| error_curve(&rows, kind, &ascending, &confidence)).collect();
        }
        Self { precision, confidence, errors }
    }

    /// Area above the least recall and precision; `calc_ap`.
    pub fn average_precision(&self, protocol: &DetectionProtocol) -> f64 {
        let counted = &self.precision[first_index(protocol)..];
        let above: Vec<f64> =
            counted.iter().map(|p| (p - protocol.min_precision).max(0.0)).collect();
        mean(&above) / (1.0 - protocol.min_precision)
    }

    /// Mean error from the least recall to the one that was reached; 1 if that is not; `calc_tp`.
    pub fn mean_error(&self, kind: usize, protocol: &DetectionProtocol) -> f64 {
        let reached = self.confidence.iter().rposition(|&score| score != 0.0).unwrap_or(0);
        let first = first_index(protocol);
        if reached < first { 1.0 } else { mean(&self.errors[kind][first..=reached]) }
    }
}

/// As `numpy.linspace(0, 1, 101)`.
fn recall_at(i: usize) -> f64 {
    if i + 1 == RECALLS { 1.0 } else { i as f64 * 0.01 }
}

/// The first sampled recall that counts: the one behind the least.
fn first_index(protocol: &DetectionProtocol) -> usize {
    (100.0 * protocol.min_recall).round_ties_even() as usize + 1
}

/// Running mean of an error over the matches, sampled at the curve's confidences. `ascending`: scores of the matches.
fn error_curve(errors: &[&Errors], kind: usize, ascending: &[f64], confidence: &[f64]) -> Vec<f64> {
    let mut means = running_mean(errors.iter().map(|error| error[kind]));
    means.reverse();
    let (left, right) = (means[0], means[means.len() - 1]);
    confidence.iter().map(|&score| interpolate(score, ascending, &means, left, right)).collect()
}

/// Mean up to each place without NaN: 0 before the first number, all 1 if there is none. `cummean` of the devkit.
fn running_mean(values: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    if values.clone().all(f64::is_nan) {
        return values.map(|_| 1.0).collect();
    }
    let (mut sum, mut count) = (0.0, 0u64);
    let next = |value: f64| {
        if !value.is_nan() {
            sum += value;
            count += 1;
        }
        if count == 0 { 0.0 } else { sum / count as f64 }
    };
    values.map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_means_skip_nan() {
        let check = |values: &[f64], expected: &[f64]| {
            assert_eq!(running_mean(values.iter().copied()), expected);
        };
        check(&[f64::NAN, 2.0, f64::NAN, 4.0], &[0.0, 2.0, 2.0, 3.0]);
        check(&[f64::NAN, f64::NAN], &[1.0, 1.0]);
    }
}
