//! `omma eval depth`.

use ommatidia_geometry::{Camera, Lidar, Pose};
use ommatidia_metrics::depth::{
    DepthAccumulator, DepthProtocol, DepthReport, LidarView, VisibilityConfig, visible_projection,
};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_scene::{CameraSensor, DepthMap, Rig, Trajectory};
use ommatidia_store::ClipReader;
use ommatidia_store::labels::Labels;
use serde::Serialize;

use super::runs::{Evaluated, frame_record};
use super::{Compared, Truth, open_truth};
use crate::failure::Failure;
use crate::output;

/// The metric, and whether the truth had a part in making what is measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DepthResult {
    #[serde(flatten)]
    report: DepthReport,
    truth: &'static str,
    /// False where the labels were fused from the very sweeps that they are measured with.
    independent: bool,
    /// Frames that only one side has depth of.
    skipped_frames: usize,
}

/// Metrics of the records.
const RULES: &[(&str, MetricRule)] = &[
    ("abs_rel", MetricRule::ERROR),
    ("rmse_m", MetricRule::RMS_ERROR),
    ("delta1", MetricRule::SCORE),
    ("d1", MetricRule::ERROR),
    ("d1_all", MetricRule::ERROR),
    ("density", MetricRule::SCORE),
];

/// A run of this kind without records.
pub(super) fn new_run() -> Run {
    Run::new("depth", RULES)
}

pub(super) fn run(compared: &Compared) -> Result<Evaluated, Failure> {
    let labels = super::open_labels(&compared.labels)?;
    let mut run = new_run();
    let result = match open_truth(&compared.truth, &labels)? {
        Truth::Clip(reader) => against_lidar(&labels, &reader, &mut run)?,
        Truth::Labels(truth) => against_labels(&labels, &truth, &mut run)?,
    };
    if !result.independent {
        tracing::warn!(
            "the labels used this lidar: the figures measure fusion, not the cameras (label with --ignore-lidar)"
        );
    }
    let text = describe(&result);
    Ok(Evaluated { result: serde_json::to_value(&result).map_err(Failure::input)?, text, run })
}

/// A frame's part in each metric; a frame without true depth has none.
fn record(frame: Record, sums: &DepthAccumulator) -> Record {
    let Ok(report) = sums.report() else { return frame };
    let (points, estimated) = (report.points as f64, report.estimated as f64);
    let of = |value: Option<f64>| value.map_or_else(Share::default, |v| Share::mean(v, estimated));
    let rmse = report.rmse_m.map_or_else(Share::default, |v| Share::rms(v, estimated));
    frame
        .with("abs_rel", of(report.abs_rel))
        .with("rmse_m", rmse)
        .with("delta1", of(report.delta1))
        .with("d1", of(report.d1))
        .with("d1_all", Share::mean(report.d1_all, points))
        .with("density", Share::mean(report.density, points))
}

/// Depth against the clip's lidar returns that each camera can see.
pub(super) fn against_lidar(
    labels: &Labels,
    reader: &ClipReader,
    run: &mut Run,
) -> Result<DepthResult, Failure> {
    let clip = reader.clip();
    if clip.rig.lidars.is_empty() {
        return Err(Failure::input(format!(
            "{}: has no lidar to compare depth with",
            reader.path().display()
        )));
    }
    let trajectory = labels.trajectory()?;
    let fail = super::between(reader.path(), labels.directory());
    let mut sums = DepthAccumulator::new(protocol(&clip.rig));
    let mut skipped_frames = 0;
    for frame in &clip.frames {
        let mut own = DepthAccumulator::new(protocol(&clip.rig));
        let (mut seen, mut estimated) = (false, false);
        for (camera, image) in clip.rig.cameras.iter().zip(&frame.images) {
            let Some(image) = image else { continue };
            seen |= frame.clouds.iter().any(Option::is_some);
            let Some(estimate) = labels.depth(frame.timestamp, &camera.name)? else { continue };
            estimated = true;
            for (lidar, cloud) in clip.rig.lidars.iter().zip(&frame.clouds) {
                let Some(cloud_ref) = cloud else { continue };
                let cloud = reader.cloud(cloud_ref)?;
                let times = [image.timestamp, cloud_ref.timestamp];
                let camera_from_lidar =
                    camera_from_lidar(camera, &lidar.ego_from_lidar, times, trajectory.as_ref());
                let view = view(camera, &estimate, camera_from_lidar);
                let truth = visible_projection(&cloud.xyz_m, &view, &VisibilityConfig::default());
                sums.add(&truth.depth, &estimate).map_err(&fail)?;
                own.add(&truth.depth, &estimate).map_err(&fail)?;
            }
        }
        skipped_frames += usize::from(seen && !estimated);
        run.records.push(record(frame_record(&clip.id, frame.timestamp), &own));
    }
    let report = sums.report().map_err(fail)?;
    let independent = !super::used_lidar(labels);
    Ok(DepthResult { report, truth: "lidar", independent, skipped_frames })
}

