//! Laws that the score keeps, and input that it refuses.

use proptest::prelude::*;

use super::*;
use crate::Protocol;

fn protocol() -> DetectionProtocol {
    DetectionProtocol::named("detection_cvpr_2019").unwrap()
}

fn car(x: f64, score: f64) -> DetectionBox {
    DetectionBox {
        class: 0,
        attribute: Some(5),
        points: None,
        center_m: [x, 0.0, 0.0],
        size_m: [2.0, 4.0, 1.5],
        yaw_rad: 0.1,
        velocity_m_s: [1.0, 0.0],
        score,
    }
}

fn truth(boxes: Vec<DetectionBox>) -> SampleTruth {
    SampleTruth { sample: "s".to_owned(), boxes, ..SampleTruth::default() }
}

fn predictions(boxes: Vec<DetectionBox>) -> SamplePredictions {
    SamplePredictions { sample: "s".to_owned(), boxes }
}

fn any_box() -> impl Strategy<Value = DetectionBox> {
    let place = (-45.0f64..45.0, -45.0f64..45.0);
    let class = (0u16..10, proptest::option::of(0u16..8));
    (class, place, 0.5f64..5.0, -3.0f64..3.0, 1u8..10).prop_map(
        |((class, attribute), (x, y), side, yaw_rad, score)| DetectionBox {
            class,
            attribute,
            points: None,
            center_m: [x, y, 0.0],
            size_m: [side, 2.0 * side, side],
            yaw_rad,
            velocity_m_s: [side, 0.0],
            score: f64::from(score) / 10.0,
        },
    )
}

fn any_boxes() -> impl Strategy<Value = Vec<DetectionBox>> {
    proptest::collection::vec(any_box(), 0..60)
}

proptest! {
    #[test]
    fn identity_is_perfect(boxes in any_boxes()) {
        let report =
            evaluate(&[truth(boxes.clone())], &[predictions(boxes)], &protocol()).unwrap();
        for class in report.per_class.values().filter(|class| class.truths > 0) {
            prop_assert!((class.ap - 1.0).abs() < 1e-12);
            for error in [class.ate, class.ase, class.aoe, class.ave] {
                prop_assert!(error.is_nan() || error.abs() < 1e-12);
            }
        }
    }

    /// Scores differ, as of equals the later counts first.
    #[test]
    fn order_does_not_matter(boxes in any_boxes(), mut predicted in any_boxes(), turn in 0usize..60) {
        for (i, predicted) in predicted.iter_mut().enumerate() {
            predicted.score += 1e-3 * i as f64;
        }
        let truth = [truth(boxes)];
        let before =
            evaluate(&truth, &[predictions(predicted.clone())], &protocol()).unwrap();
        predicted.reverse();
        let turn = turn % predicted.len().max(1);
        predicted.rotate_left(turn);
        let after = evaluate(&truth, &[predictions(predicted)], &protocol()).unwrap();
        prop_assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }

    #[test]
    fn a_false_positive_never_helps(
        boxes in any_boxes(), mut predicted in any_boxes(), class in 0u16..10, score in 0.0f64..1.0,
    ) {
        let mut truth = truth(boxes);
        truth.boxes.retain(|given| given.center_m[0] < 20.0);
        let truth = [truth];
        let before = evaluate(&truth, &[predictions(predicted.clone())], &protocol()).unwrap();
        predicted.push(DetectionBox { class, center_m: [28.0, 0.0, 0.0], ..car(0.0, score) });
        let after = evaluate(&truth, &[predictions(predicted)], &protocol()).unwrap();
        prop_assert!(after.map <= before.map + 1e-12);
    }
}

#[test]
fn ties_are_decided_as_the_devkit_does() {
    let check = |scores: [f64; 2], expected: f64| {
        // Both match the one true box, the second is better placed; only the first in order does match.
        let predicted = predictions(vec![car(1.0, scores[0]), car(0.0, scores[1])]);
        let report = evaluate(&[truth(vec![car(0.0, 0.0)])], &[predicted], &protocol()).unwrap();
        assert!((report.per_class["car"].ate - expected).abs() < 1e-12);
    };
    check([0.5, 0.4], 1.0);
    check([0.4, 0.5], 0.0);
    check([0.5, 0.5], 0.0);
    check([-0.0, 0.0], 1.0); // A score of 0 is taken for a recall that was not reached.
}

