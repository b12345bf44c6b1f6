//! `omma eval semantics`.

use std::path::PathBuf;

use clap::Args;
use ommatidia_metrics::confusion::Confusion;
use ommatidia_metrics::semantics::{SemanticsProtocol, SemanticsReport};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_store::results::class_maps::read_classes;
use rayon::prelude::*;
use serde::Serialize;

use super::pairs::{FilePair, in_pair, pair_by_name, scene, stem};
use super::protocol::resolve;
use super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct SemanticsArguments {
    /// Predicted class maps: a PNG with a class number a pixel, or a folder of such
    #[arg(long, visible_alias = "labels", value_name = "FILE|DIR")]
    predictions: PathBuf,
    /// True class maps of the same names
    #[arg(long, value_name = "FILE|DIR")]
    truth: PathBuf,
    /// Classes: cityscapes, camvid, or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    protocol: Option<String>,
}

#[derive(Debug, Serialize)]
struct SemanticsResult {
    #[serde(flatten)]
    report: SemanticsReport,
    frames: usize,
}

/// Metrics of the records. A frame's mean IoU is that of the frame alone.
const RULES: &[(&str, MetricRule)] =
    &[("pixel_accuracy", MetricRule::SCORE), ("miou", MetricRule::SCORE)];

pub(super) fn run(arguments: &SemanticsArguments) -> Result<Evaluated, Failure> {
    let protocol: SemanticsProtocol = resolve(arguments.protocol.as_deref())?;
    let pairs = pair_by_name(&arguments.truth, &arguments.predictions, &[".png"])?;
    let one = |pair: &FilePair| -> Result<Confusion, Failure> {
        let (truth, predicted) = (read_classes(&pair.truth)?, read_classes(&pair.predicted)?);
        if (truth.0, truth.1) != (predicted.0, predicted.1) {
            let (a, b, c, d) = (truth.0, truth.1, predicted.0, predicted.1);
            let what = format!("the truth is {a} x {b} pixels, the prediction {c} x {d}");
            return Err(in_pair(pair, &what));
        }
        let mut confusion = Confusion::new(protocol.classes.len());
        confusion
            .add(&truth.2, &predicted.2, None, &protocol.ignored)
            .map_err(|cause| in_pair(pair, &cause))?;
        Ok(confusion)
    };
    let mut all = Confusion::new(protocol.classes.len());
    let mut run = Run::new("semantics", RULES);
    let frames: Vec<Confusion> = pairs.par_iter().map(one).collect::<Result<_, _>>()?;
    for (pair, own) in pairs.iter().zip(&frames) {
        all.merge(own);
        let report = protocol.report(own);
        let weight = own.total() as f64;
        let right = Share { sum: report.pixel_accuracy.unwrap_or(0.0) * weight, weight };
        run.records.push(
            Record::new(scene(&pair.truth), stem(&pair.truth))
                .with("pixel_accuracy", right)
                .with("miou", Share::of(report.miou)),
        );
    }
    if all.total() == 0 {
        let (truth, protocol) = (arguments.truth.display(), &protocol.ignored);
        return Err(Failure::input(format!(
            "{truth}: every pixel is ignored ({protocol:?}); there is nothing to compare with"
        )));
    }
    let found = SemanticsResult { report: protocol.report(&all), frames: pairs.len() };
    let result = serde_json::to_value(&found).map_err(Failure::input)?;
    Ok(Evaluated { text: describe(&found), result, run })
}

fn describe(result: &SemanticsResult) -> String {
    let report = &result.report;
    let first = [
        ("miou", report.miou),
        ("frequency_weighted_iou", report.frequency_weighted_iou),
        ("pixel_accuracy", report.pixel_accuracy),
        ("mean_accuracy", report.mean_accuracy),
    ];
    let classes = report.per_class.iter().map(|(name, class)| (name.as_str(), class.iou));
    let row = |(name, value): (&str, Option<f64>)| {
        vec![name.to_owned(), value.map_or("-".to_owned(), |value| format!("{value:.4}"))]
    };
    output::table(&["semantics", "value"], first.into_iter().chain(classes).map(row))
}
