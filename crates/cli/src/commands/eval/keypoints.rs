//! `omma eval keypoints`: persons in images, in COCO's files.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use ommatidia_metrics::keypoints::{
    ImageShare, OksProtocol, OksReport, PredictedPerson, TruePerson, evaluate_oks,
};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_store::results::json;
use serde::Deserialize;

use super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct KeypointArguments {
    /// Predicted persons: COCO's list of results, JSON
    #[arg(long, value_name = "RESULTS.json")]
    predictions: PathBuf,
    /// Annotated persons: COCO's `person_keypoints_*.json`
    #[arg(long, value_name = "ANNOTATIONS.json")]
    truth: PathBuf,
}

#[derive(Deserialize)]
struct CocoTruth {
    images: Vec<CocoImage>,
    annotations: Vec<CocoAnnotation>,
}

#[derive(Deserialize)]
struct CocoImage {
    id: u64,
    #[serde(default)]
    file_name: String,
}

#[derive(Deserialize)]
struct CocoAnnotation {
    image_id: u64,
    category_id: u64,
    keypoints: Vec<f64>,
    area: f64,
    bbox: [f64; 4],
    #[serde(default)]
    iscrowd: u8,
    num_keypoints: usize,
}

#[derive(Deserialize)]
struct CocoResult {
    image_id: u64,
    category_id: u64,
    keypoints: Vec<f64>,
    /// NaN is no JSON; some tools write `null` for it.
    score: Option<f64>,
}

const RULES: &[(&str, MetricRule)] = &[
    ("ar", MetricRule::SCORE),
    ("recall50", MetricRule::SCORE),
    ("precision50", MetricRule::SCORE),
];

pub(super) fn run(arguments: &KeypointArguments) -> Result<Evaluated, Failure> {
    let truth: CocoTruth = json::read(&arguments.truth)?;
    let results: Vec<CocoResult> = json::read(&arguments.predictions)?;
    let images: Vec<u64> = truth.images.iter().map(|image| image.id).collect();
    let names: HashMap<u64, String> =
        truth.images.into_iter().map(|image| (image.id, image.file_name)).collect();
    let persons: Vec<TruePerson> = truth.annotations.into_iter().map(person).collect();
    let predicted: Vec<PredictedPerson> = results.into_iter().map(prediction).collect();
    let (report, shares) = evaluate_oks(&images, &persons, &predicted, &OksProtocol::default())
        .map_err(|cause| Failure::input(format!("{}: {cause}", arguments.predictions.display())))?;
    let mut run = Run::new("keypoints", RULES);
    run.records = shares.iter().map(|share| record(share, &names)).collect();
    let mut result = serde_json::to_value(report).map_err(Failure::input)?;
    result["images"] = images.len().into();
    result["persons"] = persons.len().into();
    result["predictions"] = predicted.len().into();
    Ok(Evaluated { text: describe(&report), result, run })
}

fn triples(flat: &[f64]) -> Vec<[f64; 3]> {
    flat.chunks(3).map(|k| std::array::from_fn(|i| k.get(i).copied().unwrap_or(f64::NAN))).collect()
}

fn person(annotation: CocoAnnotation) -> TruePerson {
    TruePerson {
        image: annotation.image_id,
        category: annotation.category_id,
        keypoints: triples(&annotation.keypoints),
        area_px2: annotation.area,
        box_px: annotation.bbox,
        crowd: annotation.iscrowd != 0,
        labelled: annotation.num_keypoints,
    }
}

fn prediction(result: CocoResult) -> PredictedPerson {
    PredictedPerson {
        image: result.image_id,
        category: result.category_id,
        keypoints: triples(&result.keypoints),
        score: result.score.unwrap_or(f64::NAN),
    }
}

/// An image's part: images are independent, so each is a scene.
fn record(share: &ImageShare, names: &HashMap<u64, String>) -> Record {
    let name = names.get(&share.image).filter(|name| !name.is_empty());
    let name = name.cloned().unwrap_or_else(|| share.image.to_string());
    let persons = share.persons as f64;
    let found = share.found50 as f64;
    Record::new(name, "")
        .with("ar", Share { sum: share.found, weight: persons })
        .with("recall50", Share { sum: found, weight: persons })
        .with("precision50", Share { sum: found, weight: found + share.wrong50 as f64 })
}

fn describe(report: &OksReport) -> String {
    let rows = [
        ("AP", report.ap),
        ("AP 0.50", report.ap50),
        ("AP 0.75", report.ap75),
        ("AP medium", report.ap_medium),
        ("AP large", report.ap_large),
        ("AR", report.ar),
        ("AR 0.50", report.ar50),
        ("AR 0.75", report.ar75),
        ("AR medium", report.ar_medium),
        ("AR large", report.ar_large),
    ];
    let row = |(name, value): (&str, Option<f64>)| {
        vec![name.to_owned(), value.map_or("-".to_owned(), |v| format!("{v:.4}"))]
    };
    output::table(&["keypoints", "value"], rows.map(row))
}
