//! `omma eval trajectory`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use ommatidia_geometry::Duration;
use ommatidia_metrics::trajectory::{
    Alignment, Association, Delta, TrajectoryProtocol, TrajectoryReport, evaluate,
};
use ommatidia_store::{ClipReader, Labels};
use serde_json::Value;

use super::open_labels;
use super::poses::{PoseFormat, Poses, from_first_common, same_body};
use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// Poses farther apart in time do not pair, seconds; evo's default.
const DEFAULT_TOLERANCE_S: f64 = 0.01;

#[derive(Debug, Args)]
pub(super) struct TrajectoryArguments {
    /// Estimated poses: a labels directory or a text file
    #[arg(long, visible_alias = "predictions", value_name = "DIR|FILE")]
    labels: PathBuf,
    /// True poses: a text file, a clip with given poses, or a labels directory
    #[arg(long, value_name = "FILE|CLIP|DIR")]
    truth: PathBuf,
    /// How text files are written; told by their first line if not given
    #[arg(long)]
    format: Option<PoseFormat>,
    /// What may be changed about the estimate before comparing
    #[arg(long, default_value = "none")]
    align: Align,
    /// Poses farther apart in time do not pair
    #[arg(long, default_value_t = DEFAULT_TOLERANCE_S, value_name = "SECONDS")]
    tolerance: f64,
    /// Distance of the pairs of relative errors, in frames
    #[arg(long, default_value_t = 1, value_name = "FRAMES")]
    delta: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Align {
    /// Nothing
    None,
    /// Rotation and translation
    Se3,
    /// Rotation, translation and scale
    Sim3,
}

pub(super) fn run(arguments: &TrajectoryArguments, common: &Common) -> Result<ExitCode, Failure> {
    let mut truth = Poses::read(&arguments.truth, arguments.format)?;
    let mut estimate = Poses::read(&arguments.labels, arguments.format)?;
    same_body(&mut truth, &mut estimate)?;
    if estimate.format == PoseFormat::Labels
        && truth.has_times()
        && !used_poses(&open_labels(&arguments.labels)?)
    {
        from_first_common(&mut truth.samples, &mut estimate.samples);
    }
    let association = if truth.has_times() && estimate.has_times() {
        Association::Time(Duration::from_secs_f64(arguments.tolerance))
    } else {
        Association::Index
    };
    let alignment = match arguments.align {
        Align::None => Alignment::None,
        Align::Se3 => Alignment::Se3,
        Align::Sim3 => Alignment::Sim3,
    };
    let protocol =
        TrajectoryProtocol { association, alignment, rpe_delta: Delta::Frames(arguments.delta) };
    let report = evaluate(&truth.samples, &estimate.samples, &protocol).map_err(Failure::input)?;
    output::print(common, &report, || describe(&report))
}

fn describe(report: &TrajectoryReport) -> String {
    let optional = |value: Option<f64>, unit: &str| {
        value.map_or("-".to_owned(), |value| format!("{value:.4} {unit}"))
    };
    let rows = [
        ("ATE RMSE", format!("{:.4} m", report.ate_rmse_m)),
        ("ATE max", format!("{:.4} m", report.ate_max_m)),
        ("RPE translation", format!("{:.4} m", report.rpe_trans_m)),
        ("RPE rotation", format!("{:.4} deg", report.rpe_rot_deg)),
        ("path", format!("{:.2} m", report.path_m)),
        ("end drift", optional(report.end_drift_percent, "%")),
        ("t_rel", optional(report.t_rel_percent, "%")),
        ("r_rel", optional(report.r_rel_deg_per_100m, "deg/100 m")),
        ("poses paired", format!("{} of {}", report.pairs, report.truth_poses)),
    ];
    output::table(&["metric", "value"], rows.map(|(name, value)| vec![name.to_owned(), value]))
}

/// Against the clip's given poses, and whether the labels did without them.
pub(super) fn against_clip(labels: &Labels, reader: &ClipReader) -> Result<Option<Value>, Failure> {
    let used = used_poses(labels);
    let Some(given) = &reader.clip().trajectory else { return Ok(None) };
    let Some(estimate) = labels.trajectory()? else { return Ok(None) };
    let association = Association::Time(Duration::from_secs_f64(DEFAULT_TOLERANCE_S));
    let protocol = TrajectoryProtocol { association, ..TrajectoryProtocol::default() };
    let (mut truth, mut estimate) = (given.samples().to_vec(), estimate.samples().to_vec());
    if !used {
        from_first_common(&mut truth, &mut estimate);
    }
    let report = evaluate(&truth, &estimate, &protocol).map_err(Failure::input);
    let mut measured = super::optional(report)?;
    if let Some(measured) = &mut measured {
        measured["independent"] = Value::Bool(!used);
    }
    Ok(measured)
}

/// Whether given poses were priors of the labels' trajectory, which then lives in their world.
fn used_poses(labels: &Labels) -> bool {
    labels.manifest().provenance.config["use_poses"].as_bool().unwrap_or(false)
}
