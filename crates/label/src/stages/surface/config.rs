//! What the surface estimate can be told.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Parameters of the ground estimate. Slopes are rise over run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SurfaceConfig {
    /// Steepest ground that is followed. Streets seldom rise more than 0.2; what does, hedges and parked
    /// cars seen from above among it, is not taken for ground.
    pub max_ground_slope: f64,
    /// How far the ground may depart from its surroundings besides the slope, metres: a kerb (0.10 to
    /// 0.15) and the noise of a height.
    pub ground_tolerance_m: f64,
    /// How far the ground may depart across a stretch that nobody saw, whatever its length, metres.
    pub max_unseen_step_m: f64,
    /// Holes up to this wide are closed, with low confidence.
    pub max_gap_m: f64,
    /// Steepest drivable ground. Guidelines for roads end at 0.12 (AASHTO, local roads in hilly terrain);
    /// garage ramps reach 0.20.
    pub max_drivable_slope: f64,
    /// Highest step between neighbouring cells that is driven over: lowered kerbs are at most 0.03,
    /// full kerbs 0.10 or more; between them lies the noise of stereo heights at 20 m, about 0.05.
    pub max_step_m: f64,
    /// Something at least this far above the ground is an obstacle,
    pub min_obstacle_m: f64,
    /// and from here on one drives below it. Passenger cars are up to 2.0 high, vans 2.8.
    pub clearance_m: f64,
    /// The vehicle's outline in the ego frame: behind and ahead of the rear axle, and half its width.
    pub footprint_m: [f64; 3],
    /// How far ahead of the footprint the first observed ground may lie: cameras do not see the ground
    /// right before the bonnet.
    pub blind_ahead_m: f64,
}

impl Default for SurfaceConfig {
    fn default() -> Self {
        Self {
            max_ground_slope: 0.2,
            ground_tolerance_m: 0.15,
            max_unseen_step_m: 0.8,
            max_gap_m: 0.6,
            max_drivable_slope: 0.2,
            max_step_m: 0.08,
            min_obstacle_m: 0.3,
            clearance_m: 2.8,
            footprint_m: [1.0, 3.8, 0.9],
            blind_ahead_m: 8.0,
        }
    }
}

impl SurfaceConfig {
    /// Every number is finite and not negative.
    ///
    /// # Errors
    /// [`Error::Config`] names the first that is not.
    pub fn check(&self) -> Result<(), Error> {
        let values = [
            ("max_ground_slope", self.max_ground_slope),
            ("ground_tolerance_m", self.ground_tolerance_m),
            ("max_unseen_step_m", self.max_unseen_step_m),
            ("max_gap_m", self.max_gap_m),
            ("max_drivable_slope", self.max_drivable_slope),
            ("max_step_m", self.max_step_m),
            ("min_obstacle_m", self.min_obstacle_m),
            ("clearance_m", self.clearance_m),
            ("footprint_m", self.footprint_m[0]),
            ("footprint_m", self.footprint_m[1]),
            ("footprint_m", self.footprint_m[2]),
            ("blind_ahead_m", self.blind_ahead_m),
        ];
        match values.iter().find(|(_, value)| !(0.0..=100.0).contains(value)) {
            None => Ok(()),
            Some((key, value)) => Err(Error::Config {
                stage: "surface",
                key,
                value: value.to_string(),
                expected: "it must be between 0 and 100",
            }),
        }
    }
}
