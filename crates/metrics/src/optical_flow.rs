//! Optical flow errors: end-point error, KITTI's Fl, Sintel's ranges of speed.
//!
//! Menze & Geiger 2015: a vector is wrong where it is off by more than 3 px and 5 %. Butler et al. 2012
//! (Sintel): end-point errors of pixels that move 0 to 10, 10 to 40 and above 40 px, and of pixels that
//! stay visible or not. KITTI's server fills holes of the estimate before it counts; here a missing
//! vector is wrong in `fl_all` and left out of the others.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::stereo::{Outlier, RegionErrors};

/// Bounds between slow, middle and fast pixels, px.
pub const SINTEL_SPEEDS_PX: [f64; 2] = [10.0, 40.0];

/// One image's flow and what else is known of its pixels. Vectors that are not finite are missing.
#[derive(Debug, Clone, Copy)]
pub struct FlowImage<'a> {
    /// True motion of each pixel, px along x and y.
    pub truth_px: &'a [[f32; 2]],
    /// Estimated motion.
    pub estimate_px: &'a [[f32; 2]],
    /// Pixels of moving objects.
    pub foreground: Option<&'a [bool]>,
    /// Pixels that the second image does not show.
    pub occluded: Option<&'a [bool]>,
}

/// Errors of many images, pixel by pixel.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct FlowErrors {
    /// All pixels.
    pub all: RegionErrors,
    /// Off moving objects.
    pub background: RegionErrors,
    /// On them.
    pub foreground: RegionErrors,
    /// That stay visible.
    pub matched: RegionErrors,
    /// That do not.
    pub unmatched: RegionErrors,
    /// By the speeds between [`SINTEL_SPEEDS_PX`].
    pub by_speed: [RegionErrors; 3],
}

/// The figures. `None` without such pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FlowReport {
    /// Mean length of the difference over estimated pixels, px.
    pub epe_px: Option<f64>,
    /// Of pixels that stay visible.
    pub epe_matched_px: Option<f64>,
    /// Of those that do not.
    pub epe_unmatched_px: Option<f64>,
    /// Of pixels that move less than 10 px.
    pub epe_s0_10_px: Option<f64>,
    /// From 10 to 40 px.
    pub epe_s10_40_px: Option<f64>,
    /// Above 40 px.
    pub epe_s40_plus_px: Option<f64>,
    /// Share of outliers among estimated pixels.
    pub fl: Option<f64>,
    /// In the background.
    pub fl_bg: Option<f64>,
    /// In the foreground.
    pub fl_fg: Option<f64>,
    /// Share of outliers and missing among all.
    pub fl_all: Option<f64>,
    /// Share of pixels with truth that have an estimate.
    pub density: Option<f64>,
    /// Pixels with truth.
    pub pixels: u64,
}

impl FlowErrors {
    /// Adds an image.
    ///
    /// # Errors
    /// [`Error::Lengths`] where the images differ in size.
    pub fn add_image(&mut self, image: &FlowImage<'_>, outlier: Outlier) -> Result<(), Error> {
        let pixels = image.truth_px.len();
        let masks = [image.foreground, image.occluded].into_iter().flatten().map(<[bool]>::len);
        for other in [image.estimate_px.len()].into_iter().chain(masks) {
            if other != pixels {
                return Err(Error::Lengths { what: "pixels", truth: pixels, predicted: other });
            }
        }
        let exists = |[u, v]: [f32; 2]| u.is_finite() && v.is_finite();
        for (i, (&truth, &estimate)) in image.truth_px.iter().zip(image.estimate_px).enumerate() {
            if !exists(truth) {
                continue;
            }
            let [u, v] = truth.map(f64::from);
            let error_px = (f64::from(estimate[0]) - u).hypot(f64::from(estimate[1]) - v);
            let speed_px = u.hypot(v);
            let (estimated, wrong) = (exists(estimate), outlier.is_one(error_px, speed_px));
            let ranges = SINTEL_SPEEDS_PX.iter().filter(|&&bound| speed_px >= bound).count();
            self.all.add_pixel(estimated, error_px, wrong);
            self.by_speed[ranges].add_pixel(estimated, error_px, wrong);
            if let Some(foreground) = image.foreground {
                let region =
                    if foreground[i] { &mut self.foreground } else { &mut self.background };
                region.add_pixel(estimated, error_px, wrong);
            }
            if let Some(occluded) = image.occluded {
                let region = if occluded[i] { &mut self.unmatched } else { &mut self.matched };
                region.add_pixel(estimated, error_px, wrong);
            }
        }
        Ok(())
    }

    /// The figures.
    pub fn report(&self) -> FlowReport {
        let [slow, middle, fast] = &self.by_speed;
        let all = &self.all;
        FlowReport {
            epe_px: all.end_point_error_px(),
            epe_matched_px: self.matched.end_point_error_px(),
            epe_unmatched_px: self.unmatched.end_point_error_px(),
            epe_s0_10_px: slow.end_point_error_px(),
            epe_s10_40_px: middle.end_point_error_px(),
            epe_s40_plus_px: fast.end_point_error_px(),
            fl: all.outlier_share(),
            fl_bg: self.background.outlier_share(),
            fl_fg: self.foreground.outlier_share(),
            fl_all: all.outlier_share_all(),
            density: (all.pixels > 0).then(|| all.estimated as f64 / all.pixels as f64),
            pixels: all.pixels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let truth =
            [[3.0, 4.0], [0.0, 20.0], [60.0, 0.0], [100.0, 0.0], [f32::NAN, 0.0], [1.0, 0.0]];
        let estimate =
            [[3.0, 4.5], [4.0, 17.0], [60.0, 4.0], [96.0, 3.0], [0.0, 0.0], [f32::INFINITY, 0.0]];
        let image = FlowImage {
            truth_px: &truth,
            estimate_px: &estimate,
            foreground: Some(&[true, true, false, false, false, false]),
            occluded: Some(&[false, true, false, false, false, true]),
        };
        let mut errors = FlowErrors::default();
        errors.add_image(&image, Outlier::default()).unwrap();
        let r = errors.report();
        // Errors 0.5, 5 (25 %), 4 (6.7 %), 5 (5.0 %, not above) and one missing.
        assert_eq!((r.epe_px, r.fl, r.fl_all), (Some(14.5 / 4.0), Some(0.5), Some(0.6)));
        assert_eq!((r.fl_fg, r.fl_bg), (Some(0.5), Some(0.5)));
        assert_eq!((r.epe_matched_px, r.epe_unmatched_px), (Some(9.5 / 3.0), Some(5.0)));
        assert_eq!(
            (r.epe_s0_10_px, r.epe_s10_40_px, r.epe_s40_plus_px),
            (Some(0.5), Some(5.0), Some(4.5))
        );
        assert_eq!((r.density, r.pixels), (Some(0.8), 5));
    }

    #[test]
    fn sizes_must_agree_and_nothing_is_defined() {
        let mut errors = FlowErrors::default();
        assert_eq!((errors.report().epe_px, errors.report().fl_all), (None, None));
        let image = FlowImage {
            truth_px: &[[0.0; 2]],
            estimate_px: &[[0.0; 2]],
            foreground: Some(&[]),
            occluded: None,
        };
        let result = errors.add_image(&image, Outlier::default());
        assert_eq!(result, Err(Error::Lengths { what: "pixels", truth: 1, predicted: 0 }));
    }
}
