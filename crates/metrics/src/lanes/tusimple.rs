//! TuSimple's accuracy, false positives and false negatives of lanes in the image.
//!
//! Definitions are those of `evaluate/lane.py` of the benchmark's repository.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Points this far off count as right on an upright lane, pixels.
const POINT_PX: f64 = 20.0;
/// Lanes with this share of right points are found.
const FOUND: f64 = 0.85;
/// Predictions that took longer are not counted, milliseconds.
const MAX_RUN_TIME_MS: f64 = 200.0;

/// Lanes of one image: columns at the image rows of the benchmark, negative where a lane has none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TusimpleImage {
    /// Annotated lanes, pixels.
    pub truth_px: Vec<Vec<f64>>,
    /// Predicted lanes, pixels.
    pub predicted_px: Vec<Vec<f64>>,
    /// Image rows, pixels.
    pub rows_px: Vec<f64>,
    /// Time that the prediction took, milliseconds.
    pub run_time_ms: f64,
}

/// One image's figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TusimpleScore {
    /// Share of right points.
    pub accuracy: f64,
    /// Share of predicted lanes that are none; below 0 where one prediction is two lanes, as in the tool.
    pub false_positive: f64,
    /// Share of lanes not found.
    pub false_negative: f64,
}

/// Means over images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TusimpleReport {
    /// Accuracy, the benchmark's ranking.
    pub accuracy: f64,
    /// False positives.
    pub fp: f64,
    /// False negatives.
    #[serde(rename = "fn")]
    pub fn_: f64,
    /// `2 P R / (P + R)` with precision `1 - fp` and recall `1 - fn`, as papers quote it.
    pub f1: f64,
    /// Images.
    pub images: usize,
}

/// Evaluates one image.
///
/// # Errors
/// A lane with other than one column per row, or a number that is not finite.
pub fn tusimple_image(image: &TusimpleImage) -> Result<TusimpleScore, Error> {
    check(image)?;
    let (truth, predicted) = (&image.truth_px, &image.predicted_px);
    if image.run_time_ms > MAX_RUN_TIME_MS || truth.len() + 2 < predicted.len() {
        return Ok(TusimpleScore { accuracy: 0.0, false_positive: 0.0, false_negative: 1.0 });
    }
    let best = |lane: &Vec<f64>| {
        let slack_px = POINT_PX * (1.0 + slope(lane, &image.rows_px).powi(2)).sqrt();
        let accuracies = predicted.iter().map(|p| line_accuracy(p, lane, slack_px));
        accuracies.fold(0.0, f64::max)
    };
    let best: Vec<f64> = truth.iter().map(best).collect();
    let found = best.iter().filter(|&&accuracy| accuracy >= FOUND).count();
    let mut missed = (truth.len() - found) as f64;
    let mut sum: f64 = best.iter().sum();
    // At most four lanes are asked for: of more, the worst is left out.
    if truth.len() > 4 {
        missed = (missed - 1.0).max(0.0);
        sum -= best.iter().copied().fold(f64::INFINITY, f64::min);
    }
    let asked = truth.len().clamp(1, 4) as f64;
    let wrong = predicted.len() as f64 - found as f64;
    Ok(TusimpleScore {
        accuracy: sum / asked,
        false_positive: if predicted.is_empty() { 0.0 } else { wrong / predicted.len() as f64 },
        false_negative: missed / asked,
    })
}

/// Means over images; `None` without any.
pub fn tusimple_report(scores: &[TusimpleScore]) -> Option<TusimpleReport> {
    let n = scores.len() as f64;
    let mean = |of: fn(&TusimpleScore) -> f64| scores.iter().map(of).sum::<f64>() / n;
    let (fp, fn_) = (mean(|s| s.false_positive), mean(|s| s.false_negative));
    let (precision, recall) = (1.0 - fp, 1.0 - fn_);
    (!scores.is_empty()).then(|| TusimpleReport {
        accuracy: mean(|s| s.accuracy),
        fp,
        fn_,
        f1: if precision + recall > 0.0 {
            2.0 * precision * recall / (precision + recall)
        } else {
            0.0
        },
        images: scores.len(),
    })
}

