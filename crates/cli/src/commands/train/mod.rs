//! `omma train CONFIG --data DIR… --out RUN`.

pub(crate) mod plan;
mod progress;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ommatidia_train::collective::Collective;
use ommatidia_train::{Outcome, train};
use serde::Serialize;

use crate::args::Common;
use crate::failure::Failure;
use crate::output;

use plan::Plan;
use progress::Watch;

/// Train a network on clips with labels, or on pictures with class maps
///
/// Interrupted or killed, the same command with --resume goes on and ends with the same weights, bit for
/// bit.
#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    /// A training in TOML, or a preset: camvid, nano
    #[arg(value_name = "CONFIG|PRESET")]
    config: String,
    /// Folders of pictures (train/ and val/ within, beside trainannot/ and valannot/)
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    data: Vec<PathBuf>,
    /// What is measured on, if it is not within --data
    #[arg(long, num_args = 1.., value_name = "DIR")]
    val: Vec<PathBuf>,
    /// Folder of the run
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
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
    #[serde(flatten)]
    outcome: &'a Outcome,
}

pub(crate) fn run(arguments: &TrainArguments, common: &Common) -> Result<ExitCode, Failure> {
    ommatidia_kernels::allocator::keep_freed_memory();
    let trained = with_ranks(arguments, common)?;
    let Some(outcome) = trained else { return Ok(ExitCode::SUCCESS) };
    let result = TrainResult { run: &arguments.out, steps: outcome.step, outcome: &outcome };
    output::print(common, &result, || describe(&result))
}

/// Trains as the only rank.
#[cfg(not(feature = "mpi"))]
fn with_ranks(arguments: &TrainArguments, common: &Common) -> Result<Option<Outcome>, Failure> {
    as_rank(arguments, common, &mut ommatidia_train::ranks::Alone)
}

/// Trains as one rank of an MPI job, or alone where there is none. A rank that fails ends the job.
#[cfg(feature = "mpi")]
fn with_ranks(arguments: &TrainArguments, common: &Common) -> Result<Option<Outcome>, Failure> {
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
) -> Result<Option<Outcome>, Failure> {
    let first = ranks.rank() == 0;
    let Plan { job, config } = plan::resolve(arguments, common, (ranks.rank(), ranks.size()))?;
    let watch = Watch::new(common, config.steps, first);
    let outcome = train(job, &config, ranks, &watch)?;
    Ok(first.then_some(outcome))
}

fn describe(result: &TrainResult<'_>) -> String {
    let TrainResult { run, outcome, .. } = result;
    let mut text = format!(
        "{}: {} steps, loss {:.4}, {:.2} samples a second, {:.1} % of the time waiting for data\nweights {}\n",
        run.display(),
        outcome.step,
        outcome.loss,
        outcome.samples_per_s,
        100.0 * outcome.data_wait_share,
        outcome.weights_blake3,
    );
    let row = |(name, value): (&String, &f64)| vec![name.clone(), format!("{value:.4}")];
    text += &output::table(&["validation", "value"], outcome.metrics.iter().map(row));
    text + &output::skipped(&outcome.skipped)
}
