//! `omma report LABELS|RUN --out FILE.html`.

mod training;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_scene::{PoseSource, Taxonomy};
use ommatidia_store::{ClipReader, Labels, atomic};
use ommatidia_view::report::{MetricTable, ReportInput, render, render_training};
use serde_json::json;

use super::eval::{self, Measured};
use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// Frames shown in full unless asked otherwise.
const FRAMES: usize = 3;

/// Write one self-contained HTML page about a clip and its labels, or about trainings
///
/// Of a training's folder, or of a folder of several: learning curves, scores on held-out data beside trivial
/// answers, and where settings differ.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// Labels directory, a training's folder, or a folder of trainings
    #[arg(value_name = "LABELS|RUN")]
    labels: PathBuf,
    /// The clip that the labels were made from, if it is not where it was then
    #[arg(long, value_name = "CLIP.mcap")]
    clip: Option<PathBuf>,
    /// Labels of truth to compare with
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
    /// The page to write
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// Frames shown in full
    #[arg(long, default_value_t = FRAMES)]
    frames: usize,
}

pub(crate) fn run(arguments: &ReportArguments, common: &Common) -> Result<ExitCode, Failure> {
    refuse_other_files(&arguments.out)?;
    let runs = training::runs_in(&arguments.labels);
    if !runs.is_empty() {
        let page = render_training(&training::gather(&arguments.labels, &runs)?);
        atomic::write_bytes(&arguments.out, page.as_bytes())?;
        let result = json!({ "report": arguments.out, "runs": runs });
        return output::print(common, &result, || format!("{}\n", arguments.out.display()));
    }
    let reader = find_clip(&arguments.labels, arguments.clip.as_deref())?;
    let measured = match &arguments.truth {
        Some(truth) => eval::against_truth(&arguments.labels, reader.path(), truth)?,
        None => eval::against_clip(&arguments.labels, reader.path())?,
    };
    write(&reader, &arguments.labels, &measured, (&arguments.out, arguments.frames))?;
    let result = json!({ "report": arguments.out, "metrics": measured });
    output::print(common, &result, || format!("{}\n", arguments.out.display()))
}

/// A page replaces an older page, and no labels, clip or run that was named by mistake.
fn refuse_other_files(out: &Path) -> Result<(), Failure> {
    let Ok(mut file) = File::open(out) else { return Ok(()) };
    let mut start = [0; 2];
    if !out.is_file() || file.read_exact(&mut start).is_err() || &start == b"<!" {
        return Ok(());
    }
    let out = out.display();
    Err(Failure::input(format!(
        "--out {out}: it is there and no page; give another path, or remove it"
    )))
}

/// Gathers what the page shows and writes it: to a file, with so many frames.
pub(crate) fn write(
    reader: &ClipReader,
    labels: &Path,
    measured: &Measured,
    (out, frames): (&Path, usize),
) -> Result<(), Failure> {
    let labels = Labels::open(labels)?;
    let mut input = ReportInput::read(reader, &labels, Taxonomy::driving(), frames)?;
    let given = reader.clip().trajectory.as_ref();
    let truth =
        given.filter(|path| matches!(path.source, PoseSource::Dataset | PoseSource::Simulation));
    input.truth = truth.map(|path| path.samples().to_vec());
    let table = |(title, value)| MetricTable::new(title, value);
    input.metrics = measured.tables().into_iter().map(table).collect();
    let page = render(&input).map_err(Failure::input)?;
    Ok(atomic::write_bytes(out, page.as_bytes())?)
}

/// The clip that labels were made from: as named, as noted beside the labels, or near them by name.
fn find_clip(labels: &Path, named: Option<&Path>) -> Result<ClipReader, Failure> {
    let opened = Labels::open(labels)?;
    let wanted = opened.manifest().clip.content_hash;
    if let Some(path) = named {
        let reader = ClipReader::open(path)?;
        if reader.content_hash() == wanted {
            return Ok(reader);
        }
        let (clip, labels) = (path.display(), labels.display());
        return Err(Failure::input(format!(
            "{clip}: is not the clip that {labels} was made from; give that one"
        )));
    }
    let file = labels.with_extension("mcap");
    let name = file.file_name().unwrap_or_default();
    let near = labels.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let noted = super::label::noted_clip(labels);
    let found = noted.into_iter().chain(near).filter_map(|path| ClipReader::open(&path).ok());
    found.into_iter().find(|reader| reader.content_hash() == wanted).ok_or_else(|| {
        Failure::input(format!(
            "{}: the clip that these labels were made from is not near; name it with --clip",
            labels.display()
        ))
    })
}
