//! `omma train CONFIG --data DIR… --out RUN`.

pub(crate) mod plan;
mod progress;
mod weights;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ommatidia_store::{Error as StoreError, atomic};
use ommatidia_train::collective::Collective;
use ommatidia_train::weights::Imported;
use ommatidia_train::{Comparison, Outcome, compare, run as folder, train};
use serde::Serialize;
use serde_json::Value;

use crate::args::Common;
use crate::failure::Failure;
use crate::output;
use crate::run_folder::all_by_class;

use plan::Plan;
use progress::Watch;

/// Train a network on clips with labels, or on pictures with class maps
///
/// Interrupted or killed, the same command with --resume goes on and ends with the same weights, bit for
/// bit.
#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    /// A training in TOML, or a preset: camvid, nano, nano-temporal
    #[arg(value_name = "CONFIG|PRESET")]
    config: String,
    /// Clips with labels beside them, folders of such, or folders of pictures (train/ and val/ within, beside
    /// trainannot/ and valannot/)
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    data: Vec<PathBuf>,
    /// What is measured on, if it is not within --data
    #[arg(long, num_args = 1.., value_name = "DIR")]
    val: Vec<PathBuf>,
    /// Folder of the run
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Published weights that the backbone begins with: safetensors, or a PyTorch state dict
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Which tensor of them is which: a map's name, or a file in TOML (default: the map that fits best)
    #[arg(long, value_name = "NAME|FILE")]
    weights_map: Option<String>,
    /// Go on from the last checkpoint
    #[arg(long)]
    resume: bool,
    /// Steps to take, instead of the settings'
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    steps: Option<u64>,
    /// As many steps as show every sample so many times
    #[arg(long, value_name = "N")]
    epochs: Option<f64>,
    /// Stop, saved, after so many minutes of this start; with --schedule-by-clock, of all starts together
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Let the learning rate fall by time, to its end after --minutes: weights then depend on the machine
    #[arg(long, requires = "minutes")]
    schedule_by_clock: bool,
    /// Only these tasks of the settings
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    tasks: Vec<String>,
    /// Where the network is computed
    #[arg(long, value_enum, default_value_t = plan::DeviceName::Auto)]
    device: plan::DeviceName,
}

#[derive(Serialize)]
struct TrainResult<'a> {
    run: &'a PathBuf,
    steps: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<Imported>,
    #[serde(flatten)]
    outcome: &'a Outcome,
    /// Each score beside that of the best trivial answer.
    comparison: Vec<Comparison>,
}

/// How a training went, and what it began with.
type Trained = (Outcome, Option<Imported>);

pub(crate) fn run(arguments: &TrainArguments, common: &Common) -> Result<ExitCode, Failure> {
    ommatidia_kernels::allocator::keep_freed_memory();
    let trained = with_ranks(arguments, common)?;
    let Some((outcome, weights)) = trained else { return Ok(ExitCode::SUCCESS) };
    let comparison = compare(&outcome.metrics, &outcome.baselines);
    let (run, steps) = (&arguments.out, outcome.step);
    let result = TrainResult { run, steps, weights, outcome: &outcome, comparison };
    note(&result)?;
    output::print(common, &result, || describe(&result))
}

/// Trains as the only rank.
#[cfg(not(feature = "mpi"))]
fn with_ranks(arguments: &TrainArguments, common: &Common) -> Result<Option<Trained>, Failure> {
    as_rank(arguments, common, &mut ommatidia_train::ranks::Alone)
}

/// Trains as one rank of an MPI job, or alone where there is none. A rank that fails ends the job.
#[cfg(feature = "mpi")]
fn with_ranks(arguments: &TrainArguments, common: &Common) -> Result<Option<Trained>, Failure> {
    let mut ranks = ommatidia_train::ranks::Mpi::join()?;
    as_rank(arguments, common, &mut ranks).map_err(|failure| {
        // All ranks stop together when one is asked to; any other failure is one rank's own.
        if !matches!(failure, Failure::Interrupted) {
            output::fail(&failure, common.json);
            ranks.abort(failure.exit_code());
        }
        failure
    })
}

/// Trains as one rank. How it went, for the first of them, which alone writes and prints.
fn as_rank(
    arguments: &TrainArguments,
    common: &Common,
    ranks: &mut dyn Collective,
) -> Result<Option<Trained>, Failure> {
    let first = ranks.rank() == 0;
    let Plan { job, config, imported } =
        plan::resolve(arguments, common, (ranks.rank(), ranks.size()))?;
    if let Some(imported) = imported.as_ref().filter(|_| first && !common.quiet) {
        eprintln!("{}", weights::describe(imported));
    }
    let watch = Watch::new(common, config.steps, first);
    let mut outcome = train(job, &config, ranks, &watch)?;
    let taxonomy = plan::read_taxonomy(&config.taxonomy)?;
    outcome.metrics = all_by_class(&taxonomy, &outcome.metrics);
    outcome.baselines = all_by_class(&taxonomy, &outcome.baselines);
    Ok(first.then_some((outcome, imported)))
}

fn describe(result: &TrainResult<'_>) -> String {
    let TrainResult { run, outcome, comparison, .. } = result;
    let mut text = format!(
        "{}: {} steps, loss {:.4}, {:.2} samples a second, {:.1} % of the time waiting for data\nweights {}\n",
        run.display(),
        outcome.step,
        outcome.loss,
        outcome.samples_per_s,
        100.0 * outcome.data_wait_share,
        outcome.weights_blake3,
    );
    let row = |found: &Comparison| {
        let better = found.better.map_or("-", |better| if better { "yes" } else { "no" });
        vec![
            found.metric.clone(),
            (if found.error { "less" } else { "more" }).to_owned(),
            format!("{:.4}", found.network),
            found.baseline_value.map_or("-".to_owned(), |value| format!("{value:.4}")),
            found.baseline.clone().unwrap_or_else(|| "-".to_owned()),
            better.to_owned(),
        ]
    };
    let head = ["validation", "is better", "network", "baseline", "which", "network better"];
    text += &output::table(&head, comparison.iter().map(row));
    text + &output::skipped(&outcome.skipped)
}

/// Adds how it went to what the run's folder says about it.
fn note(result: &TrainResult<'_>) -> Result<(), Failure> {
    let path = result.run.join(folder::RUN);
    let text = std::fs::read_to_string(&path).map_err(|cause| StoreError::read(&path, cause))?;
    let damaged = |what: String| Failure::input(format!("{}: {what}; remove it", path.display()));
    let mut value: Value = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
    let fields = value.as_object_mut().ok_or_else(|| damaged("is no object".to_owned()))?;
    let result = serde_json::json!({
        "steps": result.steps, "weights_blake3": result.outcome.weights_blake3,
        "metrics": result.outcome.metrics, "baselines": result.outcome.baselines,
    });
    fields.insert("result".to_owned(), result);
    Ok(atomic::write_json(&path, &value)?)
}
