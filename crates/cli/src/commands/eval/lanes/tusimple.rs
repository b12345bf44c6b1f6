//! TuSimple's files: an image per line.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ommatidia_metrics::lanes::{TusimpleImage, tusimple_image, tusimple_report};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_store::results::json;
use serde::Deserialize;

use super::super::files::scene_and_frame;
use super::super::runs::Evaluated;
use super::describe;
use crate::failure::Failure;

#[derive(Deserialize)]
struct Truth {
    raw_file: String,
    lanes: Vec<Vec<f64>>,
    h_samples: Vec<f64>,
}

#[derive(Deserialize)]
struct Prediction {
    raw_file: String,
    lanes: Vec<Vec<f64>>,
    run_time: f64,
}

const RULES: &[(&str, MetricRule)] =
    &[("accuracy", MetricRule::SCORE), ("fp", MetricRule::ERROR), ("fn", MetricRule::ERROR)];

pub(super) fn run(truth: &Path, predictions: &Path) -> Result<Evaluated, Failure> {
    let mut images: HashMap<String, Truth> = HashMap::new();
    for (line, image) in json::read_lines::<Truth>(truth)? {
        let name = image.raw_file.clone();
        if images.insert(name.clone(), image).is_some() {
            let what = format!("{} line {line}: {name} was there before", truth.display());
            return Err(Failure::input(what));
        }
    }
    let mut run = Run::new("lanes", RULES);
    let (mut scores, mut seen) = (Vec::new(), HashSet::new());
    for (line, prediction) in json::read_lines::<Prediction>(predictions)? {
        let at =
            |what: String| Failure::input(format!("{} line {line}: {what}", predictions.display()));
        let name = prediction.raw_file;
        let image = images
            .get(&name)
            .ok_or_else(|| at(format!("{name} is none of the {} true images", images.len())))?;
        if !seen.insert(name.clone()) {
            return Err(at(format!("{name} was there before")));
        }
        let score = tusimple_image(&TusimpleImage {
            truth_px: image.lanes.clone(),
            predicted_px: prediction.lanes,
            rows_px: image.h_samples.clone(),
            run_time_ms: prediction.run_time,
        })
        .map_err(|cause| at(cause.to_string()))?;
        let (scene, frame) = scene_and_frame(Path::new(&name));
        run.records.push(
            Record::new(scene, frame)
                .with("accuracy", Share::mean(score.accuracy, 1.0))
                .with("fp", Share::mean(score.false_positive, 1.0))
                .with("fn", Share::mean(score.false_negative, 1.0)),
        );
        scores.push(score);
    }
    if seen.len() != images.len() {
        let missing = images.keys().filter(|name| !seen.contains(*name)).min();
        let what = format!(
            "{}: has {} of {} images; {} is missing",
            predictions.display(),
            seen.len(),
            images.len(),
            missing.map_or("none", String::as_str)
        );
        return Err(Failure::input(what));
    }
    let report = tusimple_report(&scores)
        .ok_or_else(|| Failure::input(format!("{}: holds no images", truth.display())))?;
    let result = serde_json::to_value(report).map_err(Failure::input)?;
    Ok(Evaluated { text: describe(&result, &["accuracy", "fp", "fn", "f1"]), result, run })
}
