//! `omma eval surface`.

use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_metrics::surface::SurfaceErrors;
use ommatidia_store::labels::Labels;
use serde_json::Value;

use super::runs::{Evaluated, frame_record};
use super::{Compared, Truth, open_truth};
use crate::failure::Failure;
use crate::output;

/// Metrics of the records.
const RULES: &[(&str, MetricRule)] = &[
    ("mae_m", MetricRule::ERROR),
    ("rmse_m", MetricRule::RMS_ERROR),
    ("coverage", MetricRule::SCORE),
    ("drivable_iou", MetricRule::SCORE),
];

/// A run of this kind without records.
pub(super) fn new_run() -> Run {
    Run::new("surface", RULES)
}

pub(super) fn run(compared: &Compared) -> Result<Evaluated, Failure> {
    let labels = super::open_labels(&compared.labels)?;
    let Truth::Labels(truth) = open_truth(&compared.truth, &labels)? else {
        return Err(Failure::input(
            "a clip holds no surface to compare with; give a labels directory as --truth",
        ));
    };
    let mut run = new_run();
    let result = against_labels(&labels, &truth, &mut run)?;
    Ok(Evaluated { text: describe(&result), result, run })
}

/// A frame's part in each metric.
fn record(frame: Record, errors: &SurfaceErrors) -> Record {
    let report = errors.report();
    let cells = report.cells as f64;
    let (both, either) = errors.drivable_cells();
    let coverage = report.coverage.unwrap_or_default();
    frame
        .with("mae_m", Share::mean(report.mae_m.unwrap_or_default(), cells))
        .with("rmse_m", Share::rms(report.rmse_m.unwrap_or_default(), cells))
        .with("coverage", Share::mean(coverage, report.true_cells as f64))
        .with("drivable_iou", Share { sum: both as f64, weight: either as f64 })
}

/// Heights and drivable cells over all frames that both have, on the larger cells of the two.
pub(super) fn against_labels(
    labels: &Labels,
    truth: &Labels,
    run: &mut Run,
) -> Result<Value, Failure> {
    let mut errors = SurfaceErrors::default();
    let fail = super::between_labels(truth, labels);
    let (mut frames, mut skipped, mut cell_m) = (0, 0usize, 0.0);
    for timestamp in super::all_frames(labels, truth) {
        let (mut estimate, mut truth) =
            match (labels.surface(timestamp)?, truth.surface(timestamp)?) {
                (Some(estimate), Some(truth)) => (estimate, truth),
                (None, None) => continue,
                _ => {
                    skipped += 1;
                    continue;
                }
            };
        if estimate.spec.cell_m > truth.spec.cell_m {
            truth = truth.resampled(estimate.spec);
        } else if estimate.spec != truth.spec {
            estimate = estimate.resampled(truth.spec);
        }
        errors.add(&truth, &estimate).map_err(&fail)?;
        cell_m = truth.spec.cell_m;
        let mut own = SurfaceErrors::default();
        own.add(&truth, &estimate).map_err(&fail)?;
        run.records.push(record(frame_record(&labels.manifest().clip.id, timestamp), &own));
        frames += 1;
    }
    if frames == 0 {
        return Err(Failure::input("no frame has a surface on both sides"));
    }
    let mut result = serde_json::to_value(errors.report()).map_err(Failure::input)?;
    result["cell_m"] = cell_m.into();
    result["frames"] = frames.into();
    result["skipped_frames"] = skipped.into();
    Ok(result)
}

fn describe(result: &Value) -> String {
    let rows = ["mae_m", "rmse_m", "p95_m", "coverage", "drivable_iou"];
    let row =
        |key: &str| result[key].as_f64().map(|value| vec![key.to_owned(), format!("{value:.4}")]);
    let skipped = super::skipped_row(result["skipped_frames"].as_u64().unwrap_or(0) as usize);
    output::table(&["surface", "value"], rows.into_iter().filter_map(row).chain(skipped))
}
