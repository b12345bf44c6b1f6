//! Automatic exposure and white balance.

use rayon::prelude::*;

use super::{CameraImaging, LinearImage};

/// What the camera's control chose for a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposure {
    /// Radiance times this is the linear value of the picture, 1 being white.
    pub per_radiance: f32,
    /// How long light was collected, seconds.
    pub time_s: f32,
    /// Amplification of the colours against daylight's.
    pub white: [f32; 3],
}

/// Every so many pixels one is measured, in x and y.
const STEP: usize = 3;
/// Rec. 709 luminance.
const LUMINANCE: [f32; 3] = [0.2126, 0.7152, 0.0722];
/// Below this a pixel counts as black; keeps one dead corner from opening the exposure.
const DARKEST: f32 = 1e-7;
/// Luminances below this share of the bright parts count as so much.
const BLACK_SHARE: f32 = 0.01;
/// Linear value that no more than a fiftieth of the picture may exceed before exposure is cut.
const HIGHLIGHT: f64 = 5.0;
/// White balance follows the scene at most so far.
const WHITE_RANGE: [f32; 2] = [0.6, 1.7];
/// Pictures get darker with the light, as eyes and cameras have it: exponent of what is not compensated.
const NIGHT_EXPONENT: f32 = 0.12;

#[derive(Clone, Copy, Default)]
struct Sums {
    weight: f64,
    log: f64,
    colour: [f64; 3],
}

pub(super) fn meter(light: &LinearImage, config: &CameraImaging) -> Exposure {
    // What is black beside the bright parts stays black: a night sky does not open the exposure.
    let bright = brightest(light);
    let floor = DARKEST.max(BLACK_SHARE * bright as f32);
    // Rows in parallel, then added in order: the same on any number of threads.
    let rows: Vec<Sums> = (0..light.height.div_ceil(STEP))
        .into_par_iter()
        .map(|row| measure(light, row, floor))
        .collect();
    let mut sums = Sums::default();
    for row in rows {
        sums.weight += row.weight;
        sums.log += row.log;
        for c in 0..3 {
            sums.colour[c] += row.colour[c];
        }
    }
    let average = (sums.log / sums.weight.max(1e-9)).exp() as f32;
    let key = config.key * (average / 0.1).clamp(1e-6, 1.0).powf(NIGHT_EXPONENT);
    let wanted = (key / average).min((HIGHLIGHT / bright.max(1e-9)) as f32);
    // Longest exposure and largest gain bound it from above.
    let per_second = config.electrons_per_s / config.full_well;
    let most = per_second * config.max_exposure_s * config.max_gain;
    let per_radiance = wanted.min(most);
    let white = balance(&sums.colour, config.white_balance);
    let time_s = (per_radiance / per_second).min(config.max_exposure_s);
    Exposure { per_radiance, time_s, white }
}

fn measure(light: &LinearImage, row: usize, floor: f32) -> Sums {
    let y = row * STEP;
    let pixels = &light.rgb[y * light.width..(y + 1) * light.width];
    // The lower middle counts most: the road, not the sky.
    let down = (y as f32 + 0.5) / light.height as f32;
    let by_row = 0.25 + 0.75 * (1.0 - ((down - 0.62) / 0.45).powi(2)).max(0.0);
    let mut sums = Sums::default();
    for pixel in pixels.iter().step_by(STEP) {
        let luminance: f32 = (0..3).map(|c| LUMINANCE[c] * pixel[c]).sum();
        sums.weight += f64::from(by_row);
        sums.log += f64::from(by_row * luminance.max(floor).ln());
        // Lamps and the sun do not tell the colour of the light.
        let share = 1.0 / (luminance.max(DARKEST) * 3.0 + 1e-3);
        for c in 0..3 {
            sums.colour[c] += f64::from(pixel[c] * share);
        }
    }
    sums
}

/// The luminance that a fiftieth of the pixels exceeds, from a histogram over powers of 2^(1/4). Lamps and
/// the sun's disc cover less and do not count.
fn brightest(light: &LinearImage) -> f64 {
    const BINS: usize = 160;
    let mut histogram = [0u32; BINS];
    for row in light.rgb.chunks_exact(light.width.max(1)).step_by(STEP) {
        for pixel in row.iter().step_by(STEP) {
            let luminance: f32 = (0..3).map(|c| LUMINANCE[c] * pixel[c]).sum();
            let bin = ((luminance.max(DARKEST) / DARKEST).log2() * 4.0) as usize;
            histogram[bin.min(BINS - 1)] += 1;
        }
    }
    let total: u32 = histogram.iter().sum();
    let mut above = 0;
    for (bin, &count) in histogram.iter().enumerate().rev() {
        above += count;
        if above > total / 50 {
            return f64::from(DARKEST) * 2f64.powf((bin as f64 + 0.5) / 4.0);
        }
    }
    0.0
}

fn balance(colour: &[f64; 3], follow: f32) -> [f32; 3] {
    let gain = |c: usize| {
        let ratio = (colour[1] / colour[c].max(1e-12)) as f32;
        ratio.clamp(WHITE_RANGE[0], WHITE_RANGE[1]).powf(follow)
    };
    if colour.iter().all(|&sum| sum > 0.0) { [gain(0), 1.0, gain(2)] } else { [1.0; 3] }
}
