//! Runs: figures with what each scene or frame had in them; saved, compared, sliced.
//!
//! A kind of evaluation hands its result over as [`Evaluated`]; everything after that is here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_geometry::Timestamp;
use ommatidia_metrics::statistics::{
    BootstrapConfig, CompareConfig, Comparison, PermutationConfig, Record, Run, Slice, Verdict,
    compare, slices,
};
use ommatidia_store::atomic;
use ommatidia_store::results::text;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::args::Common;
use crate::failure::{EXIT_WORSE, Failure};
use crate::output;

/// First key of a run's file.
const FORMAT: &str = "omma run 1";
/// Resamples of intervals, the exchange test and slices; SciPy's default.
const RESAMPLES: usize = 9999;

/// What is done with a result once it is there.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Keep the figures and what each frame had in them, to compare later runs with
    #[arg(long, global = true, value_name = "RUN.json", help_heading = "Comparison")]
    save: Option<PathBuf>,
    /// Compare with a kept run; exit code 1 where a metric became worse beyond noise
    #[arg(long, global = true, value_name = "RUN.json", help_heading = "Comparison")]
    against: Option<PathBuf>,
    /// Print the figures by `scene` or by a column, with their 95 % intervals
    #[arg(
        long,
        global = true,
        value_name = "COLUMN",
        value_delimiter = ',',
        help_heading = "Comparison"
    )]
    slice_by: Vec<String>,
    /// Columns to slice by: CSV whose header names `scene` and, for columns that vary within it, `frame`
    #[arg(long, global = true, value_name = "FILE.csv", help_heading = "Comparison")]
    columns: Option<PathBuf>,
}

/// What an evaluation found.
pub(super) struct Evaluated {
    /// The figures, an object: what `--json` prints.
    pub(super) result: Value,
    /// The figures as text.
    pub(super) text: String,
    /// What each scene or frame had in them.
    pub(super) run: Run,
}

/// A run's file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunFile {
    format: String,
    /// As printed when the run was made.
    result: Value,
    run: Run,
}

/// An empty record of a frame of a drive; frames sort by time.
pub(super) fn frame_record(drive: &impl ToString, time: Timestamp) -> Record {
    Record::new(drive.to_string(), format!("{:019}", time.0))
}

/// Keeps, compares, slices and prints a result.
pub(super) fn finish(
    mut evaluated: Evaluated,
    options: &RunOptions,
    common: &Common,
) -> Result<ExitCode, Failure> {
    if let Some(path) = &options.columns {
        join_columns(&mut evaluated.run, path)?;
    }
    let comparison = match &options.against {
        Some(path) => Some(against(&evaluated.run, path, common.seed)?),
        None => None,
    };
    if let Some(path) = &options.save {
        refuse_other_files(path)?;
        let (result, run) = (evaluated.result.clone(), evaluated.run.clone());
        atomic::write_json(path, &RunFile { format: FORMAT.to_owned(), result, run })?;
    }
    let bootstrap =
        BootstrapConfig { resamples: RESAMPLES, seed: common.seed, ..Default::default() };
    for column in &options.slice_by {
        let found = sliced(&evaluated.run, column, &bootstrap)?;
        evaluated.text += &format!("\n{}", describe_slices(column, &found));
        evaluated.result["slices"][column] = slices_as_json(&found);
    }
    let mut code = ExitCode::SUCCESS;
    if let Some(found) = comparison {
        evaluated.text += &format!("\n{}", describe_comparison(&found));
        evaluated.result["comparison"] = serde_json::to_value(&found).map_err(Failure::input)?;
        if found.with(Verdict::Worse).next().is_some() {
            code = ExitCode::from(EXIT_WORSE);
        }
    }
    output::print(common, &evaluated.result, || evaluated.text.clone())?;
    Ok(code)
}