fn view<'a>(
    camera: &'a CameraSensor,
    depth: &DepthMap,
    camera_from_lidar: Pose<Camera, Lidar>,
) -> LidarView<'a> {
    LidarView {
        intrinsics: &camera.intrinsics,
        width: depth.width,
        height: depth.height,
        camera_from_lidar,
    }
}

/// Where the lidar was when it measured, seen from where the camera was when it took the image.
fn camera_from_lidar(
    camera: &CameraSensor,
    ego_from_lidar: &Pose<ommatidia_geometry::Ego, Lidar>,
    [image_time, cloud_time]: [ommatidia_geometry::Timestamp; 2],
    trajectory: Option<&Trajectory>,
) -> Pose<Camera, Lidar> {
    let moved = trajectory.and_then(|path| path.motion(image_time, cloud_time));
    camera.ego_from_camera.inverse() * moved.unwrap_or_default() * *ego_from_lidar
}

/// Depth against dense depth of other labels.
pub(super) fn against_labels(
    labels: &Labels,
    truth: &Labels,
    run: &mut Run,
) -> Result<DepthResult, Failure> {
    let rig = &labels.manifest().rig;
    let fail = super::between_labels(truth, labels);
    let mut sums = DepthAccumulator::new(protocol(rig));
    let mut skipped_frames = 0;
    for timestamp in super::all_frames(labels, truth) {
        let mut own = DepthAccumulator::new(protocol(rig));
        let (mut paired, mut alone) = (false, false);
        for camera in &rig.cameras {
            let pair =
                (labels.depth(timestamp, &camera.name)?, truth.depth(timestamp, &camera.name)?);
            alone |= pair.0.is_some() != pair.1.is_some();
            let (Some(estimate), Some(truth)) = pair else { continue };
            paired = true;
            sums.add(&truth, &estimate).map_err(&fail)?;
            own.add(&truth, &estimate).map_err(&fail)?;
        }
        if !paired {
            skipped_frames += usize::from(alone);
            continue;
        }
        run.records.push(record(frame_record(&labels.manifest().clip.id, timestamp), &own));
    }
    let report = sums.report().map_err(fail)?;
    Ok(DepthResult { report, truth: "labels", independent: true, skipped_frames })
}

/// Wrong by more than 3 px and 5 % of disparity in the rig's own stereo pair; KITTI's where it has none.
fn protocol(rig: &Rig) -> DepthProtocol {
    let mut protocol = DepthProtocol::default();
    if let [first, second, ..] = &rig.cameras[..] {
        let first_from_second = first.ego_from_camera.inverse() * second.ego_from_camera;
        let parallel = first_from_second.rotation.angle() < 0.05;
        let baseline_m = first_from_second.translation.norm();
        if parallel && baseline_m > 0.0 {
            protocol.disparity.focal_baseline_px_m = first.intrinsics.focal_px().0 * baseline_m;
        }
    }
    protocol
}

pub(super) fn describe(result: &DepthResult) -> String {
    let report = &result.report;
    let optional = |value: Option<f64>, scale: f64| {
        value.map_or("-".to_owned(), |value| format!("{:.3}", scale * value))
    };
    let rows = [
        ("AbsRel", optional(report.abs_rel, 1.0)),
        ("RMSE, m", optional(report.rmse_m, 1.0)),
        ("delta < 1.25, %", optional(report.delta1, 100.0)),
        ("D1, %", optional(report.d1, 100.0)),
        ("D1 all, %", optional(Some(report.d1_all), 100.0)),
        ("density, %", optional(Some(report.density), 100.0)),
        ("points", report.points.to_string()),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
    let rows = rows.into_iter().chain(super::skipped_row(result.skipped_frames));
    output::table(&["depth", "value"], rows)
}
