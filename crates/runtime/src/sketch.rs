//! Distributions of outputs in tables of fixed size, and how far one is off another.

use std::collections::BTreeMap;

use ommatidia_onnx::engines::{Numbers, Value};
use serde::{Deserialize, Serialize};

/// Bits of a number that choose its bucket: sign, exponent, and four of the fraction (6 % wide).
const KEPT_BITS: u32 = 13;
const BUCKETS: usize = 1 << KEPT_BITS;
/// Most values of an output that one frame adds.
const MOST_PER_FRAME: usize = 1 << 16;

/// How often an output had which value, to 6 %, in 64 KiB however many there are.
#[derive(Debug, Clone)]
pub struct Sketch {
    buckets: Vec<u64>,
    values: u64,
    not_finite: u64,
    sum: f64,
}

/// The figures of a [`Sketch`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spread {
    /// Values that were counted.
    pub values: u64,
    /// Of them not finite.
    pub not_finite: u64,
    /// Mean of the finite ones.
    pub mean: f64,
    /// First percentile.
    pub p01: f64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], values: 0, not_finite: 0, sum: 0.0 }
    }
}

impl Sketch {
    /// Counts values of one frame: all, or every k-th where they are many.
    pub fn add(&mut self, values: &[f32]) {
        // Odd, so that a step does not stay in one column of a map.
        let step = values.len().div_ceil(MOST_PER_FRAME) | 1;
        for value in values.iter().step_by(step) {
            self.values += 1;
            if value.is_finite() {
                self.buckets[bucket(*value)] += 1;
                self.sum += f64::from(*value);
            } else {
                self.not_finite += 1;
            }
        }
    }

    /// Nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.values == 0
    }

    /// Its figures.
    pub fn spread(&self) -> Spread {
        let finite = self.values - self.not_finite;
        let mean = if finite == 0 { 0.0 } else { self.sum / finite as f64 };
        let [p01, p50, p99] = [0.01, 0.5, 0.99].map(|share| self.quantile(share));
        Spread { values: self.values, not_finite: self.not_finite, mean, p01, p50, p99 }
    }

    fn quantile(&self, share: f64) -> f64 {
        let finite = self.values - self.not_finite;
        let wanted = (share * finite as f64).ceil().max(1.0) as u64;
        let mut before = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            before += count;
            if before >= wanted {
                return f64::from(start(index));
            }
        }
        0.0
    }

    /// Largest difference of the two cumulative distributions, 0 to 1 (Kolmogorov and Smirnov's statistic, at
    /// the buckets' edges). 0 where one is empty; values that are not finite lie beyond all others.
    pub fn distance(&self, other: &Self) -> f64 {
        if self.values == 0 || other.values == 0 {
            return 0.0;
        }
        let (mut own, mut its, mut most) = (0_u64, 0_u64, 0.0_f64);
        for (a, b) in self.buckets.iter().zip(&other.buckets) {
            own += a;
            its += b;
            let share = own as f64 / self.values as f64;
            most = most.max((share - its as f64 / other.values as f64).abs());
        }
        most
    }
}

/// Numbers in ascending order have ascending buckets.
fn bucket(value: f32) -> usize {
    let bits = value.to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    (ordered >> (u32::BITS - KEPT_BITS)) as usize
}

/// The number of a bucket that is nearest to zero.
fn start(bucket: usize) -> f32 {
    let ordered = (bucket as u32) << (u32::BITS - KEPT_BITS);
    if ordered >> 31 == 1 {
        return f32::from_bits(ordered & !(1 << 31));
    }
    f32::from_bits(!(ordered | ((1 << (u32::BITS - KEPT_BITS)) - 1)))
}

/// A sketch of each output of a network.
#[derive(Debug, Clone, Default)]
pub struct Sketches(BTreeMap<String, Sketch>);

impl Sketches {
    /// Counts the outputs of one frame.
    pub fn add(&mut self, outputs: &[Value]) {
        for output in outputs {
            let Numbers::Floats(values) = &output.data else { continue };
            if !self.0.contains_key(&output.name) {
                self.0.insert(output.name.clone(), Sketch::default());
            }
            if let Some(sketch) = self.0.get_mut(&output.name) {
                sketch.add(values);
            }
        }
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Sketch)> {
        self.0.iter().map(|(name, sketch)| (name.as_str(), sketch))
    }

    /// That of an output.
    pub fn get(&self, name: &str) -> Option<&Sketch> {
        self.0.get(name)
    }

    /// As a file that later runs are compared with.
    pub fn to_reference(&self) -> Reference {
        let rows = |sketch: &Sketch| Row {
            values: sketch.values,
            not_finite: sketch.not_finite,
            sum: sketch.sum,
            buckets: (0_u32..)
                .zip(&sketch.buckets)
                .filter(|(_, count)| **count > 0)
                .map(|(index, count)| (index, *count))
                .collect(),
        };
        let outputs = self.0.iter().map(|(name, sketch)| (name.clone(), rows(sketch)));
        Reference { format: FORMAT.to_owned(), outputs: outputs.collect() }
    }
}

