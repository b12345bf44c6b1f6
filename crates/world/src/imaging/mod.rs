//! From linear radiance to the picture that a camera delivers.
//!
//! The order is that of the light's way: motion during the exposure ([`motion_blur`]), rain in the air,
//! drops and dirt on the lens, glare and fall-off in it, softness, electrons and their noise, white
//! balance, tone curve, 8 bits. Everything random depends on (seed, frame, pixel) alone.

mod blur;
mod config;
mod drops;
mod exposure;
mod lens;
mod rain;
mod sensor;
#[cfg(test)]
mod tests;
mod tone;

pub use blur::motion_blur;
pub use config::{CameraImaging, ImagingError};
pub use exposure::Exposure;

use ommatidia_scene::RgbImage;
use rayon::prelude::*;

use crate::noise::mix;

/// Linear radiance of each pixel, row-major, in units of a white wall in full sun; unbounded above.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearImage {
    /// Pixels along x.
    pub width: usize,
    /// Pixels along y.
    pub height: usize,
    /// `width * height` colours, linear sRGB primaries.
    pub rgb: Vec<[f32; 3]>,
}

impl LinearImage {
    /// An image from its pixels, row-major.
    pub fn new(width: usize, height: usize, rgb: Vec<[f32; 3]>) -> Self {
        assert_eq!(rgb.len(), width * height, "pixels of a {width}x{height} image");
        Self { width, height, rgb }
    }
}

/// When a picture is taken, and in what weather.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shot {
    /// Index of the frame; each has noise of its own.
    pub frame: u64,
    /// Time of the frame, seconds: drops on the lens come and go with it.
    pub time_s: f64,
    /// Rain in the air, mm/h.
    pub rain_mm_h: f64,
    /// Speed of the vehicle, m/s: rain streaks lengthen with it.
    pub speed_m_s: f64,
    /// Focal length, pixels: near drops look larger through a long lens.
    pub focal_px: f64,
}

/// One camera's optics, sensor and processing.
pub struct Imager {
    config: CameraImaging,
    seed: u64,
    fall_off: lens::FallOff,
    dirt: Option<lens::Dirt>,
    tone: tone::ToneCurve,
}

impl Imager {
    /// For images of this size (pixels). Two cameras of a rig differ by their seed.
    ///
    /// # Errors
    /// A number of the configuration is out of bounds.
    pub fn new(
        config: &CameraImaging,
        width: usize,
        height: usize,
        seed: u64,
    ) -> Result<Self, ImagingError> {
        config.check()?;
        let dirt = (config.dirt > 0.0).then(|| lens::Dirt::new(width, height, config.dirt, seed));
        let fall_off = lens::FallOff::new(width, height, config.vignetting);
        Ok(Self { config: *config, seed, fall_off, dirt, tone: tone::ToneCurve::new() })
    }

    /// The exposure that automatic control chooses for a frame: a function of the frame alone, so that frames can be
    /// rendered in any order.
    pub fn meter(&self, light: &LinearImage) -> Exposure {
        exposure::meter(light, &self.config)
    }

    /// Takes the picture.
    pub fn develop(&self, light: &LinearImage, exposure: &Exposure, shot: &Shot) -> RgbImage {
        let (width, height) = (light.width, light.height);
        assert_eq!([width, height], self.fall_off.size(), "images of the size that was announced");
        let seed = mix(self.seed ^ mix(shot.frame));
        let mut light = light.clone();
        if shot.rain_mm_h > 0.0 {
            rain::add_streaks(&mut light, exposure, shot, seed);
            let share = self.config.raindrops * (shot.rain_mm_h as f32 / 10.0).min(2.0);
            drops::refract(&mut light, share.min(1.0), shot.time_s, self.seed);
        }
        let glare = lens::Glare::new(&light, self.config.glare);
        if self.config.softness_px > 0.0 {
            blur::soften(&mut light, self.config.softness_px);
        }
        let mut data = vec![0u8; 3 * width * height];
        data.par_chunks_exact_mut(3 * width).enumerate().for_each(|(y, out)| {
            let mut row = light.rgb[y * width..(y + 1) * width].to_vec();
            glare.add(y, &mut row);
            if let Some(dirt) = &self.dirt {
                dirt.cover(y, &mut row, glare.mean());
            }
            self.fall_off.apply(y, &mut row);
            sensor::expose(&mut row, exposure, &self.config, mix(seed ^ y as u64));
            self.tone.apply(&row, self.config.saturation, out);
        });
        RgbImage::new(width, height, data)
    }
}
