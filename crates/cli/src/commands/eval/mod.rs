//! `omma eval KIND`: one file per kind.

mod calibration;
mod depth;
mod detection;
mod disparity;
mod files;
mod flow;
mod instances;
mod keypoints;
mod lanes;
mod occupancy;
mod pairs;
mod poses;
mod protocol;
mod reconstruction;
mod runs;
mod semantics;
mod surface;
mod tracking;
mod trajectory;
mod voxel_files;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ommatidia_geometry::Timestamp;
use ommatidia_store::ClipReader;
use ommatidia_store::labels::Labels;
use serde_json::Value;

use crate::args::Common;
use crate::failure::Failure;

/// Measure labels or predictions against truth
///
/// Truth is a clip (its given poses, its lidar), another labels directory, or for trajectories a text file.
#[derive(Debug, Args)]
pub(crate) struct EvalArguments {
    #[command(subcommand)]
    kind: Kind,
    #[command(flatten)]
    options: runs::RunOptions,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Absolute and relative trajectory error, KITTI's segment errors
    Trajectory(trajectory::TrajectoryArguments),
    /// Depth against lidar returns that the camera can see, or against dense depth
    Depth(Compared),
    /// Occupancy against voxels of truth, or against lidar returns
    Occupancy(occupancy::OccupancyArguments),
    /// Ground height and drivable area against a surface of truth
    Surface(Compared),
    /// Persons' keypoints: OKS average precision in COCO's files
    Keypoints(keypoints::KeypointArguments),
    /// Lanes: OpenLane-V2, MapTR's chamfer mAP, TuSimple, CULane
    Lanes(lanes::LaneArguments),
    /// Point clouds, or pictures by PSNR, SSIM and LPIPS
    Reconstruction(reconstruction::ReconstructionArguments),
    /// Rigs against a true rig, or confidences against outcomes
    Calibration(calibration::CalibrationArguments),
    /// Boxes: nuScenes' mAP, errors and NDS; KITTI's AP in the image, on the ground and in space
    Detection(detection::DetectionArguments),
    /// Tracks: HOTA, CLEAR MOT, identities, nuScenes' AMOTA
    Tracking(tracking::TrackingArguments),
    /// Optical flow: end-point error, KITTI's outliers
    Flow(flow::FlowArguments),
    /// Stereo disparity: KITTI's outliers (D1), end-point error
    Disparity(disparity::DisparityArguments),
    /// Class maps: mIoU, frequency-weighted IoU, pixel accuracy
    Semantics(semantics::SemanticsArguments),
    /// Instances: COCO's average precision of masks or boxes
    Instances(instances::InstancesArguments),
}

/// What is compared with what.
#[derive(Debug, Args)]
pub(crate) struct Compared {
    /// Labels directory to evaluate
    #[arg(long, visible_alias = "predictions", value_name = "DIR")]
    pub(crate) labels: PathBuf,
    /// Truth: a clip with lidar, or a labels directory
    #[arg(long, value_name = "CLIP|DIR")]
    pub(crate) truth: PathBuf,
}

pub(crate) fn run(arguments: &EvalArguments, common: &Common) -> Result<ExitCode, Failure> {
    let evaluated = match &arguments.kind {
        Kind::Trajectory(arguments) => trajectory::run(arguments)?,
        Kind::Depth(compared) => depth::run(compared)?,
        Kind::Occupancy(arguments) => occupancy::run(arguments)?,
        Kind::Surface(compared) => surface::run(compared)?,
        Kind::Detection(arguments) => detection::run(arguments)?,
        Kind::Tracking(arguments) => tracking::run(arguments)?,
        Kind::Flow(arguments) => flow::run(arguments)?,
        Kind::Disparity(arguments) => disparity::run(arguments)?,
        Kind::Semantics(arguments) => semantics::run(arguments)?,
        Kind::Instances(arguments) => instances::run(arguments)?,
        Kind::Keypoints(arguments) => keypoints::run(arguments)?,
        Kind::Lanes(arguments) => lanes::run(arguments)?,
        Kind::Reconstruction(arguments) => reconstruction::run(arguments)?,
        Kind::Calibration(arguments) => calibration::run(arguments)?,
    };
    runs::finish(evaluated, &arguments.options, common)
}

/// Whether a path names a clip by its extension.
fn is_clip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "mcap")
}

fn open_labels(path: &Path) -> Result<Labels, Failure> {
    Ok(Labels::open(path)?)
}

/// What labels are measured against.
enum Truth {
    Clip(Box<ClipReader>),
    Labels(Box<Labels>),
}

/// Truth for these labels. Frames pair by time, so both must be of one recording.
fn open_truth(path: &Path, labels: &Labels) -> Result<Truth, Failure> {
    let truth = if is_clip(path) {
        Truth::Clip(Box::new(ClipReader::open(path)?))
    } else {
        Truth::Labels(Box::new(open_labels(path)?))
    };
    let found = match &truth {
        Truth::Clip(reader) => &reader.clip().id,
        Truth::Labels(truth) => &truth.manifest().clip.id,
    };
    of_drive(path, found, labels)?;
    Ok(truth)
}

