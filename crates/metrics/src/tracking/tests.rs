//! Laws that the figures keep, and input that they refuse.

use proptest::prelude::*;

use super::*;

fn protocol() -> TrackingProtocol {
    TrackingProtocol::named("mot_challenge").unwrap()
}

fn figures(sequence: &Sequence) -> TrackingFigures {
    evaluate(std::slice::from_ref(sequence), &protocol()).unwrap().combined
}

fn sequence(frames: Vec<Frame>) -> Sequence {
    Sequence { name: "s".to_owned(), frames }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let ids = || proptest::sample::subsequence((0u64..6).collect::<Vec<_>>(), 0..6);
    (ids(), ids(), proptest::collection::vec(0u8..5, 36)).prop_map(|(truth, predicted, levels)| {
        let pairs = truth.len() * predicted.len();
        let similarity = levels[..pairs].iter().map(|&level| f64::from(level) / 4.0).collect();
        Frame { truth, predicted, similarity }
    })
}

fn any_sequence() -> impl Strategy<Value = Sequence> {
    proptest::collection::vec(any_frame(), 1..12).prop_map(sequence)
}

fn same(sequence: &Sequence) -> Sequence {
    let frames = sequence.frames.iter().map(|frame| {
        let (truth, predicted) = (frame.truth.clone(), frame.truth.clone());
        let similarity = similarity::table(&truth, &predicted, |a, b| f64::from(u8::from(a == b)));
        Frame { truth, predicted, similarity }
    });
    super::tests::sequence(frames.collect())
}

proptest! {
    #[test]
    fn identity_is_perfect(given in any_sequence()) {
        let perfect = same(&given);
        let found = figures(&perfect);
        if perfect.frames.iter().any(|frame| !frame.truth.is_empty()) {
            let (hota, clear) = (&found.hota, &found.clear);
            for figure in [hota.hota, hota.deta, hota.assa, hota.loca, clear.mota, clear.motp,
                found.identity.idf1] {
                prop_assert!((figure - 1.0).abs() < 1e-12, "{:?}", found);
            }
            prop_assert_eq!((clear.idsw, clear.fp, clear.fn_), (0, 0, 0));
        }
    }

    #[test]
    fn everything_stays_in_range(given in any_sequence()) {
        let found = figures(&given);
        let hota = &found.hota;
        for figure in [hota.hota, hota.deta, hota.assa, hota.loca, hota.detre, hota.detpr,
            hota.assre, hota.asspr, found.identity.idf1] {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&figure), "{:?}", found);
        }
        prop_assert!(found.clear.mota <= 1.0);
    }

    /// Names of identities mean nothing; neither does the order of unlike boxes.
    #[test]
    fn names_do_not_matter(given in any_sequence(), shift in 1u64..1000) {
        let mut renamed = same(&given);
        for frame in &mut renamed.frames {
            frame.predicted.iter_mut().for_each(|id| *id = 7 * *id + shift);
        }
        prop_assert_eq!(figures(&same(&given)), figures(&renamed));
    }

    /// A track of false positives that resembles nothing.
    #[test]
    fn a_false_positive_never_helps(given in any_sequence(), at in 0usize..12) {
        let mut more = given.clone();
        let at = at % more.frames.len();
        let frame = &mut more.frames[at];
        let columns = frame.predicted.len();
        let rows = frame.similarity.chunks(columns.max(1));
        let mut similarity: Vec<f64> = Vec::new();
        for row in rows.take(if columns == 0 { 0 } else { frame.truth.len() }) {
            similarity.extend(row);
            similarity.push(0.0);
        }
        if columns == 0 {
            similarity = vec![0.0; frame.truth.len()];
        }
        frame.predicted.push(99);
        frame.similarity = similarity;
        let (before, after) = (figures(&given), figures(&more));
        prop_assert!(after.hota.hota <= before.hota.hota + 1e-12);
        // CLEAR MOT of the frame alone: among pairs of equal similarity one more column may choose others, and what
        // was matched decides what is kept in the frames after it.
        let alone = |given: &Sequence| figures(&sequence(vec![given.frames[at].clone()])).clear.moda;
        prop_assert!(alone(&more) <= alone(&given) + 1e-12);
        prop_assert!(after.identity.idf1 <= before.identity.idf1 + 1e-12);
    }

    /// Detection and identity figures do not care which side is the truth.
    #[test]
    fn sides_are_alike(given in any_sequence()) {
        let frames = given.frames.iter().map(|frame| {
            let (rows, columns) = (frame.truth.len(), frame.predicted.len());
            let turned = (0..rows * columns)
                .map(|i| frame.similarity[(i % rows) * columns + i / rows]);
            Frame {
                truth: frame.predicted.clone(),
                predicted: frame.truth.clone(),
                similarity: turned.collect(),
            }
        });
        let (there, back) = (figures(&given), figures(&sequence(frames.collect())));
        prop_assert_eq!(there.identity.idf1, back.identity.idf1);
        prop_assert_eq!(there.identity.idr, back.identity.idp);
    }
}

