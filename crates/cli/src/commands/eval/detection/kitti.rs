//! KITTI's text: `label_2` against a folder of results, a file per image.

use std::path::Path;

use ommatidia_metrics::detection::kitti::{
    KittiImage, KittiObject, KittiProtocol, KittiReport, evaluate,
};
use ommatidia_metrics::statistics::Run;
use ommatidia_store::results::kitti::{self, KittiRow};
use rayon::prelude::*;
use serde_json::json;

use super::super::pairs::{FilePair, pair_by_name};
use super::super::protocol::resolve;
use super::super::runs::Evaluated;
use crate::failure::Failure;
use crate::output;

/// Average precision of all images. Every image needs a file of results, an empty one where nothing was found.
pub(super) fn run(
    truth: &Path,
    predictions: &Path,
    protocol: Option<&str>,
) -> Result<Evaluated, Failure> {
    let protocol: KittiProtocol = resolve(protocol)?;
    let pairs = pair_by_name(truth, predictions, &[".txt"])?;
    let images: Vec<KittiImage> = pairs.par_iter().map(image).collect::<Result<_, _>>()?;
    let known = |object: &KittiObject| protocol.classes.iter().any(|c| c.name == object.class);
    if !images.iter().any(|image| image.truth.iter().any(known)) {
        let what = "no file has an object of the protocol's classes; there is nothing to find";
        return Err(Failure::input(format!("{}: {what}", truth.display())));
    }
    let report = evaluate(&images, &protocol).map_err(super::super::between(truth, predictions))?;
    let text = describe(&report, &protocol);
    let result = json!({ "per_class": report, "images": images.len() });
    Ok(Evaluated { result, text, run: Run::new("detection", &[]) })
}

fn image(pair: &FilePair) -> Result<KittiImage, Failure> {
    let objects = |path: &Path, predicted: bool| -> Result<Vec<KittiObject>, Failure> {
        kitti::read(path, false)?.into_iter().map(|row| object(path, row, predicted)).collect()
    };
    Ok(KittiImage {
        name: pair.name.clone(),
        truth: objects(&pair.truth, false)?,
        predicted: objects(&pair.predicted, true)?,
    })
}

fn object(path: &Path, row: KittiRow, predicted: bool) -> Result<KittiObject, Failure> {
    let score = match (row.score, predicted) {
        (Some(score), true) => score,
        (None, true) => {
            let (path, line) = (path.display(), row.line);
            let what = "has 15 columns; a result has its score as the 16th";
            return Err(Failure::input(format!("{path}: line {line}: {what}")));
        }
        (_, false) => 0.0,
    };
    Ok(KittiObject {
        class: row.class,
        truncation: row.truncation,
        occlusion: row.occlusion,
        alpha_rad: row.alpha_rad,
        bounds_px: row.bounds_px,
        size_m: row.size_m,
        location_m: row.location_m,
        rotation_y_rad: row.rotation_y_rad,
        score,
    })
}

/// A row for each class and overlap: average precision at 40 recalls by difficulty, in percent as KITTI prints it.
fn describe(report: &KittiReport, protocol: &KittiProtocol) -> String {
    let mut header = vec!["AP40, %", "overlap"];
    header.extend(protocol.difficulties.iter().map(|difficulty| difficulty.name.as_str()));
    let mut rows = Vec::new();
    for (class, overlaps) in report {
        for (overlap, difficulties) in overlaps {
            let mut row = vec![class.clone(), (*overlap).to_owned()];
            let of = |difficulty: &ommatidia_metrics::detection::kitti::Difficulty| {
                let found = difficulties.get(&difficulty.name);
                found.map_or("-".to_owned(), |figures| format!("{:.2}", 100.0 * figures.ap40))
            };
            row.extend(protocol.difficulties.iter().map(of));
            rows.push(row);
        }
    }
    output::table(&header, rows)
}
