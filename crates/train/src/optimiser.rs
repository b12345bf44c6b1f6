//! AdamW with decoupled decay (Loshchilov & Hutter 2019, algorithm 2), on rows of numbers.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::flat::Layout;

/// Settings of the optimiser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimiserConfig {
    /// Highest learning rate.
    pub rate: f64,
    /// Decay of the mean and of the mean square of the gradient.
    pub betas: [f64; 2],
    /// Added to the root of the mean square.
    pub epsilon: f64,
    /// Weights shrink by this share of the learning rate; biases and norms do not.
    pub decay: f64,
    /// Longest gradient; a longer one is shortened to this. 0 for any.
    pub clip: f64,
}

impl Default for OptimiserConfig {
    /// As Swin transformers are trained for segmentation (Liu et al. 2021, section A2.3), with the clipping
    /// that bird's-eye networks use (Huang et al. 2021, BEVDet: 5).
    fn default() -> Self {
        Self { rate: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8, decay: 0.01, clip: 5.0 }
    }
}

impl OptimiserConfig {
    /// Whether the numbers can be used; the first that cannot, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
        if !positive(self.rate) || !positive(self.epsilon) {
            return Err("optimiser.rate and optimiser.epsilon must be above 0".to_owned());
        }
        if self.betas.iter().any(|beta| !(0.0..1.0).contains(beta)) {
            return Err("optimiser.betas are 0 to 1, without 1".to_owned());
        }
        if !not_negative(self.decay) || !not_negative(self.clip) {
            return Err("optimiser.decay and optimiser.clip must be 0 or above".to_owned());
        }
        Ok(())
    }
}

/// What the optimiser remembers.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Running mean of the gradient.
    pub mean: Vec<f32>,
    /// Running mean of its square.
    pub square: Vec<f32>,
}

impl Moments {
    /// Before the first step.
    pub fn new(len: usize) -> Self {
        Self { mean: vec![0.0; len], square: vec![0.0; len] }
    }
}

/// Sums over parts of this length, then over the parts in order: the same on any number of threads.
const PART: usize = 1 << 14;

/// Length of a row.
pub fn norm(row: &[f32]) -> f64 {
    let square = |part: &[f32]| part.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    let parts: Vec<f64> = row.par_chunks(PART).map(square).collect();
    parts.iter().sum::<f64>().sqrt()
}

/// Takes step number `step`, counted from 1, with learning rate `rate`. Returns the gradient's length before
/// it was shortened. Numbers that are not trained stay.
pub fn step(
    (config, layout): (&OptimiserConfig, &Layout),
    (step, rate): (u64, f64),
    gradient: &[f32],
    weights: &mut [f32],
    moments: &mut Moments,
) -> f64 {
    let length = norm(gradient);
    let shrink = if config.clip > 0.0 && length > config.clip { config.clip / length } else { 1.0 };
    let shrink = shrink as f32;
    let [b1, b2] = config.betas;
    // Line 9 and 10 of the algorithm; the powers are taken in double precision.
    let exponent = i32::try_from(step).unwrap_or(i32::MAX);
    let mean_bias = (1.0 / (1.0 - b1.powi(exponent))) as f32;
    let square_bias = (1.0 / (1.0 - b2.powi(exponent))) as f32;
    let (b1, b2, rate_f32) = (b1 as f32, b2 as f32, rate as f32);
    let epsilon = config.epsilon as f32;
    for slot in layout.slots().iter().filter(|slot| slot.trained) {
        let keep = if slot.shape.len() > 1 { 1.0 - (rate * config.decay) as f32 } else { 1.0 };
        let range = slot.range();
        let weights = weights[range.clone()].par_chunks_mut(PART);
        let means = moments.mean[range.clone()].par_chunks_mut(PART);
        let squares = moments.square[range.clone()].par_chunks_mut(PART);
        let gradients = gradient[range].par_chunks(PART);
        weights.zip(means).zip(squares).zip(gradients).for_each(|(((w, m), s), g)| {
            for i in 0..w.len() {
                let g = g[i] * shrink;
                m[i] = b1 * m[i] + (1.0 - b1) * g;
                s[i] = b2 * s[i] + (1.0 - b2) * g * g;
                let towards = m[i] * mean_bias / ((s[i] * square_bias).sqrt() + epsilon);
                w[i] = keep * w[i] - rate_f32 * towards;
            }
        });
    }
    length
}

/// Moves a running average of the weights towards them by `1 - decay`, less in the first steps.
pub fn average(weights: &[f32], average: &mut [f32], decay: f64, step: u64) {
    // As TensorFlow's ExponentialMovingAverage with num_updates.
    let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64)) as f32;
    let move_part = |(average, weights): (&mut [f32], &[f32])| {
        for (average, weight) in average.iter_mut().zip(weights) {
            *average = decay * *average + (1.0 - decay) * weight;
        }
    };
    average.par_chunks_mut(PART).zip(weights.par_chunks(PART)).for_each(move_part);
}
