//! Lanes in the image: TuSimple and CULane.

use ommatidia_metrics::lanes::{
    CulaneCounts, CulaneProtocol, TusimpleImage, culane_image, lane_iou, tusimple_image,
    tusimple_report,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

type Lanes = Vec<Vec<[f32; 2]>>;

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Tusimple { tusimple: Vec<TusimpleImage> },
    Culane { culane: Vec<(Lanes, Lanes)> },
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    match parse(input)? {
        Input::Tusimple { tusimple } => {
            let scores: Result<Vec<_>, _> = tusimple.iter().map(tusimple_image).collect();
            let report = tusimple_report(&scores.map_err(|e| e.to_string())?).ok_or("no images")?;
            let figures = [("accuracy", report.accuracy), ("FP", report.fp), ("FN", report.fn_)];
            Ok(figures.map(|(name, value)| (format!("tusimple_{name}"), value)).into())
        }
        Input::Culane { culane } => {
            let protocol = CulaneProtocol::default();
            let (mut counts, mut iou) = (CulaneCounts::default(), 0.0);
            for (truth, predicted) in &culane {
                counts.add(&culane_image(truth, predicted, &protocol).map_err(|e| e.to_string())?);
                for t in truth {
                    iou += predicted.iter().map(|p| lane_iou(t, p, &protocol)).sum::<f64>();
                }
            }
            let figures = [
                ("tp", counts.tp as f64),
                ("fp", counts.fp as f64),
                ("fn", counts.fn_ as f64),
                ("F1", counts.f1().unwrap_or(f64::NAN)),
                ("sum of IoU", iou),
            ];
            Ok(figures.map(|(name, value)| (format!("culane_{name}"), value)).into())
        }
    }
}
