//! Text of results and settings, bounded.

use std::path::Path;

use crate::Error;
use crate::formats::common::inputs::{MAX_TEXT_BYTES, read_bounded, utf8};

/// Most bytes of a settings file.
const MAX_SETTINGS_BYTES: u64 = 1 << 20;
/// Most bytes of a kept run: every prediction of a large evaluation is in it.
const MAX_RUN_BYTES: u64 = 4 << 30;

/// A file of rows.
///
/// # Errors
/// Missing or unreadable file, one that is too large, or bytes that are no text.
pub fn read(path: &Path) -> Result<String, Error> {
    utf8(path, read_bounded(path, MAX_TEXT_BYTES, "it holds results")?)
}

/// A file of settings.
///
/// # Errors
/// As [`read`].
pub fn read_settings(path: &Path) -> Result<String, Error> {
    utf8(path, read_bounded(path, MAX_SETTINGS_BYTES, "it holds settings")?)
}

/// A kept run.
///
/// # Errors
/// As [`read`].
pub fn read_run(path: &Path) -> Result<String, Error> {
    utf8(path, read_bounded(path, MAX_RUN_BYTES, "it holds a kept run")?)
}
