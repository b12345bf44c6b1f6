//! What a labelling run does.

use ommatidia_scene::{GridSpec, SurfaceSpec};
use serde::{Deserialize, Serialize};

use crate::stages::depth::DepthConfig;
use crate::stages::occupancy::OccupancyConfig;
use crate::stages::odometry::OdometryConfig;
use crate::stages::surface::SurfaceConfig;

/// Settings of all stages. Saved with the labels, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabelConfig {
    /// Given poses serve as priors of the odometry.
    pub use_poses: bool,
    /// Lidar sweeps are fused into depth and occupancy.
    pub use_lidar: bool,
    /// Voxels of the occupancy.
    pub grid: GridSpec,
    /// Cells of the surface.
    pub surface_grid: SurfaceSpec,
    /// Ego trajectory.
    pub odometry: OdometryConfig,
    /// Depth per image.
    pub depth: DepthConfig,
    /// Fusion into voxels.
    pub occupancy: OccupancyConfig,
    /// Ground.
    pub surface: SurfaceConfig,
}

impl Default for LabelConfig {
    fn default() -> Self {
        Self {
            use_poses: true,
            use_lidar: true,
            grid: GridSpec::default(),
            surface_grid: SurfaceSpec::default(),
            odometry: OdometryConfig::default(),
            depth: DepthConfig::default(),
            occupancy: OccupancyConfig::default(),
            surface: SurfaceConfig::default(),
        }
    }
}
