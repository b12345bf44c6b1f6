//! The lie of the land: a few long waves.

use crate::noise::Stream;

const WAVES: usize = 4;

/// Height of the land, everywhere and smooth.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Relief {
    /// Direction and wave number (1/m), phase, amplitude (m).
    waves: [([f64; 2], f64, f64); WAVES],
}

impl Relief {
    /// Land whose slope stays under `grade`. `met`: most of the slope is one range of hills across the main road,
    /// which runs along x, so that a road meets the grade; else the waves are alike and often miss each other.
    pub(crate) fn new(grade: f64, met: bool, stream: &mut Stream) -> Self {
        let waves = std::array::from_fn(|wave| {
            let (mut wavelength_m, mut angle) =
                (stream.range(220.0, 700.0), stream.range(0.0, std::f64::consts::TAU));
            let phase = stream.range(0.0, std::f64::consts::TAU);
            let mut share = 1.0 / WAVES as f64;
            if met {
                share = if wave == 0 { 0.7 } else { 0.3 / (WAVES - 1) as f64 };
            }
            if met && wave == 0 {
                wavelength_m = 0.5 * (wavelength_m + 220.0);
                angle = 0.12 * (angle - std::f64::consts::PI);
            }
            let wave_number = std::f64::consts::TAU / wavelength_m;
            let (sin, cos) = angle.sin_cos();
            let amplitude_m = share * grade / wave_number;
            ([cos * wave_number, sin * wave_number], phase, amplitude_m)
        });
        Self { waves }
    }

    pub(crate) fn height_m(&self, x_m: f64, y_m: f64) -> f64 {
        let height = |([kx, ky], phase, amplitude): &([f64; 2], f64, f64)| {
            amplitude * (kx * x_m + ky * y_m + phase).sin()
        };
        self.waves.iter().map(height).sum()
    }
}
