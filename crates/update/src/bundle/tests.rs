use proptest::prelude::*;

use super::*;
use crate::Error;
use crate::replay::{self, Engine};
use crate::testing::{bundle, plan, weights};

fn opened(bytes: &[u8]) -> Option<Manifest> {
    let bundle = Bundle::open(&bytes).ok()?;
    bundle.verify_contents().ok()?;
    Some(bundle.manifest().clone())
}

#[test]
fn a_plan_has_one_spelling_whatever_its_order() {
    let bytes = bundle("net", 3, weights(100, 0));
    let mut other = plan("net", 3, weights(100, 0));
    other.files.reverse();
    let mut again = Vec::new();
    let manifest = write(other, &mut again).unwrap();
    assert_eq!(bytes, again);
    let opened = Bundle::open(&again.as_slice()).map(|bundle| bundle.manifest().clone()).unwrap();
    assert_eq!(opened, manifest);
}

#[test]
fn the_archive_is_a_tar_that_others_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.omma");
    std::fs::write(&path, bundle("net", 3, weights(100, 0))).unwrap();
    let Ok(output) = std::process::Command::new("tar").arg("tf").arg(&path).output() else {
        println!("skipped: no tar on this machine");
        return;
    };
    let names = String::from_utf8(output.stdout).unwrap();
    let expected = [
        "manifest.json",
        "model.onnx",
        "replay/x.bin",
        "replay/y.bin",
        "taxonomy.toml",
        "weights.bin",
    ];
    assert_eq!(names.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn any_flipped_or_missing_byte_is_found_or_changes_what_the_manifest_says() {
    let bytes = bundle("net", 3, weights(3, 0));
    let manifest = opened(&bytes);
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        // The manifest itself is covered by the signed hash of the whole.
        assert!(opened(&bad).is_none_or(|other| Some(other) != manifest), "byte {at}");
        assert!(opened(&bytes[..at]).is_none(), "{at} bytes");
    }
    assert!(opened(&[bytes.as_slice(), &[0]].concat()).is_none());
}

fn need(product: &str, from_release: u64, to_release: u64) -> Need {
    Need { product: product.to_owned(), from_release, to_release }
}

#[test]
fn a_release_must_have_what_fleets_rely_on() {
    let check = |spoil: fn(&mut Plan), expected: Option<&str>| {
        let mut plan = plan("net", 1, weights(3, 0));
        spoil(&mut plan);
        let manifest = write(plan, &mut Vec::new()).unwrap();
        match (manifest.releasable(), expected) {
            (Ok(()), None) => {}
            (Err(error), Some(expected)) if error.to_string().contains(expected) => {}
            (other, expected) => panic!("{other:?} instead of {expected:?}"),
        }
    };
    check(|_| {}, None);
    check(|plan| plan.files.retain(|file| file.role != Role::Onnx), Some("role onnx;"));
    check(|plan| plan.files.retain(|file| file.role != Role::Taxonomy), Some("role taxonomy;"));
    check(|plan| plan.replay.clear(), Some("a replay case;"));
    check(|plan| plan.metrics.clear(), Some("a metric;"));
    check(|plan| plan.requires.hardware.clear(), Some("a kind of hardware;"));
    check(|plan| plan.provenance.inputs.clear(), Some("an input in its provenance;"));
    check(
        |plan| {
            plan.metrics.clear();
            plan.replay.clear();
        },
        Some("a replay case, a metric;"),
    );
}

#[test]
fn a_bundle_of_another_format_is_told_from_a_damaged_one() {
    let manifest = write(plan("net", 1, weights(3, 0)), &mut Vec::new()).unwrap();
    let text = String::from_utf8(manifest.to_bytes().unwrap()).unwrap();
    let old = text.replace("ommatidia-bundle/2", "ommatidia-bundle/1").replace("\"needs\":[],", "");
    let error = Manifest::from_bytes(old.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("this program reads \"ommatidia-bundle/2\""), "{error}");
}

