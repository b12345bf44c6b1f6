//! `omma eval occupancy` on official files: Occ3D's and the challenges' `.npz`, SemanticKITTI's `.label`.

use std::collections::BTreeMap;
use std::path::Path;

use nalgebra::Point3;
use ommatidia_metrics::confusion::Confusion;
use ommatidia_metrics::occupancy_grid::{GridProtocol, VoxelMask};
use ommatidia_metrics::occupancy_rays::{
    FlowGrid, Grids, RayCounts, RayFlow, RayPanoptic, RayPanopticProtocol, compare_flow,
    compare_grids, lidar_rays,
};
use ommatidia_metrics::statistics::{Record, Run, Share};
use ommatidia_scene::ClassId;
use ommatidia_store::results::voxels::{VoxelFrame, read_bits, read_label, read_npz};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::pairs::{FilePair, in_pair, pair, stem};
use crate::failure::Failure;

/// nuScenes' lidar in the ego frame, for frames that do not say where their rays start, metres.
const LIDAR_M: [f64; 3] = [0.9858, 0.0, 1.8402];
/// Frames in memory at a time.
const BATCH: usize = 64;
const ENDINGS: [&str; 2] = [".npz", ".label"];

/// Whether a path is of such files and no labels directory.
pub(super) fn are_files(path: &Path) -> bool {
    if path.is_dir() {
        return !path.join("manifest.json").exists() && super::files::under(path, &ENDINGS).is_ok();
    }
    ENDINGS.iter().any(|ending| path.to_string_lossy().ends_with(ending))
}

/// What a frame adds.
struct Counted {
    confusion: Confusion,
    rays: RayCounts,
    flow: Option<RayFlow>,
    panoptic: Option<RayPanoptic>,
    own_origins: bool,
}

/// Scores of all frames of two folders, or of two files.
pub(super) fn evaluate(
    predictions: &Path,
    truth: &Path,
    protocol: &GridProtocol,
    run: &mut Run,
) -> Result<Value, Failure> {
    let is_class = |class: ClassId| usize::from(class.0) < protocol.classes.len();
    let pairs = pair(truth, predictions, &ENDINGS, frame_key)?;
    let directions = lidar_rays();
    let mut confusion = Confusion::new(protocol.classes.len());
    let (mut rays, mut flow, mut panoptic) =
        (RayCounts::default(), RayFlow::default(), RayPanoptic::default());
    let (mut with_flow, mut with_instances, mut with_origins) = (0, 0, 0);
    for batch in pairs.chunks(BATCH) {
        let counted: Vec<Counted> = batch
            .par_iter()
            .map(|pair| frame(pair, protocol, &directions))
            .collect::<Result<_, _>>()?;
        // Added in the frames' order: sums of floating-point numbers depend on it.
        for (pair, frame) in batch.iter().zip(counted) {
            let own = protocol.report(&frame.confusion);
            let ray_iou = frame.rays.ray_iou(is_class).map(|at| at.iter().sum::<f64>() / 3.0);
            run.records.push(
                Record::new(scene_key(&pair.truth), frame_key(&pair.truth))
                    .with("iou", Share::of(own.iou))
                    .with("miou", Share::of(own.miou))
                    .with("ray_iou", Share::of(ray_iou)),
            );
            confusion.merge(&frame.confusion);
            rays.add(&frame.rays);
            with_origins += usize::from(frame.own_origins);
            if let Some(more) = frame.flow {
                flow.add(&more);
                with_flow += 1;
            }
            if let Some(more) = frame.panoptic {
                panoptic.add(&more);
                with_instances += 1;
            }
        }
    }
    let report = protocol.report(&confusion);
    let score = flow.score(is_class, |class| protocol.is_moving(class));
    let quality = panoptic.quality(|class| is_class(ClassId(class)));
    let three = |[one, two, four]: [f64; 3]| json!({ "1m": one, "2m": two, "4m": four });
    let per_class: BTreeMap<&str, [f64; 3]> = rays
        .per_class()
        .into_iter()
        .filter_map(|(class, iou)| {
            Some((protocol.classes.get(usize::from(class.0))?.as_str(), iou))
        })
        .collect();
    Ok(json!({
        "iou": report.iou,
        "precision": report.precision,
        "recall": report.recall,
        "miou": report.miou,
        "per_class": report.per_class,
        "ray_iou": rays.ray_iou(is_class).map(three),
        "ray_iou_per_class": per_class,
        "ray_pq": quality.map(|quality| three(quality.ray_pq_at)),
        "mave_m_s": score.and_then(|score| score.mave_m_s),
        "occ_score": score.and_then(|score| score.occ_score),
        "lidar_hit_rate": null,
        "free_violation_rate": null,
        "observed_voxels": report.observed_voxels,
        "frames": pairs.len(),
        "frames_with_flow": with_flow,
        "frames_with_instances": with_instances,
        "frames_with_ray_origins": with_origins,
        "truth": "files",
    }))
}

/// What names a frame: the folder of a `labels.npz`, else the file; with its sequence before SemanticKITTI's
/// `voxels` and `predictions`.
fn frame_key(file: &Path) -> String {
    let own = stem(file);
    if own == "labels" {
        folder(file, 1)
    } else if in_sequence(file) {
        format!("{}/{own}", folder(file, 2))
    } else {
        own
    }
}

/// What names a frame's scene: the folder above that of a `labels.npz`, SemanticKITTI's sequence, else the folder.
fn scene_key(file: &Path) -> String {
    folder(file, if stem(file) == "labels" || in_sequence(file) { 2 } else { 1 })
}

