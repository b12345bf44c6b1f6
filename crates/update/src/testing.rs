//! Small bundles for tests.

use std::collections::BTreeMap;

use ommatidia_scene::{ContentHash, Input, Provenance};

use crate::bundle::{
    self, Expected, Metric, Plan, PlannedFile, ReplayCase, Requirements, Role, Version,
};

/// Weights of a network after `tuning` steps of fine-tuning: each moves all of them a little.
pub(crate) fn weights(count: usize, tuning: u32) -> Vec<u8> {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..count)
        .flat_map(|_| {
            let (start, step) = (next(), next());
            (start * (1.0 + 1e-4 * step * tuning as f32)).to_le_bytes()
        })
        .collect()
}

pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A plan for a network that doubles its input.
pub(crate) fn plan(name: &str, release: u64, weights: Vec<u8>) -> Plan {
    let file = |path: &str, role, bytes| PlannedFile {
        path: path.to_owned(),
        role,
        source: Box::new(bytes),
    };
    let expected = Expected {
        output: "y".to_owned(),
        path: "replay/y.bin".to_owned(),
        absolute: 1e-6,
        relative: 1e-3,
    };
    Plan {
        name: name.to_owned(),
        release,
        files: vec![
            file("weights.bin", Role::Weights, weights),
            file("model.onnx", Role::Onnx, b"graph".to_vec()),
            file("taxonomy.toml", Role::Taxonomy, b"version = 1\n".to_vec()),
            file("replay/x.bin", Role::Replay, floats(&[1.0, -2.0])),
            file("replay/y.bin", Role::Replay, floats(&[2.0, -4.0])),
        ],
        requires: Requirements {
            runtime: Version([0, 1, 0]),
            hardware: vec!["bench".to_owned()],
            memory_bytes: 1 << 20,
        },
        needs: Vec::new(),
        metrics: vec![Metric {
            name: "miou".to_owned(),
            value: 0.5,
            low: 0.45,
            high: 0.55,
            confidence: 0.95,
        }],
        replay: vec![ReplayCase {
            name: "straight".to_owned(),
            inputs: BTreeMap::from([("x".to_owned(), "replay/x.bin".to_owned())]),
            expected: vec![expected],
        }],
        provenance: Provenance::new(
            vec![Input { name: "clip".to_owned(), blake3: ContentHash([3; 32]) }],
            serde_json::json!({ "steps": 10 }),
        ),
    }
}

pub(crate) fn bundle(name: &str, release: u64, weights: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    bundle::write(plan(name, release, weights), &mut bytes).unwrap();
    bytes
}
