//! Depth maps as PNG, in KITTI's convention.

use ommatidia_scene::DepthMap;

/// Steps per metre of a 16-bit depth image: KITTI's devkit, `depth = value / 256`.
const STEPS_PER_METRE: f32 = 256.0;

/// Depth of the pixel value, metres; 0 where there is none.
fn depth_m(steps: u16) -> f32 {
    f32::from(steps) / STEPS_PER_METRE
}

/// The nearest pixel value; depth beyond 255.99 m has none and becomes 0, no estimate.
fn steps(depth_m: f32) -> u16 {
    let steps = (depth_m * STEPS_PER_METRE).round();
    if depth_m > 0.0 && steps <= f32::from(u16::MAX) { (steps as u16).max(1) } else { 0 }
}

/// The depth that [`encode_depth`] and [`decode_depth`] give back: multiples of 1/256 m up to 255.99 m.
pub fn quantise_m(depth: f32) -> f32 {
    depth_m(steps(depth))
}

/// Finer steps within one step of [`encode_depth`]: 1/4096 m.
const FINE: i32 = 16;

/// 8-bit grey PNG of what [`encode_depth`] leaves over: whole 1/4096 m, from -8 stored as 0 to 8
/// stored as 16.
pub fn encode_remainder(map: &DepthMap) -> Vec<u8> {
    let remainder = |&depth_m: &f32| match i32::from(steps(depth_m)) {
        0 => (FINE / 2) as u8,
        coarse => {
            // In f64: a depth of 200 m has 20 bits of these steps, and f32 only four more.
            let fine = (f64::from(depth_m) * f64::from(STEPS_PER_METRE) * f64::from(FINE)).round();
            (fine as i32 - coarse * FINE + FINE / 2).clamp(0, FINE) as u8
        }
    };
    let values: Vec<u8> = map.depth_m.iter().map(remainder).collect();
    encode(map.width, map.height, png::BitDepth::Eight, &values)
}

/// Adds the remainder of [`encode_remainder`] to the depth of [`decode_depth`].
///
/// # Errors
/// What is wrong with the PNG.
pub fn add_remainder(
    png: &[u8],
    width: usize,
    height: usize,
    depth_m: &mut [f32],
) -> Result<(), String> {
    let values = decode(png, width, height, png::BitDepth::Eight)?;
    for (depth, value) in depth_m.iter_mut().zip(values) {
        if i32::from(value) > FINE {
            return Err(format!("a remainder of {value}; the largest is {FINE}"));
        }
        if *depth > 0.0 {
            *depth += (f32::from(value) - FINE as f32 / 2.0) / (STEPS_PER_METRE * FINE as f32);
        }
    }
    Ok(())
}

/// 16-bit grey PNG, 1/256 m a step, 0 where there is no estimate.
pub fn encode_depth(map: &DepthMap) -> Vec<u8> {
    let samples: Vec<u8> = map.depth_m.iter().flat_map(|&d| steps(d).to_be_bytes()).collect();
    encode(map.width, map.height, png::BitDepth::Sixteen, &samples)
}

/// 8-bit grey PNG of one value per pixel.
pub fn encode_bytes(width: usize, height: usize, values: &[u8]) -> Vec<u8> {
    encode(width, height, png::BitDepth::Eight, values)
}

/// The depth of [`encode_depth`], metres, of an image that must have this size.
///
/// # Errors
/// What is wrong with the PNG.
pub fn decode_depth(png: &[u8], width: usize, height: usize) -> Result<Vec<f32>, String> {
    let samples = decode(png, width, height, png::BitDepth::Sixteen)?;
    Ok(samples.chunks_exact(2).map(|s| depth_m(u16::from_be_bytes([s[0], s[1]]))).collect())
}

/// The values of [`encode_bytes`], of an image that must have this size.
///
/// # Errors
/// What is wrong with the PNG.
pub fn decode_bytes(png: &[u8], width: usize, height: usize) -> Result<Vec<u8>, String> {
    decode(png, width, height, png::BitDepth::Eight)
}

fn encode(width: usize, height: usize, depth: png::BitDepth, samples: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    // After `Fast`, which would choose a filter of its own.
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Up);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(samples)?;
        writer.finish()
    });
    written.expect("encoding an image of checked size into memory cannot fail");
    out
}

fn decode(
    png: &[u8],
    width: usize,
    height: usize,
    depth: png::BitDepth,
) -> Result<Vec<u8>, String> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png))
        .read_info()
        .map_err(|cause| cause.to_string())?;
    let info = reader.info();
    if (info.width as usize, info.height as usize) != (width, height)
        || info.bit_depth != depth
        || info.color_type != png::ColorType::Grayscale
    {
        return Err(format!(
            "the image is {} x {} {:?} {:?}, not {width} x {height} {depth:?} grey",
            info.width, info.height, info.bit_depth, info.color_type
        ));
    }
    let length = width * height * if depth == png::BitDepth::Sixteen { 2 } else { 1 };
    let mut samples = vec![0; length];
    reader.next_frame(&mut samples).map_err(|cause| cause.to_string())?;
    reader.finish().map_err(|cause| cause.to_string())?;
    Ok(samples)
}
