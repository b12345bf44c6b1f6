//! A smooth texture that can be shifted by any share of a pixel.

use ommatidia_scene::GrayImage;

/// Sums of waves, moved by `(dx, dy)` pixels: the content at `p` moves to `p + (dx, dy)`.
pub(super) fn waves(width: usize, height: usize, dx: f32, dy: f32) -> GrayImage {
    let value = |i: usize| {
        let x = (i % width) as f32 + 0.5 - dx;
        let y = (i / width) as f32 + 0.5 - dy;
        let coarse = (0.11 * x + 0.07 * y).sin() + (0.05 * x - 0.13 * y).cos();
        let fine = (0.53 * x + 0.31 * y).sin() + (0.29 * x - 0.61 * y).sin();
        (128.0 + 25.0 * coarse + 20.0 * fine).round() as u8
    };
    GrayImage::new(width, height, (0..width * height).map(value).collect())
}
