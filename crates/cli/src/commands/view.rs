//! `omma view CLIP [LABELS] --save FILE.rrd`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::args::Common;
use crate::failure::Failure;

/// Write a Rerun recording of a clip and its labels
#[derive(Debug, Args)]
pub(crate) struct ViewArguments {
    /// The clip
    clip: PathBuf,
    /// Its labels
    labels: Option<PathBuf>,
    /// The recording to write
    #[arg(long, value_name = "FILE.rrd")]
    save: Option<PathBuf>,
}

#[cfg(feature = "rerun")]
pub(crate) fn run(arguments: &ViewArguments, common: &Common) -> Result<ExitCode, Failure> {
    use ommatidia_store::{ClipReader, Labels};

    let reader = ClipReader::open(&arguments.clip)?;
    let labels = arguments.labels.as_deref().map(Labels::open).transpose()?;
    let save = arguments.save.clone().unwrap_or_else(|| arguments.clip.with_extension("rrd"));
    ommatidia_view_rerun::save(&reader, labels.as_ref(), &save).map_err(Failure::input)?;
    let result = serde_json::json!({ "recording": save });
    crate::output::print(common, &result, || format!("{}\n", save.display()))
}

#[cfg(not(feature = "rerun"))]
pub(crate) fn run(arguments: &ViewArguments, _: &Common) -> Result<ExitCode, Failure> {
    let clip = arguments.clip.display();
    Err(Failure::Environment(miette::miette!(
        "this omma was built without the viewer's SDK; build it with `cargo build --release --features rerun`. \
         {clip} itself opens in Rerun and Foxglove as it is, and `omma report` writes a page about its labels"
    )))
}
