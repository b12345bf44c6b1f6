use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::Pose;

use super::*;
use crate::tasks::testing::{check_overfits, sample_with, space_shapes};

const GRID: GridSpec =
    GridSpec { min_corner_m: [-8.0, -6.0, -1.0], voxel_m: 0.5, size: [32, 24, 4] };

fn settings() -> DetectionSettings {
    let classes = [18, 27].map(ClassId).to_vec();
    DetectionSettings { classes, width: 16, ..DetectionSettings::default() }
}

fn head() -> Detection {
    Detection::new(&settings(), &space_shapes(GRID), &Device::flex()).unwrap()
}

fn object(class: u8, p: [f64; 3], yaw_rad: f64, velocity: Option<[f64; 3]>) -> Object {
    let size_m = if class == 18 { [4.2, 1.8, 1.5] } else { [0.6, 0.5, 1.75] };
    let rotation = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw_rad);
    Object {
        track: None,
        class: ClassId(class),
        ego_from_object: Pose::new(rotation, Vector3::from(p)),
        size_m,
        velocity_m_s: velocity,
        keypoints: Vec::new(),
        confidence: 1.0,
        lidar_points: None,
    }
}

fn street(shift: f64) -> VectorSpace {
    let objects = vec![
        object(18, [3.3 + shift, 1.9, 0.8], 0.3, Some([8.0, 1.0, 0.0])),
        object(18, [-4.1, -3.2 + shift, 0.7], -2.8, Some([0.0, 0.0, 0.0])),
        object(27, [1.2, -2.7, 0.9], 1.5, None),
        object(27, [2.4 + shift, -2.6, 0.9], 3.0, Some([-1.2, 0.4, 0.0])),
        // Outside of the grid, and of no class of the head.
        object(18, [90.0, 0.0, 0.8], 0.0, None),
        object(9, [0.0, 0.0, 0.8], 0.0, None),
    ];
    VectorSpace { objects: Some(objects), ..VectorSpace::default() }
}

fn samples() -> Vec<Sample> {
    [0.0, 0.7].map(|shift| sample_with(&[], [0, 0], street(shift))).to_vec()
}

fn truth(samples: &[Sample]) -> Vec<VectorSpace> {
    samples.iter().map(|sample| sample.present().truth.clone()).collect()
}

fn perfect(targets: &DetectionTargets) -> Output {
    let p = targets.heat.clone().clamp(1e-6, 1.0 - 1e-6);
    let logits = (p.clone() / (p.neg() + 1.0)).log();
    vec![("detection_heat", logits), ("detection_boxes", targets.boxes.clone())]
}

#[test]
fn perfect_outputs_score_one() {
    let (head, samples) = (head(), samples());
    let output = perfect(&head.targets(&samples, &Device::flex()));
    let mut decoded = vec![VectorSpace::default(); 2];
    head.decode(&output, &samples, &mut decoded);
    let scores = head.scores(&decoded, &truth(&samples));
    assert_eq!(scores[0].0, "map");
    assert!(scores[0].1 > 0.999, "{scores:?}");
    for (name, error) in &scores[1..5] {
        assert!(*error < 1e-4, "{name} {error}");
    }
    let found = decoded[0].objects.as_ref().unwrap();
    assert_eq!(found.len(), 4, "what is inside and of the classes, once each");
}

#[test]
fn where_objects_are_not_known_nothing_costs() {
    let head = head();
    let unknown = sample_with(&[], [0, 0], VectorSpace::default());
    let targets = head.targets(&[unknown], &Device::flex());
    let ones = |channels: usize| Tensor::ones([1, channels, 32, 24], &Device::flex());
    let output = vec![("detection_heat", ones(2)), ("detection_boxes", ones(CHANNELS))];
    assert_eq!(head.loss(&output, &targets).into_scalar::<f32>(), 0.0);
    let nothing = [VectorSpace::default()];
    assert!(head.scores(&nothing, &nothing).is_empty());
}

#[test]
fn peaks_are_single_and_sorted() {
    let check = |heats: &[([usize; 2], f32)], expected: &[f32]| {
        let mut heat = vec![0.0; 2 * 32 * 24];
        heats.iter().for_each(|&([x, y], value)| heat[x * 24 + y] = value);
        let boxes = vec![0.0; CHANNELS * 32 * 24];
        let scores: Vec<_> = head().objects(&heat, &boxes).iter().map(|o| o.confidence).collect();
        assert_eq!(scores, expected, "{heats:?}");
    };
    check(&[([3, 3], 0.5), ([3, 4], 0.5), ([10, 3], 0.9)], &[0.9, 0.5]);
    check(&[([3, 3], 0.5), ([4, 4], 0.6), ([5, 5], 0.7)], &[0.7]);
    check(&[([0, 0], 0.05), ([31, 23], 0.3)], &[0.3]);
}

#[test]
fn baselines_are_scored_alike() {
    let (head, truth) = (head(), truth(&samples()));
    let baselines = head.baselines(&truth[..1]);
    let score = |i: usize| head.scores(std::slice::from_ref(&baselines[i].1), &truth[..1])[0].1;
    assert!(score(0) == 0.0 && score(1) > 0.999, "{} {}", score(0), score(1));
    assert_eq!(head.baselines(&[])[1].1.objects, Some(Vec::new()));
}

#[test]
fn overfits_a_sample() {
    check_overfits::<Detection>(&settings(), &space_shapes(GRID), &samples()[..1]);
}
