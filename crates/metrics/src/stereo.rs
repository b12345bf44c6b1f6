//! Disparity errors: KITTI's D1 in background, foreground and all, and the end-point error.
//!
//! Menze & Geiger 2015 and KITTI's stereo development kit: a disparity is wrong where it is off by more
//! than 3 px and 5 %. The server fills holes of the estimate before it counts; here a missing estimate is
//! wrong in `*_all` and left out of the others.

use serde::{Deserialize, Serialize};

use crate::Error;

/// When an error is an outlier: both bounds must be passed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outlier {
    /// Tolerated error, pixels.
    pub px: f64,
    /// Tolerated error as a share of the true value.
    pub share: f64,
}

impl Default for Outlier {
    /// KITTI 2015: 3 px and 5 %.
    fn default() -> Self {
        Self { px: 3.0, share: 0.05 }
    }
}

impl Outlier {
    /// Whether an error of `error_px` at a truth of `magnitude_px` is one.
    pub fn is_one(&self, error_px: f64, magnitude_px: f64) -> bool {
        error_px > self.px && error_px / magnitude_px > self.share
    }
}

/// Sums over pixels of one region.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RegionErrors {
    /// Pixels with truth.
    pub pixels: u64,
    /// Those with an estimate.
    pub estimated: u64,
    /// Of those, outliers.
    pub outliers: u64,
    /// Sum of errors of estimated pixels, pixels.
    pub error_sum_px: f64,
}

impl RegionErrors {
    pub(crate) fn add_pixel(&mut self, estimated: bool, error_px: f64, outlier: bool) {
        self.pixels += 1;
        if estimated {
            self.estimated += 1;
            self.outliers += u64::from(outlier);
            self.error_sum_px += error_px;
        }
    }

    /// Adds another region's sums.
    pub fn add(&mut self, other: &Self) {
        self.pixels += other.pixels;
        self.estimated += other.estimated;
        self.outliers += other.outliers;
        self.error_sum_px += other.error_sum_px;
    }

    /// Share of outliers among estimated pixels.
    pub fn outlier_share(&self) -> Option<f64> {
        (self.estimated > 0).then(|| self.outliers as f64 / self.estimated as f64)
    }

    /// Share of outliers and missing among all pixels with truth.
    pub fn outlier_share_all(&self) -> Option<f64> {
        let wrong = self.outliers + self.pixels - self.estimated;
        (self.pixels > 0).then(|| wrong as f64 / self.pixels as f64)
    }

    /// Mean error of estimated pixels, pixels.
    pub fn end_point_error_px(&self) -> Option<f64> {
        (self.estimated > 0).then(|| self.error_sum_px / self.estimated as f64)
    }
}

/// Errors of many images, pixel by pixel.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct DisparityErrors {
    /// Where no moving object is.
    pub background: RegionErrors,
    /// On moving objects, as the truth's object map says.
    pub foreground: RegionErrors,
}

/// D1 and end-point error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DisparityReport {
    /// Share of outliers among estimated pixels.
    pub d1: Option<f64>,
    /// In the background.
    pub d1_bg: Option<f64>,
    /// In the foreground.
    pub d1_fg: Option<f64>,
    /// Share of outliers and missing among all.
    pub d1_all: Option<f64>,
    /// Mean error of estimated pixels, pixels.
    pub epe_px: Option<f64>,
    /// Share of pixels with truth that have an estimate.
    pub density: Option<f64>,
}

impl DisparityErrors {
    /// Adds an image. A disparity that is not above 0 or not finite is missing. `foreground` (where given)
    /// tells objects from background.
    ///
    /// # Errors
    /// [`Error::Lengths`] where the images differ in size.
    pub fn add_image(
        &mut self,
        truth_px: &[f32],
        estimate_px: &[f32],
        foreground: Option<&[bool]>,
        outlier: Outlier,
    ) -> Result<(), Error> {
        let pixels = truth_px.len();
        for other in [Some(estimate_px.len()), foreground.map(<[bool]>::len)].into_iter().flatten()
        {
            if other != pixels {
                return Err(Error::Lengths { what: "pixels", truth: pixels, predicted: other });
            }
        }
        let exists = |d: f32| d > 0.0 && d.is_finite();
        for (i, (&truth, &estimate)) in truth_px.iter().zip(estimate_px).enumerate() {
            if !exists(truth) {
                continue;
            }
            let error_px = (f64::from(estimate) - f64::from(truth)).abs();
            let is_foreground = foreground.is_some_and(|foreground| foreground[i]);
            let region = if is_foreground { &mut self.foreground } else { &mut self.background };
            let is_outlier = outlier.is_one(error_px, f64::from(truth));
            region.add_pixel(exists(estimate), error_px, is_outlier);
        }
        Ok(())
    }

    /// The figures.
    pub fn report(&self) -> DisparityReport {
        let mut all = self.background;
        all.add(&self.foreground);
        DisparityReport {
            d1: all.outlier_share(),
            d1_bg: self.background.outlier_share(),
            d1_fg: self.foreground.outlier_share(),
            d1_all: all.outlier_share_all(),
            epe_px: all.end_point_error_px(),
            density: (all.pixels > 0).then(|| all.estimated as f64 / all.pixels as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Off by 2 px; by 4 px and 4 %; by 4 px and 8 %; missing; no truth.
        let truth = [40.0, 100.0, 50.0, 10.0, 0.0];
        let estimate = [42.0, 104.0, 46.0, f32::NAN, 3.0];
        let mut errors = DisparityErrors::default();
        let objects = [false, false, true, true, true];
        errors.add_image(&truth, &estimate, Some(&objects), Outlier::default()).unwrap();
        let r = errors.report();
        assert_eq!((r.d1, r.d1_all, r.density), (Some(1.0 / 3.0), Some(0.5), Some(0.75)));
        assert_eq!((r.d1_bg, r.d1_fg), (Some(0.0), Some(1.0)));
        assert_eq!(r.epe_px, Some(10.0 / 3.0));
    }

    #[test]
    fn sizes_must_agree_and_nothing_is_defined() {
        let mut errors = DisparityErrors::default();
        let result = errors.add_image(&[1.0], &[1.0, 2.0], None, Outlier::default());
        assert_eq!(result, Err(Error::Lengths { what: "pixels", truth: 1, predicted: 2 }));
        errors.add_image(&[0.0], &[1.0], None, Outlier::default()).unwrap();
        assert_eq!((errors.report().d1, errors.report().d1_all), (None, None));
    }
}
