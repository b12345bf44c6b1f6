//! `omma runs DIR…`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ommatidia_model::is_error;
use ommatidia_train::BaselineScores;
use ommatidia_train::checkpoint::{differences, flatten};
use serde::Serialize;

use crate::args::Common;
use crate::failure::Failure;
use crate::output;
use crate::run_folder::{RunFolder, counting, find};

/// List trainings and compare them: how far they are, the settings that differ, and their scores side by
/// side. -v shows all scores and settings instead of the first ones
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
    baselines: BaselineScores,
    /// In the order of the tasks.
    #[serde(skip)]
    scores: Vec<(String, f64)>,
    #[serde(skip)]
    name: String,
}

#[derive(Serialize)]
struct Listed {
    runs: Vec<RunSummary>,
    /// Settings in which a run differs from the first, `name: first, this`.
    differences: BTreeMap<String, Vec<String>>,
    /// Settings that are not the same in all runs, with the value of each.
    settings: Vec<(String, Vec<String>)>,
    /// What cannot be read, and why.
    damaged: Vec<String>,
}

/// Without -v, settings of a comparison and runs beside one another.
const MOST_SETTINGS: usize = 12;
const MOST_BESIDE: usize = 5;
/// Without -v, scores in a run's line, and characters of a setting's value.
const MOST_SCORES: usize = 3;
const MOST_CHARACTERS: usize = 28;

pub(crate) fn run(arguments: &RunsArguments, common: &Common) -> Result<ExitCode, Failure> {
    let folders: Vec<PathBuf> = arguments.folders.iter().flat_map(|folder| find(folder)).collect();
    if folders.is_empty() {
        let looked: Vec<String> =
            arguments.folders.iter().map(|folder| folder.display().to_string()).collect();
        return Err(Failure::input(format!(
            "there is no run in {}; a run's folder holds run.json",
            looked.join(", ")
        )));
    }
    let (folders, damaged) = readable(&folders)?;
    let differ = |run: &RunFolder| {
        let found = differences(&folders[0].config, &run.config, "first");
        (!found.is_empty()).then(|| (run.path.display().to_string(), found))
    };
    let listed = Listed {
        differences: folders.iter().filter_map(differ).collect(),
        settings: differing(&folders),
        runs: folders.iter().map(summary).collect(),
        damaged,
    };
    output::print(common, &listed, || describe(&listed, common.verbose > 0))
}

/// The runs, and what is wrong with those that cannot be read; fails where none can.
fn readable(folders: &[PathBuf]) -> Result<(Vec<RunFolder>, Vec<String>), Failure> {
    let (mut runs, mut damaged) = (Vec::new(), Vec::new());
    for folder in folders {
        match RunFolder::read(folder) {
            Ok(run) => runs.push(run),
            Err(Failure::Input(cause)) => damaged.push(cause.to_string()),
            Err(other) => return Err(other),
        }
    }
    match runs.is_empty() {
        true => Err(Failure::input(damaged.join("; "))),
        false => Ok((runs, damaged)),
    }
}

fn summary(run: &RunFolder) -> RunSummary {
    RunSummary {
        run: run.path.clone(),
        steps: run.steps(),
        of: run.all_steps(),
        loss: run.last("train", "loss"),
        samples_per_s: run.last("train", "samples_per_s"),
        metrics: run.scores().into_iter().collect(),
        baselines: run.baselines(),
        scores: run.scores(),
        name: run.name(),
    }
}

/// Settings that are not the same in all runs, by name, with the value of each run.
pub(crate) fn differing(runs: &[RunFolder]) -> Vec<(String, Vec<String>)> {
    let all: Vec<BTreeMap<String, String>> = runs.iter().map(|run| flatten(&run.config)).collect();
    let names: std::collections::BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
    let values = |name: &String| -> Vec<String> {
        all.iter().map(|run| run.get(name).cloned().unwrap_or_else(|| "-".to_owned())).collect()
    };
    let rows = names.into_iter().map(|name| (name.clone(), values(name)));
    rows.filter(|(_, values)| values.iter().any(|value| *value != values[0])).collect()
}

fn describe(listed: &Listed, all: bool) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let row = |run: &RunSummary| {
        let first = counting(&run.scores);
        let shown = first.iter().take(if all { usize::MAX } else { MOST_SCORES });
        let mut scores: Vec<String> =
            shown.map(|(name, value)| format!("{name} {value:.3}")).collect();
        if first.len() > scores.len() {
            scores.push(format!("{} more", first.len() - scores.len()));
        }
        vec![
            run.run.display().to_string(),
            format!("{}/{}", run.steps, run.of),
            number(run.loss),
            run.samples_per_s.map_or("-".to_owned(), |rate| format!("{rate:.2}")),
            scores.join(", "),
        ]
    };
    let head = ["run", "steps", "loss", "samples/s", "validation"];
    let mut text = output::table(&head, listed.runs.iter().map(row));
    text.extend(listed.damaged.iter().map(|what| format!("left out: {what}\n")));
    if listed.runs.len() > 1 || all { text + &beside(listed, all) } else { text }
}