/// What [`Reference::format`] must be.
const FORMAT: &str = "ommatidia-outputs/1";
/// Most outputs that a reference is read of.
const MOST_OUTPUTS: usize = 256;

/// Distributions of a release's outputs, as a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    format: String,
    outputs: BTreeMap<String, Row>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    values: u64,
    not_finite: u64,
    sum: f64,
    /// Bucket and count of those that are not empty, ascending.
    buckets: Vec<(u32, u64)>,
}

impl Reference {
    /// As sketches.
    ///
    /// # Errors
    /// In words, what cannot be.
    pub fn sketches(&self) -> Result<Sketches, String> {
        if self.format != FORMAT || self.outputs.len() > MOST_OUTPUTS {
            return Err(format!("its format is {:?}, and this reads {FORMAT:?}", self.format));
        }
        let mut sketches = BTreeMap::new();
        for (name, row) in &self.outputs {
            let mut sketch = Sketch {
                values: row.values,
                not_finite: row.not_finite,
                sum: row.sum,
                ..Sketch::default()
            };
            let mut finite = Some(row.not_finite);
            for &(bucket, count) in &row.buckets {
                let place = sketch.buckets.get_mut(bucket as usize);
                *place.ok_or_else(|| format!("output {name} has no bucket {bucket}"))? = count;
                finite = finite.and_then(|sum| sum.checked_add(count));
            }
            if finite != Some(row.values) || !row.buckets.is_sorted_by(|a, b| a.0 < b.0) {
                return Err(format!("output {name}: its counts do not sum up"));
            }
            sketches.insert(name.clone(), sketch);
        }
        Ok(Sketches(sketches))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f32]) -> Sketch {
        let mut sketch = Sketch::default();
        sketch.add(values);
        sketch
    }

    #[test]
    fn distances_are_of_distributions() {
        let check = |a: &[f32], b: &[f32], expected: f64| {
            assert_eq!(of(a).distance(&of(b)), expected, "{a:?} {b:?}");
        };
        check(&[], &[1.0], 0.0);
        check(&[1.0, 2.0], &[1.0, 2.0, 1.0, 2.0], 0.0);
        check(&[-1.0], &[1.0], 1.0);
        check(&[0.0, 1.0, 2.0, 4.0], &[1.0, 2.0, 4.0, 8.0], 0.25);
        check(&[1.0, f32::NAN], &[1.0, 1.0], 0.5);
    }

    #[test]
    fn a_reference_is_read_as_it_was_written_and_checked() {
        let value = |data: Vec<f32>| Value {
            name: "depth".to_owned(),
            shape: vec![data.len()],
            data: Numbers::Floats(data),
        };
        let mut sketches = Sketches::default();
        sketches.add(&[value(vec![1.0, -2.5, 0.0, f32::INFINITY])]);
        let reference = sketches.to_reference();
        let text = serde_json::to_string(&reference).unwrap();
        let read: Reference = serde_json::from_str(&text).unwrap();
        assert_eq!(read, reference);
        let back = read.sketches().unwrap();
        assert_eq!(back.get("depth").unwrap().distance(sketches.get("depth").unwrap()), 0.0);
        let spread = back.get("depth").unwrap().spread();
        assert_eq!((spread.values, spread.not_finite, spread.mean), (4, 1, -0.5));

        let refused = |from: &str, to: &str| {
            let text = text.replace(from, to);
            let read: Reference = serde_json::from_str(&text).unwrap();
            assert!(read.sketches().is_err(), "{text}");
        };
        refused("ommatidia-outputs/1", "ommatidia-outputs/2");
        refused(r#""values":4"#, r#""values":5"#);
        refused(r#""values":4"#, &format!(r#""values":{}"#, u64::MAX));
    }

    #[test]
    fn many_values_are_thinned() {
        let values: Vec<f32> = (0..1_000_000).map(|i| i as f32).collect();
        let sketch = of(&values);
        assert!(sketch.values <= MOST_PER_FRAME as u64 && sketch.values > 50_000);
        let spread = sketch.spread();
        assert!((465_000.0..505_000.0).contains(&spread.p50), "{spread:?}");
    }

    proptest! {
        #[test]
        fn buckets_ascend_and_start_where_they_say(a in any::<f32>(), b in any::<f32>()) {
            prop_assume!(a.is_finite() && b.is_finite());
            if a < b {
                prop_assert!(bucket(a) <= bucket(b));
            }
            prop_assert_eq!(bucket(start(bucket(a))), bucket(a));
            prop_assert!((start(bucket(a)) - a).abs() <= 0.0625 * a.abs() + f32::MIN_POSITIVE);
        }
    }
}
