//! `omma runs DIR…`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_train::checkpoint::differences;
use ommatidia_train::run::{self, MetricRow};
use serde::Serialize;
use serde_json::Value;

use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// List trainings and compare them: how far they are, their last scores, and where their settings differ
#[derive(Debug, Args)]
pub(crate) struct RunsArguments {
    /// Folders of runs, or folders of such
    #[arg(default_value = ".")]
    folders: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct RunSummary {
    run: PathBuf,
    steps: u64,
    of: u64,
    loss: Option<f64>,
    samples_per_s: Option<f64>,
    metrics: BTreeMap<String, f64>,
    #[serde(skip)]
    config: Value,
}

#[derive(Serialize)]
struct Listed {
    runs: Vec<RunSummary>,
    /// Settings in which a run differs from the first, `name: first, this`.
    differences: BTreeMap<String, Vec<String>>,
}

pub(crate) fn run(arguments: &RunsArguments, common: &Common) -> Result<ExitCode, Failure> {
    let mut folders = Vec::new();
    for folder in &arguments.folders {
        folders.extend(find(folder));
    }
    if folders.is_empty() {
        let looked: Vec<String> =
            arguments.folders.iter().map(|folder| folder.display().to_string()).collect();
        return Err(Failure::input(format!(
            "no run in {}; omma train makes one",
            looked.join(", ")
        )));
    }
    let runs = folders.iter().map(|folder| read(folder)).collect::<Result<Vec<_>, _>>()?;
    let first = runs[0].config.clone();
    let differ = |run: &RunSummary| {
        let found = differences(&first, &run.config, "first");
        (!found.is_empty()).then(|| (run.run.display().to_string(), found))
    };
    let differences = runs.iter().filter_map(differ).collect();
    let listed = Listed { runs, differences };
    output::print(common, &listed, || describe(&listed))
}

/// The folder if it is a run, or the runs within, by name.
fn find(folder: &Path) -> Vec<PathBuf> {
    let is_run = |folder: &PathBuf| folder.join(run::RUN).is_file();
    if is_run(&folder.to_owned()) {
        return vec![folder.to_owned()];
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_run).collect();
    found.sort();
    found
}

fn read(folder: &Path) -> Result<RunSummary, Failure> {
    let path = folder.join(run::CONFIG);
    let text = std::fs::read_to_string(&path)
        .map_err(|cause| ommatidia_store::Error::read(&path, cause))?;
    let config: toml::Table = toml::from_str(&text)
        .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
    let rows = run::read_metrics(&folder.join(run::METRICS))?;
    let last = |split: &str, name: &str| {
        let of = |row: &&MetricRow| row.split == split && row.name == name;
        rows.iter().rev().find(of).map(|row| row.value)
    };
    let validated = rows.iter().filter(|row| row.split == "val");
    let of = config.get("steps").and_then(toml::Value::as_integer).unwrap_or(0);
    Ok(RunSummary {
        run: folder.to_owned(),
        steps: rows.iter().map(|row| row.step).max().unwrap_or(0),
        of: u64::try_from(of).unwrap_or(0),
        loss: last("train", "loss"),
        samples_per_s: last("train", "samples_per_s"),
        // The last of a name stays.
        metrics: validated.map(|row| (row.name.clone(), row.value)).collect(),
        config: serde_json::to_value(config).map_err(Failure::input)?,
    })
}

fn describe(listed: &Listed) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let row = |run: &RunSummary| {
        let scores: Vec<String> =
            run.metrics.iter().take(4).map(|(name, value)| format!("{name} {value:.4}")).collect();
        vec![
            run.run.display().to_string(),
            format!("{}/{}", run.steps, run.of),
            number(run.loss),
            number(run.samples_per_s),
            scores.join(", "),
        ]
    };
    let mut text = output::table(
        &["run", "steps", "loss", "samples/s", "validation"],
        listed.runs.iter().map(row),
    );
    for (run, differences) in &listed.differences {
        text += &format!("{run} differs from the first in\n");
        differences.iter().for_each(|line| text += &format!("  {line}\n"));
    }
    text
}
