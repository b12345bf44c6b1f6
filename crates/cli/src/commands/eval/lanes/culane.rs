//! CULane's folders of `.lines.txt`.

use std::fs;
use std::path::{Path, PathBuf};

use ommatidia_metrics::lanes::{CulaneCounts, CulaneProtocol, culane_image};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_store::results::culane;
use serde_json::json;

use super::super::files::{scene_and_frame, under};
use super::super::runs::Evaluated;
use super::describe;
use crate::failure::Failure;

const ENDING: &str = ".lines.txt";
const RULES: &[(&str, MetricRule)] =
    &[("f1", MetricRule::SCORE), ("precision", MetricRule::SCORE), ("recall", MetricRule::SCORE)];

pub(super) fn run(
    truth: &Path,
    predictions: &Path,
    list: Option<&Path>,
) -> Result<Evaluated, Failure> {
    let names = match list {
        Some(list) => listed(list)?,
        None => under(truth, &[ENDING])?,
    };
    let protocol = CulaneProtocol::default();
    let (mut counts, mut absent) = (CulaneCounts::default(), 0usize);
    let mut run = Run::new("lanes", RULES);
    for name in &names {
        let true_lanes = culane::read(&truth.join(name))?;
        let path = predictions.join(name);
        // The official program takes a missing file for an image without lanes.
        let lanes = if path.is_file() {
            culane::read(&path)?
        } else {
            absent += 1;
            Vec::new()
        };
        let own = culane_image(&true_lanes, &lanes, &protocol)
            .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
        counts.add(&own);
        let (scene, frame) = scene_and_frame(name);
        let (tp, fp, fn_) = (own.tp as f64, own.fp as f64, own.fn_ as f64);
        run.records.push(
            Record::new(scene, frame)
                .with("f1", Share { sum: 2.0 * tp, weight: 2.0 * tp + fp + fn_ })
                .with("precision", Share { sum: tp, weight: tp + fp })
                .with("recall", Share { sum: tp, weight: tp + fn_ }),
        );
    }
    if absent == names.len() {
        let what = "holds none of the true images' files";
        return Err(Failure::input(format!("{}: {what}", predictions.display())));
    }
    if absent > 0 {
        tracing::warn!("{absent} images without a prediction count as without lanes");
    }
    let result = json!({
        "f1": counts.f1(),
        "precision": counts.precision(),
        "recall": counts.recall(),
        "tp": counts.tp,
        "fp": counts.fp,
        "fn": counts.fn_,
        "images": names.len(),
        "images_without_prediction": absent,
    });
    Ok(Evaluated { text: describe(&result, &["f1", "precision", "recall"]), result, run })
}

/// Files of the images of a list, such as `/driver_23_30frame/05151640_0419.MP4/00000.jpg`.
fn listed(list: &Path) -> Result<Vec<PathBuf>, Failure> {
    let text =
        fs::read_to_string(list).map_err(|cause| ommatidia_store::Error::read(list, cause))?;
    let name = |line: &str| {
        let image = line.split_whitespace().next().unwrap_or_default().trim_start_matches('/');
        let stem = image.rsplit_once('.').map_or(image, |(stem, _)| stem);
        PathBuf::from(format!("{stem}{ENDING}"))
    };
    let names: Vec<PathBuf> =
        text.lines().filter(|line| !line.trim().is_empty()).map(name).collect();
    if names.is_empty() {
        return Err(Failure::input(format!("{}: lists no images", list.display())));
    }
    Ok(names)
}
