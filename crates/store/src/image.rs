//! JPEG and PNG: size without decoding, pixels, and whether a file is whole.

use ommatidia_scene::{GrayImage, ImageEncoding, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::{EncodedImage, Error};

/// Largest image side that is decoded, pixels: as [`ommatidia_scene::Rig::check`] allows.
const MAX_SIDE_PX: usize = 32_768;
/// Most bytes that an image's pixels may take.
const MAX_DECODED_BYTES: usize = 1 << 30;

/// Width and height in pixels, from the header alone.
///
/// # Errors
/// [`Error::Image`] if the header is cut short, not one, or of an image without pixels.
pub fn size(image: &EncodedImage) -> Result<(u32, u32), Error> {
    let size = match image.encoding {
        ImageEncoding::Jpeg => jpeg_header(&image.bytes).map(|header| header.size),
        ImageEncoding::Png => png_size(&image.bytes),
    };
    let size = size.filter(|&(width, height)| width > 0 && height > 0);
    size.ok_or_else(|| fail(image, "the header is cut short or damaged; get the file again"))
}

/// Luminance. Colour is weighted as ITU-R BT.601; alpha is ignored; 16-bit values lose their low byte.
///
/// # Errors
/// [`Error::Image`] if the file is cut short, damaged, or of a kind that is not read.
pub fn gray(image: &EncodedImage) -> Result<GrayImage, Error> {
    let pixels = decode(image, true)?;
    Ok(match pixels.channels {
        1 | 2 => GrayImage::new(pixels.width, pixels.height, pixels.plane(0)),
        _ => pixels.into_rgb().to_gray(),
    })
}

/// sRGB. Grey is repeated; alpha is ignored; 16-bit values lose their low byte.
///
/// # Errors
/// [`Error::Image`] if the file is cut short, damaged, or of a kind that is not read.
pub fn rgb(image: &EncodedImage) -> Result<RgbImage, Error> {
    Ok(decode(image, false)?.into_rgb())
}

/// Decodes all of it, and compares its size with the calibration's.
///
/// # Errors
/// [`Error::Image`] if the size differs, or the file is cut short or damaged.
pub fn verify(image: &EncodedImage, width: u32, height: u32) -> Result<(), Error> {
    let found = size(image)?;
    if found != (width, height) {
        let what = format!(
            "is {} x {} pixels, its calibration says {width} x {height}; give the calibration of these images",
            found.0, found.1
        );
        return Err(fail(image, what));
    }
    decode(image, true).map(drop)
}

/// Compresses a picture as JPEG, 4:2:0 below quality 90, 4:4:4 from there on.
///
/// # Errors
/// [`Error::Image`] for a picture without pixels, or with a side over 65,535.
pub fn encode_jpeg(image: &RgbImage, quality: u8, origin: &str) -> Result<EncodedImage, Error> {
    let mut bytes = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    let unfit = |what: String| Error::Image { origin: origin.to_owned(), what };
    let side = |pixels: usize| {
        let side = u16::try_from(pixels).ok().filter(|&side| side > 0);
        side.ok_or_else(|| unfit(format!("JPEG holds no side of {pixels} pixels")))
    };
    encoder
        .encode(&image.data, side(image.width)?, side(image.height)?, jpeg_encoder::ColorType::Rgb)
        .map_err(|cause| unfit(cause.to_string()))?;
    let encoding = ImageEncoding::Jpeg;
    Ok(EncodedImage { encoding, bytes: bytes.into(), origin: origin.to_owned() })
}

/// A PNG of 8-bit sRGB, compressed fast. `origin` names it in errors.
pub fn encode(image: &RgbImage, origin: &str) -> EncodedImage {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width as u32, image.height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&image.data)?;
        writer.finish()
    });
    written.expect("encoding an image of checked size into memory cannot fail");
    EncodedImage { encoding: ImageEncoding::Png, bytes: bytes.into(), origin: origin.to_owned() }
}

/// Decoded pixels, interleaved.
struct Pixels {
    width: usize,
    height: usize,
    /// 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    channels: usize,
    data: Vec<u8>,
}

