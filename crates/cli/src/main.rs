//! `omma`: from drives to vector spaces.

mod args;
mod commands;
mod failure;
mod interrupt;
mod output;
mod progress;
mod rendered;
mod run_folder;

use std::panic;
use std::process::ExitCode;

use clap::Parser;

use args::Arguments;
use failure::EXIT_BUG;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    let json = arguments.common.json;
    output::start_logging(&arguments.common);
    failure::plain_reports();
    interrupt::listen();
    let outcome = panic::catch_unwind(|| {
        arguments.common.limit_threads()?;
        commands::run(arguments)
    });
    match outcome {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => output::fail(&failure, json),
        Err(_) => {
            eprintln!(
                "This is a bug in omma, not in your data. Please report it with the lines above."
            );
            ExitCode::from(EXIT_BUG)
        }
    }
}
