//! Where each cell of the present was at another moment.

use burn::tensor::{Device, Int, Tensor, TensorData};
use nalgebra::Point3;
use ommatidia_geometry::{Ego, Pose};
use ommatidia_scene::GridSpec;

use super::cells;

/// Taps of a cell: bilinear.
const TAPS: usize = 4;

/// Four cells of another moment for each of the present, in C order of `[x][y][tap]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Warp {
    /// Cell, `x * size_y + y`.
    pub cell: Vec<i32>,
    /// Share of the tap; a cell's sum to 1, or less at the border of what the other moment covered.
    pub weight: Vec<f32>,
}

impl Warp {
    /// Where the motion is not known: the past tells nothing.
    pub fn nowhere(grid: &GridSpec) -> Self {
        let taps = cells(grid) * TAPS;
        Self { cell: vec![0; taps], weight: vec![0.0; taps] }
    }

    /// From how the vehicle moved: `other_from_present` maps the present ego frame into the other moment's.
    /// The ground is taken as flat.
    pub fn new(grid: &GridSpec, other_from_present: &Pose<Ego, Ego>) -> Self {
        let mut warp = Self::nowhere(grid);
        let taps = warp.cell.chunks_exact_mut(TAPS).zip(warp.weight.chunks_exact_mut(TAPS));
        for (index, (cell, weight)) in taps.enumerate() {
            let [x, y] = [index as u32 / grid.size[1], index as u32 % grid.size[1]];
            let centre = grid.centre([x, y, 0]);
            let there = *other_from_present * Point3::new(centre.x, centre.y, 0.0);
            let steps = |axis: usize| (there[axis] - grid.min_corner_m[axis]) / grid.voxel_m - 0.5;
            let (down, right) = (steps(0), steps(1));
            for tap in 0..TAPS {
                let [i, j] = [tap / 2, tap % 2];
                let (row, column) = (down.floor() + i as f64, right.floor() + j as f64);
                let inside = row >= 0.0
                    && column >= 0.0
                    && row < f64::from(grid.size[0])
                    && column < f64::from(grid.size[1]);
                if inside {
                    cell[tap] = row as i32 * grid.size[1] as i32 + column as i32;
                    let near = |value: f64, at: f64| 1.0 - (value - at).abs();
                    weight[tap] = (near(down, row) * near(right, column)) as f32;
                }
            }
        }
        warp
    }
}

/// A batch of warps on a device.
#[derive(Debug, Clone)]
pub struct Warps {
    /// `[batch, cells, taps]`.
    pub cell: Tensor<3, Int>,
    /// `[batch, cells, taps]`.
    pub weight: Tensor<3>,
}

impl Warps {
    /// One per sample.
    pub fn new(warps: &[Warp], device: &Device) -> Self {
        let shape = [warps.len(), warps[0].cell.len() / TAPS, TAPS];
        let cell: Vec<i32> = warps.iter().flat_map(|warp| warp.cell.iter().copied()).collect();
        let weight: Vec<f32> = warps.iter().flat_map(|warp| warp.weight.iter().copied()).collect();
        Self {
            cell: Tensor::from_data(TensorData::new(cell, shape), device),
            weight: Tensor::from_data(TensorData::new(weight, shape), device),
        }
    }
}
