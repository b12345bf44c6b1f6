//! `omma completions SHELL`.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use crate::args::{Arguments, Common};
use crate::failure::Failure;
use crate::output;

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell to complete in
    shell: Shell,
}

pub(crate) fn run(arguments: &CompletionsArguments, common: &Common) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "omma", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let result = json!({ "shell": arguments.shell.to_string(), "script": script });
    output::print(common, &result, || script)
}