#[test]
fn filters_are_counted() {
    let mut boxes = vec![car(10.0, 0.9), car(50.0, 0.8), car(20.0, 0.7)];
    boxes[2].points = Some(0);
    let cycle = DetectionBox { class: 7, ..car(5.0, 0.5) };
    boxes.push(cycle);
    let mut truth = truth(boxes.clone());
    truth.bicycle_racks.push(OrientedBox {
        center_m: cycle.center_m,
        size_m: [1.0; 3],
        wxyz: [1.0, 0.0, 0.0, 0.0],
    });
    let report = evaluate(&[truth], &[predictions(boxes)], &protocol()).unwrap();
    let expected = Uncounted { given: 4, out_of_range: 1, without_points: 1, in_bicycle_rack: 1 };
    assert_eq!((report.truth, report.predictions), (expected, expected));
    assert_eq!(report.per_class["car"].truths, 1);
    assert_eq!(report.per_class["bicycle"].truths, 0);
}

#[test]
fn bad_rows_are_named() {
    let check = |predicted: SamplePredictions, expected: &str| {
        let why = evaluate(&[truth(vec![car(0.0, 0.0)])], &[predicted], &protocol()).unwrap_err();
        assert!(why.to_string().contains(expected), "{why}");
    };
    let changed = |change: fn(&mut DetectionBox)| {
        let mut boxes = vec![car(0.0, 0.5); 3];
        change(&mut boxes[2]);
        predictions(boxes)
    };
    check(changed(|b| b.score = f64::NAN), "prediction 2 of sample s: the score is NaN");
    check(changed(|b| b.class = 10), "prediction 2 of sample s: class 10");
    check(changed(|b| b.attribute = Some(8)), "prediction 2 of sample s: the attribute");
    check(changed(|b| b.center_m[1] = f64::INFINITY), "prediction 2 of sample s: centre");
    check(changed(|b| b.size_m[0] = 0.0), "prediction 2 of sample s: a matched box needs a size");
    check(predictions(vec![car(0.0, 0.5); 501]), "sample s has 501 boxes; the protocol allows 500");
    let unknown = SamplePredictions { sample: "t".to_owned(), boxes: Vec::new() };
    check(unknown, "truth has no sample t");
    let why = evaluate(&[truth(Vec::new())], &[], &protocol()).unwrap_err();
    assert!(why.to_string().contains("prediction has no sample s"), "{why}");
}

#[test]
fn nothing_at_all_scores_nothing() {
    let report = evaluate(&[], &[], &protocol()).unwrap();
    assert_eq!((report.map, report.nds, report.mate), (0.0, 0.0, 1.0));
}

#[test]
fn parts_give_the_same_figures_again() {
    let protocol = protocol();
    let sample = |name: &str| format!("s{name}");
    let mut random = ommatidia_geometry::ransac::Random::new(5);
    let (mut truths, mut found) = (Vec::new(), Vec::new());
    for i in 0..8 {
        let mut boxes: Vec<DetectionBox> = Vec::new();
        for k in 0..6 {
            boxes.push(car(-40.0 + 12.0 * f64::from(k), 0.0));
        }
        let predicted = boxes
            .iter()
            .map(|b| {
                let x = b.center_m[0] + 3.0 * random.uniform();
                // Ties within and between samples.
                let score = (5.0 * random.uniform()).ceil() / 5.0;
                DetectionBox { velocity_m_s: [f64::NAN; 2], ..car(x, score) }
            })
            .collect();
        let name = sample(&i.to_string());
        truths.push(SampleTruth { sample: name.clone(), boxes, ..SampleTruth::default() });
        found.push(SamplePredictions { sample: name, boxes: predicted });
    }
    let all = evaluate(&truths, &found, &protocol).unwrap();
    let text = serde_json::to_string(&all.parts).unwrap();
    let parts: Vec<SampleParts> = serde_json::from_str(&text).unwrap();
    assert_eq!(parts, all.parts);
    let pool = PartsPool::new(&protocol, parts.iter().collect()).unwrap();
    assert_eq!(pool.map_and_nds(&[1; 8]), [all.map, all.nds]);
    // Some left out.
    let some = evaluate(&truths[2..7], &found[2..7], &protocol).unwrap();
    assert_eq!(pool.map_and_nds(&[0, 0, 1, 1, 1, 1, 1, 0]), [some.map, some.nds]);
    // One drawn twice is another of the same.
    let (mut more, mut more_found) = (truths.clone(), found.clone());
    more.push(SampleTruth { sample: "again".into(), ..truths[7].clone() });
    more_found.push(SamplePredictions { sample: "again".into(), ..found[7].clone() });
    let twice = evaluate(&more, &more_found, &protocol).unwrap();
    let again = pool.map_and_nds(&[1, 1, 1, 1, 1, 1, 1, 2]);
    assert!((again[0] - twice.map).abs() < 0.02 && (again[1] - twice.nds).abs() < 0.02);
    let few = [SampleParts::default()];
    assert!(PartsPool::new(&protocol, few.iter().collect()).is_err());
}
