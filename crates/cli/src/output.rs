//! Data to standard output, everything else to standard error.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;
use tracing::Level;

use crate::args::Common;
use crate::failure::{EXIT_INPUT, Failure};

/// Sends log lines to standard error.
pub(crate) fn start_logging(common: &Common) {
    let level = match (common.quiet, common.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::WARN,
        (false, 1) => Level::INFO,
        (false, _) => Level::DEBUG,
    };
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .without_time()
        .with_target(false)
        .init();
}

/// Prints a result: as one JSON object, or as the text that `human` makes of it.
pub(crate) fn print(
    common: &Common,
    result: &impl Serialize,
    human: impl FnOnce() -> String,
) -> Result<ExitCode, Failure> {
    let text = if common.json {
        serde_json::to_string(result)
            .map_err(|cause| Failure::input(format!("cannot print the result: {cause}")))?
    } else {
        human()
    };
    print_text(text.trim_end())
}

/// Prints text and a final newline.
pub(crate) fn print_text(text: &str) -> Result<ExitCode, Failure> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        // A closed pipe (`omma info … | head -1`) is the reader's choice.
        Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Environment(miette::miette!("cannot write to standard output: {cause}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Says why the command failed and yields its exit code.
pub(crate) fn fail(failure: &Failure, json: bool) -> ExitCode {
    let text = match failure {
        Failure::Input(report) | Failure::Environment(report) => {
            eprintln!("{report:?}");
            report.to_string()
        }
        Failure::Interrupted => {
            let text = "interrupted; run the same command again (a training with --resume) and it goes on where it stopped";
            eprintln!("{text}");
            text.to_owned()
        }
    };
    if json {
        let result = json!({ "error": text, "exit_code": failure.exit_code() });
        // Nobody may be listening; the exit code still says it.
        let _ = writeln!(std::io::stdout(), "{result}");
    }
    ExitCode::from(failure.exit_code())
}

/// Says what is wrong with the command line, or prints the help that was asked for.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // Nobody may be listening; the exit code still says it.
    let _ = error.print();
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        let result = json!({ "error": text, "exit_code": EXIT_INPUT });
        let _ = writeln!(std::io::stdout(), "{result}");
    }
    ExitCode::from(if error.use_stderr() { EXIT_INPUT } else { 0 })
}

/// A table without frames, columns aligned.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(header);
    rows.into_iter().for_each(|row| {
        table.add_row(row);
    });
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// What was left out, a line each.
pub(crate) fn skipped(skipped: &[ommatidia_scene::Skipped]) -> String {
    skipped
        .iter()
        .map(|item| format!("skipped {} x {}: {}\n", item.count, item.what, item.why))
        .collect()
}
