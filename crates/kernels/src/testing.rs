//! What the tests of several operators need.

/// Numbers between -1 and 1.
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Every number within `slack` of the expected one's size, or of 1 for smaller ones.
pub(crate) fn close(what: &str, found: &[f32], expected: &[f32], slack: f32) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let slack = slack * (1.0 + expected.abs());
        assert!((found - expected).abs() <= slack, "{what}[{index}]: {found} for {expected}");
    }
}
