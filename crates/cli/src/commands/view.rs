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
    use ommatidia_scene::Taxonomy;
    use ommatidia_store::{ClipReader, Labels};

    let reader = ClipReader::open(&arguments.clip)?;
    let labels = arguments.labels.as_deref().map(Labels::open).transpose()?;
    let save = arguments.save.clone().unwrap_or_else(|| arguments.clip.with_extension("rrd"));
    let bar = crate::progress::bar(common, "view", Some(reader.clip().frames.len() as u64));
    let mut progress = |frames: usize| bar.set_position(frames as u64);
    let summary = ommatidia_view_rerun::record(
        &reader,
        labels.as_ref(),
        &Taxonomy::driving(),
        &save,
        &mut progress,
    );
    let summary = summary.map_err(|error| match error {
        ommatidia_view_rerun::Error::Store(error) => error.into(),
        other => Failure::Environment(miette::miette!("{other}")),
    })?;
    bar.finish_and_clear();
    let result = serde_json::json!({
        "recording": save, "frames": summary.frames, "images": summary.images, "clouds": summary.clouds,
        "labelled": summary.labelled, "bytes": summary.bytes,
    });
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
