//! Times in a table of fixed size.

use std::time::Duration;

use serde::Serialize;

/// Buckets per power of two: the width of a bucket is 3 % of its place.
const STEPS: u32 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Microseconds up to 2^40 (12 days).
const POWERS: u32 = 40;
const BUCKETS: usize = ((POWERS - STEP_BITS + 1) * STEPS) as usize;

/// How often which time was taken, to 3 %, in 9 KiB however many there are.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: Duration,
    most: Duration,
}

/// The figures of a [`Histogram`], milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Latency {
    /// How many times there are.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0, sum: Duration::ZERO, most: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, time: Duration) {
        self.counts[bucket(time)] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(time);
        self.most = self.most.max(time);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The time that a share of all does not exceed, to 3 % above; zero where there is none.
    pub fn quantile(&self, share: f64) -> Duration {
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut before = 0;
        for (index, count) in self.counts.iter().enumerate() {
            before += count;
            if before >= wanted {
                return end(index).min(self.most);
            }
        }
        self.most
    }

    /// Its figures.
    pub fn latency(&self) -> Latency {
        let ms = |time: Duration| 1e3 * time.as_secs_f64();
        Latency {
            count: self.count,
            mean: if self.count == 0 { 0.0 } else { ms(self.sum) / self.count as f64 },
            p50: ms(self.quantile(0.5)),
            p90: ms(self.quantile(0.9)),
            p99: ms(self.quantile(0.99)),
            max: ms(self.most),
        }
    }
}

fn bucket(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min((1 << POWERS) - 1);
    let power = (u64::BITS - micros.leading_zeros()).saturating_sub(STEP_BITS + 1);
    (power * STEPS) as usize + (micros >> power) as usize
}

/// Where a bucket ends.
fn end(bucket: usize) -> Duration {
    // Below twice the steps a bucket is a microsecond.
    let power = (bucket as u32 / STEPS).saturating_sub(1);
    let micros = ((bucket as u64 - u64::from(power * STEPS)) + 1) << power;
    Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_has_no_time() {
        assert_eq!(Histogram::default().latency(), Latency::default());
    }

    #[test]
    fn few_times_are_exact_at_the_end() {
        let mut times = Histogram::default();
        for ms in [10, 20, 30, 1000] {
            times.add(Duration::from_millis(ms));
        }
        let latency = times.latency();
        assert_eq!((latency.count, latency.mean, latency.max), (4, 265.0, 1000.0));
        assert!((20.0..20.7).contains(&latency.p50), "{latency:?}");
        assert_eq!(latency.p99, 1000.0);
    }

    proptest! {
        #[test]
        fn quantiles_are_off_by_no_more_than_a_bucket(
            mut times in prop::collection::vec(0_u64..1 << 39, 1..200), share in 0.01..1.0_f64,
        ) {
            let mut histogram = Histogram::default();
            times.iter().for_each(|&micros| histogram.add(Duration::from_micros(micros)));
            times.sort_unstable();
            let rank = (share * times.len() as f64).ceil() as usize - 1;
            let exact = Duration::from_micros(times[rank]).as_secs_f64();
            let found = histogram.quantile(share).as_secs_f64();
            prop_assert!(found >= exact && found <= exact * 1.04 + 2e-6, "{found} for {exact}");
        }
    }
}
