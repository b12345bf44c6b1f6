//! `omma vehicle gate FILE.omma`: the replay gate in process.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ommatidia_update::vehicle::Gate;

use crate::args::Common;
use crate::failure::Failure;

/// Replay a bundle's cases on this machine, as `omma vehicle update --gate builtin` does
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "export"), allow(dead_code, reason = "what it says needs the feature"))]
pub(crate) struct GateArguments {
    /// The bundle
    bundle: PathBuf,
    /// Engine that computes the network
    #[arg(long, value_name = "NAME", default_value = "rten")]
    engine: String,
}

/// The gate that `--gate builtin` means.
#[cfg(feature = "export")]
pub(super) fn built_in(engine: &str, common: &Common) -> Result<Box<dyn Gate>, Failure> {
    use ommatidia_runtime::gate::BuiltInGate;
    let (engine, threads) = (engine.to_owned(), common.threads.unwrap_or(0));
    Ok(Box::new(BuiltInGate { engine, threads }))
}

#[cfg(not(feature = "export"))]
pub(super) fn built_in(_: &str, _: &Common) -> Result<Box<dyn Gate>, Failure> {
    Err(super::without_engines())
}

#[cfg(feature = "export")]
pub(super) fn run(arguments: &GateArguments, common: &Common) -> Result<ExitCode, Failure> {
    use ommatidia_runtime::gate::BuiltInGate;
    use ommatidia_update::Error;
    use ommatidia_update::bundle::Bundle;
    use serde_json::json;

    use crate::failure::EXIT_WORSE;
    use crate::output;

    let file = crate::commands::bundle::open(&arguments.bundle)?;
    let bundle = Bundle::open(&file)?;
    bundle.verify_contents()?;
    let threads = common.threads.unwrap_or(0);
    let gate = BuiltInGate { engine: arguments.engine.clone(), threads };
    let (passed, result, text) = match gate.judge(&bundle) {
        Ok(agreement) => (
            true,
            json!({
                "passed": true, "engine": arguments.engine, "cases": agreement.cases,
                "values": agreement.values, "max_difference": agreement.max_difference,
            }),
            format!(
                "passed in {}: {} cases, {} values, largest difference {:.2e}",
                arguments.engine, agreement.cases, agreement.values, agreement.max_difference
            ),
        ),
        Err(Error::Gate { reason: why }) => {
            let result = json!({ "passed": false, "engine": arguments.engine, "reason": why });
            (false, result, format!("refused in {}: {why}", arguments.engine))
        }
        Err(other) => return Err(other.into()),
    };
    output::print(common, &result, || text)?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(EXIT_WORSE) })
}

#[cfg(not(feature = "export"))]
pub(super) fn run(_: &GateArguments, _: &Common) -> Result<ExitCode, Failure> {
    Err(super::without_engines())
}
