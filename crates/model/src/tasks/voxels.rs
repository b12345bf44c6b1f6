//! Voxels as heads of space order them: heights outside, `[z, x, y]`, where grids have them inside.

use std::borrow::Cow;

use ommatidia_scene::{GridSpec, Occupancy};

/// The truth on the head's grid.
pub(super) fn on_grid<'a>(voxels: &'a Occupancy, grid: &GridSpec) -> Cow<'a, Occupancy> {
    if voxels.grid == *grid { Cow::Borrowed(voxels) } else { Cow::Owned(voxels.resampled(grid)) }
}

/// Where a head has the voxel of a grid's index.
pub(super) fn voxel_at(grid: &GridSpec, index: usize) -> usize {
    let [x, y, z] = grid.cell(index);
    ((z * grid.size[0] + x) * grid.size[1] + y) as usize
}