fn in_sequence(file: &Path) -> bool {
    matches!(folder(file, 1).as_str(), "voxels" | "predictions") && !folder(file, 2).is_empty()
}

/// The name of the folder so many levels up; empty where there is none.
fn folder(file: &Path, up: usize) -> String {
    let name = file.ancestors().nth(up).and_then(Path::file_name);
    name.map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

fn read(path: &Path) -> Result<VoxelFrame, Failure> {
    let is_label = path.extension().is_some_and(|extension| extension == "label");
    Ok(if is_label { read_label(path)? } else { read_npz(path)? })
}

fn frame(
    pair: &FilePair,
    protocol: &GridProtocol,
    directions: &[nalgebra::Vector3<f32>],
) -> Result<Counted, Failure> {
    let (truth, predicted) = (read(&pair.truth)?, read(&pair.predicted)?);
    let fail = |cause: ommatidia_metrics::Error| in_pair(pair, &cause);
    for (side, frame) in [("truth", &truth), ("prediction", &predicted)] {
        let (found, wanted) = (frame.semantics.len(), protocol.grid.len());
        let shape_fits =
            frame.shape.is_none_or(|shape| shape.map(|n| n as u32) == protocol.grid.size);
        if found != wanted || !shape_fits {
            let shape = frame.shape.map_or(String::new(), |shape| format!(" of shape {shape:?}"));
            let what = format!(
                "the {side} has {found} voxels{shape}; the protocol's grid is {:?}",
                protocol.grid.size
            );
            return Err(in_pair(pair, &what));
        }
    }
    let class = protocol.class_of_label();
    let classes = |frame: &VoxelFrame| -> Vec<u8> {
        frame.semantics.iter().map(|&label| class(label)).collect()
    };
    let (true_classes, predicted_classes) = (classes(&truth), classes(&predicted));
    let mask = mask(pair, &truth, protocol)?;
    let mut confusion = Confusion::new(protocol.classes.len());
    confusion
        .add(&true_classes, &predicted_classes, mask.as_deref(), &protocol.ignored)
        .map_err(fail)?;
    let grids = Grids {
        grid: &protocol.grid,
        truth: &true_classes,
        predicted: &predicted_classes,
        free: protocol.free_number(),
    };
    let own_origins = truth.origins.is_some();
    let origins: Vec<Point3<f64>> =
        truth.origins.unwrap_or_else(|| vec![LIDAR_M]).into_iter().map(Point3::from).collect();
    let flow = match (&truth.flow, &predicted.flow) {
        (Some(truth), Some(predicted)) if !protocol.moving.is_empty() => {
            let flow = FlowGrid { truth, predicted };
            Some(compare_flow(&grids, &flow, &origins, directions).map_err(fail)?)
        }
        _ => None,
    };
    let rays = match &flow {
        Some(flow) => flow.counts.clone(),
        None => compare_grids(&grids, &origins, directions).map_err(fail)?,
    };
    let panoptic = match (&truth.instances, &predicted.instances) {
        (Some(truth), Some(predicted)) => {
            let things = protocol.things.iter().filter_map(|name| protocol.number(name)).collect();
            let settings = RayPanopticProtocol { things, min_rays: protocol.min_rays };
            let instances = [&truth[..], &predicted[..]];
            Some(
                RayPanoptic::compare(&grids, instances, &origins, directions, &settings)
                    .map_err(fail)?,
            )
        }
        _ => None,
    };
    Ok(Counted { confusion, rays, flow, panoptic, own_origins })
}

/// The voxels that the protocol judges.
fn mask(
    pair: &FilePair,
    truth: &VoxelFrame,
    protocol: &GridProtocol,
) -> Result<Option<Vec<bool>>, Failure> {
    let needed = |mask: &Option<Vec<bool>>, name: &str| {
        let missing = || {
            let path = pair.truth.display();
            Failure::input(format!("{path}: has no array {name}, by which the protocol judges"))
        };
        mask.clone().ok_or_else(missing).map(Some)
    };
    match protocol.mask {
        VoxelMask::None => Ok(None),
        VoxelMask::Camera => needed(&truth.mask_camera, "mask_camera"),
        VoxelMask::Lidar => needed(&truth.mask_lidar, "mask_lidar"),
        VoxelMask::Invalid => {
            let path = pair.truth.with_extension("invalid");
            let bits = read_bits(&path, truth.semantics.len())?;
            Ok(Some(bits.into_iter().map(|invalid| !invalid).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_named_by_what_the_data_sets_vary() {
        let check = |path: &str, expected: &str| assert_eq!(frame_key(Path::new(path)), expected);
        check("scene-0003/3e87/labels.npz", "3e87");
        check("3e87.npz", "3e87");
        check("sequences/08/voxels/000005.label", "08/000005");
        check("sequences/08/predictions/000005.label", "08/000005");
        check("000005.label", "000005");
    }

    #[test]
    fn frames_of_a_scene_share_its_name() {
        let check = |path: &str, expected: &str| assert_eq!(scene_key(Path::new(path)), expected);
        check("gts/scene-0003/3e87/labels.npz", "scene-0003");
        check("3e87/labels.npz", "");
        check("scene-0003/3e87.npz", "scene-0003");
        check("sequences/08/voxels/000005.label", "08");
        check("sequences/08/predictions/000005.label", "08");
    }
}