/// A run replaces an older run, and no labels or anything else that was named by mistake.
fn refuse_other_files(path: &Path) -> Result<(), Failure> {
    if !path.is_file() || serde_json::from_str::<RunFile>(&text::read_run(path)?).is_ok() {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::input(format!(
        "--save {path}: it is there and no saved run; give another path, or remove it"
    )))
}

fn against(run: &Run, path: &Path, seed: u64) -> Result<Comparison, Failure> {
    let text = text::read_run(path)?;
    let at = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let earlier: RunFile = serde_json::from_str(&text).map_err(|cause| {
        at(format!("is no run ({cause}); make one with `omma eval {} … --save`", run.kind))
    })?;
    if run.records.is_empty() {
        return Err(at(format!(
            "cannot be compared with: figures of `omma eval {}` on such files do not split into scenes",
            run.kind
        )));
    }
    if earlier.format != FORMAT {
        return Err(at(format!("is of format {:?}, not {FORMAT:?}; make it anew", earlier.format)));
    }
    let config = CompareConfig {
        bootstrap: BootstrapConfig { resamples: RESAMPLES, seed, ..Default::default() },
        permutation: PermutationConfig { resamples: RESAMPLES, seed },
        ..Default::default()
    };
    compare(&earlier.run, run, &config).map_err(|cause| at(cause.to_string()))
}

/// Gives the records the columns of their scene, or of their scene and frame.
fn join_columns(run: &mut Run, path: &Path) -> Result<(), Failure> {
    let text = text::read(path)?;
    let at = |line: usize, what: String| {
        Failure::input(format!("{} line {line}: {what}", path.display()))
    };
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let cells = |line: &str| -> Vec<String> {
        line.split(',').map(|cell| cell.trim().to_owned()).collect()
    };
    let header = lines.next().map_or_else(Vec::new, |(_, line)| cells(line));
    let place = |name: &str| header.iter().position(|column| column == name);
    let Some(scene) = place("scene") else {
        return Err(at(1, "the header has no column `scene`".into()));
    };
    let frame = place("frame");
    let mut rows: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (i, line) in lines {
        let row = cells(line);
        if row.len() != header.len() {
            return Err(at(i + 1, format!("{} cells under {} columns", row.len(), header.len())));
        }
        let key = (row[scene].clone(), frame.map_or_else(String::new, |frame| row[frame].clone()));
        if rows.insert(key, row).is_some() {
            return Err(at(i + 1, "the same scene and frame as a line before".into()));
        }
    }
    let mut joined = 0;
    for record in &mut run.records {
        let key = if frame.is_some() { record.frame.clone() } else { String::new() };
        let Some(row) = rows.get(&(record.scene.clone(), key)) else { continue };
        let named =
            header.iter().zip(row).filter(|(name, _)| !["scene", "frame"].contains(&&name[..]));
        record.attributes.extend(named.map(|(name, cell)| (name.clone(), cell.clone())));
        joined += 1;
    }
    if joined < run.records.len() {
        let missing = run.records.len() - joined;
        tracing::warn!(
            "{}: has no row for {missing} of {} records",
            path.display(),
            run.records.len()
        );
    }
    Ok(())
}

fn sliced(run: &Run, column: &str, config: &BootstrapConfig) -> Result<Vec<Slice>, Failure> {
    let known: BTreeSet<&str> = run
        .records
        .iter()
        .flat_map(|record| record.attributes.keys().map(String::as_str))
        .collect();
    if column != "scene" && !known.contains(column) {
        let known: Vec<&str> = known.into_iter().chain(["scene"]).collect();
        return Err(Failure::input(format!(
            "no record has a column {column:?} to slice by; there are {}; --columns adds more",
            known.join(", ")
        )));
    }
    Ok(slices(run, column, config))
}