#[test]
fn plans_that_do_not_hold_together_are_refused() {
    let check = |spoil: fn(&mut Plan), expected: &str| {
        let mut plan = plan("net", 1, weights(3, 0));
        spoil(&mut plan);
        let error = write(plan, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(|plan| plan.name = "../x".to_owned(), "is no name");
    check(|plan| plan.files[0].path = "a/../b".to_owned(), "a/../b");
    check(|plan| plan.files[0].path = "manifest.json".to_owned(), "manifest's own name");
    check(|plan| plan.files[0].path = plan.files[1].path.clone(), "twice");
    check(|plan| plan.metrics[0].low = 0.6, "no interval");
    check(|plan| plan.needs = vec![need("../x", 1, 2)], "is no name");
    check(|plan| plan.needs = vec![need("x", 4, 3)], "release 4 to 3, which is no release");
    check(|plan| plan.needs = vec![need("x", 3, 3), need("x", 3, 3)], "twice");
    check(|plan| plan.replay[0].expected[0].path = "none".to_owned(), "not in the bundle");
    check(|plan| plan.replay[0].expected[0].absolute = -1.0, "no tolerance");
    check(|plan| plan.replay[0].expected.clear(), "expects nothing");
}

#[test]
fn vehicles_that_lack_something_are_told() {
    let manifest = write(plan("net", 1, weights(3, 0)), &mut Vec::new()).unwrap();
    let check = |runtime: &str, hardware: &str, memory_bytes, expected: Option<&str>| {
        let fits = manifest.fits(&runtime.parse().unwrap(), hardware, memory_bytes);
        match expected {
            None => fits.unwrap(),
            Some(expected) => assert!(fits.unwrap_err().to_string().contains(expected)),
        }
    };
    check("0.1.0", "bench", 1 << 20, None);
    check("0.0.9", "bench", 1 << 20, Some("runtime 0.1.0"));
    check("0.1.0", "other", 1 << 20, Some("it is for bench"));
    check("0.1.0", "bench", 1 << 19, Some("memory"));
}

/// Multiplies by a factor.
struct Times(f32);

impl Engine for Times {
    fn run(
        &mut self,
        _: &Bundle<'_>,
        inputs: &std::collections::BTreeMap<String, Vec<f32>>,
    ) -> Result<std::collections::BTreeMap<String, Vec<f32>>, String> {
        let x = inputs.get("x").ok_or("no input x")?;
        Ok([("y".to_owned(), x.iter().map(|x| x * self.0).collect())].into())
    }
}

#[test]
fn the_replay_gate_lets_equal_networks_through_and_no_other() {
    let bytes = bundle("net", 1, weights(3, 0));
    let bytes = bytes.as_slice();
    let bundle = Bundle::open(&bytes).unwrap();
    let agreement = replay::run(&bundle, &mut Times(2.001)).unwrap();
    assert_eq!((agreement.cases, agreement.values), (1, 2));
    for factor in [2.1, f32::NAN, f32::INFINITY] {
        let refused = replay::run(&bundle, &mut Times(factor));
        assert!(matches!(refused, Err(Error::Gate { .. })), "{factor}");
    }
}

proptest! {
    #[test]
    fn mutated_bundles_are_refused_without_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = bundle("net", 3, weights(3, 0));
        let mut bad = bytes.clone();
        for (at, byte) in edits {
            let at = at.index(bad.len());
            bad[at] = byte;
        }
        let same = bad == bytes;
        prop_assert_eq!(opened(&bad).is_some_and(|other| Some(other) == opened(&bytes)), same);
        bad.truncate(cut.index(bad.len()));
        prop_assert!(opened(&bad).is_none());
    }

    #[test]
    fn mutated_manifests_are_refused_or_canonical(
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[ -~]{0,12}"), 1..4),
    ) {
        let manifest = write(plan("net", 1, weights(3, 0)), &mut Vec::new()).unwrap();
        let mut text = String::from_utf8(manifest.to_bytes().unwrap()).unwrap();
        for (at, insert) in edits {
            let at = at.index(text.len());
            let end = (at + insert.len()).min(text.len());
            text.replace_range(at..end, &insert);
        }
        if let Ok(read) = Manifest::from_bytes(text.as_bytes()) {
            prop_assert_eq!(read.to_bytes().unwrap(), text.as_bytes());
        }
    }
}
