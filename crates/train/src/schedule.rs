//! How the learning rate goes over a training.

use serde::{Deserialize, Serialize};

/// How the learning rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Half a wave (Loshchilov & Hutter 2017, equation 5, without restarts).
    #[default]
    Cosine,
    /// `(1 - share)^0.9` (Chen et al. 2017, DeepLab, section 4.1).
    Poly,
    /// Does not fall.
    Constant,
}

/// Settings of the learning rate over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Steps over which the rate rises from 0.
    pub warm_up_steps: u64,
    /// How it falls.
    pub shape: Shape,
    /// Where it ends, as a share of the highest.
    pub last: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self { warm_up_steps: 100, shape: Shape::Cosine, last: 0.01 }
    }
}

impl ScheduleConfig {
    /// Share of the highest rate at a step, when the training is so far done (0 to 1).
    pub fn share(&self, step: u64, done: f64) -> f64 {
        let done = done.clamp(0.0, 1.0);
        let fallen = match self.shape {
            Shape::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
            Shape::Poly => (1.0 - done).powf(0.9),
            Shape::Constant => 1.0,
        };
        let risen = (step + 1) as f64 / self.warm_up_steps.max(1) as f64;
        (self.last + (1.0 - self.last) * fallen) * risen.min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_then_fall_to_their_end() {
        for (shape, end) in [(Shape::Cosine, 0.1), (Shape::Poly, 0.1), (Shape::Constant, 1.0)] {
            let config = ScheduleConfig { warm_up_steps: 10, shape, last: 0.1 };
            let shares: Vec<f64> =
                (0..=100).map(|step| config.share(step, step as f64 / 100.0)).collect();
            assert!(shares[..10].windows(2).all(|pair| pair[0] < pair[1]), "{shape:?}");
            assert!(shares[9..].windows(2).all(|pair| pair[0] >= pair[1]), "{shape:?}");
            assert!((shares[100] - end).abs() < 1e-12, "{shape:?}");
        }
    }
}
