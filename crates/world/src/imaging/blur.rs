//! Blur: of motion, and of optics.

use rayon::prelude::*;

use super::LinearImage;

/// Most samples along a pixel's path.
const MOST_TAPS: f32 = 24.0;

/// Spreads each pixel along its motion during the exposure. `flow_px[i]` is the motion of pixel `i` from
/// this frame to the next, pixels; `share` the part of that time for which light is collected; the
/// path is centred on the pixel, since frames are stamped in the middle of their exposure.
///
/// The light is gathered along the path of the pixel itself (McGuire et al. 2012 without their
/// neighbourhood term): exact where neighbours move alike, at the silhouettes of moving things the
/// blur ends at the edge. Averaging several renders within the exposure has no such limit, at its cost.
pub fn motion_blur(light: &LinearImage, flow_px: &[[f32; 2]], share: f32) -> LinearImage {
    let (width, height) = (light.width, light.height);
    assert_eq!(flow_px.len(), light.rgb.len(), "one motion for each pixel");
    let mut out = light.clone();
    out.rgb.par_chunks_exact_mut(width.max(1)).enumerate().for_each(|(y, row)| {
        for (x, pixel) in row.iter_mut().enumerate() {
            let [dx, dy] = flow_px[y * width + x].map(|motion| motion * share);
            let length = dx.hypot(dy);
            // Unknown motion is NaN and stays sharp.
            if length.is_nan() || length <= 0.7 {
                continue;
            }
            let taps = length.ceil().clamp(2.0, MOST_TAPS);
            let mut sum = [0.0f32; 3];
            for tap in 0..taps as usize {
                let along = (tap as f32 + 0.5) / taps - 0.5;
                let sample = nearest(light, x as f32 + along * dx, y as f32 + along * dy);
                for c in 0..3 {
                    sum[c] += sample[c];
                }
            }
            *pixel = sum.map(|s| s / taps);
        }
    });
    assert_eq!(out.rgb.len(), width * height);
    out
}

fn nearest(light: &LinearImage, x: f32, y: f32) -> [f32; 3] {
    let column = (x + 0.5).clamp(0.0, light.width as f32 - 1.0) as usize;
    let row = (y + 0.5).clamp(0.0, light.height as f32 - 1.0) as usize;
    light.rgb[row * light.width + column]
}

/// A 3x3 binomial-like kernel of this standard deviation, at most 1 pixel (its limit is 0.82).
pub(super) fn soften(light: &mut LinearImage, deviation_px: f32) {
    let side = (0.5 * deviation_px * deviation_px).min(1.0 / 3.0);
    let middle = 1.0 - 2.0 * side;
    let (width, height) = (light.width, light.height);
    if width < 3 || height < 3 {
        return;
    }
    light.rgb.par_chunks_exact_mut(width).for_each(|row| {
        let mut before = row[0];
        for x in 0..width {
            let here = row[x];
            let after = row[(x + 1).min(width - 1)];
            row[x] = std::array::from_fn(|c| side * (before[c] + after[c]) + middle * here[c]);
            before = here;
        }
    });
    let source = light.rgb.clone();
    light.rgb.par_chunks_exact_mut(width).enumerate().for_each(|(y, row)| {
        let above = &source[y.saturating_sub(1) * width..][..width];
        let below = &source[(y + 1).min(height - 1) * width..][..width];
        for x in 0..width {
            let here = row[x];
            row[x] = std::array::from_fn(|c| side * (above[x][c] + below[x][c]) + middle * here[c]);
        }
    });
}
