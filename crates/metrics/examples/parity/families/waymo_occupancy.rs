//! Waymo's occupancy and flow forecasts.

use ommatidia_metrics::waymo_occupancy::{Waypoint, evaluate};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    size: [usize; 2],
    truth: Vec<Step>,
    predicted: Vec<Step>,
    origins: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Step {
    observed: Vec<f32>,
    occluded: Vec<f32>,
    flow: Vec<[f32; 2]>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    fn waypoints(steps: &[Step]) -> Vec<Waypoint<'_>> {
        steps
            .iter()
            .map(|s| Waypoint { observed: &s.observed, occluded: &s.occluded, flow: &s.flow })
            .collect()
    }
    let origins: Vec<&[f32]> = input.origins.iter().map(Vec::as_slice).collect();
    let (truth, predicted) = (waypoints(&input.truth), waypoints(&input.predicted));
    let s =
        evaluate(&truth, &predicted, &origins, input.size).map_err(|cause| cause.to_string())?;
    let figures = [
        ("observed_auc", s.observed_auc),
        ("occluded_auc", s.occluded_auc),
        ("observed_iou", s.observed_iou),
        ("occluded_iou", s.occluded_iou),
        ("flow_epe", s.flow_epe),
        ("flow_grounded_auc", s.flow_grounded_auc),
        ("flow_grounded_iou", s.flow_grounded_iou),
    ];
    // The official mean over no waypoint is 0.
    Ok(figures.map(|(name, value)| (name.to_owned(), value.unwrap_or(0.0))).into())
}
