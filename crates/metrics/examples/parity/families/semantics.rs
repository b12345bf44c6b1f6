//! Scores of class maps: per-class and mean IoU, frequency-weighted IoU, accuracies.

use ommatidia_metrics::confusion::{Absent, Confusion};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    classes: usize,
    ignored: Vec<u8>,
    truth: Vec<Vec<u8>>,
    predicted: Vec<Vec<u8>>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let mut confusion = Confusion::new(input.classes);
    for (truth, predicted) in input.truth.iter().zip(&input.predicted) {
        confusion.add(truth, predicted, None, &input.ignored).map_err(|e| e.to_string())?;
    }
    let or_nan = |value: Option<f64>| value.unwrap_or(f64::NAN);
    let mut figures = Figures::from([
        ("miou".to_owned(), or_nan(confusion.mean_iou(0..input.classes, Absent::Skipped))),
        ("frequency_weighted_iou".to_owned(), or_nan(confusion.frequency_weighted_iou())),
        ("pixel_accuracy".to_owned(), or_nan(confusion.accuracy())),
        ("mean_accuracy".to_owned(), or_nan(confusion.mean_accuracy())),
    ]);
    for class in 0..input.classes {
        figures.insert(format!("iou of {class}"), or_nan(confusion.iou(class)));
    }
    Ok(figures)
}
