//! Bootstrap confidence intervals.

use ommatidia_geometry::ransac::Random;
use serde::{Deserialize, Serialize};

/// Which interval is taken from the resampled values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalKind {
    /// Quantiles of the resampled values. Efron 1979.
    Percentile,
    /// Bias-corrected and accelerated. Efron 1987, *Better bootstrap confidence intervals*, Eq. (2.3).
    #[default]
    Bca,
}

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapConfig {
    /// Resamples drawn; SciPy's default, 9999.
    pub resamples: usize,
    /// Share of intervals that hold the truth; 0.95.
    pub confidence: f64,
    /// Which interval.
    pub kind: IntervalKind,
    /// The same seed draws the same resamples.
    pub seed: u64,
}

impl Default for BootstrapConfig {
    fn default() -> Self {
        Self { resamples: 9999, confidence: 0.95, kind: IntervalKind::default(), seed: 1 }
    }
}

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The interval of a statistic of `units` independent units, such as scenes.
///
/// `statistic` gets the indices of the units drawn, with repetitions, and is called once per resample
/// and once per unit left out. Resamples without a value are left out. `None` below two units, or
/// where the statistic has no value on all units.
pub fn bootstrap(
    units: usize,
    config: &BootstrapConfig,
    mut statistic: impl FnMut(&[usize]) -> Option<f64>,
) -> Option<Interval> {
    if units < 2 {
        return None;
    }
    let all: Vec<usize> = (0..units).collect();
    let value = statistic(&all)?;
    let mut random = Random::new(config.seed);
    let mut drawn = vec![0; units];
    let mut resampled = Vec::with_capacity(config.resamples);
    for _ in 0..config.resamples {
        drawn.iter_mut().for_each(|unit| *unit = random.below(units));
        // In order, so that the same units give the same sum to the last bit, and ties are ties.
        drawn.sort_unstable();
        resampled.extend(statistic(&drawn));
    }
    let left_out = match config.kind {
        IntervalKind::Percentile => Vec::new(),
        IntervalKind::Bca => (0..units)
            .filter_map(|out| {
                let rest: Vec<usize> = (0..units).filter(|&unit| unit != out).collect();
                statistic(&rest)
            })
            .collect(),
    };
    interval(value, &resampled, &left_out, config)
}

/// The interval from a statistic's value, its values on resamples, and (for BCa) its values with each
/// unit left out, as `scipy.stats.bootstrap` makes it. `None` without resampled values.
pub fn interval(
    value: f64,
    resampled: &[f64],
    left_out: &[f64],
    config: &BootstrapConfig,
) -> Option<Interval> {
    let mut sorted = resampled.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tail = (1.0 - config.confidence) / 2.0;
    let probabilities = match config.kind {
        IntervalKind::Percentile => Some([tail, 1.0 - tail]),
        IntervalKind::Bca => corrected(value, &sorted, left_out, tail),
    };
    let [low, high] = match probabilities {
        Some(probabilities) => {
            [quantile(&sorted, probabilities[0])?, quantile(&sorted, probabilities[1])?]
        }
        // All resamples alike: BCa divides by nothing, and the interval is that one value.
        None if sorted.first()? == sorted.last()? => [sorted[0], sorted[0]],
        // Efron's bias correction is infinite where all resamples lie on one side; quantiles still hold.
        None => [quantile(&sorted, tail)?, quantile(&sorted, 1.0 - tail)?],
    };
    Some(Interval { low, high })
}

/// The probabilities whose quantiles are BCa's ends; `None` where they are not defined.
fn corrected(value: f64, sorted: &[f64], left_out: &[f64], tail: f64) -> Option<[f64; 2]> {
    // Midrank share of resamples below the value, as SciPy's `_percentile_of_score(..., 'mean')`.
    let below = sorted.partition_point(|&v| v < value);
    let up_to = sorted.partition_point(|&v| v <= value);
    let share = (below + up_to) as f64 / (2.0 * sorted.len() as f64);
    let bias = normal_quantile(share);
    let mean = left_out.iter().sum::<f64>() / left_out.len() as f64;
    let moment = |power: i32| left_out.iter().map(|v| (mean - v).powi(power)).sum::<f64>();
    let acceleration = moment(3) / (6.0 * moment(2).powf(1.5));
    let end = |probability: f64| {
        let z = bias + normal_quantile(probability);
        normal_cdf(bias + z / (1.0 - acceleration * z))
    };
    let ends = [end(tail), end(1.0 - tail)];
    ends.iter().all(|p| p.is_finite()).then_some(ends)
}