impl Pixels {
    fn plane(self, channel: usize) -> Vec<u8> {
        match self.channels {
            1 => self.data,
            n => self.data.chunks_exact(n).map(|pixel| pixel[channel]).collect(),
        }
    }

    fn into_rgb(self) -> RgbImage {
        let (width, height, channels) = (self.width, self.height, self.channels);
        let data = match channels {
            1 | 2 => self.data.chunks_exact(channels).flat_map(|pixel| [pixel[0]; 3]).collect(),
            3 => self.data,
            _ => self.data.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        };
        RgbImage::new(width, height, data)
    }
}

fn fail(image: &EncodedImage, what: impl Into<String>) -> Error {
    Error::Image { origin: image.origin.clone(), what: what.into() }
}

fn too_large(image: &EncodedImage, width: usize, height: usize) -> Error {
    fail(image, format!("{width} x {height} pixels are too many to decode"))
}

fn decode(image: &EncodedImage, luminance: bool) -> Result<Pixels, Error> {
    match image.encoding {
        ImageEncoding::Jpeg => decode_jpeg(image, luminance),
        ImageEncoding::Png => decode_png(image),
    }
}

fn decode_jpeg(image: &EncodedImage, luminance: bool) -> Result<Pixels, Error> {
    let damaged = |cause: &dyn std::fmt::Display| {
        fail(image, format!("the JPEG is damaged ({cause}); get the file again"))
    };
    let header = jpeg_header(&image.bytes).ok_or_else(|| damaged(&"no image header"))?;
    if !header.ends {
        return Err(fail(image, "the JPEG is cut short (no end marker); get the file again"));
    }
    // Luminance of a colour JPEG is its Y plane; no conversion is spent on the others.
    let colour = if luminance { ColorSpace::Luma } else { ColorSpace::RGB };
    let (width, height) = (header.size.0 as usize, header.size.1 as usize);
    if width * height * colour.num_components() > MAX_DECODED_BYTES {
        return Err(too_large(image, width, height));
    }
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE_PX)
        .set_max_height(MAX_SIDE_PX)
        .jpeg_set_out_colorspace(colour);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&image.bytes[..]), options);
    let data = decoder.decode().map_err(|cause| damaged(&cause))?;
    let info = decoder.info().ok_or_else(|| damaged(&"no image header"))?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    let channels = colour.num_components();
    if data.len() != width * height * channels {
        return Err(fail(
            image,
            "the JPEG is of a colour space that is not read; save it as YCbCr",
        ));
    }
    Ok(Pixels { width, height, channels, data })
}

fn decode_png(image: &EncodedImage) -> Result<Pixels, Error> {
    let damaged = |cause: png::DecodingError| {
        fail(image, format!("the PNG is cut short or damaged ({cause}); get the file again"))
    };
    let mut options = png::DecodeOptions::default();
    options.set_ignore_adler32(false);
    let mut decoder =
        png::Decoder::new_with_options(std::io::Cursor::new(&image.bytes[..]), options);
    decoder.set_limits(png::Limits { bytes: MAX_DECODED_BYTES });
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let length = reader.output_buffer_size().filter(|&length| length <= MAX_DECODED_BYTES);
    let mut data = vec![0; length.ok_or_else(|| too_large(image, width, height))?];
    let info = reader.next_frame(&mut data).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    data.truncate(info.buffer_size());
    Ok(Pixels { width, height, channels: info.color_type.samples(), data })
}

fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header: [u8; 8] = bytes.get(16..24)?.try_into().ok()?;
    let side = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    (bytes.get(12..16)? == b"IHDR").then(|| (side(0), side(4)))
}

struct JpegHeader {
    size: (u32, u32),
    /// An end marker follows the first scan.
    ends: bool,
}

