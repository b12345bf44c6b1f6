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
    /// Land whose slope stays under `grade`.
    pub(crate) fn new(grade: f64, stream: &mut Stream) -> Self {
        let share = grade / WAVES as f64;
        let waves = std::array::from_fn(|_| {
            let wavelength_m = stream.range(220.0, 700.0);
            let wave_number = std::f64::consts::TAU / wavelength_m;
            let (sin, cos) = stream.range(0.0, std::f64::consts::TAU).sin_cos();
            let phase = stream.range(0.0, std::f64::consts::TAU);
            ([cos * wave_number, sin * wave_number], phase, share / wave_number)
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
