//! `omma eval flow`: optical flow.

use std::path::PathBuf;

use clap::Args;
use ommatidia_metrics::optical_flow::{FlowErrors, FlowImage, FlowReport};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_metrics::stereo::Outlier;
use ommatidia_store::results::class_maps::read_classes;
use ommatidia_store::results::flow_maps;
use serde::Serialize;

use super::pairs::{FilePair, in_pair, pair_by_name, scene, stem};
use super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct FlowArguments {
    /// Estimated flow: KITTI's 16-bit PNG or Middlebury's .flo, or a folder of such
    #[arg(long, visible_alias = "labels", value_name = "FILE|DIR")]
    predictions: PathBuf,
    /// True flow of the same names
    #[arg(long, value_name = "FILE|DIR")]
    truth: PathBuf,
    /// Maps of moving objects (KITTI's obj_map), not 0 on them: PNG of the same names
    #[arg(long, value_name = "FILE|DIR")]
    foreground: Option<PathBuf>,
    /// Maps of occluded pixels (Sintel's occlusions), not 0 where occluded: PNG of the same names
    #[arg(long, value_name = "FILE|DIR")]
    occluded: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct FlowResult {
    #[serde(flatten)]
    report: FlowReport,
    frames: usize,
}

const RULES: &[(&str, MetricRule)] = &[("epe_px", MetricRule::ERROR), ("fl", MetricRule::ERROR)];

pub(super) fn run(arguments: &FlowArguments) -> Result<Evaluated, Failure> {
    let endings = [".png", ".flo"];
    let pairs = pair_by_name(&arguments.truth, &arguments.predictions, &endings)?;
    let mut errors = FlowErrors::default();
    let mut run = Run::new("flow", RULES);
    for found in &pairs {
        let (truth, estimate) =
            (flow_maps::read(&found.truth)?, flow_maps::read(&found.predicted)?);
        if (truth.width, truth.height) != (estimate.width, estimate.height) {
            let (a, b, c, d) = (truth.width, truth.height, estimate.width, estimate.height);
            let what = format!("the truth is {a} x {b} pixels, the estimate {c} x {d}");
            return Err(in_pair(found, &what));
        }
        let size = (truth.width, truth.height);
        let foreground = mask(arguments.foreground.as_ref(), found, size)?;
        let occluded = mask(arguments.occluded.as_ref(), found, size)?;
        let image = FlowImage {
            truth_px: &truth.flow_px,
            estimate_px: &estimate.flow_px,
            foreground: foreground.as_deref(),
            occluded: occluded.as_deref(),
        };
        let before = errors.all;
        let added = errors.add_image(&image, Outlier::default());
        added.map_err(|cause| in_pair(found, &cause))?;
        let weight = (errors.all.estimated - before.estimated) as f64;
        let wrong = (errors.all.outliers - before.outliers) as f64;
        let error_px = errors.all.error_sum_px - before.error_sum_px;
        run.records.push(
            Record::new(scene(&found.truth), stem(&found.truth))
                .with("epe_px", Share { sum: error_px, weight })
                .with("fl", Share { sum: wrong, weight }),
        );
    }
    if errors.all.pixels == 0 {
        let truth = arguments.truth.display();
        return Err(Failure::input(format!("{truth}: no pixel has true flow; nothing to compare")));
    }
    let found = FlowResult { report: errors.report(), frames: pairs.len() };
    let result = serde_json::to_value(&found).map_err(Failure::input)?;
    Ok(Evaluated { text: describe(&found), result, run })
}

/// The map that belongs to a pair: the file itself, or that of the truth's name.
///
/// # Errors
/// A map of another size than the flow's, width and height in pixels.
fn mask(
    given: Option<&PathBuf>,
    pair: &FilePair,
    (width, height): (usize, usize),
) -> Result<Option<Vec<bool>>, Failure> {
    let Some(given) = given else { return Ok(None) };
    let path =
        if given.is_dir() { given.join(format!("{}.png", pair.name)) } else { given.clone() };
    let (w, h, numbers) = read_classes(&path)?;
    if (w, h) != (width, height) {
        return Err(Failure::input(format!(
            "{}: is {w} x {h} pixels and the flow {} {width} x {height}; give the map of that image",
            path.display(),
            pair.truth.display()
        )));
    }
    Ok(Some(numbers.into_iter().map(|number| number != 0).collect()))
}

fn describe(result: &FlowResult) -> String {
    let report = &result.report;
    let rows = [
        ("epe_px", report.epe_px),
        ("fl", report.fl),
        ("fl_all", report.fl_all),
        ("fl_bg", report.fl_bg),
        ("fl_fg", report.fl_fg),
        ("epe_matched_px", report.epe_matched_px),
        ("epe_unmatched_px", report.epe_unmatched_px),
        ("epe_s0_10_px", report.epe_s0_10_px),
        ("epe_s10_40_px", report.epe_s10_40_px),
        ("epe_s40_plus_px", report.epe_s40_plus_px),
        ("density", report.density),
    ];
    let row =
        |(name, value): (&str, Option<f64>)| Some(vec![name.to_owned(), format!("{:.4}", value?)]);
    output::table(&["optical flow", "value"], rows.into_iter().filter_map(row))
}
