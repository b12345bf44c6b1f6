//! Electrons, and their noise.

use std::sync::OnceLock;

use super::{CameraImaging, Exposure};
use crate::noise::mix;

/// Values of the table of normal numbers; an even number, symmetric about zero.
const NORMALS: usize = 4096;

/// Turns radiance into linear picture values with shot and read noise (EMVA 1288, release 4.0, section
/// 2.2: the variance is that of the photons plus that of reading). `seed` is the row's own.
pub(super) fn expose(row: &mut [[f32; 3]], exposure: &Exposure, config: &CameraImaging, seed: u64) {
    let gain: [f32; 3] = std::array::from_fn(|c| exposure.per_radiance * exposure.white[c]);
    if !config.noise {
        for pixel in row {
            *pixel = std::array::from_fn(|c| pixel[c] * gain[c]);
        }
        return;
    }
    let electrons = config.electrons_per_s * exposure.time_s;
    let per_electron = 1.0 / electrons;
    let read = config.read_noise * config.read_noise;
    let normals = normals();
    for (x, pixel) in row.iter_mut().enumerate() {
        let hash = mix(seed ^ ((x as u64) << 32));
        for c in 0..3 {
            let deviation = (pixel[c].max(0.0) * electrons + read).sqrt();
            let draw = normals[(hash >> (12 * c)) as usize % NORMALS];
            pixel[c] = (pixel[c] + deviation * draw * per_electron) * gain[c];
        }
    }
}

/// Standard normal numbers at the middles of equally likely intervals.
fn normals() -> &'static [f32; NORMALS] {
    static TABLE: OnceLock<Box<[f32; NORMALS]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Box::new([0.0; NORMALS]);
        for i in 0..NORMALS / 2 {
            let x = upper_quantile((i as f64 + 0.5) / NORMALS as f64) as f32;
            table[i] = x;
            table[NORMALS - 1 - i] = -x;
        }
        table
    })
}

/// Abramowitz and Stegun 1964, Eq. 26.2.23; error under 4.5e-4.
fn upper_quantile(p: f64) -> f64 {
    let t = (-2.0 * p.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - above / below
}
