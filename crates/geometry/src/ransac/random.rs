//! The generator behind all samples.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// PCG XSL 128/64 MCG: the same numbers for the same seed on every machine. O'Neill 2014.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random(Pcg64Mcg);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// Uniform in `0..bound`; 0 for a bound of 0. The high half of a 128-bit product: its bias is
    /// below `bound / 2^64`. Lemire 2019.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Uniform in 0..1.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_its_range_evenly() {
        let mut random = Random::new(7);
        let mut counts = [0_u32; 10];
        (0..100_000).for_each(|_| counts[random.below(10)] += 1);
        assert!(counts.iter().all(|&c| (9_600..10_400).contains(&c)), "{counts:?}");
        assert_eq!(random.below(0), 0);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&random.uniform())));
    }

    #[test]
    fn is_the_same_everywhere() {
        let mut random = Random::new(1);
        let drawn: Vec<usize> = (0..6).map(|_| random.below(1000)).collect();
        assert_eq!(drawn, [856, 137, 470, 726, 369, 557]);
    }
}
