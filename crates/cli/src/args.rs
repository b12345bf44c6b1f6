//! The command line.

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    bundle, completions, demo, eval, export, fleet, generate, import, info, label, predict, report,
    runs, trace, train, vehicle, view,
};
use crate::failure::Failure;

/// From the logs of many cameras to one vector space: occupancy, surface, depth, objects, lanes.
#[derive(Debug, Parser)]
#[command(name = "omma", version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done; 1 a target, gate or comparison failed; 2 bad input or usage; \
3 interrupted, run again to resume; 4 environment (disk, memory, missing program); 70 a bug.
Data goes to standard output, progress and logs to standard error.";

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Print one JSON object on standard output and nothing else there
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) json: bool,
    /// No progress and no warnings
    #[arg(long, short, global = true, help_heading = "Common options")]
    pub(crate) quiet: bool,
    /// Seed of everything random; the same seed gives the same bytes
    #[arg(long, global = true, default_value_t = 1, help_heading = "Common options")]
    pub(crate) seed: u64,
    /// Worker threads; results do not depend on it [default: all cores]
    #[arg(long, global = true, value_name = "N", help_heading = "Common options")]
    pub(crate) threads: Option<usize>,
    /// Say more: -v information, -vv everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub(crate) verbose: u8,
}

/// More threads than any machine has cores only take its memory.
const MAX_THREADS: usize = 1024;

impl Common {
    /// Sizes the thread pool that all parallel work runs on.
    pub(crate) fn limit_threads(&self) -> Result<(), Failure> {
        let Some(threads) = self.threads else { return Ok(()) };
        if !(1..=MAX_THREADS).contains(&threads) {
            return Err(Failure::input(format!(
                "--threads is {threads}; give 1 to {MAX_THREADS}, or leave it out for all cores",
            )));
        }
        let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        built.map_err(|cause| {
            Failure::Environment(miette::miette!("cannot start {threads} threads: {cause}"))
        })
    }
}

/// One file each in `commands/`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Import(import::ImportArguments),
    Generate(generate::GenerateArguments),
    Label(label::LabelArguments),
    Eval(eval::EvalArguments),
    Train(train::TrainArguments),
    Predict(predict::PredictArguments),
    Export(export::ExportArguments),
    Runs(runs::RunsArguments),
    Report(report::ReportArguments),
    View(view::ViewArguments),
    Info(info::InfoArguments),
    Trace(trace::TraceArguments),
    Bundle(bundle::BundleArguments),
    Fleet(fleet::FleetArguments),
    Vehicle(vehicle::VehicleArguments),
    Demo(demo::DemoArguments),
    Completions(completions::CompletionsArguments),
}
