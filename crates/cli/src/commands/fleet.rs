//! `omma fleet`; with the feature `server` what is in `server.rs`, too.

#[cfg(feature = "server")]
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand};
use ommatidia_fleet::rollout::{MEASURES, Phase};
use ommatidia_fleet::simulate::{self, Outcome, Scenario};
use serde_json::json;

use super::campaigns;
use crate::args::Common;
use crate::failure::{EXIT_WORSE, Failure};
use crate::output;

/// Roll releases out to vehicles
#[derive(Debug, Args)]
#[cfg_attr(
    not(feature = "server"),
    command(
        after_help = "serve, rollout, vehicles, people and load are part of a build with --features server."
    )
)]
pub(crate) struct FleetArguments {
    #[command(subcommand)]
    command: FleetCommand,
}

#[derive(Debug, Subcommand)]
enum FleetCommand {
    Campaigns(campaigns::CampaignArguments),
    Simulate(SimulateArguments),
    #[cfg(feature = "server")]
    #[command(flatten)]
    Server(server::ServerCommand),
}

/// Send a simulated fleet through a staged rollout; exit code 1 if the release did not go through
#[derive(Debug, Args)]
struct SimulateArguments {
    /// Scenario (TOML); what it does not say is as by default: five million vehicles, crashes three times
    /// as often (docs/deploy.md)
    scenario: Option<PathBuf>,
    /// Vehicles
    #[arg(long, value_name = "N")]
    vehicles: Option<u32>,
    /// How many times as often the new release meets an event: crash=3, or latency, drift, disagreement
    #[arg(long, value_name = "MEASURE=RATIO")]
    ratio: Vec<String>,
    /// Sizes of a bundle and of a delta to it, bytes
    #[arg(long, value_name = "WHOLE,DELTA")]
    bytes: Option<String>,
}

pub(crate) fn run(arguments: &FleetArguments, common: &Common) -> Result<ExitCode, Failure> {
    match &arguments.command {
        FleetCommand::Campaigns(arguments) => campaigns::run(arguments, common),
        FleetCommand::Simulate(arguments) => simulated(arguments, common),
        #[cfg(feature = "server")]
        FleetCommand::Server(command) => server::run(command, common),
    }
}

fn simulated(arguments: &SimulateArguments, common: &Common) -> Result<ExitCode, Failure> {
    let scenario = scenario(arguments, common)?;
    let start = Instant::now();
    let outcome = simulate::run(&scenario).map_err(Failure::input)?;
    let seconds = start.elapsed().as_secs_f64();
    let share = f64::from(outcome.touched) / f64::from(scenario.vehicles);
    let result = json!({
        "outcome": outcome,
        "touched_share": share,
        "vehicles": scenario.vehicles,
        "scenario": scenario,
        "drives_per_s": outcome.drives as f64 / seconds,
        "seconds": seconds,
    });
    let code = output::print(common, &result, || human(&scenario, &outcome, share))?;
    Ok(if outcome.phase == Phase::Done { code } else { ExitCode::from(EXIT_WORSE) })
}

fn scenario(arguments: &SimulateArguments, common: &Common) -> Result<Scenario, Failure> {
    let mut scenario = match &arguments.scenario {
        None => Scenario::default(),
        Some(path) => {
            let about = |cause: &dyn std::fmt::Display| {
                Failure::input(format!("{}: {cause}", path.display()))
            };
            let text = std::fs::read_to_string(path).map_err(|cause| about(&cause))?;
            let table: toml::Table = toml::from_str(&text).map_err(|cause| about(&cause))?;
            if table.contains_key("seed") {
                return Err(about(&"take out seed and give it as --seed"));
            }
            toml::from_str(&text).map_err(|cause| about(&cause))?
        }
    };
    scenario.seed = common.seed;
    scenario.vehicles = arguments.vehicles.unwrap_or(scenario.vehicles);
    for text in &arguments.ratio {
        let parsed = text.split_once('=').and_then(|(name, ratio)| {
            let measure = MEASURES.iter().position(|measure| *measure == name)?;
            Some((measure, ratio.parse().ok()?))
        });
        let usage = || {
            Failure::input(format!(
                "--ratio {text}: give one of {} and a number",
                MEASURES.join(", ")
            ))
        };
        let (measure, ratio) = parsed.ok_or_else(usage)?;
        scenario.new_ratio[measure] = ratio;
    }
    if let Some(text) = &arguments.bytes {
        let parsed = text.split_once(',').and_then(|(whole, delta)| {
            Some((whole.trim().parse().ok()?, delta.trim().parse().ok()?))
        });
        (scenario.bundle_bytes, scenario.delta_bytes) = parsed.ok_or_else(|| {
            Failure::input(format!("--bytes {text}: give two numbers, WHOLE,DELTA"))
        })?;
    }
    Ok(scenario)
}

fn human(scenario: &Scenario, outcome: &Outcome, share: f64) -> String {
    let mut text = match &outcome.phase {
        Phase::RolledBack { reason } => format!("rolled back: {reason}\n"),
        Phase::Paused { reason } => format!("waits for a person: {reason}\n"),
        Phase::Done => "went through\n".to_owned(),
        Phase::Running => "still running at the time limit\n".to_owned(),
    };
    text += &format!(
        "stage {} after {:.0} h; {} of {} vehicles ran it ({:.3} %)\n",
        outcome.stage + 1,
        outcome.hours,
        outcome.touched,
        scenario.vehicles,
        100.0 * share
    );
    text += &format!(
        "served {:.3} TB with deltas, {:.3} TB without\n",
        outcome.bytes_with_deltas as f64 / 1e12,
        outcome.bytes_without_deltas as f64 / 1e12
    );
    let rows = outcome.steps.iter().map(|step| {
        vec![
            (step.stage + 1).to_string(),
            format!("{} %", f64::from(step.reach) / 1e4),
            format!("{:.0}", step.hours),
            step.touched.to_string(),
        ]
    });
    text + &output::table(&["stage", "reach", "began, h", "vehicles by then"], rows)
}
