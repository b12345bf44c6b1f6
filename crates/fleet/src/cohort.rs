//! Which vehicles a stage reaches. A vehicle's place in a rollout is a hash of both names: no row per
//! vehicle is read when it asks, and the answer depends on the place alone, so that it can be cached. Other
//! rollouts begin with other vehicles.

/// Parts of a fleet are counted in millionths.
pub const MILLION: u32 = 1_000_000;

/// The vehicle's place in the rollout, 0 to 999,999, even over vehicles.
pub fn place(rollout: &str, vehicle: &str) -> u32 {
    let mut hasher =
        blake3::Hasher::new_derive_key("ommatidia 2026 place of a vehicle in a rollout");
    // With its length, so that no two pairs of names run together.
    hasher.update(&(rollout.len() as u64).to_le_bytes());
    hasher.update(rollout.as_bytes());
    hasher.update(vehicle.as_bytes());
    let mut word = [0; 8];
    hasher.finalize_xof().fill(&mut word);
    // The high part of a product is even to 1 in 2^44.
    ((u128::from(u64::from_le_bytes(word)) * u128::from(MILLION)) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_even_and_differ_between_rollouts() {
        let (mut tenths, mut both) = ([0u32; 10], 0);
        for vehicle in 0..20_000 {
            let vehicle = format!("VIN{vehicle}");
            let at = place("a", &vehicle);
            tenths[(at / (MILLION / 10)) as usize] += 1;
            both += u32::from(at < MILLION / 10 && place("b", &vehicle) < MILLION / 10);
        }
        assert!(tenths.iter().all(|count| (1800..2200).contains(count)), "{tenths:?}");
        assert!((140..260).contains(&both), "{both}");
        assert_ne!(place("ab", "c"), place("a", "bc"));
    }
}
