//! `omma import SOURCE --out CLIP.mcap`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use ommatidia_scene::Skipped;
use ommatidia_store::atomic;
use ommatidia_store::formats::{self, Drive, ImportOptions};
use ommatidia_store::import::{self, Imported};
use serde::Serialize;

use crate::args::Common;
use crate::failure::Failure;
use crate::{output, progress};

/// Turn a recorded drive of any known format into one clip
///
/// The clip is an MCAP file with Foxglove schemas: Foxglove and Rerun open it as it is. Images are
/// kept as they were compressed. Annotations that the source holds go into labels beside the clip.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Directory or file of the recording
    source: PathBuf,
    /// The clip to write
    #[arg(long, value_name = "CLIP.mcap")]
    out: PathBuf,
    /// Layout of the source: `auto` looks at the files
    #[arg(long, default_value = "auto", value_name = "NAME")]
    format: String,
    /// Which drive of a source that holds several
    #[arg(long, value_name = "ID")]
    sequence: Option<String>,
    /// Rig file for sources without calibration (docs/rig.md)
    #[arg(long, value_name = "RIG.toml")]
    rig: Option<PathBuf>,
    /// Frames a second: of a source without times, or to thin one that has more
    #[arg(long, value_name = "HZ")]
    rate: Option<f64>,
}

#[derive(Serialize)]
struct ImportResult {
    clip: PathBuf,
    format: String,
    frames: usize,
    cameras: usize,
    lidars: usize,
    duration_s: f64,
    has_poses: bool,
    truth: Option<PathBuf>,
    skipped: Vec<Skipped>,
}

pub(crate) fn run(arguments: &ImportArguments, common: &Common) -> Result<ExitCode, Failure> {
    if let Some(rate) = arguments.rate
        && !(rate.is_finite() && rate > 0.0)
    {
        return Err(Failure::input(format!(
            "--rate is {rate}; it must be a positive number of frames a second"
        )));
    }
    let options = ImportOptions {
        sequence: arguments.sequence.clone(),
        rig: arguments.rig.clone(),
        rate_hz: arguments.rate,
    };
    if let Some(folder) = arguments.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        atomic::create_directory(folder)?;
    }
    let format = formats::find(&arguments.format, &arguments.source)?;
    let mut drive = format.open(&arguments.source, &options)?;
    let imported = bring_in(drive.as_mut(), &arguments.out, ("import", None), common)?;
    let beside = arguments.out.with_extension("truth");
    if imported.truth.is_none() && beside.exists() {
        tracing::warn!(
            "{} is of an earlier clip of this name, not of this drive; remove it",
            beside.display()
        );
    }
    let rig = &drive.header().rig;
    let result = ImportResult {
        clip: arguments.out.clone(),
        format: drive.header().format.clone(),
        frames: imported.clip.frames,
        cameras: rig.cameras.len(),
        lidars: rig.lidars.len(),
        duration_s: imported.duration_s,
        has_poses: imported.has_poses,
        truth: imported.truth,
        skipped: drive.skipped(),
    };
    output::print(common, &result, || describe(&result))
}

/// Writes a drive as a clip under a progress bar, which says what is done and counts to `frames` if they
/// are known.
pub(crate) fn bring_in(
    source: &mut dyn Drive,
    clip: &Path,
    (what, frames): (&str, Option<usize>),
    common: &Common,
) -> Result<Imported, Failure> {
    let bar = progress::bar(common, what, frames.map(|frames| frames as u64));
    let imported = import::import(source, clip, |frames| bar.set_position(frames as u64))?;
    bar.finish_and_clear();
    Ok(imported)
}

fn describe(result: &ImportResult) -> String {
    let mut text = format!(
        "{}: {} frames of {} cameras and {} lidars over {:.1} s, read as {}{}\n",
        result.clip.display(),
        result.frames,
        result.cameras,
        result.lidars,
        result.duration_s,
        result.format,
        if result.has_poses { ", with poses" } else { "" },
    );
    if let Some(truth) = &result.truth {
        text += &format!("annotations: {}\n", truth.display());
    }
    text + &output::skipped(&result.skipped)
}
