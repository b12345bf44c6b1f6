//! Settings of the odometry.

use serde::{Deserialize, Serialize};

use crate::Error;

/// How far a given trajectory is trusted. Standard deviations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriorConfig {
    /// Of positions that came with a data set, metres.
    pub dataset_position_m: f64,
    /// Of orientations that came with a data set, radians.
    pub dataset_rotation_rad: f64,
    /// Of satellite positions, metres; their orientations are not used.
    pub gnss_position_m: f64,
    /// Of the distance between two poses of wheel odometry, as a share of it.
    pub wheel_share: f64,
    /// Of the turn between two poses of wheel odometry, radians.
    pub wheel_rotation_rad: f64,
}

impl Default for PriorConfig {
    /// Data sets: the accuracy that KITTI and nuScenes state for theirs. GNSS: a receiver without
    /// corrections. Wheels: 1 %, as car makers' odometry has.
    fn default() -> Self {
        Self {
            dataset_position_m: 0.1,
            dataset_rotation_rad: 0.005,
            gnss_position_m: 1.5,
            wheel_share: 0.01,
            wheel_rotation_rad: 0.01,
        }
    }
}

/// Settings of [`super::Odometry`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OdometryConfig {
    /// Points followed in each camera, about.
    pub features_per_camera: usize,
    /// Levels of the image pyramids.
    pub pyramid_levels: usize,
    /// Weakest corner followed: smaller eigenvalue of the structure tensor, squared grey values.
    pub min_strength: f32,
    /// Tracked there and back, a point may be off by this much, pixels.
    pub max_round_trip_px: f32,
    /// Least correlation of a point's patches.
    pub min_correlation: f32,
    /// Standard deviation of a tracked point, pixels.
    pub sigma_px: f64,
    /// A keyframe is taken after this distance, metres,
    pub keyframe_distance_m: f64,
    /// or this turn, radians,
    pub keyframe_turn_rad: f64,
    /// or when less than this share of the last keyframe's points is still followed.
    pub keyframe_share: f64,
    /// Keyframes adjusted together while driving; their oldest are held.
    pub window: usize,
    /// How many of the window's oldest are held.
    pub held: usize,
    /// Keyframes adjusted together afterwards, with what came after them known.
    pub smoothing_window: usize,
    /// Points a keyframe keeps for smoothing.
    pub smoothing_points: usize,
    /// Find and take out small errors of stereo partners' orientations.
    pub recalibrate: bool,
    /// Standard deviation of the ground about the plane that the vehicle stands on, metres; used where
    /// only the cameras' height fixes the scale.
    pub ground_sigma_m: f64,
    /// Fewest points that agree on a motion.
    pub min_inliers: usize,
    /// For this long a lost vehicle is taken to keep its velocity, seconds; then to stand.
    pub coast_s: f64,
    /// Given trajectories.
    pub prior: PriorConfig,
    /// Of random samples.
    pub seed: u64,
}

impl Default for OdometryConfig {
    /// Feature count and window as in OKVIS (Leutenegger et al. 2015) and ORB-SLAM2's local map;
    /// tracking noise as measured for Lucas–Kanade on KITTI by VISO2's authors (Geiger et al. 2011).
    fn default() -> Self {
        Self {
            features_per_camera: 400,
            pyramid_levels: 5,
            min_strength: 6.0,
            max_round_trip_px: 0.5,
            min_correlation: 0.8,
            sigma_px: 0.4,
            keyframe_distance_m: 0.25,
            keyframe_turn_rad: 0.02,
            keyframe_share: 0.6,
            window: 10,
            held: 3,
            smoothing_window: 60,
            smoothing_points: 80,
            recalibrate: true,
            ground_sigma_m: 0.05,
            min_inliers: 12,
            coast_s: 1.0,
            prior: PriorConfig::default(),
            seed: 0,
        }
    }
}

impl OdometryConfig {
    /// Values are within bounds.
    ///
    /// # Errors
    /// [`Error::Config`] names the first that is not.
    pub fn check(&self) -> Result<(), Error> {
        let checks = [
            ("features_per_camera", self.features_per_camera as f64, 20.0, 1e5, "20 to 100000"),
            ("pyramid_levels", self.pyramid_levels as f64, 1.0, 12.0, "1 to 12"),
            ("sigma_px", self.sigma_px, 1e-3, 100.0, "0.001 to 100"),
            ("keyframe_distance_m", self.keyframe_distance_m, 0.0, 1e6, "not negative"),
            ("keyframe_turn_rad", self.keyframe_turn_rad, 0.0, 10.0, "0 to 10"),
            ("keyframe_share", self.keyframe_share, 0.0, 1.0, "0 to 1"),
            ("window", self.window as f64, 3.0, 1000.0, "3 to 1000"),
            ("held", self.held as f64, 1.0, self.window as f64 - 2.0, "1 to window - 2"),
            ("smoothing_window", self.smoothing_window as f64, 4.0, 1e4, "4 to 10000"),
            ("ground_sigma_m", self.ground_sigma_m, 1e-4, 10.0, "0.0001 to 10"),
            ("min_inliers", self.min_inliers as f64, 4.0, 1e4, "4 to 10000"),
            ("coast_s", self.coast_s, 0.0, 1e3, "0 to 1000"),
        ];
        for (key, value, least, most, expected) in checks {
            if !(least..=most).contains(&value) {
                let value = value.to_string();
                return Err(Error::Config { stage: "odometry", key, value, expected });
            }
        }
        let prior = &self.prior;
        let spreads = [
            ("prior.dataset_position_m", prior.dataset_position_m),
            ("prior.dataset_rotation_rad", prior.dataset_rotation_rad),
            ("prior.gnss_position_m", prior.gnss_position_m),
            ("prior.wheel_share", prior.wheel_share),
            ("prior.wheel_rotation_rad", prior.wheel_rotation_rad),
        ];
        for (key, value) in spreads {
            if !(value.is_finite() && value > 0.0) {
                let value = value.to_string();
                return Err(Error::Config { stage: "odometry", key, value, expected: "positive" });
            }
        }
        Ok(())
    }
}
