//! Readers of foreign data sets, one file each.

use std::path::{Path, PathBuf};

use ommatidia_scene::Skipped;
use serde::{Deserialize, Serialize};

use crate::{ClipHeader, Error, FrameData};

/// Every format, in the order in which `auto` asks them.
pub const FORMATS: &[&dyn Format] = &[];

/// What to take from a source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImportOptions {
    /// Which of the source's drives; needed where it holds several.
    pub sequence: Option<String>,
    /// A rig in TOML, for sources without calibration.
    pub rig: Option<PathBuf>,
    /// Frames per second: of a source without times, or to thin one that has more.
    pub rate_hz: Option<f64>,
}

/// A data set's layout on disk.
pub trait Format: Sync {
    /// Its name on the command line, snake case.
    fn name(&self) -> &'static str;

    /// Whether the source looks like this format. Looks at names and first bytes only.
    fn detect(&self, source: &Path) -> bool;

    /// Reads calibration and index, and stands before the first frame.
    ///
    /// # Errors
    /// Where the source is not as the format promises; names the file, the place in it and what to do.
    fn open(&self, source: &Path, options: &ImportOptions) -> Result<Box<dyn Drive>, Error>;
}

/// One drive being read, frame by frame, in memory that does not grow with its length.
pub trait Drive {
    /// What is known before the frames.
    fn header(&self) -> &ClipHeader;

    /// The next frame, `None` after the last.
    ///
    /// # Errors
    /// Where a file is missing or damaged. Nothing more comes after an error.
    fn next_frame(&mut self) -> Result<Option<FrameData>, Error>;

    /// What was left out so far, and why.
    fn skipped(&self) -> Vec<Skipped>;
}

/// The format of that name, or with `auto` the first that recognises the source.
///
/// # Errors
/// [`Error::UnknownFormat`]; [`Error::Read`] if the source is not there.
pub fn find(name: &str, source: &Path) -> Result<&'static dyn Format, Error> {
    std::fs::metadata(source).map_err(|cause| Error::read(source, cause))?;
    let found = FORMATS.iter().copied().find(|format| match name {
        "auto" => format.detect(source),
        _ => format.name() == name,
    });
    found.ok_or_else(|| {
        let known: Vec<&str> = FORMATS.iter().map(|format| format.name()).collect();
        Error::UnknownFormat { path: source.to_owned(), known: known.join(", ") }
    })
}