/// Settings that differ and scores, a column for each run.
fn beside(listed: &Listed, all: bool) -> String {
    let shown = if all { listed.runs.len() } else { listed.runs.len().min(MOST_BESIDE) };
    let runs = &listed.runs[..shown];
    let head = |what: &str| -> Vec<String> {
        std::iter::once(what.to_owned()).chain(runs.iter().map(|run| run.name.clone())).collect()
    };
    let table = |what: &str, rows: Vec<Vec<String>>| {
        let head = head(what);
        output::table(&head.iter().map(String::as_str).collect::<Vec<_>>(), rows)
    };
    let mut text = String::new();
    if listed.runs.len() > 1 {
        let most = if all { usize::MAX } else { MOST_SETTINGS };
        let of = |(name, values): &(String, Vec<String>)| {
            let values = values[..shown].iter().map(|value| short(value, all));
            std::iter::once(name.clone()).chain(values).collect()
        };
        text += "\n";
        if listed.settings.is_empty() {
            text += "all settings are the same\n";
        } else {
            text += &table("setting", listed.settings.iter().take(most).map(of).collect());
        }
        if listed.settings.len() > most {
            text +=
                &format!("{} more settings differ; -v shows all\n", listed.settings.len() - most);
        }
    }
    let rows = score_rows(runs, all);
    if !rows.is_empty() {
        text += "\n";
        text += &table("score", rows);
    }
    if listed.runs.len() > shown {
        text += &format!("{} more runs; -v shows all\n", listed.runs.len() - shown);
    }
    text
}

/// A row for each score, with a star at the run that is best.
fn score_rows(runs: &[RunSummary], all: bool) -> Vec<Vec<String>> {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        let scores: Vec<&(String, f64)> =
            if all { run.scores.iter().collect() } else { counting(&run.scores) };
        for (name, _) in scores {
            if !names.contains(&&**name) {
                names.push(name);
            }
        }
    }
    let row = |name: &&str| {
        let values: Vec<Option<f64>> =
            runs.iter().map(|run| run.metrics.get(*name).copied()).collect();
        let ahead = |a: f64, b: f64| if is_error(name) { a < b } else { a > b };
        let best = values.iter().flatten().copied().reduce(|a, b| if ahead(b, a) { b } else { a });
        let cell = |value: &Option<f64>| match value {
            Some(value) if runs.len() > 1 && Some(*value) == best => format!("{value:.4} *"),
            Some(value) => format!("{value:.4}"),
            None => "-".to_owned(),
        };
        std::iter::once((*name).to_owned()).chain(values.iter().map(cell)).collect()
    };
    names.iter().map(row).collect()
}

fn short(value: &str, all: bool) -> String {
    if all || value.chars().count() <= MOST_CHARACTERS {
        return value.to_owned();
    }
    value.chars().take(MOST_CHARACTERS - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, value: f64) -> RunSummary {
        let scores: Vec<(String, f64)> =
            ["a.miou", "a.off_m", "b.map", "c.x", "d.x"].map(|n| (n.to_owned(), value)).to_vec();
        RunSummary {
            run: name.into(),
            steps: 1,
            of: 2,
            loss: Some(0.5),
            samples_per_s: None,
            metrics: scores.iter().cloned().collect(),
            baselines: BaselineScores::new(),
            scores,
            name: name.to_owned(),
        }
    }

    #[test]
    fn lines_are_bounded_and_the_best_run_is_marked() {
        let settings = (0..20).map(|i| (format!("s{i}"), vec!["x".repeat(90), "1".to_owned()]));
        let listed = Listed {
            runs: vec![run("one", 0.25), run("two", 0.5)],
            differences: BTreeMap::new(),
            settings: settings.collect(),
            damaged: Vec::new(),
        };
        let text = describe(&listed, false);
        assert!(text.lines().all(|line| line.chars().count() < 120), "{text}");
        assert!(text.contains("1 more") && text.contains("8 more settings"), "{text}");
        assert!(!text.contains("off_m"), "{text}");
        let text = describe(&listed, true);
        let line = |name: &str| text.lines().find(|line| line.trim().starts_with(name)).unwrap();
        assert!(line("a.miou").contains("0.5000 *"), "{text}");
        assert!(line("a.off_m").contains("0.2500 *"), "less of an error is better: {text}");
        assert!(text.contains(&"x".repeat(90)));
    }
}
