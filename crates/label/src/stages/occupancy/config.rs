//! What the fusion can be told.

use serde::{Deserialize, Serialize};

use crate::Error;

const STAGE: &str = "occupancy";

/// Parameters of the map. Lengths in metres, evidence in log-odds (natural logarithm).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OccupancyConfig {
    /// Edge of the map's voxels. 0.2 m is SemanticKITTI's (Behley et al. 2019).
    pub voxel_m: f64,
    /// Depth beyond this is not used: at 50 m half a pixel of disparity of a 0.54 m baseline and a
    /// 720 px focal length is 3 m.
    pub max_range_m: f64,
    /// Depth below this is not used: it is the vehicle itself or a mismatch.
    pub min_range_m: f64,
    /// How far below a sensor the map reaches (world z).
    pub below_m: f64,
    /// How far above a sensor the map reaches (world z).
    pub above_m: f64,
    /// Most evidence one sweep adds to a voxel that it sees occupied. OctoMap: 0.85 (p = 0.7;
    /// Hornung et al. 2013).
    pub hit_log_odds: f64,
    /// Evidence one sweep takes from a voxel that it sees through. OctoMap: 0.4 (p = 0.4).
    pub miss_log_odds: f64,
    /// A voxel is occupied from this sum on: about a third of one certain hit, so that a surface in
    /// the distance, whose evidence is spread over several voxels, needs sweeps that agree.
    pub occupied_log_odds: f64,
    /// A voxel is free from minus this sum on; between the two it counts as unobserved.
    pub free_log_odds: f64,
    /// Free space ends this many standard deviations of the depth before the surface.
    pub margin_sigmas: f64,
    /// A depth is spread this many standard deviations to both sides along its ray.
    pub spread_sigmas: f64,
    /// Depth of lower confidence (0 to 1) neither marks nor carves: it was filled in, not measured.
    pub min_confidence: f64,
    /// When a voxel counts as one of something that moves.
    pub moving: MovingConfig,
}

/// How moving things are told from noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MovingConfig {
    /// A voxel hit by one sweep is moving if all sweeps together, this one included, put it below
    /// minus this: two misses more than hits outweigh.
    pub against_log_odds: f64,
    /// A hit weaker than this is noise.
    pub min_hit_log_odds: f64,
    /// Fewer connected voxels than this are noise. 24 voxels of 0.2 m are half of what a camera sees
    /// of a child: 0.4 m x 1.2 m of surface is 12 voxels, twice that with the depth's spread.
    pub min_voxels: usize,
    /// Fewer than this, and not found again at a steady velocity, are noise too: leaves and thin things
    /// flicker in stereo depth. 150 voxels are the side of a car.
    pub min_unfollowed_voxels: usize,
    /// Faster than this is a mismatch between sweeps, m/s. 60 m/s: two cars at 30 m/s head on are
    /// still each below it over ground.
    pub max_speed_m_s: f64,
}

impl Default for OccupancyConfig {
    fn default() -> Self {
        Self {
            voxel_m: 0.2,
            max_range_m: 50.0,
            min_range_m: 1.0,
            below_m: 6.0,
            above_m: 8.0,
            hit_log_odds: 0.85,
            miss_log_odds: 0.4,
            occupied_log_odds: 0.25,
            free_log_odds: 0.3,
            margin_sigmas: 2.0,
            spread_sigmas: 1.0,
            min_confidence: 0.25,
            moving: MovingConfig::default(),
        }
    }
}

impl Default for MovingConfig {
    fn default() -> Self {
        Self {
            against_log_odds: 0.6,
            min_hit_log_odds: 0.2,
            min_voxels: 24,
            min_unfollowed_voxels: 150,
            max_speed_m_s: 60.0,
        }
    }
}

impl OccupancyConfig {
    /// Every number is finite and within bounds.
    ///
    /// # Errors
    /// [`Error::Config`] names the first that is not.
    pub fn check(&self) -> Result<(), Error> {
        let positive = |key, value: f64, most: f64, expected| {
            let fits = value > 0.0 && value <= most;
            if fits {
                return Ok(());
            }
            Err(Error::Config { stage: STAGE, key, value: value.to_string(), expected })
        };
        let metres = "it must be above 0 and at most 500 m";
        positive("voxel_m", self.voxel_m, 10.0, "it must be above 0 and at most 10 m")?;
        positive("max_range_m", self.max_range_m, 500.0, metres)?;
        positive(
            "min_range_m",
            self.min_range_m,
            self.max_range_m,
            "it must be below max_range_m",
        )?;
        positive("below_m", self.below_m, 500.0, metres)?;
        positive("above_m", self.above_m, 500.0, metres)?;
        let evidence = "it must be above 0 and at most 10";
        positive("hit_log_odds", self.hit_log_odds, 10.0, evidence)?;
        positive("miss_log_odds", self.miss_log_odds, 10.0, evidence)?;
        let sum = "it must be above 0 and at most 100";
        positive("occupied_log_odds", self.occupied_log_odds, 100.0, sum)?;
        positive("free_log_odds", self.free_log_odds, 100.0, sum)?;
        positive("margin_sigmas", self.margin_sigmas, 10.0, evidence)?;
        positive("spread_sigmas", self.spread_sigmas, 5.0, "it must be above 0 and at most 5")?;
        positive("min_confidence", self.min_confidence, 1.0, "it must be above 0 and at most 1")?;
        let speed = "it must be above 0 and at most 1000 m/s";
        positive("moving.max_speed_m_s", self.moving.max_speed_m_s, 1e3, speed)?;
        positive("moving.against_log_odds", self.moving.against_log_odds, 100.0, sum)?;
        positive("moving.min_hit_log_odds", self.moving.min_hit_log_odds, 10.0, evidence)
    }
}

/// Evidence in the map's integer unit, a hundredth of a nat: sums of integers do not depend on order.
pub(super) fn to_units(log_odds: f64) -> i32 {
    (log_odds * 100.0).round() as i32
}

/// Standard deviation of a depth `z` along the optical axis: `sqrt(constant^2 + (per_metre2 z^2)^2)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthNoise {
    /// The part that does not grow, metres.
    pub constant_m: f64,
    /// The part that grows with the square of the depth, 1/m.
    pub per_metre2: f64,
}

impl DepthNoise {
    /// Depth from disparity: `sigma_z = z^2 sigma_d / (f b)`.
    ///
    /// `focal_px` and `sigma_px` (standard deviation of the disparity) in pixels of the same image,
    /// `baseline_m` between the two views in metres. For depth from motion, the baseline is the path
    /// between the views across the viewing direction.
    pub fn disparity(focal_px: f64, baseline_m: f64, sigma_px: f64) -> Self {
        Self { constant_m: 0.02, per_metre2: sigma_px / (focal_px * baseline_m).max(1e-6) }
    }

    /// Depth from a lidar: 3 cm.
    pub fn lidar() -> Self {
        Self { constant_m: 0.03, per_metre2: 0.0 }
    }

    /// The standard deviation at depth `z_m`, metres.
    #[inline]
    pub fn sigma_m(&self, z_m: f32) -> f32 {
        let growing = self.per_metre2 as f32 * z_m * z_m;
        (self.constant_m as f32).mul_add(self.constant_m as f32, growing * growing).sqrt()
    }
}
