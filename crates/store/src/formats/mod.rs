//! Readers of foreign data sets, one file each.

mod argoverse2;
pub(crate) mod common;
mod dgp;
mod images;
mod kitti_odometry;
mod nuscenes;
mod semantickitti;

use std::path::{Path, PathBuf};

use ommatidia_scene::{Rig, Skipped};
use serde::{Deserialize, Serialize};

use crate::{ClipHeader, Error, FrameData};

/// Every format, in the order in which `auto` asks them.
pub const FORMATS: &[&dyn Format] = &[
    &kitti_odometry::KittiOdometry,
    &semantickitti::SemanticKitti,
    &nuscenes::NuScenes,
    &dgp::Dgp,
    &argoverse2::Argoverse2,
    &images::Images,
];

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

    /// What [`Self::detect`] looks for, for people.
    fn looks_for(&self) -> &'static str;

    /// Whether the source looks like this format. Looks at names and first bytes only.
    fn detect(&self, source: &Path) -> bool;

    /// Reads calibration and index, and stands before the first frame.
    ///
    /// # Errors
    /// Where the source is not as the format promises; names the file, the place in it and what to do.
    fn open(&self, source: &Path, options: &ImportOptions) -> Result<Box<dyn Drive>, Error>;
}

/// The cameras that a rig file describes (`docs/rig.md`), where their images do not matter.
///
/// # Errors
/// The file cannot be read, is no rig, or holds a number out of bounds.
pub fn read_rig(path: &Path) -> Result<Rig, Error> {
    images::read_rig(path)
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

    /// The rig that annotations refer to, where the calibration that the header gives is not the truth.
    fn true_rig(&self) -> &Rig {
        &self.header().rig
    }
}

/// The format of that name, or with `auto` the only one that recognises the source.
///
/// # Errors
/// [`Error::UnknownFormat`] if no format has the name or recognises the source, with what each looks
/// for; [`Error::Source`] if there is no such file or directory, or several formats recognise it.
pub fn find(name: &str, source: &Path) -> Result<&'static dyn Format, Error> {
    std::fs::metadata(source).map_err(|cause| Error::read(source, cause))?;
    if name != "auto" {
        let named = FORMATS.iter().copied().find(|format| format.name() == name);
        let known = || FORMATS.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ");
        return named.ok_or_else(|| {
            let what = format!("cannot be read as {name:?}; the formats are {}", known());
            Error::source(source, what)
        });
    }
    let found: Vec<_> = FORMATS.iter().copied().filter(|format| format.detect(source)).collect();
    match found[..] {
        [only] => Ok(only),
        [] => {
            let wanted =
                |format: &&dyn Format| format!("{}: {}", format.name(), format.looks_for());
            let known = FORMATS.iter().map(wanted).collect::<Vec<_>>().join("; ");
            Err(Error::UnknownFormat { path: source.to_owned(), known })
        }
        _ => {
            let names = found.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ");
            let what = format!("looks like several formats ({names}); name one with --format");
            Err(Error::source(source, what))
        }
    }
}
