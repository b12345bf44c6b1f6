//! `omma eval calibration`: rigs, or confidences.

use std::path::{Path, PathBuf};

use clap::Args;
use ommatidia_metrics::calibration::{
    ConfidenceProtocol, evaluate_confidences, intrinsics_error, pose_error,
};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_scene::Rig;
use ommatidia_store::{ClipReader, formats};
use serde_json::{Value, json};

use super::runs::Evaluated;
use super::{is_clip, open_labels};
use crate::failure::Failure;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct CalibrationArguments {
    /// Estimated rig: a rig file, a clip or labels; or confidences as CSV, `confidence,right` per line
    #[arg(long, visible_alias = "labels", value_name = "RIG|CLIP|DIR|CSV")]
    predictions: PathBuf,
    /// True rig: a rig file, a clip or labels; not for confidences, which hold their truth
    #[arg(long, value_name = "RIG|CLIP|DIR")]
    truth: Option<PathBuf>,
    /// Bins of the expected calibration error
    #[arg(long, default_value_t = 15, value_name = "COUNT")]
    bins: usize,
}

pub(super) fn run(arguments: &CalibrationArguments) -> Result<Evaluated, Failure> {
    match &arguments.truth {
        Some(truth) => rigs(&rig(truth)?, &rig(&arguments.predictions)?),
        None => confidences(&arguments.predictions, arguments.bins),
    }
}

fn rig(path: &Path) -> Result<Rig, Failure> {
    if path.is_dir() {
        return Ok(open_labels(path)?.manifest().rig.clone());
    }
    if is_clip(path) {
        return Ok(ClipReader::open(path)?.clip().rig.clone());
    }
    Ok(formats::read_rig(path)?)
}

const RULES: &[(&str, MetricRule)] = &[
    ("rotation_deg", MetricRule::ERROR),
    ("translation_m", MetricRule::ERROR),
    ("focal_px", MetricRule::ERROR),
    ("principal_point_px", MetricRule::ERROR),
];

/// Cameras and lidars pair by name; mountings are compared relative to the first camera too, which does not
/// depend on where the vehicle's origin is.
fn rigs(truth: &Rig, estimate: &Rig) -> Result<Evaluated, Failure> {
    let mut run = Run::new("calibration", RULES);
    let (mut cameras, mut missing) = (serde_json::Map::new(), Vec::new());
    let first = truth
        .cameras
        .iter()
        .find_map(|t| Some((t, estimate.cameras.iter().find(|e| e.name == t.name)?)));
    for t in &truth.cameras {
        let Some(e) = estimate.cameras.iter().find(|e| e.name == t.name) else {
            missing.push(t.name.clone());
            continue;
        };
        let mount = pose_error(&t.ego_from_camera, &e.ego_from_camera);
        let relative = first.map(|(t0, e0)| {
            let from_first = |a: &ommatidia_scene::CameraSensor,
                              b: &ommatidia_scene::CameraSensor| {
                a.ego_from_camera.inverse() * b.ego_from_camera
            };
            pose_error(&from_first(t0, t), &from_first(e0, e))
        });
        let inner = intrinsics_error(
            t.intrinsics.focal_px(),
            e.intrinsics.focal_px(),
            t.intrinsics.principal_point_px(),
            e.intrinsics.principal_point_px(),
        );
        run.records.push(
            Record::new(t.name.clone(), "")
                .with("rotation_deg", Share::mean(mount.rotation_deg, 1.0))
                .with("translation_m", Share::mean(mount.translation_m, 1.0))
                .with("focal_px", Share::mean(inner.focal_px, 1.0))
                .with("principal_point_px", Share::mean(inner.principal_point_px, 1.0)),
        );
        let value = json!({ "mount": mount, "from_first_camera": relative, "intrinsics": inner });
        cameras.insert(t.name.clone(), value);
    }
    if cameras.is_empty() {
        let names: Vec<&str> = truth.cameras.iter().map(|c| &c.name[..]).collect();
        let what = format!("no camera is in both rigs; the truth has {}", names.join(", "));
        return Err(Failure::input(what));
    }
    let mut result = json!({ "cameras": cameras, "not_estimated": missing });
    for (name, _) in RULES {
        result[*name] = run.value(name).into();
    }
    let text = describe(&result, &RULES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    Ok(Evaluated { result, text, run })
}

fn confidences(path: &Path, bins: usize) -> Result<Evaluated, Failure> {
    let text = ommatidia_store::results::text::read(path)?;
    let (mut confidences, mut right) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || (i == 0 && line.starts_with("confidence")) {
            continue;
        }
        let (confidence, outcome) = row(line).ok_or_else(|| {
            let what = "is not `confidence,right` with right as 0 or 1";
            Failure::input(format!("{} line {}: {line:?} {what}", path.display(), i + 1))
        })?;
        confidences.push(confidence);
        right.push(outcome);
    }
    let report = evaluate_confidences(&confidences, &right, &ConfidenceProtocol { bins })
        .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
    let mut run = Run::new("calibration", &[("brier", MetricRule::ERROR)]);
    run.records = confidences
        .iter()
        .zip(&right)
        .enumerate()
        .map(|(i, (c, &r))| {
            let squared = (c - f64::from(u8::from(r))).powi(2);
            Record::new(format!("{i:09}"), "").with("brier", Share::mean(squared, 1.0))
        })
        .collect();
    let result = serde_json::to_value(&report).map_err(Failure::input)?;
    let text = describe(&result, &["ece", "mce", "rmsce", "brier", "log_loss"]);
    Ok(Evaluated { result, text, run })
}

fn row(line: &str) -> Option<(f64, bool)> {
    let (confidence, right) = line.split_once(',')?;
    let right = match right.trim() {
        "1" | "true" => true,
        "0" | "false" => false,
        _ => return None,
    };
    Some((confidence.trim().parse().ok()?, right))
}

fn describe(result: &Value, names: &[&str]) -> String {
    let row = |name: &&str| {
        result[*name].as_f64().map(|value| vec![(*name).to_owned(), format!("{value:.5}")])
    };
    output::table(&["calibration", "value"], names.iter().filter_map(row))
}
