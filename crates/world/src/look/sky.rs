//! Sun, sky and air.

use super::Environment;
use super::vector::{dot, lerp, scale, smoothstep};

/// Light from above at one moment of a day.
pub(crate) struct Sky {
    sun_direction: [f32; 3],
    sun_colour: [f32; 3],
    zenith: [f32; 3],
    horizon: [f32; 3],
    ground: [f32; 3],
    /// Of the air, 1/m.
    extinction: f32,
}

/// What the ground throws back, on average.
const GROUND_ALBEDO: [f32; 3] = [0.16, 0.15, 0.13];
/// ln(1 / 0.05): contrast falls to 5 % at the visibility (Koschmieder 1924; CIE's threshold).
const KOSCHMIEDER: f32 = 2.995_732;

impl Sky {
    pub(crate) fn new(environment: &Environment, _seed: u64) -> Self {
        let (elevation, azimuth) =
            (environment.sun_elevation_rad as f32, environment.sun_azimuth_rad as f32);
        let flat = elevation.cos();
        let sun_direction = [flat * azimuth.cos(), flat * azimuth.sin(), elevation.sin()];
        let height = elevation.sin();
        let cloud = environment.cloud as f32;
        let day = smoothstep(-0.15, 0.25, height);
        let direct = smoothstep(-0.02, 0.3, height) * (1.0 - smoothstep(0.5, 0.95, cloud));
        let low = 1.0 - smoothstep(0.0, 0.5, height);
        let sun_colour = scale([1.0, 0.96 - 0.35 * low, 0.90 - 0.6 * low], direct);
        let grey = lerp([0.10, 0.19, 0.40], [0.30, 0.32, 0.35], cloud);
        let zenith = lerp([2e-6, 3e-6, 6e-6], grey, day);
        let bright = lerp([0.36, 0.44, 0.52], [0.38, 0.40, 0.42], cloud);
        let horizon = lerp([1.2e-5, 1.0e-5, 1.0e-5], bright, day);
        let lit = |c: usize| 0.5 * (zenith[c] + horizon[c]) + sun_colour[c] * height.max(0.0);
        let ground = std::array::from_fn(|c| GROUND_ALBEDO[c] * lit(c));
        let rain = 0.000_25 * (environment.rain_mm_h.max(0.0) as f32).powf(0.67);
        let extinction = KOSCHMIEDER / (environment.visibility_m as f32).max(1.0) + rain;
        Self { sun_direction, sun_colour, zenith, horizon, ground, extinction }
    }

    pub(crate) fn to_sun(&self) -> Option<[f32; 3]> {
        (self.sun_colour[0] > 1e-4).then_some(self.sun_direction)
    }

    pub(crate) fn sun_direction(&self) -> [f32; 3] {
        self.sun_direction
    }

    /// Of a white surface that faces the sun.
    pub(crate) fn sun_colour(&self) -> [f32; 3] {
        self.sun_colour
    }

    /// Radiance of a white surface with this normal under the sky alone.
    pub(crate) fn ambient(&self, normal: [f32; 3]) -> [f32; 3] {
        let up = 0.5 + 0.5 * normal[2];
        lerp(self.ground, lerp(self.horizon, self.zenith, 0.5), up)
    }

    pub(crate) fn radiance(&self, direction: [f32; 3]) -> [f32; 3] {
        let up = direction[2].max(0.0).sqrt();
        let base = lerp(self.horizon, self.zenith, up);
        let near = dot(direction, self.sun_direction).max(0.0).powi(64);
        std::array::from_fn(|c| base[c] + self.sun_colour[c] * 0.6 * near)
    }

    pub(crate) fn air_light(&self, direction: [f32; 3]) -> [f32; 3] {
        self.radiance([direction[0], direction[1], 0.02])
    }

    pub(crate) fn transmittance(&self, distance_m: f32) -> f32 {
        (-self.extinction * distance_m).exp()
    }
}
