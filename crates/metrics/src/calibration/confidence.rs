//! Whether confidences are what they say: expected calibration error.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Most bins; each takes memory whether or not anything falls into it.
const MAX_BINS: usize = 1_000_000;

/// Settings of the evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConfidenceProtocol {
    /// Bins of equal width over 0 to 1.
    pub bins: usize,
}

impl Default for ConfidenceProtocol {
    /// Guo et al. 2017.
    fn default() -> Self {
        Self { bins: 15 }
    }
}

/// Predictions with confidence above `low` and up to `high`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end; the first bin holds it.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Predictions in it.
    pub count: usize,
    /// Mean confidence; `None` where it is empty.
    pub confidence: Option<f64>,
    /// Share that is right; `None` where it is empty.
    pub accuracy: Option<f64>,
}

/// How far confidences are from shares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfidenceReport {
    /// Expected calibration error: mean over predictions of their bin's gap. Guo et al. 2017, Eq. (3).
    pub ece: f64,
    /// Largest gap of a bin. Eq. (5).
    pub mce: f64,
    /// Root of the mean square gap.
    pub rmsce: f64,
    /// Mean squared difference of confidence and outcome. Brier 1950.
    pub brier: f64,
    /// Mean negative logarithm of the probability given to the outcome; confidences are kept 2^-52 from 0 and 1,
    /// as scikit-learn does.
    pub log_loss: f64,
    /// The bins.
    pub bins: Vec<Bin>,
}

/// Compares confidences, 0 to 1, with whether the predictions were right.
///
/// # Errors
/// None at all, unequal numbers of both, a confidence outside 0 to 1 (or NaN), or no bins or too many.
pub fn evaluate_confidences(
    confidences: &[f64],
    right: &[bool],
    protocol: &ConfidenceProtocol,
) -> Result<ConfidenceReport, Error> {
    check(confidences, right, protocol)?;
    let bins = bins(confidences, right, protocol.bins);
    let n = confidences.len() as f64;
    let gap = |bin: &Bin| match (bin.accuracy, bin.confidence) {
        (Some(accuracy), Some(confidence)) => (accuracy - confidence).abs(),
        _ => 0.0,
    };
    let weighted = |power: i32| {
        bins.iter().map(|bin| bin.count as f64 / n * gap(bin).powi(power)).sum::<f64>()
    };
    let outcome = |&right: &bool| f64::from(u8::from(right));
    let pairs = || confidences.iter().zip(right.iter().map(outcome));
    let loss = |(&c, y): (&f64, f64)| {
        let c = c.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        -(y * c.ln() + (1.0 - y) * (1.0 - c).ln())
    };
    Ok(ConfidenceReport {
        ece: weighted(1),
        mce: bins.iter().map(gap).fold(0.0, f64::max),
        rmsce: weighted(2).sqrt(),
        brier: pairs().map(|(c, y)| (c - y).powi(2)).sum::<f64>() / n,
        log_loss: pairs().map(loss).sum::<f64>() / n,
        bins,
    })
}

fn check(confidences: &[f64], right: &[bool], protocol: &ConfidenceProtocol) -> Result<(), Error> {
    if !(1..=MAX_BINS).contains(&protocol.bins) {
        let what = format!("{} bins; choose 1 to {MAX_BINS}", protocol.bins);
        return Err(Error::Protocol { name: "confidence".to_owned(), what });
    }
    if confidences.is_empty() || confidences.len() != right.len() {
        let what = format!("{} confidences for {} outcomes", confidences.len(), right.len());
        return Err(Error::row("prediction", "run", what));
    }
    match confidences.iter().position(|c| !(0.0..=1.0).contains(c)) {
        Some(row) => {
            let what = format!("the confidence {} is not within 0 to 1", confidences[row]);
            Err(Error::row("prediction", row, what))
        }
        None => Ok(()),
    }
}

fn bins(confidences: &[f64], right: &[bool], count: usize) -> Vec<Bin> {
    let edge = |i: usize| i as f64 / count as f64;
    let (mut sums, mut hits, mut counts) =
        (vec![0.0; count], vec![0usize; count], vec![0usize; count]);
    for (&confidence, &right) in confidences.iter().zip(right) {
        // The product may round across an edge; the edges themselves decide.
        let mut bin = ((confidence * count as f64).ceil() as usize).clamp(1, count) - 1;
        while bin > 0 && confidence <= edge(bin) {
            bin -= 1;
        }
        while bin + 1 < count && confidence > edge(bin + 1) {
            bin += 1;
        }
        sums[bin] += confidence;
        hits[bin] += usize::from(right);
        counts[bin] += 1;
    }
    (0..count)
        .map(|i| {
            let n = counts[i];
            let mean = |sum: f64| (n > 0).then(|| sum / n as f64);
            Bin {
                low: edge(i),
                high: edge(i + 1),
                count: n,
                confidence: mean(sums[i]),
                accuracy: mean(hits[i] as f64),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(confidences: &[f64], right: &[bool]) -> ConfidenceReport {
        evaluate_confidences(confidences, right, &ConfidenceProtocol { bins: 4 }).unwrap()
    }

    #[test]
    fn by_hand() {
        let found = report(&[0.25, 0.2, 0.9, 1.0], &[false, true, true, true]);
        assert_eq!(found.bins.iter().map(|b| b.count).collect::<Vec<_>>(), [2, 0, 0, 2]);
        assert!((found.ece - (0.5 * 0.275 + 0.5 * 0.05)).abs() < 1e-12, "{}", found.ece);
        assert!((found.mce - 0.275).abs() < 1e-12);
        let sure = report(&[1.0, 0.0], &[true, false]);
        assert_eq!((sure.ece, sure.brier), (0.0, 0.0));
        assert!(sure.log_loss < 1e-12);
    }

    #[test]
    fn bad_confidences_are_named() {
        let of = |confidences: &[f64], right: &[bool]| {
            let protocol = ConfidenceProtocol::default();
            evaluate_confidences(confidences, right, &protocol).unwrap_err().to_string()
        };
        assert!(of(&[0.5, 1.5], &[true, true]).contains("prediction 1: the confidence 1.5"));
        assert!(of(&[f64::NAN], &[true]).contains("NaN"));
        assert!(of(&[], &[]).contains("0 confidences"));
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_the_mean_is_below_the_largest(
            mut rows in proptest::collection::vec((0.0..=1.0f64, any::<bool>()), 1..80),
        ) {
            let of = |rows: &[(f64, bool)]| {
                let (confidences, right): (Vec<f64>, Vec<bool>) = rows.iter().copied().unzip();
                report(&confidences, &right)
            };
            let first = of(&rows);
            rows.reverse();
            let again = of(&rows);
            prop_assert!((first.ece - again.ece).abs() < 1e-12);
            prop_assert!(first.ece <= first.rmsce + 1e-12 && first.rmsce <= first.mce + 1e-12);
        }
    }
}
