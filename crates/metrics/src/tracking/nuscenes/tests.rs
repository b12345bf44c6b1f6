//! Laws that the figures keep, and input that they refuse.

use proptest::prelude::*;

use super::*;
use crate::Protocol;

fn protocol() -> AmotaProtocol {
    AmotaProtocol::named("tracking_nips_2019").unwrap()
}

fn spot(track: u64, x: f64, score: f64) -> TrackedBox {
    TrackedBox { class: 2, track, points: None, center_m: [x, 0.0, 0.0], score }
}

fn truth(frames: &[Vec<TrackedBox>]) -> Vec<TrackedSample> {
    let sample = |(i, boxes): (usize, &Vec<TrackedBox>)| TrackedSample {
        sample: format!("s{i}"),
        scene: "a".to_owned(),
        timestamp_us: 500_000 * i as i64,
        boxes: boxes.clone(),
        ..TrackedSample::default()
    };
    frames.iter().enumerate().map(sample).collect()
}

fn predictions(frames: &[Vec<TrackedBox>]) -> Vec<PredictedTracks> {
    let sample = |(i, boxes): (usize, &Vec<TrackedBox>)| PredictedTracks {
        sample: format!("s{i}"),
        boxes: boxes.clone(),
    };
    frames.iter().enumerate().map(sample).collect()
}

fn any_frames() -> impl Strategy<Value = Vec<Vec<TrackedBox>>> {
    let tracks = proptest::sample::subsequence((0u64..6).collect::<Vec<_>>(), 1..6);
    let frame = (tracks, proptest::collection::vec((-30.0f64..30.0, 0.1f64..1.0), 6)).prop_map(
        |(tracks, spots)| {
            tracks.iter().zip(spots).map(|(&track, (x, score))| spot(track, x, score)).collect()
        },
    );
    proptest::collection::vec(frame, 1..8)
}

proptest! {
    #[test]
    fn identity_is_perfect(frames in any_frames()) {
        // Away from each other, so that no other box is as near.
        let frames: Vec<Vec<TrackedBox>> = frames
            .iter()
            .map(|frame| frame.iter().map(|b| spot(b.track, 6.0 * b.track as f64, b.score)).collect())
            .collect();
        let found = evaluate(&truth(&frames), &predictions(&frames), &protocol()).unwrap();
        let car = found.per_class["car"];
        prop_assert_eq!((car.mota, car.motp, car.ids, car.fp, car.fn_), (1.0, 0.0, 0.0, 0.0, 0.0));
        prop_assert!(car.amotp <= 2.0 && car.amota <= 1.0);
    }

    #[test]
    fn order_does_not_matter(a in any_frames(), b in any_frames()) {
        let frames = a.len().min(b.len());
        let (truth, mut predicted) = (truth(&a[..frames]), predictions(&b[..frames]));
        let before = evaluate(&truth, &predicted, &protocol()).unwrap();
        predicted.reverse();
        let after = evaluate(&truth, &predicted, &protocol()).unwrap();
        prop_assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }

    /// A track of its own far from everything.
    #[test]
    fn a_false_positive_never_helps(a in any_frames(), b in any_frames(), score in 0.0f64..1.0) {
        let frames = a.len().min(b.len());
        let (truth, mut predicted) = (truth(&a[..frames]), predictions(&b[..frames]));
        let before = evaluate(&truth, &predicted, &protocol()).unwrap();
        predicted[0].boxes.push(spot(77, 45.0, score));
        let after = evaluate(&truth, &predicted, &protocol()).unwrap();
        prop_assert!(after.all.amota <= before.all.amota + 1e-12);
    }
}

#[test]
fn bad_rows_are_named() {
    let check = |given: Vec<TrackedBox>, expected: &str| {
        let why = evaluate(&truth(&[vec![]]), &predictions(&[given]), &protocol()).unwrap_err();
        assert!(why.to_string().contains(expected), "{why}");
    };
    check(vec![spot(1, 0.0, 0.5), spot(1, 1.0, 0.5)], "prediction 1 of sample s0: its identity");
    check(vec![spot(1, 0.0, f64::NAN)], "prediction 0 of sample s0: the score");
    check(vec![TrackedBox { class: 7, ..spot(1, 0.0, 0.5) }], "class 7");
    check((0..501).map(|i| spot(i, 0.0, 0.5)).collect(), "501 boxes");
    let why = evaluate(&truth(&[vec![]]), &[], &protocol()).unwrap_err();
    assert!(why.to_string().contains("prediction has no sample s0"), "{why}");
    let why = evaluate(&[], &predictions(&[vec![]]), &protocol()).unwrap_err();
    assert!(why.to_string().contains("truth has no sample s0"), "{why}");
}