fn slices_as_json(slices: &[Slice]) -> Value {
    let of = |slice: &Slice| {
        let metrics: BTreeMap<&str, Value> = slice
            .metrics
            .iter()
            .map(|(name, (value, interval))| {
                (&name[..], json!({ "value": value, "interval": interval }))
            })
            .collect();
        json!({ "value": slice.value, "records": slice.records, "metrics": metrics })
    };
    slices.iter().map(of).collect()
}

fn describe_slices(column: &str, slices: &[Slice]) -> String {
    let rows = slices.iter().flat_map(|slice| {
        let value = if slice.value.is_empty() { "-" } else { &slice.value[..] };
        slice.metrics.iter().map(move |(name, (figure, interval))| {
            let spread =
                interval.map_or("-".to_owned(), |i| format!("{:.4} to {:.4}", i.low, i.high));
            let records = slice.records.to_string();
            vec![value.to_owned(), records, name.clone(), format!("{figure:.4}"), spread]
        })
    });
    output::table(&[column, "records", "metric", "value", "95 % interval"], rows)
}

fn describe_comparison(comparison: &Comparison) -> String {
    let row = |change: &ommatidia_metrics::statistics::Change| {
        let spread =
            change.interval.map_or("-".to_owned(), |i| format!("{:+.4} to {:+.4}", i.low, i.high));
        let verdict = match change.verdict {
            Verdict::Better => "better",
            Verdict::Worse => "WORSE",
            Verdict::Same => "same",
            Verdict::Noise => "within noise",
        };
        vec![
            change.metric.clone(),
            format!("{:.4}", change.before),
            format!("{:.4}", change.after),
            format!("{:+.4}", change.difference),
            spread,
            format!("{:.4}", change.p_adjusted),
            verdict.to_owned(),
        ]
    };
    let header = ["metric", "before", "after", "change", "95 % interval", "p", "verdict"];
    let mut text = output::table(&header, comparison.changes.iter().map(row));
    let unit = match comparison.unit {
        ommatidia_metrics::statistics::Unit::Scenes => "scenes",
        ommatidia_metrics::statistics::Unit::Blocks => {
            "blocks of frames (too few scenes for a test: this is noise within these drives)"
        }
    };
    text += &format!("over {} {unit}\n", comparison.units);
    for (count, which) in [(comparison.only_before, "earlier"), (comparison.only_after, "this")] {
        if count > 0 {
            text += &format!("skipped {count} records that only the {which} run has\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;

    fn join(csv: &str) -> Result<Run, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("columns.csv");
        fs::write(&path, csv).unwrap();
        let mut run = Run::new("test", &[]);
        run.records = vec![Record::new("a", "1"), Record::new("a", "2"), Record::new("b", "1")];
        join_columns(&mut run, &path).map(|()| run).map_err(|failure| match failure {
            Failure::Input(report) => report.to_string(),
            other => format!("{other:?}"),
        })
    }

    fn weather(run: &Run) -> Vec<&str> {
        assert_eq!(run.records.len(), 3);
        let attributes = run.records.iter().map(|record| &record.attributes);
        attributes.map(|columns| columns.get("weather").map_or("", String::as_str)).collect()
    }

    #[test]
    fn columns_join_by_scene_or_by_frame() {
        assert_eq!(
            weather(&join("scene,weather\na,rain\nb, sun\n").unwrap()),
            ["rain", "rain", "sun"]
        );
        let by_frame = join("frame,scene,weather\n2,a,fog\n\n").unwrap();
        assert_eq!(weather(&by_frame), ["", "fog", ""]);
    }

    #[test]
    fn bad_columns_name_their_line() {
        let check = |csv: &str, words: &str| {
            let message = join(csv).unwrap_err();
            assert!(message.contains(words), "{message}");
        };
        check("", "line 1: the header has no column `scene`");
        check("drive,weather\na,rain\n", "`scene`");
        check("scene,weather\na,rain\nb\n", "line 3: 1 cells under 2 columns");
        check("scene,weather\na,rain\na,sun\n", "line 3");
    }
}
