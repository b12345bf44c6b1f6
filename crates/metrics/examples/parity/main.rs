//! Figures of one metric family on one input: `parity FAMILY [FILE]`, JSON from the file or stdin, figures as
//! one JSON object to stdout. `bench/metrics/table.py` runs it beside the official tools.

mod families;

use std::io::Read;
use std::process::ExitCode;

fn run() -> Result<String, String> {
    let mut arguments = std::env::args().skip(1);
    let family = arguments.next().ok_or("usage: parity FAMILY [FILE]")?;
    let text = match arguments.next() {
        Some(path) => std::fs::read_to_string(&path).map_err(|cause| format!("{path}: {cause}"))?,
        None => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|cause| format!("stdin: {cause}"))?;
            text
        }
    };
    let input = serde_json::from_str(&text).map_err(|cause| format!("input: {cause}"))?;
    let figures = families::run(&family, input)?;
    let shown = figures.into_iter().map(|(name, value)| (name, families::to_json(value)));
    Ok(serde_json::Value::Object(shown.collect()).to_string())
}

fn main() -> ExitCode {
    match run() {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
