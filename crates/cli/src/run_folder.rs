//! The folders of trainings, as `runs` and `report` read them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ommatidia_scene::{ClassId, Taxonomy};
use ommatidia_store::Error as StoreError;
use ommatidia_train::BaselineScores;
use ommatidia_train::run::{self, MetricRow};
use serde_json::Value;

use crate::commands::train::plan::read_taxonomy;
use crate::failure::Failure;

/// A training as its folder tells it.
#[derive(Debug)]
pub(crate) struct RunFolder {
    pub(crate) path: PathBuf,
    /// Resolved settings, as written.
    pub(crate) settings: String,
    pub(crate) config: Value,
    /// Where it came from, and how it ended.
    pub(crate) about: Value,
    /// Numbers over the steps; scores by the names of classes.
    pub(crate) rows: Vec<MetricRow>,
}

/// The folder if it is a run, or the runs within, by name.
pub(crate) fn find(folder: &Path) -> Vec<PathBuf> {
    let is_run = |folder: &PathBuf| folder.join(run::RUN).is_file();
    if is_run(&folder.to_owned()) {
        return vec![folder.to_owned()];
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_run).collect();
    found.sort();
    found
}

impl RunFolder {
    /// Reads a run's folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|cause| StoreError::read(&path, cause))
        };
        let fail = |name: &str, cause: String| {
            Failure::input(format!("{}: {cause}", folder.join(name).display()))
        };
        let settings = read(run::CONFIG)?;
        let table: toml::Table =
            toml::from_str(&settings).map_err(|cause| fail(run::CONFIG, cause.to_string()))?;
        let config = serde_json::to_value(table).map_err(Failure::input)?;
        let about = serde_json::from_str(&read(run::RUN)?)
            .map_err(|cause| fail(run::RUN, cause.to_string()))?;
        let taxonomy = config.get("taxonomy").and_then(Value::as_str);
        // A taxonomy's file may be gone; its classes then keep their numbers.
        let taxonomy = taxonomy.and_then(|name| read_taxonomy(name).ok());
        let mut rows = run::read_metrics(&folder.join(run::METRICS))?;
        if let Some(taxonomy) = &taxonomy {
            rows.iter_mut().for_each(|row| row.name = by_class(taxonomy, &row.name));
        }
        Ok(Self { path: folder.to_owned(), settings, config, about, rows })
    }

    /// What to call it.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    /// Steps that are done.
    pub(crate) fn steps(&self) -> u64 {
        self.rows.iter().map(|row| row.step).max().unwrap_or(0)
    }

    /// Steps of the settings.
    pub(crate) fn all_steps(&self) -> u64 {
        self.config.get("steps").and_then(Value::as_u64).unwrap_or(0)
    }

    /// The last number of a name.
    pub(crate) fn last(&self, split: &str, name: &str) -> Option<f64> {
        let of = |row: &&MetricRow| row.split == split && row.name == name;
        self.rows.iter().rev().find(of).map(|row| row.value)
    }

    /// The last validation's scores; each task's first is the one that counts.
    pub(crate) fn scores(&self) -> Vec<(String, f64)> {
        let validated = self.rows.iter().filter(|row| row.split == "val");
        let last = validated.clone().map(|row| row.step).max();
        let of = validated.filter(|row| Some(row.step) == last);
        of.map(|row| (row.name.clone(), row.value)).collect()
    }

    /// What trivial answers reach.
    pub(crate) fn baselines(&self) -> BaselineScores {
        run::baselines(&self.rows)
    }
}

/// The first score of each task.
pub(crate) fn counting(scores: &[(String, f64)]) -> Vec<&(String, f64)> {
    let mut tasks: Vec<&str> = Vec::new();
    let task = |name: &'_ str| name.split('.').next().map_or(0, str::len);
    let mut found = Vec::new();
    for score in scores {
        let name = &score.0[..task(&score.0)];
        if !tasks.contains(&name) {
            tasks.push(name);
            found.push(score);
        }
    }
    found
}

/// A score by the name of its class where it has the class's number: `iou_class_18` is `iou_class_car`.
/// What follows a slash stays.
pub(crate) fn by_class(taxonomy: &Taxonomy, score: &str) -> String {
    let (score, rest) = score.find('/').map_or((score, ""), |at| score.split_at(at));
    let named = score.rsplit_once("class_").and_then(|(start, number)| {
        let class = taxonomy.class(ClassId(number.parse().ok()?))?;
        Some(format!("{start}class_{}{rest}", class.name))
    });
    named.unwrap_or_else(|| format!("{score}{rest}"))
}

/// All of a map's scores by the names of their classes.
pub(crate) fn all_by_class<T: Clone>(
    taxonomy: &Taxonomy,
    scores: &BTreeMap<String, T>,
) -> BTreeMap<String, T> {
    scores.iter().map(|(name, value)| (by_class(taxonomy, name), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_called_by_their_names() {
        let taxonomy = Taxonomy::driving();
        let car = &taxonomy.class(ClassId(18)).unwrap().name;
        for (score, expected) in [
            ("occupancy.iou_class_18", format!("occupancy.iou_class_{car}")),
            ("occupancy.iou_class_18/prior_map", format!("occupancy.iou_class_{car}/prior_map")),
            ("occupancy.iou_class_250", "occupancy.iou_class_250".to_owned()),
            ("occupancy.miou/prior_map", "occupancy.miou/prior_map".to_owned()),
        ] {
            assert_eq!(by_class(&taxonomy, score), expected);
        }
    }

    #[test]
    fn each_task_has_one_score_that_counts() {
        let scores = ["a.x", "a.y", "b.z", "a.w"].map(|name| (name.to_owned(), 0.5));
        let found: Vec<&str> = counting(&scores).into_iter().map(|score| &*score.0).collect();
        assert_eq!(found, ["a.x", "b.z"]);
    }
}
