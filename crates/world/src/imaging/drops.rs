//! Drops of water on the lens: each shows the scene small and upside down.

use super::LinearImage;
use crate::noise::{Stream, mix};

/// Drops over the image's width that cover the whole lens together, about.
const DROPS_AT_FULL_COVER: f32 = 700.0;
/// Radius over the image's width: the smallest, and the largest.
const RADIUS: [f64; 2] = [0.006, 0.035];
/// How long a drop stays before it runs off, seconds.
const LIFE_S: [f64; 2] = [1.5, 6.0];
/// A drop sees this much more of the scene than the lens behind it.
const MINIFICATION: f32 = 5.0;

/// Puts drops on the lens that cover about `share` of it. Drops come and go with time; each place has
/// numbers of its own, so that one drop does not disturb another.
pub(super) fn refract(light: &mut LinearImage, share: f32, time_s: f64, seed: u64) {
    let width = light.width as f64;
    let source = light.clone();
    for slot in 0..(share * DROPS_AT_FULL_COVER) as u64 {
        let mut of_slot = Stream::new(mix(seed ^ 0xd40b) ^ mix(slot));
        let life_s = of_slot.range(LIFE_S[0], LIFE_S[1]);
        let age = time_s / life_s + of_slot.range(0.0, 1.0);
        let mut stream = Stream::new(of_slot.seed() ^ mix(age.floor() as i64 as u64));
        let centre = [stream.range(0.0, width), stream.range(0.0, light.height as f64)];
        let small = stream.range(0.0, 1.0).powi(3);
        let radius = width * (RADIUS[0] + (RADIUS[1] - RADIUS[0]) * small);
        let stretch = stream.range(1.0, 1.35);
        paint(light, &source, centre.map(|c| c as f32), [radius as f32, (radius * stretch) as f32]);
    }
}

fn paint(out: &mut LinearImage, scene: &LinearImage, [x, y]: [f32; 2], [across, down]: [f32; 2]) {
    let span = |centre: f32, half: f32, end: usize| {
        let low = (centre - half).floor().clamp(0.0, end as f32) as usize;
        low..(centre + half).ceil().clamp(low as f32, end as f32) as usize
    };
    let columns = span(x, across, out.width);
    for row in span(y, down, out.height) {
        for column in columns.clone() {
            let u = (column as f32 + 0.5 - x) / across;
            let v = (row as f32 + 0.5 - y) / down;
            let radius = (u * u + v * v).sqrt();
            if radius >= 1.0 {
                continue;
            }
            // Steeper towards the rim, which therefore gathers from far away and looks dark.
            let bend = MINIFICATION * (0.6 + 0.8 * radius * radius);
            let seen = blurred(scene, x - u * across * bend, y - v * down * bend, across * 0.25);
            let rim = ((1.0 - radius) / 0.35).min(1.0);
            let cover = 0.92 * (rim * 2.0).min(1.0);
            let dim = 0.45 + 0.55 * rim;
            let pixel = &mut out.rgb[row * out.width + column];
            *pixel = std::array::from_fn(|c| pixel[c] + cover * (dim * seen[c] - pixel[c]));
        }
    }
}

/// Mean of nine samples, mirrored at the borders.
fn blurred(scene: &LinearImage, x: f32, y: f32, reach: f32) -> [f32; 3] {
    let mirrored = |at: f32, end: usize| {
        let period = 2.0 * end as f32;
        let folded = at.rem_euclid(period);
        let inside = if folded < end as f32 { folded } else { period - folded };
        (inside as usize).min(end - 1)
    };
    let mut sum = [0.0; 3];
    for tap in 0..9 {
        let (dx, dy) = ((tap % 3) as f32 - 1.0, (tap / 3) as f32 - 1.0);
        let column = mirrored(x + dx * reach, scene.width);
        let row = mirrored(y + dy * reach, scene.height);
        let pixel = scene.rgb[row * scene.width + column];
        for c in 0..3 {
            sum[c] += pixel[c] / 9.0;
        }
    }
    sum
}
