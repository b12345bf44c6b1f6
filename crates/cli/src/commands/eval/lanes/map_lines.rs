//! MapTR's files: `GTs` of truth and `results` of predictions, lists of frames in one order.

use std::collections::HashMap;
use std::path::Path;

use ommatidia_metrics::lanes::{ChamferMapProtocol, MapFrame, MapLine, evaluate_chamfer_map};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_store::results::json;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::runs::Evaluated;
use super::describe;
use crate::failure::Failure;

#[derive(Deserialize)]
struct Truth {
    #[serde(rename = "GTs")]
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Predictions {
    results: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    sample_token: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    pts: Vec<[f64; 2]>,
    #[serde(rename = "type")]
    class: i64,
    #[serde(default)]
    confidence_level: f64,
}

const RULES: &[(&str, MetricRule)] = &[("map", MetricRule::SCORE)];

pub(super) fn run(truth: &Path, predictions: &Path) -> Result<Evaluated, Failure> {
    let truth_frames: Truth = json::read(truth)?;
    let predicted: Predictions = json::read(predictions)?;
    let at = |what: String| Failure::input(format!("{}: {what}", predictions.display()));
    let mut by_token: HashMap<String, Vec<Vector>> = HashMap::new();
    for frame in predicted.results {
        let token = frame.sample_token;
        if by_token.insert(token.clone(), frame.vectors).is_some() {
            return Err(at(format!("sample {token} was there before")));
        }
    }
    let protocol = ChamferMapProtocol::default();
    let (mut frames, mut tokens) = (Vec::new(), Vec::new());
    for frame in truth_frames.frames {
        let token = frame.sample_token;
        let own = by_token
            .remove(&token)
            .ok_or_else(|| at(format!("sample {token} of the truth is missing")))?;
        let lines = |side: &Path, vectors: Vec<Vector>| -> Result<Vec<MapLine>, Failure> {
            vectors.into_iter().enumerate().map(|(i, v)| line(side, &token, i, v)).collect()
        };
        frames.push(MapFrame {
            truth: lines(truth, frame.vectors)?,
            predicted: lines(predictions, own)?,
        });
        tokens.push(token);
    }
    if let Some(token) = by_token.keys().min() {
        return Err(at(format!("sample {token} is none of the truth's")));
    }
    let report = evaluate_chamfer_map(&frames, &protocol).map_err(|cause| at(cause.to_string()))?;
    let mut run = Run::new("lanes", RULES);
    for (token, frame) in tokens.into_iter().zip(&frames) {
        let alone = evaluate_chamfer_map(std::slice::from_ref(frame), &protocol);
        let alone = alone.map_err(|cause| at(cause.to_string()))?;
        // A frame's mean is over the classes that it has.
        let present = alone.per_class.iter().zip(&alone.truths).filter(|(_, n)| **n > 0);
        let sum: f64 = present.clone().map(|(ap, _)| ap).sum();
        let share = Share { sum, weight: present.count() as f64 };
        run.records.push(Record::new(token, "").with("map", share));
    }
    let per_class: Map<String, Value> = protocol
        .classes
        .iter()
        .zip(&report.per_class)
        .map(|(name, ap)| (name.clone(), json!(ap)))
        .collect();
    let result = json!({
        "map": report.map,
        "per_class": per_class,
        "frames": frames.len(),
        "skipped_predictions": report.skipped_predictions,
    });
    Ok(Evaluated { text: describe(&result, &["map"]), result, run })
}

fn line(side: &Path, token: &str, index: usize, vector: Vector) -> Result<MapLine, Failure> {
    let class = usize::try_from(vector.class).map_err(|_| {
        let what = format!("vector {index} of sample {token}: type {}", vector.class);
        Failure::input(format!("{}: {what} is no class", side.display()))
    })?;
    Ok(MapLine { class, points_m: vector.pts, confidence: vector.confidence_level })
}