fn check(image: &TusimpleImage) -> Result<(), Error> {
    let rows = image.rows_px.len();
    for (side, lanes) in [("truth", &image.truth_px), ("prediction", &image.predicted_px)] {
        for (i, lane) in lanes.iter().enumerate() {
            if lane.len() != rows {
                let what = format!("{} columns for {rows} rows", lane.len());
                return Err(Error::row(side, format!("lane {i}"), what));
            }
            if lane.iter().any(|x| !x.is_finite()) {
                return Err(Error::row(side, format!("lane {i}"), "a column is not finite"));
            }
        }
    }
    Ok(())
}

/// Columns per row of the line that fits a lane best; 0 below two points.
fn slope(lane: &[f64], rows: &[f64]) -> f64 {
    let points: Vec<(f64, f64)> =
        lane.iter().zip(rows).filter(|(x, _)| **x >= 0.0).map(|(&x, &y)| (x, y)).collect();
    if points.len() < 2 {
        return 0.0;
    }
    let n = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let both: f64 = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean_y)).sum();
    let own: f64 = points.iter().map(|p| (p.1 - mean_y).powi(2)).sum();
    if own > 0.0 { both / own } else { 0.0 }
}

/// Share of rows with the same column up to `slack`, or with none on both sides.
fn line_accuracy(predicted: &[f64], truth: &[f64], slack_px: f64) -> f64 {
    let place = |x: f64| if x >= 0.0 { x } else { -100.0 };
    let right =
        predicted.iter().zip(truth).filter(|(p, t)| (place(**p) - place(**t)).abs() < slack_px);
    right.count() as f64 / truth.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image(truth: &[f64], predicted: &[f64]) -> TusimpleImage {
        let rows_px: Vec<f64> = (0..20).map(|k| 240.0 + 10.0 * f64::from(k)).collect();
        let lane = |x: &f64| rows_px.iter().map(|y| x + 0.5 * (y - 240.0)).collect::<Vec<f64>>();
        let lanes = |xs: &[f64]| xs.iter().map(lane).collect();
        TusimpleImage {
            truth_px: lanes(truth),
            predicted_px: lanes(predicted),
            rows_px: rows_px.clone(),
            run_time_ms: 10.0,
        }
    }

    fn score(truth: &[f64], predicted: &[f64]) -> [f64; 3] {
        let found = tusimple_image(&image(truth, predicted)).unwrap();
        [found.accuracy, found.false_positive, found.false_negative]
    }

    #[test]
    fn by_hand() {
        assert_eq!(score(&[100.0, 300.0], &[110.0, 300.0]), [1.0, 0.0, 0.0]);
        assert_eq!(score(&[100.0, 300.0], &[110.0, 500.0]), [0.5, 0.5, 0.5]);
        assert_eq!(score(&[100.0, 300.0], &[]), [0.0, 0.0, 1.0]);
        assert_eq!(score(&[], &[100.0]), [0.0, 1.0, 0.0]);
        // Too many predictions are not counted at all.
        assert_eq!(score(&[100.0], &[100.0, 1.0, 2.0, 3.0]), [0.0, 0.0, 1.0]);
        // The fifth lane need not be found.
        let five = [100.0, 200.0, 300.0, 400.0, 500.0];
        assert_eq!(score(&five, &five[..4]), [1.0, 0.0, 0.0]);
        // 20 px at right angles to a lane of slope 1/2 are 22.36 px along the row.
        assert_eq!(score(&[100.0], &[122.3])[0], 1.0);
        assert_eq!(score(&[100.0], &[122.4])[0], 0.0);
        assert_eq!(tusimple_report(&[]), None);
    }

    #[test]
    fn late_and_broken_predictions() {
        let mut late = image(&[100.0], &[100.0]);
        late.run_time_ms = 201.0;
        assert_eq!(tusimple_image(&late).unwrap().false_negative, 1.0);
        let mut broken = image(&[100.0], &[100.0]);
        broken.predicted_px[0].pop();
        let message = tusimple_image(&broken).unwrap_err().to_string();
        assert!(message.contains("prediction lane 0: 19 columns for 20 rows"), "{message}");
    }

    proptest! {
        #[test]
        fn the_truth_scores_1_in_any_order(
            mut lanes in proptest::collection::vec(0.0..1200.0f64, 1..6),
        ) {
            let truth = lanes.clone();
            lanes.reverse();
            let [accuracy, _, missed] = score(&truth, &lanes);
            prop_assert!((accuracy - 1.0).abs() < 1e-12 && missed == 0.0);
        }
    }
}
