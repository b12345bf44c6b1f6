//! What a camera is like.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Optics, sensor and processing of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CameraImaging {
    /// Linear value that automatic exposure brings the scene's log average to; 1 is white.
    pub key: f32,
    /// Longest exposure, seconds.
    pub max_exposure_s: f32,
    /// Largest amplification of the signal.
    pub max_gain: f32,
    /// Electrons a second in a pixel that looks at a white wall in full sun.
    pub electrons_per_s: f32,
    /// Electrons in a pixel at which a single exposure is full.
    pub full_well: f32,
    /// Standard deviation of reading a pixel, electrons.
    pub read_noise: f32,
    /// Light lost in the corners, 0 to 1.
    pub vignetting: f32,
    /// Share of the light that lens and sensor scatter around bright places, 0 to 0.5.
    pub glare: f32,
    /// Standard deviation of the blur by optics and demosaicing, pixels, at most 1.
    pub softness_px: f32,
    /// Share of the lens that dirt covers, 0 to 1.
    pub dirt: f32,
    /// Share of the lens that drops of water cover in rain of 10 mm/h, 0 to 1; none without rain.
    pub raindrops: f32,
    /// How far white balance follows the scene's average colour, 0 (daylight always) to 1 (grey world).
    pub white_balance: f32,
    /// Saturation of colours; 1 keeps them, the tone curve adds some.
    pub saturation: f32,
    /// Noise of the sensor is added.
    pub noise: bool,
}

impl Default for CameraImaging {
    /// Middle grey as photographers' 18 % (Reinhard et al. 2002, section 3.1). Sensor: the order of
    /// magnitude of 3 um automotive pixels in EMVA 1288 data sheets (full well about 10,000, read noise
    /// about 2 electrons); the light follows from the sunny-16 rule at f/2: full well in 0.3 ms.
    fn default() -> Self {
        Self {
            key: 0.18,
            max_exposure_s: 0.02,
            max_gain: 48.0,
            electrons_per_s: 3.3e7,
            full_well: 10_000.0,
            read_noise: 2.0,
            vignetting: 0.15,
            glare: 0.02,
            softness_px: 0.35,
            dirt: 0.0,
            raindrops: 0.012,
            white_balance: 0.5,
            saturation: 0.88,
            noise: true,
        }
    }
}

/// Why a camera cannot be simulated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ImagingError {
    /// A number is out of bounds.
    #[error("imaging: {field} is {value}; it must be {low} to {high}")]
    OutOfBounds {
        /// Name of the field.
        field: &'static str,
        /// What it is.
        value: f32,
        /// Least that is accepted.
        low: f32,
        /// Most that is accepted.
        high: f32,
    },
}

impl CameraImaging {
    /// All numbers are finite and within bounds.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), ImagingError> {
        let bounds = [
            ("key", self.key, 0.01, 1.0),
            ("max_exposure_s", self.max_exposure_s, 1e-5, 1.0),
            ("max_gain", self.max_gain, 1.0, 1e4),
            ("electrons_per_s", self.electrons_per_s, 1e3, 1e12),
            ("full_well", self.full_well, 100.0, 1e6),
            ("read_noise", self.read_noise, 0.0, 1000.0),
            ("vignetting", self.vignetting, 0.0, 0.95),
            ("glare", self.glare, 0.0, 0.5),
            ("softness_px", self.softness_px, 0.0, 1.0),
            ("dirt", self.dirt, 0.0, 1.0),
            ("raindrops", self.raindrops, 0.0, 1.0),
            ("white_balance", self.white_balance, 0.0, 1.0),
            ("saturation", self.saturation, 0.0, 3.0),
        ];
        for (field, value, low, high) in bounds {
            // Also catches NaN.
            if !(low..=high).contains(&value) {
                return Err(ImagingError::OutOfBounds { field, value, low, high });
            }
        }
        Ok(())
    }
}
