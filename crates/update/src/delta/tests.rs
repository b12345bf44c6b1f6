use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::testing::{bundle, weights};

fn delta(old: &[u8], new: &[u8], methods: Methods) -> (Vec<u8>, Summary) {
    let mut bytes = Vec::new();
    let summary = create(&old, &new, methods, &mut bytes).unwrap();
    assert_eq!(summary.bytes, bytes.len() as u64);
    (bytes, summary)
}

fn applied(old: &[u8], delta: &[u8], max_bytes: u64) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    apply(&old, &mut &*delta, max_bytes, &mut out)?;
    Ok(out)
}

#[test]
fn every_choice_of_methods_leads_to_the_same_bundle() {
    let old = bundle("net", 1, weights(50_000, 0));
    let new = bundle("net", 2, weights(50_000, 1));
    for choice in 0..8 {
        let methods =
            Methods { chunks: choice & 1 > 0, prefix: choice & 2 > 0, words: choice & 4 > 0 };
        let (delta, summary) = delta(&old, &new, methods);
        assert_eq!(applied(&old, &delta, new.len() as u64).unwrap(), new);
        let Summary { copied_bytes, plain_bytes, prefix_bytes, words_bytes, .. } = summary;
        assert_eq!(copied_bytes + plain_bytes + prefix_bytes + words_bytes, new.len() as u64);
    }
}

#[test]
fn fine_tuned_weights_take_words_and_unchanged_ones_are_copied() {
    let old = bundle("net", 1, weights(50_000, 0));
    let (tuned, same) =
        (bundle("net", 2, weights(50_000, 1)), bundle("net", 2, weights(50_000, 0)));
    let (whole, _) = delta(&bundle("other", 1, vec![0]), &tuned, Methods::default());
    let (fine, summary) = delta(&old, &tuned, Methods::default());
    assert!(fine.len() * 3 < whole.len() * 2, "{} of {}", fine.len(), whole.len());
    assert!(summary.words_bytes > 190_000, "{summary:?}");
    let (tiny, summary) = delta(&old, &same, Methods::default());
    assert!(tiny.len() < 4096 && summary.copied_bytes > 190_000, "{summary:?}");
}

#[test]
fn segments_are_no_larger_than_memory_allows() {
    let count = MAX_SEGMENT_BYTES as usize / 4 + 1000;
    let (old, new) = (bundle("net", 1, weights(count, 0)), bundle("net", 2, weights(count, 0)));
    let (bytes, _) = delta(&old, &new, Methods::default());
    assert_eq!(applied(&old, &bytes, new.len() as u64).unwrap(), new);
}

#[test]
fn deltas_that_do_not_fit_are_refused() {
    let (old, new) = (bundle("net", 1, weights(1000, 0)), bundle("net", 2, weights(1000, 1)));
    let (good, _) = delta(&old, &new, Methods::default());
    let check = |old: &[u8], delta: &[u8], max: usize, expected: &str| {
        let error = applied(old, delta, max as u64).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(&new, &good, new.len(), "starts from the bundle with content");
    check(&old, &good, new.len() - 1, "leads to");
    check(&old, &good[..good.len() - 1], new.len(), "ends early");
    check(&old, &[good.as_slice(), &[0]].concat(), new.len(), "behind its end");
    check(&old, b"ommatidia-delta2", new.len(), "no delta");
    check(&old, b"", new.len(), "ends early");
}

proptest! {
    #[test]
    fn words_survive(old in prop::collection::vec(any::<u8>(), 0..40), seed in any::<u8>()) {
        let new: Vec<u8> = old.iter().map(|byte| byte.wrapping_mul(seed | 1).wrapping_add(seed)).collect();
        prop_assert_eq!(words::restore(&old, &words::difference(&old, &new)), new);
    }

    #[test]
    fn mutated_deltas_never_lead_elsewhere(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (old, new) = (bundle("net", 1, weights(500, 0)), bundle("net", 2, weights(500, 1)));
        let (mut bad, _) = delta(&old, &new, Methods::default());
        // The hash of the result is for the caller to compare; everything behind it is checked here.
        for (at, byte) in edits {
            let at = 96 + at.index(bad.len() - 96);
            bad[at] = byte;
        }
        if let Ok(bytes) = applied(&old, &bad, new.len() as u64) {
            prop_assert_eq!(bytes, new);
        }
    }
}