/// Labels are compared with labels of the same drive only.
fn same_drive(path: &Path, truth: &Labels, labels: &Labels) -> Result<(), Failure> {
    of_drive(path, &truth.manifest().clip.id, labels)
}

fn of_drive(path: &Path, found: &str, labels: &Labels) -> Result<(), Failure> {
    let wanted = &labels.manifest().clip.id;
    if found == wanted {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{}: is of the drive {found}, the labels are of {wanted}; compare labels with truth of their own drive",
        path.display()
    )))
}

/// All times that either side has a frame at, in order.
fn all_frames(a: &Labels, b: &Labels) -> BTreeSet<Timestamp> {
    a.frames().iter().chain(b.frames()).copied().collect()
}

/// What is left out of the figures, as a row of their table; nothing where nothing is.
fn skipped_row(frames: usize) -> Option<Vec<String>> {
    (frames > 0).then(|| vec!["skipped frames (on one side only)".to_owned(), frames.to_string()])
}

/// Bad input found while two sides were compared, with the paths of both.
fn between(truth: &Path, predictions: &Path) -> impl Fn(ommatidia_metrics::Error) -> Failure {
    let (truth, predictions) = (truth.display().to_string(), predictions.display().to_string());
    move |cause| Failure::input(format!("{predictions} against {truth}: {cause}"))
}

/// As [`between`], of labels.
fn between_labels(truth: &Labels, labels: &Labels) -> impl Fn(ommatidia_metrics::Error) -> Failure {
    between(truth.directory(), labels.directory())
}

/// Whether lidar sweeps went into the labels.
fn used_lidar(labels: &Labels) -> bool {
    let manifest = labels.manifest();
    let asked = manifest.provenance.config["use_lidar"].as_bool().unwrap_or(false);
    asked && !manifest.rig.lidars.is_empty()
}

/// Everything that could be measured, as `omma eval` prints each.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Measured {
    #[serde(skip_serializing_if = "Option::is_none")]
    trajectory: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depth: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occupancy: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    surface: Option<Value>,
}

impl Measured {
    /// Titles and figures of what was measured.
    pub(crate) fn tables(&self) -> Vec<(&'static str, &Value)> {
        let all = [
            ("Trajectory", &self.trajectory),
            ("Depth", &self.depth),
            ("Occupancy", &self.occupancy),
            ("Surface", &self.surface),
        ];
        all.into_iter().filter_map(|(title, value)| Some((title, value.as_ref()?))).collect()
    }

    /// The figures that one looks at first.
    pub(crate) fn describe(&self) -> String {
        const FIRST: [&str; 11] = [
            "ate_rmse_m",
            "end_drift_percent",
            "d1",
            "d1_all",
            "density",
            "abs_rel",
            "lidar_hit_rate",
            "free_violation_rate",
            "iou",
            "mae_m",
            "drivable_iou",
        ];
        let mut rows = Vec::new();
        for (title, value) in self.tables() {
            for key in FIRST {
                if let Some(number) = value[key].as_f64() {
                    rows.push(vec![title.to_lowercase(), key.to_owned(), format!("{number:.4}")]);
                }
            }
        }
        crate::output::table(&["measured", "metric", "value"], rows)
    }
}

/// Measures labels against what their clip holds: given poses and lidar.
pub(crate) fn against_clip(labels: &Path, clip: &Path) -> Result<Measured, Failure> {
    let reader = ClipReader::open(clip)?;
    let opened = open_labels(labels)?;
    let mut measured =
        Measured { trajectory: trajectory::against_clip(&opened, &reader)?, ..Measured::default() };
    if !reader.clip().rig.lidars.is_empty() {
        measured.depth = optional(depth::against_lidar(&opened, &reader, &mut depth::new_run()))?;
        measured.occupancy =
            optional(occupancy::against_lidar(&opened, &reader, &mut occupancy::new_run()))?;
    }
    Ok(measured)
}

/// Measures labels against exact ones, and against what their clip holds.
pub(crate) fn against_truth(labels: &Path, clip: &Path, truth: &Path) -> Result<Measured, Failure> {
    let mut measured = against_clip(labels, clip)?;
    let (opened, path) = (open_labels(labels)?, truth);
    let truth = open_labels(path)?;
    same_drive(path, &truth, &opened)?;
    if let Some(depth) = optional(depth::against_labels(&opened, &truth, &mut depth::new_run()))? {
        measured.depth = Some(depth);
    }
    if let Some(occupancy) =
        optional(occupancy::against_labels(&opened, &truth, &mut occupancy::new_run()))?
    {
        measured.occupancy = Some(occupancy);
    }
    if let Some(surface) =
        optional(surface::against_labels(&opened, &truth, &mut surface::new_run()))?
    {
        measured.surface = Some(surface);
    }
    Ok(measured)
}

/// What cannot be compared is left out; a machine that fails is not.
fn optional(result: Result<impl serde::Serialize, Failure>) -> Result<Option<Value>, Failure> {
    match result {
        Ok(result) => serde_json::to_value(result).map(Some).map_err(Failure::input),
        Err(Failure::Input(why)) => {
            tracing::info!("not measured: {why}");
            Ok(None)
        }
        Err(other) => Err(other),
    }
}
