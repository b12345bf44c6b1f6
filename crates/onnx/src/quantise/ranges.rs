//! What range of each value is worth its 256 steps.

use std::collections::BTreeMap;

use crate::{
    Error, encode,
    engines::{self, Numbers, Value},
    proto::{Model, ValueInfo, data_type},
};

/// Bins of a histogram.
const BINS: usize = 2048;
/// Steps of 8 bits.
const STEPS: f64 = 255.0;
/// Shares of the whole range that are tried.
const SHARES: std::ops::RangeInclusive<u32> = 10..=50;

/// Smallest and largest number of a value.
pub type Range = (f32, f32);

/// How often numbers occur.
#[derive(Debug, Clone)]
struct Histogram {
    range: Range,
    counts: Vec<u64>,
}

/// The range of each value that loses least on the calibration inputs, by the mean square of what rounding and
/// cutting off do together (Nagel et al. 2021, "A white paper on neural network quantization", section 3.1).
///
/// # Errors
/// [`Error::Engine`].
pub(super) fn calibrate(
    model: &Model,
    values: &[String],
    inputs: &mut dyn FnMut(usize) -> Result<Option<Vec<Value>>, Error>,
) -> Result<BTreeMap<String, Range>, Error> {
    let mut watched = model.clone();
    let graph = watched.graph.get_or_insert_default();
    let given: Vec<String> = graph.input.iter().map(|input| input.name.clone()).collect();
    graph.output = (values.iter().filter(|name| !given.contains(name)))
        .map(|name| ValueInfo::tensor(name.clone(), data_type::FLOAT, &[], ""))
        .map(|info| ValueInfo { r#type: info.r#type.map(unsized_tensor), ..info })
        .collect();
    let mut engine = engines::load("rten", &encode(&watched), 0)?;
    let mut ranges: BTreeMap<String, Range> = BTreeMap::new();
    let mut histograms: BTreeMap<String, Histogram> = BTreeMap::new();
    for pass in 0..2 {
        for index in 0.. {
            let Some(inputs) = inputs(index)? else { break };
            let found = engine.run(&inputs)?;
            for value in inputs.iter().chain(&found) {
                let Numbers::Floats(numbers) = &value.data else { continue };
                if !values.contains(&value.name) {
                    continue;
                }
                if pass == 0 {
                    widen(ranges.entry(value.name.clone()).or_insert((0.0, 0.0)), numbers);
                } else {
                    let range = ranges[&value.name];
                    let new = || Histogram { range, counts: vec![0; BINS] };
                    histograms.entry(value.name.clone()).or_insert_with(new).add(numbers);
                }
            }
        }
    }
    Ok(histograms.into_iter().map(|(name, histogram)| (name, histogram.best())).collect())
}

/// A tensor's type without sizes.
fn unsized_tensor(mut r#type: crate::proto::Type) -> crate::proto::Type {
    if let Some(tensor) = &mut r#type.tensor_type {
        tensor.shape = None;
    }
    r#type
}

/// Ranges hold 0, so that padding is exact.
fn widen(range: &mut Range, numbers: &[f32]) {
    for &number in numbers.iter().filter(|number| number.is_finite()) {
        range.0 = range.0.min(number);
        range.1 = range.1.max(number);
    }
}

impl Histogram {
    fn add(&mut self, numbers: &[f32]) {
        let scale = BINS as f32 / (self.range.1 - self.range.0).max(f32::MIN_POSITIVE);
        for &number in numbers.iter().filter(|number| number.is_finite()) {
            let bin = ((number - self.range.0) * scale) as usize;
            self.counts[bin.min(BINS - 1)] += 1;
        }
    }

    fn best(&self) -> Range {
        let (low, high) = self.range;
        let share = |share: u32| f64::from(share) / f64::from(*SHARES.end());
        let ranges = SHARES.map(|s| (low * share(s) as f32, high * share(s) as f32));
        // Of equals the widest.
        let best = ranges
            .map(|range| (self.loss(range), range))
            .reduce(|best, next| if next.0 <= best.0 { next } else { best });
        best.map_or(self.range, |(_, range)| range)
    }

    /// Mean square error of numbers that are rounded to steps of a range and cut off at its ends.
    fn loss(&self, (low, high): Range) -> f64 {
        let (low, high) = (f64::from(low), f64::from(high));
        let step = (high - low) / STEPS;
        let width = f64::from(self.range.1 - self.range.0) / BINS as f64;
        let mut sum = 0.0;
        for (bin, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let centre = f64::from(self.range.0) + (bin as f64 + 0.5) * width;
            let cut = (low - centre).max(centre - high).max(0.0);
            sum += count as f64 * (cut * cut + step * step / 12.0);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(numbers: &[f32]) -> Range {
        let mut range = (0.0, 0.0);
        widen(&mut range, numbers);
        let mut histogram = Histogram { range, counts: vec![0; BINS] };
        histogram.add(numbers);
        histogram.best()
    }

    #[test]
    fn lone_extremes_are_cut_off_and_even_ranges_kept() {
        // By the mean square it takes a million numbers to give up one that is three times as large.
        let even: Vec<f32> = (0..1_000_000).map(|i| i as f32 / 1e6).collect();
        let (low, high) = best(&even);
        assert_eq!(low, 0.0);
        assert!((high - 1.0).abs() < 0.05, "{high}");
        let lone = [&even[..], &[3.0]].concat();
        assert!(best(&lone).1 < 2.0, "{:?}", best(&lone));
        let few = [&even[..1000], &[3.0]].concat();
        assert!(best(&few).1 > 2.9, "{:?}", best(&few));
    }

    #[test]
    fn ranges_hold_zero_and_ignore_what_is_no_number() {
        let (low, high) = best(&[2.0, 3.0, f32::NAN, f32::INFINITY]);
        assert!(low == 0.0 && high > 2.5);
        assert_eq!(best(&[]), (0.0, 0.0));
    }
}
