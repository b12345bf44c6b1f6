//! `omma eval trajectory`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ommatidia_geometry::Duration;
use ommatidia_metrics::statistics::{MetricRule, Run, Share};
use ommatidia_metrics::trajectory::{
    Alignment, Association, Delta, PoseError, RelativePairs, TrajectoryProtocol, TrajectoryReport,
    evaluate, evaluate_poses,
};
use ommatidia_store::{ClipReader, Labels};
use serde_json::Value;

use super::poses::{PoseFormat, Poses, from_first_common, same_body, used_given};
use super::runs::{Evaluated, frame_record};
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
    #[arg(
        long,
        default_value_t = DEFAULT_TOLERANCE_S,
        value_name = "SECONDS",
        allow_negative_numbers = true
    )]
    tolerance: f64,
    /// Distance of the pairs of relative errors
    #[arg(long, default_value_t = 1.0, value_name = "NUMBER", allow_negative_numbers = true)]
    delta: f64,
    /// What `--delta` counts
    #[arg(long, default_value = "frames", value_name = "UNIT")]
    delta_unit: DeltaUnit,
    /// Relative errors from every pose, not only of consecutive pairs
    #[arg(long)]
    all_pairs: bool,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DeltaUnit {
    /// Poses
    Frames,
    /// Path driven
    Metres,
    /// Angle turned
    Degrees,
}

/// Metrics of the records.
const RULES: &[(&str, MetricRule)] = &[
    ("ate_rmse_m", MetricRule::RMS_ERROR),
    ("rpe_trans_m", MetricRule::RMS_ERROR),
    ("rpe_rot_deg", MetricRule::RMS_ERROR),
];

pub(super) fn run(arguments: &TrajectoryArguments) -> Result<Evaluated, Failure> {
    let tolerance = arguments.tolerance;
    // A day is far beyond any clock's error, and within what a duration holds.
    if !(0.0..=86_400.0).contains(&tolerance) {
        let what = format!("--tolerance is {tolerance}; it must be 0 to 86400 seconds");
        return Err(Failure::input(what));
    }
    let mut truth = Poses::read(&arguments.truth, arguments.format)?;
    let mut estimate = Poses::read(&arguments.labels, arguments.format)?;
    same_body(&mut truth, &mut estimate)?;
    if estimate.format == PoseFormat::Labels && truth.has_times() && !estimate.used_given {
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
    let rpe_pairs =
        if arguments.all_pairs { RelativePairs::All } else { RelativePairs::Consecutive };
    let protocol =
        TrajectoryProtocol { association, alignment, rpe_delta: delta(arguments)?, rpe_pairs };
    let (report, errors) = evaluate_poses(&truth.samples, &estimate.samples, &protocol)
        .map_err(super::between(&arguments.truth, &arguments.labels))?;
    let drive = truth.drive.or(estimate.drive).unwrap_or_else(|| {
        let name = arguments.truth.file_name().unwrap_or(arguments.truth.as_os_str());
        name.to_string_lossy().into_owned()
    });
    let mut run = Run::new("trajectory", RULES);
    run.records = errors.iter().map(|error| record(&drive, error)).collect();
    let text = describe(&report);
    Ok(Evaluated { result: serde_json::to_value(report).map_err(Failure::input)?, text, run })
}

fn delta(arguments: &TrajectoryArguments) -> Result<Delta, Failure> {
    let size = arguments.delta;
    if !(size.is_finite() && size > 0.0) {
        return Err(Failure::input(format!("--delta is {size}; it must be above 0")));
    }
    match arguments.delta_unit {
        DeltaUnit::Frames if size.fract() == 0.0 => Ok(Delta::Frames(size as usize)),
        DeltaUnit::Frames => Err(Failure::input(format!("--delta is {size}, no number of frames"))),
        DeltaUnit::Metres => Ok(Delta::Metres(size)),
        DeltaUnit::Degrees => Ok(Delta::Degrees(size)),
    }
}

/// A pose's part in each metric.
fn record(drive: &String, error: &PoseError) -> ommatidia_metrics::statistics::Record {
    let (translation, rotation) = match error.relative {
        Some((metres, degrees)) => (Share::rms(metres, 1.0), Share::rms(degrees, 1.0)),
        None => Default::default(),
    };
    frame_record(drive, error.timestamp)
        .with("ate_rmse_m", Share::rms(error.ate_m, 1.0))
        .with("rpe_trans_m", translation)
        .with("rpe_rot_deg", rotation)
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
    let used = used_given(labels);
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