/// Quantile of sorted values by linear interpolation, NumPy's default.
fn quantile(sorted: &[f64], probability: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = probability.clamp(0.0, 1.0) * last as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(last);
    // NumPy interpolates from the nearer end.
    let (a, b) = (sorted[low], sorted[high]);
    Some(if share < 0.5 { a + (b - a) * share } else { b - (b - a) * (1.0 - share) })
}

/// Normal distribution function, by the error function's series and continued fraction.
///
/// Abramowitz and Stegun 7.1.6 and 7.1.14; relative error below 1e-14.
pub(super) fn normal_cdf(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let tail = if x < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term > 1e-18 * sum {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        0.5 - sum * (-x * x).exp() / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..=80).rev().fold(x, |below, k| x + 0.5 * f64::from(k) / below);
        0.5 * (-x * x).exp() / (fraction * std::f64::consts::PI.sqrt())
    };
    if z > 0.0 { 1.0 - tail } else { tail }
}

/// Where the normal distribution function has this value: Newton's steps on [`normal_cdf`] from
/// Abramowitz and Stegun 26.2.23. Infinite at 0 and 1.
fn normal_quantile(probability: f64) -> f64 {
    if probability <= 0.0 || probability >= 1.0 {
        return if probability <= 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    if probability > 0.5 {
        return -normal_quantile(1.0 - probability);
    }
    let t = (-2.0 * probability.ln()).sqrt();
    let mut z = (2.515_517 + t * (0.802_853 + t * 0.010_328))
        / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)))
        - t;
    for _ in 0..6 {
        let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
        z -= (normal_cdf(z) - probability) / density;
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn normal_distribution_by_tables() {
        // SciPy 1.17: norm.cdf and norm.ppf.
        for (z, p) in [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.959_963_984_540_054, 0.025),
            (-5.0, 2.866_515_718_791_933e-7),
            (3.0, 0.998_650_101_968_369_9),
        ] {
            assert!((normal_cdf(z) - p).abs() < 1e-15 + 1e-13 * p, "{z} {}", normal_cdf(z));
            assert!((normal_quantile(p) - z).abs() < 1e-9, "{p} {}", normal_quantile(p));
        }
    }

    #[test]
    fn covers_the_truth_as_often_as_it_says() {
        let mut random = Random::new(3);
        let mut held = 0;
        for trial in 0..400 {
            let values: Vec<f64> = (0..30).map(|_| random.uniform()).collect();
            let config = BootstrapConfig { resamples: 500, seed: trial, ..Default::default() };
            let mean = |drawn: &[usize]| {
                Some(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64)
            };
            let interval = bootstrap(values.len(), &config, mean).unwrap();
            held += usize::from(interval.low <= 0.5 && 0.5 <= interval.high);
        }
        // 0.95 of 400 is 380, standard deviation 4.4; a bootstrap of 30 covers a little less.
        assert!((362..=394).contains(&held), "{held}");
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_interval_and_it_shifts_with_the_data(
            values in proptest::collection::vec(-10.0..10.0f64, 3..12),
            shift in -5.0..5.0f64,
        ) {
            let config = BootstrapConfig { resamples: 99, ..Default::default() };
            let of = |shift: f64| {
                bootstrap(values.len(), &config, |drawn| {
                    Some(drawn.iter().map(|&i| values[i] + shift).sum::<f64>() / drawn.len() as f64)
                })
                .unwrap()
            };
            prop_assert_eq!(of(0.0), of(0.0));
            let (a, b) = (of(0.0), of(shift));
            prop_assert!(a.low <= a.high);
            prop_assert!((b.low - a.low - shift).abs() < 1e-9, "{:?} {:?}", a, b);
        }
    }

    #[test]
    fn too_little_has_no_interval() {
        let config = BootstrapConfig::default();
        assert_eq!(bootstrap(1, &config, |_| Some(1.0)), None);
        assert_eq!(bootstrap(5, &config, |_| None), None);
        let same = bootstrap(5, &config, |_| Some(2.0)).unwrap();
        assert_eq!((same.low, same.high), (2.0, 2.0));
    }
}
