//! When a depth counts as wrong in KITTI's stereo benchmark.

use serde::{Deserialize, Serialize};

/// Focal length times baseline of KITTI's odometry rig, px m: `-P1[3]` of sequences 00 to 02.
pub const KITTI_FOCAL_BASELINE_PX_M: f64 = 386.1448;

/// D1: a pixel is wrong where its disparity is off by more than both thresholds.
///
/// Menze and Geiger 2015, section 4.1: 3 px and 5 %. A camera without a stereo partner has no
/// disparity of its own; its depth is judged as the disparity that KITTI's rig would have, so that
/// scores of different rigs compare.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DisparityProtocol {
    /// Focal length times baseline, px m: disparity is this over depth.
    pub focal_baseline_px_m: f64,
    /// Tolerated error, pixels.
    pub tolerance_px: f64,
    /// Tolerated error as a share of the true disparity.
    pub tolerance_share: f64,
}

impl Default for DisparityProtocol {
    fn default() -> Self {
        Self {
            focal_baseline_px_m: KITTI_FOCAL_BASELINE_PX_M,
            tolerance_px: 3.0,
            tolerance_share: 0.05,
        }
    }
}

impl DisparityProtocol {
    /// Whether an estimated depth is wrong; both in metres and positive.
    pub fn is_wrong(&self, true_m: f64, estimate_m: f64) -> bool {
        let truth_px = self.focal_baseline_px_m / true_m;
        let error_px = (self.focal_baseline_px_m / estimate_m - truth_px).abs();
        error_px > self.tolerance_px && error_px > self.tolerance_share * truth_px
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_thresholds_must_be_passed() {
        let protocol = DisparityProtocol { focal_baseline_px_m: 400.0, ..Default::default() };
        // 400 px m: 4 m is 100 px, 10 m is 40 px, 100 m is 4 px.
        for (true_m, estimated_px, wrong) in [
            (4.0, 104.0, false), // 4 px but 4 %
            (4.0, 106.0, true),
            (10.0, 42.9, false), // 7 % but 2.9 px
            (10.0, 43.5, true),
            (100.0, 6.5, false),
            (100.0, 0.5, true),
        ] {
            assert_eq!(
                protocol.is_wrong(true_m, 400.0 / estimated_px),
                wrong,
                "{true_m} {estimated_px}"
            );
        }
    }
}
