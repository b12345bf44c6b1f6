//! `omma eval occupancy`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use nalgebra::Point3;
use ommatidia_metrics::Protocol;
use ommatidia_metrics::occupancy::{self, OccupancyCounts, OccupancyProtocol};
use ommatidia_metrics::occupancy_lidar::{LidarAgreement, in_view, lidar_agreement};
use ommatidia_metrics::occupancy_rays::{RayCounts, compare_rays, lidar_rays};
use ommatidia_metrics::statistics::{MetricRule, Run, Share};
use ommatidia_scene::{ClassId, Frame, Rig, Taxonomy, Trajectory};
use ommatidia_store::ClipReader;
use ommatidia_store::labels::Labels;
use serde_json::{Value, json};

use super::protocol::resolve;
use super::runs::{Evaluated, frame_record};
use super::{Truth, open_truth, voxel_files};
use crate::failure::Failure;
use crate::output;

/// Returns farther from the vehicle are not counted, metres.
const RANGE_M: f64 = 30.0;

/// Metrics of the records. A class's share of the mean IoU over a frame alone is that frame's.
const RULES: &[(&str, MetricRule)] = &[
    ("iou", MetricRule::SCORE),
    ("miou", MetricRule::SCORE),
    ("ray_iou", MetricRule::SCORE),
    ("lidar_hit_rate", MetricRule::SCORE),
    ("free_violation_rate", MetricRule::ERROR),
];

/// A run of this kind without records.
pub(super) fn new_run() -> Run {
    Run::new("occupancy", RULES)
}

#[derive(Debug, Args)]
pub(super) struct OccupancyArguments {
    /// Labels directory to evaluate, or predicted voxels: .npz or .label, a file or a folder of such
    #[arg(long, visible_alias = "predictions", value_name = "PATH")]
    labels: PathBuf,
    /// Truth: a clip with lidar, a labels directory, or voxels: labels.npz or .label with .invalid
    #[arg(long, value_name = "PATH")]
    truth: PathBuf,
    /// Settings: of files occ3d_nuscenes, openocc_2024, semantickitti_completion; of labels
    /// labels_occupancy; or a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    protocol: Option<String>,
}

pub(super) fn run(arguments: &OccupancyArguments) -> Result<Evaluated, Failure> {
    let given = arguments.protocol.as_deref();
    let mut run = new_run();
    let result = if voxel_files::are_files(&arguments.truth) {
        voxel_files::evaluate(&arguments.labels, &arguments.truth, &resolve(given)?, &mut run)?
    } else {
        let labels = super::open_labels(&arguments.labels)?;
        match open_truth(&arguments.truth, &labels)? {
            Truth::Clip(reader) => against_lidar(&labels, &reader, &mut run)?,
            Truth::Labels(truth) => compare_labels(&labels, &truth, &resolve(given)?, &mut run)?,
        }
    };
    Ok(Evaluated { text: describe(&result), result, run })
}

/// Voxels against the clip's lidar returns in the cameras' view.
pub(super) fn against_lidar(
    labels: &Labels,
    reader: &ClipReader,
    run: &mut Run,
) -> Result<Value, Failure> {
    let clip = reader.clip();
    if clip.rig.lidars.is_empty() {
        return Err(Failure::input(format!(
            "{}: has no lidar to compare voxels with",
            reader.path().display()
        )));
    }
    let trajectory = labels.trajectory()?;
    let counts = in_view(&clip.rig, Point3::origin(), RANGE_M);
    let (mut agreement, mut observed, mut frames) = (LidarAgreement::default(), 0, 0);
    let mut skipped = 0;
    for frame in &clip.frames {
        let Some(occupancy) = labels.occupancy(frame.timestamp)? else {
            skipped += 1;
            continue;
        };
        let returns = returns_in_ego(reader, frame, &clip.rig, trajectory.as_ref())?;
        let own = lidar_agreement(&occupancy, &returns, &counts);
        agreement.add(&own);
        let share = |sum: u64, weight: u64| Share { sum: sum as f64, weight: weight as f64 };
        run.records.push(
            frame_record(&clip.id, frame.timestamp)
                .with("lidar_hit_rate", share(own.hits, own.returns))
                .with("free_violation_rate", share(own.violated_voxels, own.free_voxels)),
        );
        observed += occupancy.observed.count();
        frames += 1;
    }
    if frames == 0 {
        let (labels, clip) = (labels.directory().display(), reader.path().display());
        let what = format!("{labels}: holds no voxels for the frames of {clip}");
        return Err(Failure::input(what));
    }
    Ok(json!({
        "iou": null,
        "miou": null,
        "per_class": {},
        "ray_iou": null,
        "lidar_hit_rate": agreement.lidar_hit_rate(),
        "free_violation_rate": agreement.free_violation_rate(),
        "refuted_rate": agreement.refuted_rate(),
        "observed_voxels": observed,
        "returns": agreement.returns,
        "free_voxels": agreement.free_voxels,
        "frames": frames,
        "skipped_frames": skipped,
        "range_m": RANGE_M,
        "truth": "lidar",
        "independent": !super::used_lidar(labels),
    }))
}

/// All sweeps of a frame, in the ego frame of the frame's own time.
fn returns_in_ego(
    reader: &ClipReader,
    frame: &Frame,
    rig: &Rig,
    trajectory: Option<&Trajectory>,
) -> Result<Vec<Point3<f64>>, Failure> {
    let mut returns = Vec::new();
    for (cloud, lidar) in frame.clouds.iter().zip(&rig.lidars) {
        let Some(cloud) = cloud else { continue };
        let moved = trajectory.and_then(|path| path.motion(frame.timestamp, cloud.timestamp));
        let ego_from_lidar = moved.unwrap_or_default() * lidar.ego_from_lidar;
        let points = reader.cloud(cloud)?;
        returns
            .extend(points.xyz_m.iter().map(|p| ego_from_lidar * Point3::from(p.map(f64::from))));
    }
    Ok(returns)
}

