//! Compressed images from files.

use std::path::Path;

use super::inputs::{MAX_IMAGE_BYTES, read_bounded};
use crate::{EncodedImage, Error};

/// Reads a compressed image that `needed_by` asks for.
///
/// # Errors
/// Missing, larger than any image, or neither JPEG nor PNG.
pub(crate) fn read_image(path: &Path, needed_by: &str) -> Result<EncodedImage, Error> {
    let bytes = read_bounded(path, MAX_IMAGE_BYTES, needed_by)?;
    EncodedImage::sniff(bytes.into(), path.display().to_string())
}
