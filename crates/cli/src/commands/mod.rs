//! One file per command: arguments, resolved plan, run.

pub(crate) mod bundle;
pub(crate) mod campaigns;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod fleet;
pub(crate) mod generate;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod label;
pub(crate) mod predict;
pub(crate) mod report;
pub(crate) mod runs;
pub(crate) mod trace;
pub(crate) mod train;
pub(crate) mod vehicle;
pub(crate) mod view;

use std::process::ExitCode;

use crate::args::{Arguments, Command};
use crate::failure::Failure;

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let common = &arguments.common;
    match arguments.command {
        Command::Import(arguments) => import::run(&arguments, common),
        Command::Generate(arguments) => generate::run(&arguments, common),
        Command::Label(arguments) => label::run(&arguments, common),
        Command::Eval(arguments) => eval::run(&arguments, common),
        Command::Train(arguments) => train::run(&arguments, common),
        Command::Predict(arguments) => predict::run(&arguments, common),
        Command::Export(arguments) => export::run(&arguments, common),
        Command::Runs(arguments) => runs::run(&arguments, common),
        Command::Report(arguments) => report::run(&arguments, common),
        Command::View(arguments) => view::run(&arguments, common),
        Command::Info(arguments) => info::run(&arguments, common),
        Command::Trace(arguments) => trace::run(&arguments, common),
        Command::Bundle(arguments) => bundle::run(&arguments, common),
        Command::Fleet(arguments) => fleet::run(&arguments, common),
        Command::Vehicle(arguments) => vehicle::run(&arguments, common),
        Command::Demo(arguments) => demo::run(&arguments, common),
        Command::Completions(arguments) => completions::run(&arguments, common),
    }
}
