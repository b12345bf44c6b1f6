//! Depth errors of Eigen et al. 2014 and outliers of KITTI's stereo benchmark.

use ommatidia_scene::DepthMap;
use serde::{Deserialize, Serialize};

use super::DisparityProtocol;
use crate::Error;

/// Which depths count and when one is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DepthProtocol {
    /// Smallest true depth counted, metres.
    pub min_depth_m: f64,
    /// Largest true depth counted, metres.
    pub max_depth_m: f64,
    /// When a depth is wrong.
    pub disparity: DisparityProtocol,
}

impl Default for DepthProtocol {
    /// 1 mm to 80 m, as Eigen et al. 2014 and all after them evaluate KITTI.
    fn default() -> Self {
        Self { min_depth_m: 1e-3, max_depth_m: 80.0, disparity: DisparityProtocol::default() }
    }
}

/// Errors of estimated depth. Field names are those of `omma eval depth --json`.
///
/// Over pixels that have both a truth and an estimate, except `d1_all` and `density`. `None` where
/// nothing was estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DepthReport {
    /// Mean of `|d - d*| / d*`.
    pub abs_rel: Option<f64>,
    /// Mean of `(d - d*)^2 / d*`, metres.
    pub sq_rel: Option<f64>,
    /// Root of the mean of `(d - d*)^2`, metres.
    pub rmse_m: Option<f64>,
    /// Root of the mean of `(ln d - ln d*)^2`.
    pub rmse_log: Option<f64>,
    /// Share with `max(d / d*, d* / d) < 1.25`.
    pub delta1: Option<f64>,
    /// Share below `1.25^2`.
    pub delta2: Option<f64>,
    /// Share below `1.25^3`.
    pub delta3: Option<f64>,
    /// Share that is wrong by KITTI's measure, of the estimated.
    pub d1: Option<f64>,
    /// Share that is wrong or missing, of all points.
    pub d1_all: f64,
    /// Share of points that have an estimate.
    pub density: f64,
    /// Pixels with a true depth in range.
    pub points: u64,
    /// Those that have an estimate.
    pub estimated: u64,
    /// Focal length times baseline behind `d1`, px m.
    pub focal_baseline_px_m: f64,
}

/// Sums over the pixels of many images, added one after the other.
#[derive(Debug, Clone)]
pub struct DepthAccumulator {
    protocol: DepthProtocol,
    points: u64,
    estimated: u64,
    wrong: u64,
    below: [u64; 3],
    relative: f64,
    squared_relative: f64,
    squared: f64,
    squared_log: f64,
}

impl DepthAccumulator {
    /// Nothing added yet.
    pub fn new(protocol: DepthProtocol) -> Self {
        Self {
            protocol,
            points: 0,
            estimated: 0,
            wrong: 0,
            below: [0; 3],
            relative: 0.0,
            squared_relative: 0.0,
            squared: 0.0,
            squared_log: 0.0,
        }
    }

    /// Adds one image. Depth along the optical axis, metres; 0 or less, NaN and infinity are missing.
    ///
    /// # Errors
    /// [`Error::ImageSize`] where the two differ in size.
    pub fn add(&mut self, truth: &DepthMap, estimate: &DepthMap) -> Result<(), Error> {
        if (truth.width, truth.height) != (estimate.width, estimate.height) {
            return Err(Error::ImageSize {
                truth_width: truth.width,
                truth_height: truth.height,
                width: estimate.width,
                height: estimate.height,
            });
        }
        for (&true_m, &depth_m) in truth.depth_m.iter().zip(&estimate.depth_m) {
            let (true_m, depth_m) = (f64::from(true_m), f64::from(depth_m));
            if true_m >= self.protocol.min_depth_m && true_m <= self.protocol.max_depth_m {
                self.points += 1;
                if depth_m > 0.0 && depth_m.is_finite() {
                    self.add_pixel(true_m, depth_m);
                }
            }
        }
        Ok(())
    }

    fn add_pixel(&mut self, true_m: f64, depth_m: f64) {
        let error_m = depth_m - true_m;
        let ratio = (depth_m / true_m).max(true_m / depth_m);
        self.estimated += 1;
        self.wrong += u64::from(self.protocol.disparity.is_wrong(true_m, depth_m));
        for (below, threshold) in self.below.iter_mut().zip([1.25, 1.5625, 1.953_125]) {
            *below += u64::from(ratio < threshold);
        }
        self.relative += error_m.abs() / true_m;
        self.squared_relative += error_m * error_m / true_m;
        self.squared += error_m * error_m;
        self.squared_log += (depth_m / true_m).ln().powi(2);
    }

