//! Detected boxes against true ones, as each benchmark defines it.

pub mod argoverse2;
pub mod kitti;
pub mod nuscenes;
pub mod rotated;
pub mod waymo;

/// Most matching distances; matches keep one bit of a `u32` for each.
const MAX_MATCHING_DISTANCES: usize = 32;

/// What is wrong with a protocol's matching distances, metres.
fn check_matching_distances(distances_m: &[f64]) -> Result<(), String> {
    let count = distances_m.len();
    if !(1..=MAX_MATCHING_DISTANCES).contains(&count) {
        return Err(format!(
            "matching_distances_m has {count} entries; give 1 to {MAX_MATCHING_DISTANCES}"
        ));
    }
    if let Some(wrong) = distances_m.iter().find(|x| !(x.is_finite() && **x > 0.0)) {
        return Err(format!("matching_distances_m holds {wrong}; distances must be positive"));
    }
    match distances_m.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(format!(
            "matching_distances_m has {} behind {}; sort them from small to large, each once",
            pair[1], pair[0]
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching_distances_are_few_positive_and_ascending() {
        let check = |distances_m: &[f64], expected: &str| {
            let found = check_matching_distances(distances_m).err().unwrap_or_default();
            assert!(found.contains(expected), "{distances_m:?}: {found}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{distances_m:?}: {found}");
        };
        let many: Vec<f64> = (1..=33).map(f64::from).collect();
        check(&[0.5, 1.0, 2.0, 4.0], "");
        check(&many[..32], "");
        check(&many, "has 33 entries");
        check(&[], "has 0 entries");
        check(&[1.0, f64::NAN], "must be positive");
        check(&[0.0, 1.0], "must be positive");
        check(&[2.0, 1.0], "has 1 behind 2");
        check(&[1.0, 1.0], "has 1 behind 1");
    }
}
