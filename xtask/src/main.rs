//! Checks of the repository: `cargo xtask ci` runs them all.

mod tidy;

use std::env;
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask ci [--except STEP]... | tidy
steps of ci, in order: fmt, clippy, test, doc, tidy";

/// One step: its name, and the arguments of `cargo`.
const STEPS: &[(&str, &[&str])] = &[
    ("fmt", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("test", &["test", "--workspace"]),
    ("doc", &["doc", "--workspace", "--no-deps"]),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::run(),
        ["ci", ref rest @ ..] => excepted(rest).and_then(|except| ci(&except)),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn excepted<'a>(arguments: &[&'a str]) -> Result<Vec<&'a str>, String> {
    let known = |step: &str| step == "tidy" || STEPS.iter().any(|(name, ..)| *name == step);
    let pair = |pair: &[&'a str]| match *pair {
        ["--except", step] if known(step) => Ok(step),
        _ => Err(USAGE.to_owned()),
    };
    arguments.chunks(2).map(pair).collect()
}

fn ci(except: &[&str]) -> Result<(), String> {
    for (name, arguments) in STEPS.iter().filter(|(name, ..)| !except.contains(name)) {
        eprintln!("== {name}");
        let status =
            Command::new("cargo").args(*arguments).env("RUSTDOCFLAGS", "-D warnings").status();
        match status {
            Ok(status) if status.success() => {}
            Ok(_) => return Err(format!("{name} failed")),
            Err(cause) => return Err(format!("cargo did not start: {cause}")),
        }
    }
    if except.contains(&"tidy") {
        return Ok(());
    }
    eprintln!("== tidy");
    tidy::run()
}
