//! The blocks around a sensor that one sweep can touch, addressed densely.

use nalgebra::{Point3, Vector3};

use super::block::{BlockKey, SIDE};

/// A box of blocks. Linear block index in C order of `[x, y, z]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The block with the smallest coordinates.
    pub(super) min: BlockKey,
    /// Blocks along x, y, z.
    pub(super) size: [i32; 3],
    voxel_m: f64,
}

impl Window {
    /// All blocks between two corners in the world, metres.
    pub(super) fn between(low_m: Vector3<f64>, high_m: Vector3<f64>, voxel_m: f64) -> Self {
        let block_m = voxel_m * f64::from(SIDE);
        let block =
            |p: Vector3<f64>| -> BlockKey { p.map(|c| (c / block_m).floor() as i32).into() };
        let (min, max) = (block(low_m), block(high_m));
        Self { min, size: [0, 1, 2].map(|axis| max[axis] - min[axis] + 1), voxel_m }
    }

    /// Around a sensor: `range_m` to the sides, from `below_m` to `above_m` in height.
    pub(super) fn around(
        centre: &Point3<f64>,
        range_m: f64,
        [below_m, above_m]: [f64; 2],
        voxel_m: f64,
    ) -> Self {
        let low = centre.coords - Vector3::new(range_m, range_m, below_m);
        let high = centre.coords + Vector3::new(range_m, range_m, above_m);
        Self::between(low, high, voxel_m)
    }

    pub(super) fn len(&self) -> usize {
        self.size.iter().map(|&n| n as usize).product()
    }

    /// The block of that linear index.
    pub(super) fn key(&self, index: usize) -> BlockKey {
        let (ny, nz) = (self.size[1] as usize, self.size[2] as usize);
        let local = [index / (ny * nz), index / nz % ny, index % nz];
        [0, 1, 2].map(|axis| self.min[axis] + local[axis] as i32)
    }

    /// Linear index of the block with these voxel coordinates relative to the window's corner.
    #[inline]
    pub(super) fn block_at(&self, x: i32, y: i32, z: i32) -> Option<usize> {
        let [bx, by, bz] = [x >> 3, y >> 3, z >> 3];
        let inside = (bx as u32) < self.size[0] as u32
            && (by as u32) < self.size[1] as u32
            && (bz as u32) < self.size[2] as u32;
        let index = (bx * self.size[1] + by) * self.size[2] + bz;
        inside.then_some(index as usize)
    }

    /// The window's corner in the world, metres.
    pub(super) fn corner_m(&self) -> Vector3<f64> {
        Vector3::from(self.min.map(f64::from)) * (self.voxel_m * f64::from(SIDE))
    }

    /// A world point in voxels relative to the window's corner.
    pub(super) fn voxels_of(&self, p_in_world: &Point3<f64>) -> Vector3<f32> {
        ((p_in_world.coords - self.corner_m()) / self.voxel_m).cast()
    }
}
