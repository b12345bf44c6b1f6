//! Pages about trainings: from their folders to what is shown.

use std::path::{Path, PathBuf};

use ommatidia_model::is_error;
use ommatidia_view::report::{RecordedNumber, TrainingInput, TrainingRun};
use serde_json::Value;

use crate::commands::runs::differing;
use crate::failure::Failure;
use crate::run_folder::{RunFolder, find};

/// The runs in a folder, if it is one of a training or holds some.
pub(super) fn runs_in(folder: &Path) -> Vec<PathBuf> {
    find(folder)
}

/// What a page about these runs shows.
pub(super) fn gather(folder: &Path, runs: &[PathBuf]) -> Result<TrainingInput, Failure> {
    let runs = runs.iter().map(|run| RunFolder::read(run)).collect::<Result<Vec<_>, _>>()?;
    let title = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
    Ok(TrainingInput {
        title,
        differing: differing(&runs),
        runs: runs.into_iter().map(shown).collect(),
        is_error,
    })
}

fn shown(run: RunFolder) -> TrainingRun {
    let point = |row: &ommatidia_train::run::MetricRow| RecordedNumber {
        step: row.step,
        split: row.split.clone(),
        name: row.name.clone(),
        value: row.value,
    };
    let kept = run.rows.iter().filter(|row| row.split != ommatidia_train::run::BASELINE);
    TrainingRun {
        name: run.name(),
        facts: facts(&run),
        points: kept.map(point).collect(),
        baselines: run.baselines(),
        settings: run.settings.clone(),
    }
}

/// What stands at the head of a page.
fn facts(run: &RunFolder) -> Vec<(String, String)> {
    let mut facts = vec![("steps".to_owned(), format!("{} of {}", run.steps(), run.all_steps()))];
    let mut add = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    let data = |name: &str| run.config.pointer(name).and_then(Value::as_u64);
    let batch = data("/data/microbatches").zip(data("/data/samples")).map(|(m, n)| m * n);
    add("samples a step", batch.map(|n| n.to_string()));
    add("samples/s", run.last("train", "samples_per_s").map(|rate| format!("{rate:.2}")));
    let waiting = run.last("train", "data_wait_share");
    add("waiting for data", waiting.map(|share| format!("{:.1} %", 100.0 * share)));
    let count = |pointer: &str| {
        let inputs = run.about.pointer(pointer).and_then(Value::as_array)?;
        // A clip and its labels are an input each.
        let clip = |input: &&Value| input["name"].as_str().is_some_and(|n| n.ends_with(".mcap"));
        let clips = inputs.iter().filter(clip).count();
        Some(match clips {
            0 if inputs.len() == 1 => "1 folder".to_owned(),
            0 => format!("{} folders", inputs.len()),
            1 => "1 clip".to_owned(),
            clips => format!("{clips} clips"),
        })
    };
    add("learnt from", count("/provenance/inputs"));
    add("measured on", count("/validation"));
    add("seed", run.about["seed"].as_u64().map(|seed| seed.to_string()));
    add("ranks", run.about.pointer("/environment/ranks").map(Value::to_string));
    add(
        "device",
        run.about.pointer("/environment/device").and_then(Value::as_str).map(str::to_owned),
    );
    add("code", run.about.pointer("/provenance/code").and_then(Value::as_str).map(str::to_owned));
    facts
}
