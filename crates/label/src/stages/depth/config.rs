//! Settings of the depth stage.

use serde::{Deserialize, Serialize};

use crate::Error;

/// How depth is estimated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DepthConfig {
    /// Nearest depth searched for, metres. Bounds the disparity range.
    pub nearest_m: f64,
    /// Farthest depth reported, metres.
    pub farthest_m: f64,
    /// Most matching costs held at once, in millions (three bytes each); larger images are halved
    /// until they fit.
    pub most_megacosts: usize,
    /// Matches whose best rival costs less than this much more are dropped, of 255 for twice as much.
    pub least_lead: u8,
    /// Patches smaller than this share of the image are dropped.
    pub smallest_patch: f64,
    /// Holes are filled up to this many pixels from their support; 0 fills none.
    pub fill_px: usize,
    /// Estimate from the motion of a single camera where no pair sees.
    pub temporal: bool,
    /// Inverse depths tried in the temporal sweep: 64, 128, 192 or 256.
    pub sweep_planes: usize,
}

impl Default for DepthConfig {
    /// Disparity range as usual for driving (3 m nearest: 128 pixels on KITTI's rig, the range of its
    /// stereo baselines); speckles as OpenCV's `speckleWindowSize` 50 to 200 on such images.
    fn default() -> Self {
        Self {
            nearest_m: 3.0,
            farthest_m: 200.0,
            most_megacosts: 256,
            least_lead: 12,
            smallest_patch: 4e-4,
            fill_px: 8,
            temporal: true,
            sweep_planes: 64,
        }
    }
}

const STAGE: &str = "depth";

impl DepthConfig {
    /// Every value is within its bounds.
    ///
    /// # Errors
    /// [`Error::Config`] names the first that is not.
    pub fn check(&self) -> Result<(), Error> {
        let fail = |key: &'static str, value: String, expected: &'static str| {
            Err(Error::Config { stage: STAGE, key, value, expected })
        };
        if !(self.nearest_m.is_finite() && self.nearest_m > 0.0) {
            return fail("nearest_m", self.nearest_m.to_string(), "it must be above 0");
        }
        if !(self.farthest_m.is_finite() && self.farthest_m > self.nearest_m) {
            return fail("farthest_m", self.farthest_m.to_string(), "it must exceed nearest_m");
        }
        if !matches!(self.sweep_planes, 64 | 128 | 192 | 256) {
            let value = self.sweep_planes.to_string();
            return fail("sweep_planes", value, "it must be 64, 128, 192 or 256");
        }
        if self.most_megacosts == 0 {
            return fail("most_megacosts", "0".to_owned(), "it must be at least 1");
        }
        if !(0.0..=0.1).contains(&self.smallest_patch) {
            let value = self.smallest_patch.to_string();
            return fail("smallest_patch", value, "it must be from 0 to 0.1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_bad_values_are_named() {
        DepthConfig::default().check().expect("default");
        let check = |config: DepthConfig, key: &str| {
            let message = config.check().expect_err(key).to_string();
            assert!(message.contains(key), "{message}");
        };
        check(DepthConfig { nearest_m: 0.0, ..Default::default() }, "nearest_m");
        check(DepthConfig { farthest_m: f64::NAN, ..Default::default() }, "farthest_m");
        check(DepthConfig { sweep_planes: 65, ..Default::default() }, "sweep_planes");
        check(DepthConfig { most_megacosts: 0, ..Default::default() }, "most_megacosts");
        check(DepthConfig { smallest_patch: -1.0, ..Default::default() }, "smallest_patch");
    }
}
