//! FIERY's IoU and video panoptic quality.

use ommatidia_metrics::birds_eye::VideoPanoptic;
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

/// Sequences of frames of cells.
#[derive(Deserialize)]
struct Input {
    truth: Vec<Vec<Vec<u32>>>,
    predicted: Vec<Vec<Vec<u32>>>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let mut sums = VideoPanoptic::default();
    for (truth, predicted) in input.truth.iter().zip(&input.predicted) {
        let t: Vec<&[u32]> = truth.iter().map(Vec::as_slice).collect();
        let p: Vec<&[u32]> = predicted.iter().map(Vec::as_slice).collect();
        sums.add_sequence(&t, &p).map_err(|cause| cause.to_string())?;
    }
    let r = sums.report();
    let figures = [("iou", r.iou), ("vpq", r.vpq), ("vsq", r.vsq), ("vrq", r.vrq)];
    Ok(figures.map(|(name, value)| (name.to_owned(), value)).into())
}
