//! The size of a compressed image, from its header alone.

use std::path::Path;

use ommatidia_scene::ImageEncoding;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;

use super::inputs::{MAX_IMAGE_BYTES, read_bounded};
use crate::{EncodedImage, Error};

/// Width and height of an image, pixels.
///
/// # Errors
/// [`Error::Image`] where the header is damaged.
pub(crate) fn image_size(image: &EncodedImage) -> Result<(u32, u32), Error> {
    let size = match image.encoding {
        ImageEncoding::Png => png_size(&image.bytes),
        ImageEncoding::Jpeg => jpeg_size(&image.bytes),
    };
    let damaged = || Error::Image {
        origin: image.origin.clone(),
        what: "its header is damaged or cut short, so it has no size; replace the file".to_owned(),
    };
    size.filter(|&(width, height)| width > 0 && height > 0).ok_or_else(damaged)
}

/// Width and height are the first two fields of the first chunk, big-endian. PNG 1.2, section 4.1.1.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.get(8..24)?;
    let side = |at: usize| header[at..at + 4].try_into().ok().map(u32::from_be_bytes);
    (&header[4..8] == b"IHDR").then_some(())?;
    Some((side(8)?, side(12)?))
}

fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut decoder = JpegDecoder::new(ZCursor::new(bytes));
    decoder.decode_headers().ok()?;
    let info = decoder.info()?;
    Some((u32::from(info.width), u32::from(info.height)))
}

/// Reads a compressed image that `needed_by` asks for.
///
/// # Errors
/// Missing, larger than any image, or neither JPEG nor PNG.
pub(crate) fn read_image(path: &Path, needed_by: &str) -> Result<EncodedImage, Error> {
    let bytes = read_bounded(path, MAX_IMAGE_BYTES, needed_by)?;
    EncodedImage::sniff(bytes.into(), path.display().to_string())
}
