//! `omma eval surface`.

use std::process::ExitCode;

use ommatidia_metrics::surface::SurfaceErrors;
use ommatidia_store::labels::Labels;
use serde_json::Value;

use super::{Compared, Truth, open_truth};
use crate::args::Common;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(compared: &Compared, common: &Common) -> Result<ExitCode, Failure> {
    let labels = super::open_labels(&compared.labels)?;
    let Truth::Labels(truth) = open_truth(&compared.truth, &labels)? else {
        return Err(Failure::input(
            "a clip holds no surface to compare with; give a labels directory as --truth",
        ));
    };
    let result = against_labels(&labels, &truth)?;
    output::print(common, &result, || describe(&result))
}

/// Heights and drivable cells over all frames that both have.
pub(super) fn against_labels(labels: &Labels, truth: &Labels) -> Result<Value, Failure> {
    let mut errors = SurfaceErrors::default();
    let mut frames = 0;
    for &timestamp in labels.frames() {
        let (Some(estimate), Some(truth)) = (labels.surface(timestamp)?, truth.surface(timestamp)?)
        else {
            continue;
        };
        errors.add(&truth, &estimate).map_err(Failure::input)?;
        frames += 1;
    }
    if frames == 0 {
        return Err(Failure::input("no frame has a surface on both sides"));
    }
    let mut result = serde_json::to_value(errors.report()).map_err(Failure::input)?;
    result["frames"] = frames.into();
    Ok(result)
}

fn describe(result: &Value) -> String {
    let rows = ["mae_m", "rmse_m", "p95_m", "coverage", "drivable_iou"];
    let row =
        |key: &str| result[key].as_f64().map(|value| vec![key.to_owned(), format!("{value:.4}")]);
    output::table(&["surface", "value"], rows.into_iter().filter_map(row))
}
