//! How errors are spread.

use serde::Serialize;

/// evo's statistics of a set of errors, in the unit of the errors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Root of the mean square.
    pub rmse: f64,
    /// Mean.
    pub mean: f64,
    /// Middle one; the mean of the two middle ones where their number is even.
    pub median: f64,
    /// Standard deviation, divided by the number of errors.
    pub std: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Sum of squares.
    pub sse: f64,
}

impl Spread {
    /// Of errors, at least one.
    pub fn of(errors: &[f64]) -> Self {
        assert!(!errors.is_empty(), "there are errors to describe");
        let n = errors.len() as f64;
        let sse: f64 = errors.iter().map(|v| v * v).sum();
        let mean = errors.iter().sum::<f64>() / n;
        let variance = errors.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let mut sorted = errors.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            0.5 * (sorted[middle - 1] + sorted[middle])
        };
        Self {
            rmse: (sse / n).sqrt(),
            mean,
            median,
            std: variance.sqrt(),
            min: sorted[0],
            max: sorted[sorted.len() - 1],
            sse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let spread = Spread::of(&[1.0, 5.0, 3.0, 3.0]);
        assert_eq!((spread.mean, spread.median, spread.std), (3.0, 3.0, 2.0f64.sqrt()));
        assert_eq!((spread.min, spread.max, spread.sse), (1.0, 5.0, 44.0));
        assert_eq!(spread.rmse, 11.0f64.sqrt());
        assert_eq!(Spread::of(&[2.0]).median, 2.0);
    }
}
