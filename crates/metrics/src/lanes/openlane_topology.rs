//! OpenLane-V2's precision of edges, among lanes and between lanes and traffic elements.

use super::openlane::{FrameMatches, LaneFrame, by_confidence};

/// Edges with more confidence than this are predicted.
const EDGE_CONFIDENCE: f64 = 0.5;

/// Mean precision of edges among lanes over thresholds, frames and vertices.
pub(super) fn lane_lane(
    truth: &[LaneFrame],
    predicted: &[LaneFrame],
    matches: &[FrameMatches],
) -> f64 {
    let mut mean = Mean::default();
    for k in 0..3 {
        for ((t, p), m) in truth.iter().zip(predicted).zip(matches) {
            let lanes = predictions_of(&m.lanes[k], t.lanes.len());
            frame(&t.lane_lane, &p.lane_lane, &lanes, &lanes, &mut mean);
        }
    }
    mean.value()
}

/// Mean precision of edges between lanes and traffic elements.
pub(super) fn lane_element(
    truth: &[LaneFrame],
    predicted: &[LaneFrame],
    matches: &[FrameMatches],
) -> f64 {
    let mut mean = Mean::default();
    for k in 0..3 {
        for ((t, p), m) in truth.iter().zip(predicted).zip(matches) {
            let lanes = predictions_of(&m.lanes[k], t.lanes.len());
            let elements = predictions_of(&m.elements, t.elements.len());
            frame(&t.lane_element, &p.lane_element, &lanes, &elements, &mut mean);
        }
    }
    mean.value()
}

/// The prediction of each true one.
fn predictions_of(matched: &[Option<usize>], truths: usize) -> Vec<Option<usize>> {
    let mut found = vec![None; truths];
    for (prediction, truth) in matched.iter().enumerate() {
        if let Some(truth) = truth {
            found[*truth] = Some(prediction);
        }
    }
    found
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }
}

/// Precision at each vertex of a frame, in both directions.
fn frame(
    truth: &[Vec<f64>],
    predicted: &[Vec<f64>],
    row_of: &[Option<usize>],
    column_of: &[Option<usize>],
    mean: &mut Mean,
) {
    if truth.is_empty() || truth[0].is_empty() {
        return;
    }
    // Version 1.1: an edge whose ends were not both found is missed where there is one, and predicted with
    // little confidence where there is none.
    let edge = |r: usize, c: usize| match (row_of[r], column_of[c]) {
        (Some(row), Some(column)) if !predicted[row][column].is_nan() => predicted[row][column],
        _ => (1.0 - truth[r][c]) * (EDGE_CONFIDENCE + f64::from(f32::EPSILON)),
    };
    let (rows, columns) = (truth.len(), truth[0].len());
    for r in 0..rows {
        mean.add(vertex((0..columns).map(|c| (truth[r][c] != 0.0, edge(r, c)))));
    }
    for c in 0..columns {
        mean.add(vertex((0..rows).map(|r| (truth[r][c] != 0.0, edge(r, c)))));
    }
}

/// Average precision of one vertex's edges, given as (true, confidence).
fn vertex(edges: impl Iterator<Item = (bool, f64)>) -> f64 {
    let (mut truths, mut predicted) = (0usize, Vec::new());
    for (is_true, confidence) in edges {
        truths += usize::from(is_true);
        if confidence > EDGE_CONFIDENCE {
            predicted.push((is_true, confidence));
        }
    }
    if truths == 0 || predicted.is_empty() {
        return if truths == 0 && predicted.is_empty() { 1.0 } else { 0.0 };
    }
    predicted.sort_by(|a, b| by_confidence(a.1, b.1));
    let (mut right, mut sum) = (0.0, 0.0);
    for (i, (is_true, _)) in predicted.iter().enumerate() {
        if *is_true {
            right += 1.0;
            sum += right / (i + 1) as f64;
        }
    }
    sum / truths as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertices_by_hand() {
        let check = |edges: &[(bool, f64)], expected: f64| {
            let found = vertex(edges.iter().copied());
            assert!((found - expected).abs() < 1e-12, "{edges:?}: {found}");
        };
        check(&[], 1.0);
        check(&[(false, 0.5)], 1.0);
        check(&[(true, 0.5)], 0.0);
        check(&[(false, 0.6)], 0.0);
        check(&[(true, 0.9), (false, 0.8), (true, 0.7)], (1.0 + 2.0 / 3.0) / 2.0);
        check(&[(true, f64::NAN), (true, 0.9)], 0.5);
    }
}
