//! What a labelling run does.

use ommatidia_scene::{GridSpec, SurfaceSpec};
use serde::{Deserialize, Serialize};

use crate::Error;
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

/// Most cells along an axis of a grid: 400 m at 0.1 m.
const MOST_CELLS: u32 = 4096;
/// Most cells of a grid: they are held in memory.
const MOST_VOXELS: usize = 1 << 28;

impl LabelConfig {
    /// Every value is within its bounds, so that nothing is found wrong hours into a run.
    ///
    /// # Errors
    /// [`Error::Config`] names the first that is not.
    pub fn check(&self) -> Result<(), Error> {
        self.odometry.check()?;
        self.depth.check()?;
        self.occupancy.check()?;
        self.surface.check()?;
        let grid = &self.grid;
        check_grid("grid", "voxel_m", grid.voxel_m, &grid.min_corner_m, &grid.size)?;
        let surface = &self.surface_grid;
        check_grid("surface_grid", "cell_m", surface.cell_m, &surface.min_corner_m, &surface.size)
    }
}

fn check_grid(
    stage: &'static str,
    key: &'static str,
    cell_m: f64,
    min_corner_m: &[f64],
    size: &[u32],
) -> Result<(), Error> {
    let fail = |key, value: String, expected| Err(Error::Config { stage, key, value, expected });
    if !(0.01..=10.0).contains(&cell_m) {
        return fail(key, cell_m.to_string(), "it must be 0.01 to 10 m");
    }
    if !min_corner_m.iter().all(|corner| (-1000.0..=1000.0).contains(corner)) {
        let value = format!("{min_corner_m:?}");
        return fail("min_corner_m", value, "each must be -1000 to 1000 m");
    }
    let sides = size.iter().all(|side| (1..=MOST_CELLS).contains(side));
    if !sides || size.iter().map(|&side| side as usize).product::<usize>() > MOST_VOXELS {
        return fail(
            "size",
            format!("{size:?}"),
            "each must be 1 to 4096, the product at most 2^28",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut LabelConfig), key: &str) {
        let mut config = LabelConfig::default();
        change(&mut config);
        let error = config.check().expect_err(key).to_string();
        assert!(error.contains(key), "{error}");
    }

    #[test]
    fn the_default_is_valid_and_bad_values_are_named() {
        LabelConfig::default().check().unwrap();
        check(|c| c.odometry.sigma_px = -1.0, "sigma_px");
        check(|c| c.depth.nearest_m = 0.0, "nearest_m");
        check(|c| c.occupancy.voxel_m = f64::NAN, "voxel_m");
        check(|c| c.surface.max_step_m = f64::NAN, "max_step_m");
        check(|c| c.grid.voxel_m = 0.0, "grid: voxel_m is 0");
        check(|c| c.grid.size = [4096, 4096, 4096], "size");
        check(|c| c.surface_grid.min_corner_m[1] = f64::INFINITY, "min_corner_m");
        check(|c| c.surface_grid.size[0] = 0, "surface_grid: size");
    }
}
