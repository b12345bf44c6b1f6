//! Whether two paired runs differ at all.

use ommatidia_geometry::ransac::Random;
use serde::{Deserialize, Serialize};

/// How labels are exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PermutationConfig {
    /// Random exchanges where all would be more than this; SciPy's default, 9999.
    pub resamples: usize,
    /// The same seed draws the same exchanges.
    pub seed: u64,
}

impl Default for PermutationConfig {
    fn default() -> Self {
        Self { resamples: 9999, seed: 1 }
    }
}

/// Two-sided p-value of a paired difference: how often exchanging the two runs at random, unit by unit,
/// gives a difference at least as large.
///
/// `difference(exchanged)` is the statistic with the runs of those units exchanged. All `2^units`
/// exchanges are tried where they are no more than `resamples`; otherwise the observed one counts among
/// the drawn ones (Phipson and Smyth 2010). As `scipy.stats.permutation_test(permutation_type='samples')`.
pub fn sign_flip_p_value(
    units: usize,
    config: &PermutationConfig,
    mut difference: impl FnMut(&[bool]) -> Option<f64>,
) -> Option<f64> {
    let mut exchanged = vec![false; units];
    let observed = difference(&exchanged)?;
    let exact = units < usize::BITS as usize - 1 && (1usize << units) <= config.resamples;
    let mut random = Random::new(config.seed);
    let total = if exact { 1usize << units } else { config.resamples };
    // SciPy's tolerance: sums in another order are still the same value.
    let slack = 1e-14 * observed.abs();
    let (mut not_above, mut not_below, mut tried) = (0usize, 0usize, 0usize);
    for choice in 0..total {
        for (unit, flag) in exchanged.iter_mut().enumerate() {
            *flag = if exact { choice >> unit & 1 == 1 } else { random.below(2) == 1 };
        }
        let Some(value) = difference(&exchanged) else { continue };
        tried += 1;
        not_above += usize::from(value <= observed + slack);
        not_below += usize::from(value >= observed - slack);
    }
    let adjusted = usize::from(!exact);
    let share = (not_above.min(not_below) + adjusted) as f64 / (tried + adjusted) as f64;
    Some((2.0 * share).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p_of(differences: &[f64], resamples: usize) -> f64 {
        let config = PermutationConfig { resamples, seed: 5 };
        let n = differences.len() as f64;
        sign_flip_p_value(differences.len(), &config, |flip| {
            let sum: f64 =
                differences.iter().zip(flip).map(|(d, &f)| if f { -d } else { *d }).sum();
            Some(sum / n)
        })
        .unwrap()
    }

    #[test]
    fn by_hand() {
        // Three differences of one sign: 1 of 8 exchanges is as high, two-sided 1/4.
        assert_eq!(p_of(&[1.0, 2.0, 3.0], 9999), 0.25);
        assert_eq!(p_of(&[1.0, -1.0], 9999), 1.0);
        assert_eq!(p_of(&[0.0; 4], 9999), 1.0);
    }

    #[test]
    fn drawn_exchanges_come_near_all_of_them() {
        let differences = [0.5, 0.1, 0.9, -0.2, 0.4, 0.3, -0.1, 0.6, 0.2, 0.05];
        let (all, drawn) = (p_of(&differences, 1 << 10), p_of(&differences, 1000));
        assert!((all - drawn).abs() < 0.02, "{all} {drawn}");
    }

    proptest! {
        #[test]
        fn order_and_direction_do_not_matter(
            mut differences in proptest::collection::vec(-3.0..3.0f64, 1..9),
        ) {
            let p = p_of(&differences, 9999);
            differences.reverse();
            prop_assert!((p_of(&differences, 9999) - p).abs() < 1e-12);
            differences.iter_mut().for_each(|d| *d = -*d);
            prop_assert!((p_of(&differences, 9999) - p).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&p));
        }
    }
}
