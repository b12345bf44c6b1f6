//! Class maps: PNG with a number of 8 or 16 bits a pixel, palette or not.

use std::path::Path;

use crate::Error;
use crate::formats::common::inputs::{MAX_IMAGE_BYTES, read_bounded};

/// Most bytes that a map's pixels may take.
const MAX_DECODED_BYTES: usize = 1 << 30;

/// Numbers of one picture, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberMap {
    /// Pixels along x.
    pub width: usize,
    /// Pixels along y.
    pub height: usize,
    /// Values of a pixel; 1 for class maps.
    pub channels: usize,
    /// All values.
    pub numbers: Vec<u16>,
}

/// A PNG's numbers as stored: the index of a palette, not its colour.
///
/// # Errors
/// Damaged file, more than a gigabyte of pixels, or fewer than 8 bits a value.
pub fn read(path: &Path) -> Result<NumberMap, Error> {
    let bytes = read_bounded(path, MAX_IMAGE_BYTES, "it holds a map")?;
    let damaged = |cause: png::DecodingError| {
        Error::source(path, format!("the PNG is cut short or damaged ({cause})"))
    };
    let mut decoder = png::Decoder::new(std::io::Cursor::new(&bytes[..]));
    decoder.set_limits(png::Limits { bytes: MAX_DECODED_BYTES });
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let length = reader.output_buffer_size().filter(|&length| length <= MAX_DECODED_BYTES);
    let too_large = || Error::source(path, format!("{width} x {height} pixels are too many"));
    let mut data = vec![0; length.ok_or_else(too_large)?];
    let info = reader.next_frame(&mut data).map_err(damaged)?;
    data.truncate(info.buffer_size());
    let numbers: Vec<u16> = match info.bit_depth {
        png::BitDepth::Eight => data.into_iter().map(u16::from).collect(),
        png::BitDepth::Sixteen => {
            data.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
        }
        depth => {
            let what = format!("has {} bits a value; save it with 8 or 16", depth as u8);
            return Err(Error::source(path, what));
        }
    };
    let channels = info.color_type.samples();
    if numbers.len() != width * height * channels {
        return Err(Error::source(path, "the PNG is cut short"));
    }
    Ok(NumberMap { width, height, channels, numbers })
}

/// A class map: one number up to 255 a pixel.
///
/// # Errors
/// As [`read`]; more values a pixel, or a larger number, naming the pixel.
pub fn read_classes(path: &Path) -> Result<(usize, usize, Vec<u8>), Error> {
    let map = read(path)?;
    if map.channels != 1 {
        let what = format!(
            "has {} values a pixel; class maps have one number a pixel, not colours",
            map.channels
        );
        return Err(Error::source(path, what));
    }
    let class = |(index, &number): (usize, &u16)| {
        u8::try_from(number).map_err(|_| {
            let (x, y) = (index % map.width, index / map.width);
            Error::source(path, format!("pixel {x}, {y} is {number}; classes are 0 to 255"))
        })
    };
    let classes = map.numbers.iter().enumerate().map(class).collect::<Result<_, _>>()?;
    Ok((map.width, map.height, classes))
}

/// Writes a class map: one number of 8 bits a pixel, row by row.
///
/// # Errors
/// [`Error::Write`], [`Error::DiskFull`].
///
/// # Panics
/// If there is not one number per pixel.
pub fn write_classes(
    path: &Path,
    (width, height): (usize, usize),
    classes: &[u8],
) -> Result<(), Error> {
    assert_eq!(classes.len(), width * height, "a class per pixel");
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(classes)?;
        writer.finish()
    });
    written.expect("encoding a map of checked size into memory cannot fail");
    crate::atomic::write_bytes(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.png");
        write_classes(&path, (3, 2), &[0, 1, 2, 253, 254, 255]).unwrap();
        assert_eq!(read_classes(&path).unwrap(), (3, 2, vec![0, 1, 2, 253, 254, 255]));
    }

    fn write(path: &Path, colour: png::ColorType, depth: png::BitDepth, data: &[u8]) {
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, 2, 2);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == png::ColorType::Indexed {
            encoder.set_palette(vec![9; 3 * 256]);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
    }

    #[test]
    fn numbers_not_colours() {
        use png::BitDepth::{Eight, Sixteen};
        use png::ColorType::{Grayscale, Indexed, Rgb};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.png");
        for colour in [Grayscale, Indexed] {
            write(&path, colour, Eight, &[0, 1, 2, 255]);
            assert_eq!(read_classes(&path).unwrap(), (2, 2, vec![0, 1, 2, 255]));
        }
        let refused = |expected: &str| {
            let error = read_classes(&path).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("map.png"), "{error}");
        };
        write(&path, Grayscale, Sixteen, &[0, 1, 0, 2, 1, 3, 0, 4]);
        refused("pixel 0, 1 is 259");
        write(&path, Rgb, Eight, &[0; 12]);
        refused("3 values a pixel");
        write(&path, Grayscale, png::BitDepth::Two, &[0; 2]);
        refused("2 bits a value");
        write(&path, Grayscale, Eight, &[0, 1, 2, 255]);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() - 12 {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(read_classes(&path).is_err(), "{length} bytes");
        }
    }
}