/// Walks the marker segments up to the first scan. ITU-T T.81, B.1.1 and B.2.
fn jpeg_header(bytes: &[u8]) -> Option<JpegHeader> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    let mut size = None;
    loop {
        let start = rest.iter().position(|&byte| byte == 0xff)?;
        rest = &rest[start..];
        let fill = rest.iter().position(|&byte| byte != 0xff)?;
        let marker = rest[fill];
        rest = &rest[fill + 1..];
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
        // Frame headers but not the tables that share their range: DHT (C4), JPG (C8), DAC (CC).
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let side = |at: usize| {
                Some(u32::from(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?])))
            };
            size = Some((side(5)?, side(3)?));
        }
        rest = rest.get(length.max(2)..)?;
        if marker == 0xda {
            // Within a scan 0xff is followed by zero or a restart marker: this pair is no data.
            let ends = rest.windows(2).any(|pair| pair == [0xff, 0xd9]);
            return size.map(|size| JpegHeader { size, ends });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOUR: &[u8] = include_bytes!("../tests/data/colour.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../tests/data/progressive.jpg");
    const RESTART: &[u8] = include_bytes!("../tests/data/restart.jpg");
    const GRAY: &[u8] = include_bytes!("../tests/data/gray.jpg");
    const JPEGS: [&[u8]; 4] = [COLOUR, PROGRESSIVE, RESTART, GRAY];
    const WIDTH: usize = 32;
    const HEIGHT: usize = 24;

    fn sniff(bytes: &[u8]) -> EncodedImage {
        EncodedImage::sniff(bytes.to_vec().into(), "picture".to_owned()).unwrap()
    }

    #[test]
    fn a_picture_survives_jpeg() {
        let data = (0..HEIGHT).flat_map(|y| (0..WIDTH).flat_map(move |x| colour_at(x, y)));
        let picture = RgbImage::new(WIDTH, HEIGHT, data.collect());
        let encoded = encode_jpeg(&picture, 95, "picture").unwrap();
        verify(&encoded, WIDTH as u32, HEIGHT as u32).unwrap();
        let back = rgb(&encoded).unwrap();
        let error = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b));
        let mean =
            back.data.iter().zip(&picture.data).map(error).sum::<f64>() / picture.data.len() as f64;
        assert!(mean < 4.0, "{mean}");
        assert!(encode_jpeg(&RgbImage::new(0, 0, Vec::new()), 95, "nothing").is_err());
    }

    /// What the pictures in `tests/data` were made from.
    fn colour_at(x: usize, y: usize) -> [u8; 3] {
        [(7 * x) as u8, (9 * y) as u8, (4 * (x + y)) as u8]
    }

    fn png(colour: png::ColorType, depth: png::BitDepth, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, WIDTH as u32, HEIGHT as u32);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == png::ColorType::Indexed {
            let entry = |i: u32| [i as u8, (i / 2) as u8, (255 - i) as u8];
            encoder.set_palette((0..256).flat_map(entry).collect::<Vec<u8>>());
        }
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(data).unwrap();
        writer.finish().unwrap();
        out
    }

    /// A picture of every pixel's value.
    fn picture(pixel: impl Fn(usize, usize) -> Vec<u8>) -> Vec<u8> {
        (0..HEIGHT)
            .flat_map(|y| (0..WIDTH).map(move |x| (x, y)))
            .flat_map(|(x, y)| pixel(x, y))
            .collect()
    }

    #[test]
    fn jpegs_decode_to_what_was_drawn() {
        for bytes in [COLOUR, PROGRESSIVE, RESTART] {
            let image = sniff(bytes);
            assert_eq!(size(&image).unwrap(), (WIDTH as u32, HEIGHT as u32));
            let (rgb, gray) = (rgb(&image).unwrap(), gray(&image).unwrap());
            let luma = rgb.to_gray();
            for (y, x) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (y, x))) {
                let near = |a: u8, b: u8| a.abs_diff(b) <= 12;
                let (found, drawn) = (rgb.at(x, y), colour_at(x, y));
                assert!((0..3).all(|c| near(found[c], drawn[c])), "{x} {y}: {found:?} {drawn:?}");
                assert!(gray.at(x, y).abs_diff(luma.at(x, y)) <= 3, "{x} {y}");
            }
        }
        let image = sniff(GRAY);
        let (gray, rgb) = (gray(&image).unwrap(), rgb(&image).unwrap());
        assert_eq!(rgb.at(9, 5), [gray.at(9, 5); 3]);
    }

    #[test]
    fn pngs_of_every_kind_decode() {
        use png::BitDepth::{Eight, One, Sixteen};
        use png::ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
        let value = |x: usize, y: usize| (8 * x + y) as u8;
        let check = |bytes: Vec<u8>, expected: &dyn Fn(usize, usize) -> [u8; 3]| {
            let image = sniff(&bytes);
            verify(&image, WIDTH as u32, HEIGHT as u32).unwrap();
            let (rgb, gray) = (rgb(&image).unwrap(), gray(&image).unwrap());
            for (y, x) in (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (y, x))) {
                assert_eq!(rgb.at(x, y), expected(x, y));
            }
            assert_eq!(gray, rgb.to_gray());
        };
        let grey = |x, y| [value(x, y); 3];
        check(png(Grayscale, Eight, &picture(|x, y| vec![value(x, y)])), &grey);
        check(png(Grayscale, Sixteen, &picture(|x, y| vec![value(x, y), 77])), &grey);
        check(png(GrayscaleAlpha, Eight, &picture(|x, y| vec![value(x, y), 3])), &grey);
        check(png(Rgb, Eight, &picture(|x, y| colour_at(x, y).to_vec())), &colour_at);
        check(png(Rgba, Eight, &picture(|x, y| [&colour_at(x, y)[..], &[9]].concat())), &colour_at);
        let entry = |x, y| [value(x, y), value(x, y) / 2, 255 - value(x, y)];
        check(png(Indexed, Eight, &picture(|x, y| vec![value(x, y)])), &entry);
        let stripes = vec![0b1010_1010; WIDTH / 8 * HEIGHT];
        check(png(Grayscale, One, &stripes), &|x, _| [if x % 2 == 0 { 255 } else { 0 }; 3]);
    }

    #[test]
    fn a_file_cut_at_any_byte_is_refused() {
        let png = png(
            png::ColorType::Rgb,
            png::BitDepth::Eight,
            &picture(|x, y| colour_at(x, y).to_vec()),
        );
        for bytes in JPEGS.into_iter().chain([&png[..]]) {
            verify(&sniff(bytes), WIDTH as u32, HEIGHT as u32).unwrap();
            for length in 8..bytes.len() - 1 {
                let result = verify(&sniff(&bytes[..length]), WIDTH as u32, HEIGHT as u32);
                let error = result.expect_err("a cut file must be refused").to_string();
                assert!(error.contains("picture"), "{error}");
            }
        }
    }

    #[test]
    fn flipped_bits_never_panic() {
        let png = png(
            png::ColorType::Indexed,
            png::BitDepth::Eight,
            &picture(|x, y| vec![(x + y) as u8]),
        );
        for bytes in JPEGS.into_iter().chain([&png[..]]) {
            for at in 3..bytes.len() {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 1 << (at % 8);
                if let Ok(image) = EncodedImage::sniff(damaged.into(), "picture".to_owned()) {
                    let sizes = (size(&image), gray(&image), rgb(&image));
                    if let (Ok(size), Ok(gray), Ok(rgb)) = sizes {
                        assert_eq!((gray.width, gray.height), (rgb.width, rgb.height));
                        assert_eq!(size, (gray.width as u32, gray.height as u32));
                    }
                }
            }
        }
    }

    #[test]
    fn an_image_of_many_pixels_is_refused_before_memory_is_asked_for() {
        let mut bytes = COLOUR.to_vec();
        let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x7f, 0xff, 0x7f, 0xff]);
        let error = rgb(&sniff(&bytes)).unwrap_err().to_string();
        assert!(error.contains("32767 x 32767 pixels are too many"), "{error}");
    }

    #[test]
    fn another_size_than_the_calibration_is_told() {
        let error = verify(&sniff(COLOUR), 32, 23).unwrap_err().to_string();
        assert!(error.contains("32 x 24") && error.contains("32 x 23"), "{error}");
        let text = EncodedImage::sniff(b"GIF89a".to_vec().into(), "picture".to_owned());
        assert!(text.unwrap_err().to_string().contains("neither JPEG nor PNG"));
    }
}
