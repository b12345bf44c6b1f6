//! The folder of a run: settings, where everything came from, numbers over the steps, checkpoints, weights.

mod metrics;
mod tfevents;

pub use metrics::{MetricRow, read as read_metrics, write as write_metrics};
pub use tfevents::EventFile;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{BaselineScores, Error};

/// Resolved settings.
pub const CONFIG: &str = "config.toml";
/// Provenance and environment.
pub const RUN: &str = "run.json";
/// Numbers over the steps.
pub const METRICS: &str = "metrics.parquet";
/// Averaged weights at the end.
pub const WEIGHTS: &str = "weights.safetensors";
/// Averaged weights where the score that counts was best.
pub const BEST: &str = "best.safetensors";

/// Split of what trivial answers reach; names are `task.score/answer`.
pub const BASELINE: &str = "baseline";

/// Scores of trivial answers as numbers of a record.
pub(crate) fn baseline_rows(baselines: &BaselineScores) -> Vec<(String, f64)> {
    let of = |(score, answers): (&String, &BTreeMap<String, f64>)| {
        let score = score.clone();
        let named = |(answer, value): (&String, &f64)| (format!("{score}/{answer}"), *value);
        answers.iter().map(named).collect::<Vec<_>>()
    };
    baselines.iter().flat_map(of).collect()
}

/// The last scores of trivial answers in a record.
pub fn baselines(rows: &[MetricRow]) -> BaselineScores {
    let mut all = BaselineScores::new();
    for row in rows.iter().filter(|row| row.split == BASELINE) {
        if let Some((score, answer)) = row.name.rsplit_once('/') {
            all.entry(score.to_owned()).or_default().insert(answer.to_owned(), row.value);
        }
    }
    all
}

/// What a run has recorded so far.
#[derive(Debug)]
pub struct Record {
    folder: PathBuf,
    rows: Vec<MetricRow>,
    /// Begun with the first number of this start.
    events: Option<EventFile>,
    step: u64,
}

impl Record {
    /// Goes on with a run's record after a step; later numbers are dropped, as their steps are taken anew.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Data`] if the table is damaged.
    pub fn open(folder: &Path, step: u64) -> Result<Self, Error> {
        let mut rows = read_metrics(&folder.join(METRICS))?;
        rows.retain(|row| row.step <= step);
        Ok(Self { folder: folder.to_owned(), rows, events: None, step })
    }

    /// Adds numbers of a step.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn add(
        &mut self,
        (step, unix_s): (u64, f64),
        split: &str,
        values: Vec<(String, f64)>,
    ) -> Result<(), Error> {
        let tagged: Vec<(String, f64)> =
            values.iter().map(|(name, value)| (format!("{split}/{name}"), *value)).collect();
        let events = match &mut self.events {
            Some(events) => events,
            none => none.insert(EventFile::create(&self.folder, unix_s, self.step)?),
        };
        events.append(unix_s, step, &tagged)?;
        let row = |(name, value)| MetricRow { step, split: split.to_owned(), name, value };
        self.rows.extend(values.into_iter().map(row));
        Ok(())
    }

    /// Scores of the validation after a step, if there was one.
    pub fn scores(&self, step: u64) -> Option<BTreeMap<String, f64>> {
        let of = self.rows.iter().filter(|row| row.step == step && row.split == "val");
        let scores: BTreeMap<_, _> = of.map(|row| (row.name.clone(), row.value)).collect();
        (!scores.is_empty()).then_some(scores)
    }

    /// What trivial answers reach, as last measured.
    pub fn baselines(&self) -> BaselineScores {
        baselines(&self.rows)
    }

    /// Brings the table to the disk.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn save(&self) -> Result<(), Error> {
        write_metrics(&self.folder.join(METRICS), &self.rows)
    }
}