    /// The errors of everything added.
    ///
    /// # Errors
    /// [`Error::NoTruth`] where no pixel had a true depth in range.
    pub fn report(&self) -> Result<DepthReport, Error> {
        if self.points == 0 {
            let DepthProtocol { min_depth_m, max_depth_m, .. } = self.protocol;
            return Err(Error::NoTruth { min_depth_m, max_depth_m });
        }
        let (points, n) = (self.points as f64, self.estimated as f64);
        let mean = |sum: f64| (self.estimated > 0).then(|| sum / n);
        let missing = self.points - self.estimated;
        Ok(DepthReport {
            abs_rel: mean(self.relative),
            sq_rel: mean(self.squared_relative),
            rmse_m: mean(self.squared).map(f64::sqrt),
            rmse_log: mean(self.squared_log).map(f64::sqrt),
            delta1: mean(self.below[0] as f64),
            delta2: mean(self.below[1] as f64),
            delta3: mean(self.below[2] as f64),
            d1: mean(self.wrong as f64),
            d1_all: (self.wrong + missing) as f64 / points,
            density: n / points,
            points: self.points,
            estimated: self.estimated,
            focal_baseline_px_m: self.protocol.disparity.focal_baseline_px_m,
        })
    }
}

/// The errors of one image.
///
/// # Errors
/// Where the two differ in size or no true depth is in range.
pub fn evaluate(
    truth: &DepthMap,
    estimate: &DepthMap,
    protocol: &DepthProtocol,
) -> Result<DepthReport, Error> {
    let mut sums = DepthAccumulator::new(*protocol);
    sums.add(truth, estimate)?;
    sums.report()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(depth_m: &[f32]) -> DepthMap {
        let confidence = vec![255; depth_m.len()];
        DepthMap { width: depth_m.len(), height: 1, depth_m: depth_m.to_vec(), confidence }
    }

    fn report(truth: &[f32], estimate: &[f32]) -> DepthReport {
        evaluate(&map(truth), &map(estimate), &DepthProtocol::default()).unwrap()
    }

    fn close(value: Option<f64>, expected: f64) {
        assert!(value.is_some_and(|v| (v - expected).abs() < 1e-9), "{value:?} {expected}");
    }

    #[test]
    fn four_points_by_hand() {
        // Ratios 1, 1.2, 1.5; the last is missing. The fifth has no truth, the sixth is out of range.
        let r = report(&[10.0, 10.0, 20.0, 5.0, 0.0, 90.0], &[10.0, 12.0, 30.0, 0.0, 7.0, 90.0]);
        assert_eq!((r.points, r.estimated), (4, 3));
        close(r.abs_rel, (0.2 + 0.5) / 3.0);
        close(r.sq_rel, (4.0 / 10.0 + 100.0 / 20.0) / 3.0);
        close(r.rmse_m, (104.0f64 / 3.0).sqrt());
        close(r.rmse_log, ((1.2f64.ln().powi(2) + 1.5f64.ln().powi(2)) / 3.0).sqrt());
        close(r.delta1, 2.0 / 3.0);
        close(r.delta2, 1.0);
        // Disparities 38.6 against 32.2 and 19.3 against 12.9: both off by 6.4 px.
        close(r.d1, 2.0 / 3.0);
        close(Some(r.d1_all), 3.0 / 4.0);
        close(Some(r.density), 3.0 / 4.0);
    }

    #[test]
    fn an_empty_estimate_has_no_error_but_all_points_wrong() {
        let r = report(&[10.0, 20.0], &[0.0, f32::NAN]);
        assert_eq!((r.abs_rel, r.d1, r.d1_all, r.density), (None, None, 1.0, 0.0));
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let protocol = DepthProtocol::default();
        let size = evaluate(&map(&[1.0]), &map(&[1.0, 2.0]), &protocol).unwrap_err();
        assert_eq!(size.to_string(), "the true depth is 1x1 and the estimate 2x1");
        let none = evaluate(&map(&[0.0, 100.0]), &map(&[1.0, 1.0]), &protocol).unwrap_err();
        assert_eq!(none, Error::NoTruth { min_depth_m: 1e-3, max_depth_m: 80.0 });
    }

    proptest! {
        #[test]
        fn the_truth_itself_has_no_error(depths in proptest::collection::vec(0.5f32..79.0, 1..50)) {
            let r = report(&depths, &depths);
            prop_assert_eq!((r.abs_rel, r.rmse_m, r.d1_all, r.delta1), (Some(0.0), Some(0.0), 0.0, Some(1.0)));
        }

        #[test]
        fn images_one_by_one_or_side_by_side_give_the_same(
            a in proptest::collection::vec((0.5f32..79.0, 0.5f32..79.0), 1..30),
            b in proptest::collection::vec((0.5f32..79.0, 0.5f32..79.0), 1..30),
        ) {
            let split = |pairs: &[(f32, f32)]| -> (Vec<f32>, Vec<f32>) { pairs.iter().copied().unzip() };
            let mut sums = DepthAccumulator::new(DepthProtocol::default());
            for part in [&a, &b] {
                let (truth, estimate) = split(part);
                sums.add(&map(&truth), &map(&estimate)).unwrap();
            }
            let (truth, estimate) = split(&[a, b].concat());
            prop_assert_eq!(sums.report().unwrap(), report(&truth, &estimate));
        }
    }
}
