//! From linear values to 8-bit sRGB.

/// A tone curve in a table over the square root of the value, which spends entries on the dark.
pub(super) struct ToneCurve {
    table: Vec<u8>,
}

/// Values above this are as white as it gets.
const BRIGHTEST: f32 = 16.0;
const ENTRIES: usize = 8192;
/// The fitted curve expects scenes this much darker (its author's advice).
const PRE_SCALE: f32 = 0.6;

impl ToneCurve {
    pub(super) fn new() -> Self {
        let value = |i: usize| {
            let root = i as f32 / (ENTRIES - 1) as f32;
            let linear = BRIGHTEST * root * root;
            (255.0 * encode(filmic(PRE_SCALE * linear))).round().clamp(0.0, 255.0) as u8
        };
        Self { table: (0..ENTRIES).map(value).collect() }
    }

    /// One row; `out` has three bytes a pixel.
    pub(super) fn apply(&self, row: &[[f32; 3]], saturation: f32, out: &mut [u8]) {
        const SCALE: f32 = (ENTRIES - 1) as f32;
        for (pixel, bytes) in row.iter().zip(out.chunks_exact_mut(3)) {
            let grey = 0.2126 * pixel[0] + 0.7152 * pixel[1] + 0.0722 * pixel[2];
            for c in 0..3 {
                let value = grey + saturation * (pixel[c] - grey);
                let root = (value * (1.0 / BRIGHTEST)).clamp(0.0, 1.0).sqrt();
                bytes[c] = self.table[(root * SCALE + 0.5) as usize];
            }
        }
    }
}

/// Fit to the Academy's film curve: Narkowicz 2015, *ACES filmic tone mapping curve*.
fn filmic(x: f32) -> f32 {
    (x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)).clamp(0.0, 1.0)
}

/// IEC 61966-2-1 (sRGB).
fn encode(linear: f32) -> f32 {
    if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}
