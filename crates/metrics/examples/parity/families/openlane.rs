//! OpenLane-V2's score.

use ommatidia_metrics::lanes::{LaneFrame, evaluate_openlane};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    truth: Vec<LaneFrame>,
    predicted: Vec<LaneFrame>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let report = evaluate_openlane(&input.truth, &input.predicted).map_err(|e| e.to_string())?;
    let figures = [
        ("DET_l", report.det_l),
        ("DET_t", report.det_t),
        ("TOP_ll", report.top_ll),
        ("TOP_lt", report.top_lt),
        ("OLS", report.ols),
    ];
    Ok(figures.map(|(name, value)| (name.to_owned(), value)).into())
}
