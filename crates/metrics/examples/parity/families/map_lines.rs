//! MapTR's chamfer mean average precision.

use ommatidia_metrics::lanes::{ChamferMapProtocol, MapFrame, evaluate_chamfer_map};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    frames: Vec<MapFrame>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let protocol = ChamferMapProtocol::default();
    let report = evaluate_chamfer_map(&input.frames, &protocol).map_err(|e| e.to_string())?;
    let per_class = protocol.classes.iter().zip(&report.per_class);
    let mut figures: Figures =
        per_class.map(|(class, value)| (format!("AP_{class}"), *value)).collect();
    figures.insert("mAP".to_owned(), report.map);
    Ok(figures)
}