/// Voxels against voxels, over what both observed.
pub(super) fn against_labels(
    labels: &Labels,
    truth: &Labels,
    run: &mut Run,
) -> Result<Value, Failure> {
    let (name, _) = OccupancyProtocol::NAMED[0];
    let protocol = OccupancyProtocol::named(name).map_err(Failure::input)?;
    compare_labels(labels, truth, &protocol, run)
}

/// Voxels against voxels, on the protocol's grid, or else the coarser of the two: a metre-wide voxel cannot
/// be told right or wrong about a hand's breadth.
fn compare_labels(
    labels: &Labels,
    truth: &Labels,
    protocol: &OccupancyProtocol,
    run: &mut Run,
) -> Result<Value, Failure> {
    let (mut counts, mut rays) = (OccupancyCounts::default(), RayCounts::default());
    let (origin, directions) = (Point3::from(protocol.ray_origin_m), lidar_rays());
    let taxonomy = Taxonomy::driving();
    let is_averaged = |class: ClassId| protocol.counts(&taxonomy, class);
    let (mut frames, mut skipped, mut resampled, mut voxel_m) = (0, 0, false, 0.0);
    let fail = super::between_labels(truth, labels);
    for timestamp in super::all_frames(labels, truth) {
        let pair = (labels.occupancy(timestamp)?, truth.occupancy(timestamp)?);
        skipped += usize::from(pair.0.is_some() != pair.1.is_some());
        let (Some(mut estimate), Some(mut truth)) = pair else { continue };
        let coarser = if estimate.grid.voxel_m > truth.grid.voxel_m { &estimate } else { &truth };
        let grid = protocol.grid.unwrap_or(coarser.grid);
        voxel_m = grid.voxel_m;
        for side in [&mut estimate, &mut truth] {
            if side.grid != grid {
                *side = side.resampled(&grid);
                resampled = true;
            }
        }
        let own = occupancy::compare(&truth, &estimate, protocol.visibility).map_err(&fail)?;
        let own_rays = compare_rays(&truth, &estimate, &origin, &directions).map_err(&fail)?;
        counts.add(&own);
        rays.add(&own_rays);
        let union = own.occupied.truth + own.occupied.predicted - own.occupied.both;
        let iou = Share { sum: own.occupied.both as f64, weight: union as f64 };
        let ray_iou =
            own_rays.ray_iou(is_averaged).map(|all| all.iter().sum::<f64>() / all.len() as f64);
        run.records.push(
            frame_record(&labels.manifest().clip.id, timestamp)
                .with("iou", iou)
                .with("miou", Share::of(own.miou_of(is_averaged)))
                .with("ray_iou", Share::of(ray_iou)),
        );
        frames += 1;
    }
    if frames == 0 {
        let (labels, truth) = (labels.directory().display(), truth.directory().display());
        let what = format!("{labels} against {truth}: no frame has voxels on both sides");
        return Err(Failure::input(what));
    }
    // Labels of geometry alone know no class: a score by class would be 0 of something that they do not claim.
    let classless = counts.classless();
    if classless {
        for record in &mut run.records {
            record.shares.remove("miou");
            record.shares.remove("ray_iou");
        }
    }
    let name = |id: ClassId| {
        taxonomy.class(id).map_or_else(|| id.0.to_string(), |class| class.name.clone())
    };
    let mut per_class: BTreeMap<String, f64> =
        counts.per_class().into_iter().map(|(id, iou)| (name(id), iou)).collect();
    if classless {
        per_class.clear();
    }
    let ray_iou = rays.ray_iou(is_averaged).filter(|_| !classless);
    Ok(json!({
        "iou": counts.iou(),
        "miou": counts.miou_of(is_averaged).filter(|_| !classless),
        "classes": !classless,
        "per_class": per_class,
        "ray_iou": ray_iou.map(|[one, two, four]| json!({ "1m": one, "2m": two, "4m": four })),
        "lidar_hit_rate": null,
        "free_violation_rate": null,
        "observed_voxels": counts.observed_voxels,
        "frames": frames,
        "skipped_frames": skipped,
        "resampled": resampled,
        "voxel_m": voxel_m,
        "truth": "labels",
    }))
}

fn describe(result: &Value) -> String {
    let keys = [
        "iou",
        "miou",
        "mave_m_s",
        "occ_score",
        "lidar_hit_rate",
        "free_violation_rate",
        "refuted_rate",
        "observed_voxels",
        "frames",
    ];
    let row = |key: &str| {
        let value = result[key].as_f64()?;
        let text = if value.fract() == 0.0 && value > 1.0 {
            format!("{value}")
        } else {
            format!("{value:.4}")
        };
        Some(vec![key.to_owned(), text])
    };
    let of_rays =
        [("ray_iou", "ray IoU"), ("ray_pq", "ray PQ")].into_iter().flat_map(|(key, title)| {
            ["1m", "2m", "4m"].into_iter().filter_map(move |at| {
                let value = result[key][at].as_f64()?;
                Some(vec![format!("{title} {at}"), format!("{value:.4}")])
            })
        });
    let skipped = super::skipped_row(result["skipped_frames"].as_u64().unwrap_or(0) as usize);
    let rows = keys.into_iter().filter_map(row).chain(of_rays).chain(skipped);
    let mut text = output::table(&["occupancy", "value"], rows);
    if result["classes"] == false {
        text += "one side has no classes: geometry alone is compared\n";
    }
    text
}
