//! `omma eval keypoints`: persons in images, in COCO's files, or people in space, in labels.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use clap::Args;
use ommatidia_metrics::keypoints::{
    ImageShare, JointErrors, JointsInSpace, OksProtocol, OksReport, PredictedPerson, TruePerson,
    compare_people, evaluate_oks,
};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_scene::{Keypoint, Object};
use ommatidia_store::results::json;
use serde::Deserialize;

use super::runs::{Evaluated, frame_record};
use super::{Truth, open_labels, open_truth};
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct KeypointArguments {
    /// Predicted persons: COCO's list of results, JSON, or a labels directory
    #[arg(long, visible_alias = "labels", value_name = "RESULTS.json|DIR")]
    predictions: PathBuf,
    /// Annotated persons: COCO's `person_keypoints_*.json`, or a labels directory
    #[arg(long, value_name = "ANNOTATIONS.json|DIR")]
    truth: PathBuf,
}

#[derive(Deserialize)]
struct CocoTruth {
    images: Vec<CocoImage>,
    annotations: Vec<CocoAnnotation>,
    #[serde(default)]
    categories: Vec<CocoCategory>,
}

#[derive(Deserialize)]
struct CocoCategory {
    id: u64,
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
    if arguments.predictions.is_dir() {
        return in_space(&arguments.truth, &arguments.predictions);
    }
    let truth: CocoTruth = json::read(&arguments.truth)?;
    let results: Vec<CocoResult> = json::read(&arguments.predictions)?;
    let known: BTreeSet<u64> = truth
        .categories
        .iter()
        .map(|category| category.id)
        .chain(truth.annotations.iter().map(|annotation| annotation.category_id))
        .collect();
    if let Some(row) = results.iter().position(|result| !known.contains(&result.category_id)) {
        let (file, category) = (arguments.predictions.display(), results[row].category_id);
        return Err(Failure::input(format!(
            "{file}: row {row}: category {category} is not in the truth"
        )));
    }
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

/// People farther apart in the mean of their joints are not the same, metres.
const SAME_PERSON_M: f64 = 1.0;

const RULES_IN_SPACE: &[(&str, MetricRule)] = &[
    ("mpjpe_m", MetricRule::ERROR),
    ("pa_mpjpe_m", MetricRule::ERROR),
    ("recall", MetricRule::SCORE),
    ("precision", MetricRule::SCORE),
];

/// People of labels against people of labels.
fn in_space(truth: &Path, predictions: &Path) -> Result<Evaluated, Failure> {
    let labels = open_labels(predictions)?;
    let Truth::Labels(truth) = open_truth(truth, &labels)? else {
        return Err(Failure::input(
            "a clip holds no people to compare with; give a labels directory as --truth",
        ));
    };
    let mut run = Run::new("keypoints", RULES_IN_SPACE);
    let mut all = Vec::new();
    let mut skipped = 0;
    let fail = super::between_labels(&truth, &labels);
    for timestamp in super::all_frames(&labels, &truth) {
        let pair = (labels.objects(timestamp)?, truth.objects(timestamp)?);
        skipped += usize::from(pair.0.is_some() != pair.1.is_some());
        let (Some(own), Some(true_objects)) = pair else { continue };
        let found =
            compare_people(&people(&true_objects), &people(&own), SAME_PERSON_M).map_err(&fail)?;
        let sum = |of: fn(&JointErrors) -> f64| found.found.iter().map(of).sum::<f64>();
        let count = found.found.len() as f64;
        let share = |sum| Share { sum, weight: count };
        run.records.push(
            frame_record(&labels.manifest().clip.id, timestamp)
                .with("mpjpe_m", share(sum(|e| e.mpjpe_m)))
                .with("pa_mpjpe_m", share(sum(|e| e.procrustes_m)))
                .with("recall", Share { sum: count, weight: count + found.missed as f64 })
                .with("precision", Share { sum: count, weight: count + found.false_people as f64 }),
        );
        all.extend(found.found);
    }
    if run.records.is_empty() {
        let (labels, truth) = (labels.directory().display(), truth.directory().display());
        let what = format!("{labels} against {truth}: no frame has objects on both sides");
        return Err(Failure::input(what));
    }
    let mut result = serde_json::json!({
        "people_found": all.len(), "frames": run.records.len(), "skipped_frames": skipped,
    });
    for (name, _) in RULES_IN_SPACE {
        result[*name] = run.value(name).into();
    }
    let row = |(name, _): &(&str, MetricRule)| {
        vec![(*name).to_owned(), run.value(name).map_or("-".to_owned(), |v| format!("{v:.4}"))]
    };
    let rows = RULES_IN_SPACE.iter().map(row).chain(super::skipped_row(skipped));
    let text = output::table(&["keypoints", "value"], rows);
    Ok(Evaluated { result, text, run })
}

/// Joints of the objects that have any; those of no confidence are not known, and who has no known joint is hidden:
/// there is nothing to compare, on either side.
fn people(objects: &[Object]) -> Vec<JointsInSpace> {
    let joint = |k: &Keypoint| (k.confidence > 0.0).then(|| k.p_in_ego_m.map(f64::from));
    let with = objects.iter().filter(|object| !object.keypoints.is_empty());
    with.map(|object| object.keypoints.iter().map(joint).collect::<JointsInSpace>())
        .filter(|joints| joints.iter().any(Option::is_some))
        .collect()
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
