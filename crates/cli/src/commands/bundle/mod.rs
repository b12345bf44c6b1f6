//! `omma bundle`: what is shipped to vehicles, and who vouches for it.

mod content;
mod plan;
mod repository;
mod signing;

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ommatidia_update::tuf::UtcTime;

use crate::args::Common;
use crate::failure::Failure;

pub(crate) use content::extract;
pub(crate) use repository::now;
pub(crate) use signing::read_key;

/// Create, check, compare and sign what is shipped to vehicles
#[derive(Debug, Args)]
pub(crate) struct BundleArguments {
    #[command(subcommand)]
    command: BundleCommand,
}

#[derive(Debug, Subcommand)]
enum BundleCommand {
    Create(plan::CreateArguments),
    Verify(content::VerifyArguments),
    Delta(content::DeltaArguments),
    Keys(signing::KeysArguments),
    Sign(signing::SignArguments),
    Root(repository::RootArguments),
    Targets(repository::TargetsArguments),
    Publish(repository::PublishArguments),
}

pub(crate) fn run(arguments: &BundleArguments, common: &Common) -> Result<ExitCode, Failure> {
    match &arguments.command {
        BundleCommand::Create(arguments) => plan::run(arguments, common),
        BundleCommand::Verify(arguments) => content::verify(arguments, common),
        BundleCommand::Delta(arguments) => content::delta(arguments, common),
        BundleCommand::Keys(arguments) => signing::keys(arguments, common),
        BundleCommand::Sign(arguments) => signing::sign(arguments, common),
        BundleCommand::Root(arguments) => repository::root(arguments, common),
        BundleCommand::Targets(arguments) => repository::targets(arguments, common),
        BundleCommand::Publish(arguments) => repository::publish(arguments, common),
    }
}

/// Opens a file to read, naming it if that fails.
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path)
        .map_err(|cause| Failure::input(format!("cannot read {}: {cause}", path.display())))
}

/// How long metadata is to be believed.
#[derive(Debug, Args)]
struct Expiry {
    /// Days from now until it expires
    #[arg(long, value_name = "DAYS", conflicts_with = "expires")]
    days: Option<u32>,
    /// When it expires, as 2030-01-31T23:59:59Z
    #[arg(long, value_name = "TIME")]
    expires: Option<UtcTime>,
}

impl Expiry {
    fn time(&self, default_days: u32) -> Result<UtcTime, Failure> {
        let now = now()?;
        let time = self.expires.unwrap_or(now.plus_days(self.days.unwrap_or(default_days).into()));
        if time > now {
            return Ok(time);
        }
        Err(Failure::input(format!(
            "it would expire at {time}, and it is {now}: give a later time"
        )))
    }
}
