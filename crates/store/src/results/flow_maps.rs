//! Optical flow: KITTI's PNG and Middlebury's `.flo`. Disparity: KITTI's PNG.

use std::path::Path;

use super::class_maps;
use crate::Error;
use crate::formats::common::inputs::{MAX_CLOUD_BYTES, read_bounded};

/// Motion of each pixel, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowMap {
    /// Pixels along x.
    pub width: usize,
    /// Pixels along y.
    pub height: usize,
    /// Pixels along x and y; NaN where there is none.
    pub flow_px: Vec<[f32; 2]>,
}

/// Largest component that `.flo` calls known.
const UNKNOWN_PX: f32 = 1e9;

/// A flow map by its name: `.flo`, otherwise PNG.
///
/// # Errors
/// Damaged file, or one that is no flow map.
pub fn read(path: &Path) -> Result<FlowMap, Error> {
    if path.extension().is_some_and(|extension| extension == "flo") {
        return read_flo(path);
    }
    let map = class_maps::read(path)?;
    if map.channels != 3 {
        let what = format!("has {} values a pixel; flow has 3 of 16 bits", map.channels);
        return Err(Error::source(path, what));
    }
    // KITTI's development kit: (value - 2^15) / 64, valid where the third is not 0.
    let component = |value: u16| (f32::from(value) - 32768.0) / 64.0;
    let vector = |&[u, v, valid]: &[u16; 3]| {
        if valid == 0 { [f32::NAN; 2] } else { [component(u), component(v)] }
    };
    let flow_px = map.numbers.as_chunks::<3>().0.iter().map(vector).collect();
    Ok(FlowMap { width: map.width, height: map.height, flow_px })
}

/// Disparity of each pixel, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct DisparityMap {
    /// Pixels along x.
    pub width: usize,
    /// Pixels along y.
    pub height: usize,
    /// Pixels; 0 where there is none.
    pub disparity_px: Vec<f32>,
}

/// KITTI's disparity: one number of 16 bits a pixel, 256ths of a pixel, 0 where there is none.
///
/// # Errors
/// Damaged file, or one that is no such map.
pub fn read_disparity(path: &Path) -> Result<DisparityMap, Error> {
    let map = class_maps::read(path)?;
    if map.channels != 1 {
        let what = format!("has {} values a pixel; disparity has 1 of 16 bits", map.channels);
        return Err(Error::source(path, what));
    }
    let disparity_px = map.numbers.iter().map(|&number| f32::from(number) / 256.0).collect();
    Ok(DisparityMap { width: map.width, height: map.height, disparity_px })
}

/// Baker et al. 2011: `PIEH`, width, height, then pairs of 32-bit floats.
fn read_flo(path: &Path) -> Result<FlowMap, Error> {
    let bytes = read_bounded(path, MAX_CLOUD_BYTES, "it holds optical flow")?;
    let refuse = |what: String| Error::source(path, what);
    let body =
        bytes.strip_prefix(b"PIEH").ok_or_else(|| refuse("does not begin with PIEH".into()))?;
    let (words, rest) = body.as_chunks::<4>();
    let [width, height, values @ ..] = words else {
        return Err(refuse("is cut short".to_owned()));
    };
    let (width, height) =
        (u32::from_le_bytes(*width) as usize, u32::from_le_bytes(*height) as usize);
    let pairs = values.as_chunks::<2>().0;
    if !rest.is_empty() || values.len() % 2 != 0 || width.checked_mul(height) != Some(pairs.len()) {
        let what = format!("announces {width} x {height} pixels and holds {}", pairs.len());
        return Err(refuse(what));
    }
    let vector = |pair: &[[u8; 4]; 2]| {
        let flow = pair.map(f32::from_le_bytes);
        if flow.iter().all(|c| c.abs() < UNKNOWN_PX) { flow } else { [f32::NAN; 2] }
    };
    Ok(FlowMap { width, height, flow_px: pairs.iter().map(vector).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &Path, bytes: &[u8], expected: &str) {
        std::fs::write(path, bytes).unwrap();
        let error = read(path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn both_formats() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.flo");
        let mut bytes = b"PIEH".to_vec();
        bytes.extend([2u32, 1].iter().flat_map(|n| n.to_le_bytes()));
        bytes.extend([1.5f32, -2.0, 1e10, 0.0].iter().flat_map(|x| x.to_le_bytes()));
        std::fs::write(&path, &bytes).unwrap();
        let map = read(&path).unwrap();
        assert_eq!((map.width, map.height, map.flow_px[0]), (2, 1, [1.5, -2.0]));
        assert!(map.flow_px[1][0].is_nan());
        check(&path, &bytes[..bytes.len() - 4], "announces 2 x 1 pixels and holds 1");
        check(&path, b"PIEX", "PIEH");
        check(&path, b"PIEH\x01\0\0\0", "cut short");

        let path = folder.path().join("a.png");
        let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), 2, 1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Sixteen);
        let values: [u16; 6] = [32768 + 96, 32768 - 128, 1, 5, 5, 0];
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
        encoder.write_header().unwrap().write_image_data(&data).unwrap();
        let map = read(&path).unwrap();
        assert_eq!(map.flow_px[0], [1.5, -2.0]);
        assert!(map.flow_px[1][0].is_nan());
        let error = read_disparity(&path).unwrap_err().to_string();
        assert!(error.contains("3 values a pixel"), "{error}");

        let path = folder.path().join("b.png");
        let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), 2, 1);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::Sixteen);
        encoder.write_header().unwrap().write_image_data(&[5, 128, 0, 0]).unwrap();
        assert_eq!(read_disparity(&path).unwrap().disparity_px, [5.5, 0.0]);
    }
}
