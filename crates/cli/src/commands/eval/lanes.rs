//! `omma eval lanes`: one file per official format in `lanes/`.

mod culane;
mod map_lines;
mod openlane;
mod tusimple;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct LaneArguments {
    /// Predicted lanes
    #[arg(long, visible_alias = "labels", value_name = "FILE|DIR")]
    predictions: PathBuf,
    /// True lanes
    #[arg(long, value_name = "FILE|DIR")]
    truth: PathBuf,
    /// What both are
    #[arg(long, default_value = "labels")]
    format: LaneFormat,
    /// Labels: how far both are compared, metres forward and back, and to each side; what a network covers, if
    /// that is less than OpenLane-V2's
    #[arg(long, value_name = "X,Y", default_value = "50,25")]
    range: String,
    /// CULane: images to evaluate, a path per line; all of the truth without it
    #[arg(long, value_name = "LIST.txt")]
    list: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LaneFormat {
    /// Labels directories: centrelines as OpenLane-V2 measures them
    Labels,
    /// OpenLane-V2 1.1, JSON that `bench/metrics/openlane_to_json.py` makes of the pickle
    Openlane,
    /// MapTR's JSON: chamfer mAP
    Maptr,
    /// TuSimple's JSON lines
    Tusimple,
    /// CULane's folders of `.lines.txt`
    Culane,
}

pub(super) fn run(arguments: &LaneArguments) -> Result<Evaluated, Failure> {
    let (truth, predictions) = (&arguments.truth, &arguments.predictions);
    match arguments.format {
        LaneFormat::Labels => openlane::labels(truth, predictions, range(&arguments.range)?),
        LaneFormat::Openlane => openlane::files(truth, predictions),
        LaneFormat::Maptr => map_lines::run(truth, predictions),
        LaneFormat::Tusimple => tusimple::run(truth, predictions),
        LaneFormat::Culane => culane::run(truth, predictions, arguments.list.as_deref()),
    }
}

fn range(text: &str) -> Result<[f64; 2], Failure> {
    let number = |part: &str| part.trim().parse().ok().filter(|m: &f64| *m > 0.0 && m.is_finite());
    let both = text.split_once(',').and_then(|(x, y)| Some([number(x)?, number(y)?]));
    both.ok_or_else(|| {
        Failure::input(format!("--range {text}: give two lengths in metres, such as 50,25"))
    })
}

fn describe(result: &Value, names: &[&str]) -> String {
    let row = |name: &&str| {
        result[*name].as_f64().map(|value| vec![(*name).to_owned(), format!("{value:.5}")])
    };
    let skipped = super::skipped_row(result["skipped_frames"].as_u64().unwrap_or(0) as usize);
    output::table(&["lanes", "value"], names.iter().filter_map(row).chain(skipped))
}
