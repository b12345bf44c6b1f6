//! Streaks of falling drops close to the camera. Those farther away are part of the air's haze.

use super::{Exposure, LinearImage, Shot};
use crate::noise::{Stream, mix};

/// Streaks in a picture at 1 mm/h; their number grows with the 0.63th power of the rate, as that of
/// drops does (Marshall and Palmer 1948: the integral of N0 exp(-4.1 R^-0.21 D) times D^2).
const STREAKS: f64 = 90.0;
/// Distances of single visible drops, metres.
const NEAR_M: f64 = 0.6;
const FAR_M: f64 = 9.0;
/// Terminal speed of drops of 1 to 3 mm, m/s (Gunn and Kinzer 1949).
const FALL_M_S: [f64; 2] = [4.0, 8.0];
const DIAMETER_M: [f64; 2] = [0.001, 0.003];
/// Exposure that the streaks are drawn with at least, seconds: below it they are dots nobody sees.
const SHORTEST_S: f64 = 0.003;

pub(super) fn add_streaks(light: &mut LinearImage, exposure: &Exposure, shot: &Shot, seed: u64) {
    let mut stream = Stream::new(mix(seed ^ 0x4a17));
    let (width, height) = (light.width as f64, light.height as f64);
    let focal = if shot.focal_px > 0.0 { shot.focal_px } else { 0.8 * width };
    let count = (STREAKS * shot.rain_mm_h.powf(0.63)) as usize;
    let bright = upper_mean(light);
    for _ in 0..count {
        // As many in each metre of depth's cone: density grows with the square of the distance.
        let depth =
            (NEAR_M.powi(3) + stream.range(0.0, 1.0) * (FAR_M.powi(3) - NEAR_M.powi(3))).cbrt();
        let share = stream.range(0.0, 1.0);
        let diameter = DIAMETER_M[0] + share * share * (DIAMETER_M[1] - DIAMETER_M[0]);
        let fall = FALL_M_S[0] + share * (FALL_M_S[1] - FALL_M_S[0]);
        let time_s = f64::from(exposure.time_s).max(SHORTEST_S);
        let (x, y) = (stream.range(0.0, width), stream.range(0.0, height));
        // Falling, and coming towards the camera: away from the middle of the picture.
        let outward = shot.speed_m_s * time_s / depth;
        let dx =
            (x - 0.5 * width) * outward + stream.range(-0.05, 0.05) * focal * fall * time_s / depth;
        let dy = (y - 0.5 * height) * outward + focal * fall * time_s / depth;
        let width_px = focal * diameter / depth;
        // A drop covers each place of its streak only for a part of the exposure (Garg and Nayar 2007).
        let covered = (diameter / (fall * time_s)).min(1.0) * 6.0;
        let alpha = (covered * width_px.min(1.0)).clamp(0.0, 0.5);
        line(light, [x, y], [dx, dy], width_px.max(1.0), alpha as f32, bright);
    }
}

/// Drops refract what is above them: mean radiance of the upper half.
fn upper_mean(light: &LinearImage) -> [f32; 3] {
    let upper = &light.rgb[..(light.height / 2).max(1) * light.width];
    let mut sum = [0.0f64; 3];
    for pixel in upper.iter().step_by(7) {
        for c in 0..3 {
            // The sun or a lamp in view does not light the drops of the whole picture.
            sum[c] += f64::from(pixel[c].min(1.5));
        }
    }
    sum.map(|s| (s / upper.len().div_ceil(7) as f64) as f32)
}

fn line(
    light: &mut LinearImage,
    [x, y]: [f64; 2],
    [dx, dy]: [f64; 2],
    width_px: f64,
    alpha: f32,
    colour: [f32; 3],
) {
    let steps = dx.hypot(dy).ceil().clamp(1.0, 400.0);
    let half = (0.5 * width_px).max(0.5);
    for step in 0..steps as usize {
        let along = (step as f64 + 0.5) / steps;
        let (cx, cy) = (x + along * dx, y + along * dy);
        // Fades in and out.
        let strength = alpha * (1.0 - (2.0 * along - 1.0).powi(4)) as f32;
        let reach = half.ceil() as i64;
        for offset in -reach..=reach {
            let column = cx.floor() as i64 + offset;
            let inside = (half + 0.5 - (column as f64 + 0.5 - cx).abs()).clamp(0.0, 1.0) as f32;
            let row = cy.floor() as i64;
            let within =
                column >= 0 && row >= 0 && column < light.width as i64 && row < light.height as i64;
            if !within {
                continue;
            }
            let pixel = &mut light.rgb[row as usize * light.width + column as usize];
            *pixel = std::array::from_fn(|c| pixel[c] + strength * inside * (colour[c] - pixel[c]));
        }
    }
}
