//! Scores of detection: nuScenes' measures over the head's classes.

use std::f64::consts::TAU;

use nalgebra::Vector3;
use ommatidia_metrics::detection::nuscenes::{
    DetectionBox, DetectionClass, DetectionProtocol, SamplePredictions, SampleTruth,
    TruePositiveError, evaluate,
};
use ommatidia_scene::{GridSpec, Object, VectorSpace};

use super::DetectionSettings;

/// mAP by centre distance, and the mean errors of what was found. Only classes that the truth has count.
pub(super) fn scores(
    predicted: &[VectorSpace],
    truth: &[VectorSpace],
    grid: &GridSpec,
    settings: &DetectionSettings,
) -> Vec<(String, f64)> {
    let pairs =
        || predicted.iter().zip(truth).enumerate().filter(|(_, (_, t))| t.objects.is_some());
    let inside = |object: &&Object| {
        let p = object.ego_from_object.translation;
        (0..2).all(|axis| {
            let reach = f64::from(grid.size[axis]) * grid.voxel_m;
            (0.0..reach).contains(&(p[axis] - grid.min_corner_m[axis]))
        })
    };
    let all = pairs().flat_map(|(_, (_, t))| t.objects.iter().flatten()).filter(inside);
    let mut present: Vec<_> = all.map(|object| object.class).collect();
    present.sort_unstable();
    present.dedup();
    present.retain(|class| settings.classes.contains(class));
    if present.is_empty() {
        return Vec::new();
    }
    let as_box = |object: &Object| {
        let class = present.iter().position(|&class| class == object.class)?;
        Some(detection_box(object, class as u16))
    };
    let boxes = |space: &VectorSpace| -> Vec<DetectionBox> {
        space.objects.iter().flatten().filter(inside).filter_map(as_box).collect()
    };
    let truths: Vec<_> = pairs()
        .map(|(i, (_, t))| SampleTruth {
            sample: i.to_string(),
            boxes: boxes(t),
            ..Default::default()
        })
        .collect();
    let predictions: Vec<_> = pairs()
        .map(|(i, (p, _))| SamplePredictions { sample: i.to_string(), boxes: boxes(p) })
        .collect();
    let most = predictions.iter().map(|p| p.boxes.len()).max().unwrap_or_default();
    let protocol =
        protocol(present.iter().map(|class| format!("class_{}", class.0)).collect(), most);
    let report = evaluate(&truths, &predictions, &protocol)
        .expect("decoded boxes are finite and of the protocol's classes");
    let mut scores = vec![
        ("map".to_owned(), report.map),
        ("mate_m".to_owned(), report.mate),
        ("mase".to_owned(), report.mase),
        ("maoe_rad".to_owned(), report.maoe),
        ("mave_m_s".to_owned(), report.mave),
    ];
    let per_class = report.per_class.iter();
    scores.extend(per_class.map(|(name, class)| (format!("ap_{name}"), class.ap)));
    scores.retain(|(_, value)| value.is_finite());
    scores
}

/// nuScenes' thresholds for any classes, without its ranges: the grid bounds both sides.
fn protocol(classes: Vec<String>, most_boxes: usize) -> DetectionProtocol {
    let class = |name| DetectionClass {
        name,
        range_m: f64::MAX,
        not_in_bicycle_racks: false,
        orientation_period_rad: TAU,
        undefined_errors: vec![TruePositiveError::Attribute],
    };
    DetectionProtocol {
        matching_distances_m: vec![0.5, 1.0, 2.0, 4.0],
        error_matching_distance_m: 2.0,
        min_recall: 0.1,
        min_precision: 0.1,
        max_boxes_per_sample: most_boxes.max(1),
        mean_ap_weight: 5.0,
        attributes: Vec::new(),
        classes: classes.into_iter().map(class).collect(),
    }
}

fn detection_box(object: &Object, class: u16) -> DetectionBox {
    let p = object.ego_from_object.translation;
    let forward = object.ego_from_object.rotation * Vector3::x();
    let [length, width, height] = object.size_m;
    let velocity = object.velocity_m_s.map_or([f64::NAN; 2], |[x, y, _]| [x, y]);
    DetectionBox {
        class,
        attribute: None,
        points: None,
        center_m: [p.x, p.y, p.z],
        size_m: [width, length, height],
        yaw_rad: forward.y.atan2(forward.x),
        velocity_m_s: velocity,
        score: f64::from(object.confidence),
    }
}