#[test]
fn switches_and_fragments_are_counted() {
    let frame = |truth: &[u64], predicted: &[u64]| Frame {
        truth: truth.to_vec(),
        predicted: predicted.to_vec(),
        similarity: vec![1.0; truth.len() * predicted.len()],
    };
    let lost = Frame { similarity: vec![0.0], ..frame(&[1], &[1]) };
    let clear = figures(&sequence(vec![frame(&[1], &[1]), lost, frame(&[1], &[2])])).clear;
    assert_eq!((clear.idsw, clear.frag, clear.tp, clear.fp, clear.fn_), (1, 1, 2, 1, 1));
    assert_eq!(clear.mota, (2.0 - 1.0 - 1.0) / 3.0);
}

#[test]
fn bad_rows_are_named() {
    let check = |frame: Frame, expected: &str| {
        let given = sequence(vec![Frame::default(), frame]);
        let why = evaluate(&[given], &protocol()).unwrap_err().to_string();
        assert!(why.contains("frame 1 of s") && why.contains(expected), "{why}");
    };
    let frame = |truth: Vec<u64>, similarity| Frame { truth, predicted: vec![3], similarity };
    check(frame(vec![1, 1], vec![0.0; 2]), "identity 1 occurs twice");
    check(frame(vec![1], vec![f64::NAN]), "similarity NaN");
    check(frame(vec![1], vec![1.5]), "similarity 1.5");
    check(frame(vec![1], vec![]), "0 similarities for 1 pairs");
    let twice = [sequence(Vec::new()), sequence(Vec::new())];
    assert!(evaluate(&twice, &protocol()).unwrap_err().to_string().contains("occurs twice"));
}

#[test]
fn named_protocols_are_valid() {
    crate::protocol::check_named::<TrackingProtocol>();
}

#[test]
fn parts_give_the_same_figures_again() {
    let frame = |similarity: f64, predicted: u64| Frame {
        truth: vec![1],
        predicted: vec![predicted],
        similarity: vec![similarity],
    };
    let named = |name: &str, frames: Vec<Frame>| Sequence { name: name.into(), ..sequence(frames) };
    let all = [
        named("a", vec![frame(0.9, 1), frame(0.6, 1), frame(0.7, 2)]),
        named("b", vec![frame(0.3, 1), frame(0.8, 1)]),
        named("c", vec![frame(1.0, 4), frame(0.2, 4)]),
    ];
    let found = evaluate(&all, &protocol()).unwrap();
    let parts: Vec<&SequenceParts> = found.parts.iter().collect();
    let of = |hota: &HotaReport| [hota.hota, hota.deta, hota.assa];
    assert_eq!(hota_of(&parts, &[1, 1, 1]), of(&found.combined.hota));
    assert_eq!(hota_of(&parts, &[0, 1, 0]), of(&found.per_sequence[1].1.hota));
    let again = named("d", all[1].frames.clone());
    let twice = evaluate(&[all[0].clone(), all[1].clone(), again], &protocol()).unwrap();
    let (a, b) = (hota_of(&parts, &[1, 2, 0]), of(&twice.combined.hota));
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} {b:?}");
}
