//! Pictures as files' bytes.

use ommatidia_scene::RgbImage;

use crate::Error;

/// A PNG: for drawings, exact.
///
/// # Errors
/// [`Error::Encode`] where the encoder refuses the size.
pub fn png(image: &RgbImage) -> Result<Vec<u8>, Error> {
    let failed = |cause: png::EncodingError| Error::Encode {
        width: image.width,
        height: image.height,
        what: cause.to_string(),
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width as u32, image.height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&image.data).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// A JPEG of quality 88: for photographs, a tenth of the size.
///
/// # Errors
/// [`Error::Encode`] where a side is 0 or longer than 65535 pixels.
pub fn jpeg(image: &RgbImage) -> Result<Vec<u8>, Error> {
    let failed = |what: String| Error::Encode { width: image.width, height: image.height, what };
    let side = |pixels: usize| {
        u16::try_from(pixels).map_err(|_| failed("a JPEG's sides are at most 65535 pixels".into()))
    };
    let (width, height) = (side(image.width)?, side(image.height)?);
    let mut bytes = Vec::new();
    jpeg_encoder::Encoder::new(&mut bytes, 88)
        .encode(&image.data, width, height, jpeg_encoder::ColorType::Rgb)
        .map_err(|cause| failed(cause.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_start_as_their_format_does_and_repeat() {
        let image = RgbImage::new(3, 2, (0..18).map(|i| i * 10).collect());
        assert_eq!(png(&image).unwrap()[..4], *b"\x89PNG");
        assert_eq!(jpeg(&image).unwrap()[..2], [0xff, 0xd8]);
        assert_eq!(png(&image).unwrap(), png(&image).unwrap());
        assert_eq!(jpeg(&image).unwrap(), jpeg(&image).unwrap());
    }

    #[test]
    fn nothing_is_not_a_picture() {
        assert!(jpeg(&RgbImage::new(0, 0, vec![])).is_err());
        assert!(png(&RgbImage::new(0, 0, vec![])).is_err());
    }
}
