//! COCO's average precision of masks and boxes.

use ommatidia_metrics::coco::CocoProtocol;
use ommatidia_metrics::instances::{
    Mask, Overlap, PredictedInstance, Region, TrueInstance, average_precision,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    size: [u32; 2],
    classes: usize,
    images: Vec<Image>,
}

#[derive(Deserialize)]
struct Image {
    /// Class, run lengths as text, crowd.
    truth: Vec<(usize, String, bool)>,
    /// Class, run lengths as text, score.
    predicted: Vec<(usize, String, f64)>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let [width, height] = input.size;
    let mask = |text: &str| {
        Mask::from_text(width, height, text.as_bytes()).map_err(|cause| cause.to_string())
    };
    let mut images = Vec::new();
    for image in &input.images {
        let truth = image.truth.iter().map(|(class, text, crowd)| {
            let mask = mask(text)?;
            let area = mask.area() as f64;
            Ok(TrueInstance { class: *class, area, region: Region::Mask(mask), crowd: *crowd })
        });
        let predicted = image.predicted.iter().map(|(class, text, score)| {
            Ok(PredictedInstance {
                class: *class,
                region: Region::Mask(mask(text)?),
                score: *score,
            })
        });
        let truth: Vec<TrueInstance> = truth.collect::<Result<_, String>>()?;
        let predicted: Vec<PredictedInstance> = predicted.collect::<Result<_, String>>()?;
        images.push((truth, predicted));
    }
    let mut figures = Figures::new();
    for (name, overlap) in [("mask", Overlap::Masks), ("box", Overlap::Boxes)] {
        let pairs = images.iter().map(|(truth, predicted)| (&truth[..], &predicted[..]));
        let (report, _) = average_precision(pairs, input.classes, overlap, CocoProtocol::default())
            .map_err(|cause| cause.to_string())?;
        let stats = [
            ("ap", report.ap),
            ("ap50", report.ap_at[0]),
            ("ap75", report.ap_at[5]),
            ("ap small", report.ap_by_area[1]),
            ("ap medium", report.ap_by_area[2]),
            ("ap large", report.ap_by_area[3]),
            ("ar 1", report.ar[0]),
            ("ar 10", report.ar[1]),
            ("ar 100", report.ar[2]),
            ("ar small", report.ar_by_area[1]),
            ("ar medium", report.ar_by_area[2]),
            ("ar large", report.ar_by_area[3]),
        ];
        for (figure, value) in stats {
            figures.insert(format!("{name} {figure}"), value.unwrap_or(-1.0));
        }
    }
    Ok(figures)
}
