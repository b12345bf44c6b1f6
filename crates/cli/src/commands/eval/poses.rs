//! Poses from wherever they may be: text files, clips, labels.

use std::fs;
use std::path::Path;

use clap::ValueEnum;
use ommatidia_geometry::{Camera, Ego, Pose};
use ommatidia_metrics::trajectory::of_body;
use ommatidia_scene::{PoseSample, PoseSource, Scale, Trajectory};
use ommatidia_store::{ClipReader, Labels, trajectory_text};

use super::{is_clip, open_labels};
use crate::failure::Failure;

/// How poses are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PoseFormat {
    /// A 3x4 matrix per line: KITTI's poses of camera 0
    Kitti,
    /// `time tx ty tz qx qy qz qw` per line
    Tum,
    /// CSV as EuRoC's ground truth
    Euroc,
    /// A labels directory
    Labels,
    /// A clip with given poses
    Clip,
}

/// Poses and what they are poses of.
pub(super) struct Poses {
    pub(super) samples: Vec<PoseSample>,
    pub(super) format: PoseFormat,
    /// Mounting of the first camera, where the source knows it.
    ego_from_camera: Option<Pose<Ego, Camera>>,
    /// Whether given poses were priors of labels' trajectory, which then lives in their world.
    pub(super) used_given: bool,
    /// The drive, where the source names it.
    pub(super) drive: Option<String>,
}

impl Poses {
    /// Reads poses; without a format, by what the path looks like.
    pub(super) fn read(path: &Path, format: Option<PoseFormat>) -> Result<Self, Failure> {
        // A format names how text is written; a clip or labels on the other side stay what they are.
        let poses = if path.is_dir() {
            from_labels(path)?
        } else if is_clip(path) {
            from_clip(path)?
        } else {
            from_text(path, format)?
        };
        if poses.samples.is_empty() {
            return Err(Failure::input(format!("{}: holds no poses", path.display())));
        }
        Ok(poses)
    }

    /// KITTI's files hold poses without times.
    pub(super) fn has_times(&self) -> bool {
        self.format != PoseFormat::Kitti
    }

    /// KITTI's files hold poses of the first camera, everything else poses of the vehicle.
    fn is_of_camera(&self) -> bool {
        self.format == PoseFormat::Kitti
    }
}

/// Makes both sides poses of the same body, each seen from where it was first.
pub(super) fn same_body(truth: &mut Poses, estimate: &mut Poses) -> Result<(), Failure> {
    if truth.is_of_camera() == estimate.is_of_camera() {
        return Ok(());
    }
    for poses in [truth, estimate] {
        let ego_from_body = if poses.is_of_camera() {
            Pose::identity()
        } else {
            poses.ego_from_camera.ok_or_else(|| {
                Failure::input(
                    "one side holds poses of a camera, the other of a vehicle whose cameras are not known; \
                     give labels or a clip instead of a text file",
                )
            })?
        };
        poses.samples = of_body(&poses.samples, &ego_from_body);
    }
    Ok(())
}

/// Both paths as seen from where each was at the first time that both know: for estimates whose world is
/// their own. Left as they are where they share no time.
pub(super) fn from_first_common(truth: &mut Vec<PoseSample>, estimate: &mut Vec<PoseSample>) {
    let path = |samples: &[PoseSample]| {
        Trajectory::new(PoseSource::Dataset, Scale::Metric, samples.to_vec()).ok()
    };
    let (Some(true_path), Some(path)) = (path(truth), path(estimate)) else { return };
    let starts =
        [&true_path, &path].map(|path| path.samples().first().map(|sample| sample.timestamp));
    let Some(start) = starts.into_iter().flatten().max() else { return };
    let (Some(true_start), Some(own_start)) = (true_path.at(start), path.at(start)) else { return };
    for (samples, world_from_start) in [(truth, true_start), (estimate, own_start)] {
        for sample in samples.iter_mut() {
            // The pose at the start takes the place of the world.
            sample.world_from_ego = (world_from_start.inverse() * sample.world_from_ego).cast();
        }
    }
}

/// What the first line with numbers looks like.
fn natural_format(text: &str) -> PoseFormat {
    let is_content = |line: &&str| !line.trim_start().starts_with('#') && !line.trim().is_empty();
    match text.lines().find(is_content) {
        Some(first) if first.split_whitespace().count() == 12 => PoseFormat::Kitti,
        Some(first) if first.contains(',') => PoseFormat::Euroc,
        _ => PoseFormat::Tum,
    }
}

fn from_text(path: &Path, format: Option<PoseFormat>) -> Result<Poses, Failure> {
    let text =
        fs::read_to_string(path).map_err(|cause| ommatidia_store::Error::read(path, cause))?;
    let format = format.unwrap_or_else(|| natural_format(&text));
    let parsed = match format {
        PoseFormat::Tum => trajectory_text::parse_tum(&text),
        PoseFormat::Euroc => trajectory_text::parse_euroc(&text),
        PoseFormat::Kitti => trajectory_text::parse_kitti(&text)
            .and_then(|poses| trajectory_text::with_times(&poses, None)),
        PoseFormat::Labels | PoseFormat::Clip => {
            let what =
                "is a text file, neither labels nor a clip; name its format or leave --format out";
            return Err(Failure::input(format!("{}: {what}", path.display())));
        }
    };
    let samples = parsed.map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
    Ok(Poses { samples, format, ego_from_camera: None, used_given: false, drive: None })
}

fn from_labels(path: &Path) -> Result<Poses, Failure> {
    let labels = open_labels(path)?;
    let Some(trajectory) = labels.trajectory()? else {
        let what = "holds no trajectory; run `omma label` with the odometry stage";
        return Err(Failure::input(format!("{}: {what}", path.display())));
    };
    let manifest = labels.manifest();
    Ok(Poses {
        samples: trajectory.samples().to_vec(),
        format: PoseFormat::Labels,
        ego_from_camera: manifest.rig.cameras.first().map(|camera| camera.ego_from_camera),
        used_given: used_given(&labels),
        drive: Some(manifest.clip.id.to_string()),
    })
}

/// Whether given poses were priors of the labels' trajectory, which then lives in their world.
pub(super) fn used_given(labels: &Labels) -> bool {
    labels.manifest().provenance.config["use_poses"].as_bool().unwrap_or(false)
}

fn from_clip(path: &Path) -> Result<Poses, Failure> {
    let reader = ClipReader::open(path)?;
    let clip = reader.clip();
    let Some(trajectory) = &clip.trajectory else {
        return Err(Failure::input(format!(
            "{}: has no given poses to compare with",
            path.display()
        )));
    };
    Ok(Poses {
        samples: trajectory.samples().to_vec(),
        format: PoseFormat::Clip,
        ego_from_camera: clip.rig.cameras.first().map(|camera| camera.ego_from_camera),
        used_given: false,
        drive: Some(clip.id.to_string()),
    })
}
