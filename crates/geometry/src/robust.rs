//! Robust losses for least squares: how much a residual may pull.
//!
//! A problem minimises the sum over residual vectors r of `rho(s) / 2` with `s = |r|^2`, and solves
//! it by reweighting with `rho'(s)`. Triggs et al., *Bundle adjustment: a modern synthesis*, 1999,
//! section 4.3; Zhang, *Parameter estimation techniques*, 1997, table 1.

use serde::{Deserialize, Serialize};

/// A loss; its scale has the residual's unit and marks where residuals start to be distrusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "scale", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// `rho(s) = s`: no robustness.
    Squared,
    /// Quadratic up to the scale, linear beyond. Convex.
    Huber(f64),
    /// Logarithmic growth: `c^2 ln(1 + s / c^2)`.
    Cauchy(f64),
    /// Bounded by `c^2 / 3`; no pull beyond the scale.
    Tukey(f64),
    /// Quadratic up to the scale, constant beyond: the loss of MSAC.
    Truncated(f64),
}

impl Loss {
    /// The loss of a squared residual; `rho(s) <= s`, equal for small `s`.
    pub fn rho(self, squared: f64) -> f64 {
        match self {
            Self::Squared => squared,
            Self::Huber(c) if squared <= c * c => squared,
            Self::Huber(c) => 2.0 * c * squared.sqrt() - c * c,
            Self::Cauchy(c) => c * c * (squared / (c * c)).ln_1p(),
            Self::Tukey(c) if squared < c * c => {
                c * c / 3.0 * (1.0 - (1.0 - squared / (c * c)).powi(3))
            }
            Self::Tukey(c) => c * c / 3.0,
            Self::Truncated(c) => squared.min(c * c),
        }
    }

    /// `rho'(s)`, the weight of the squared residual in a reweighted step; 1 at zero, never negative.
    pub fn weight(self, squared: f64) -> f64 {
        match self {
            Self::Squared => 1.0,
            Self::Huber(c) if squared <= c * c => 1.0,
            Self::Huber(c) => c / squared.sqrt(),
            Self::Cauchy(c) => 1.0 / (1.0 + squared / (c * c)),
            Self::Tukey(c) if squared < c * c => (1.0 - squared / (c * c)).powi(2),
            Self::Truncated(c) if squared < c * c => 1.0,
            Self::Tukey(_) | Self::Truncated(_) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSSES: [Loss; 5] = [
        Loss::Squared,
        Loss::Huber(1.5),
        Loss::Cauchy(0.7),
        Loss::Tukey(3.0),
        Loss::Truncated(2.0),
    ];

    #[test]
    fn weight_is_the_derivative_of_rho() {
        for loss in LOSSES {
            for squared in [0.01, 0.4, 1.9, 3.0, 5.0, 8.5, 20.0] {
                let step = 1e-6;
                let slope = (loss.rho(squared + step) - loss.rho(squared - step)) / (2.0 * step);
                let error = (loss.weight(squared) - slope).abs();
                assert!(error < 1e-8, "{loss:?} at {squared}: off by {error}");
            }
        }
    }

    #[test]
    fn small_residuals_are_trusted_and_none_is_overcounted() {
        for loss in LOSSES {
            assert_eq!(loss.rho(0.0), 0.0, "{loss:?}");
            assert_eq!(loss.weight(0.0), 1.0, "{loss:?}");
            assert!((0..200).all(|i| loss.rho(0.1 * f64::from(i)) <= 0.1 * f64::from(i) + 1e-12));
        }
    }

    #[test]
    fn survives_toml_like_text() {
        let text = serde_json::to_string(&Loss::Huber(2.0)).unwrap();
        assert_eq!(text, r#"{"kind":"huber","scale":2.0}"#);
        assert_eq!(serde_json::from_str::<Loss>(&text).unwrap(), Loss::Huber(2.0));
    }
}
