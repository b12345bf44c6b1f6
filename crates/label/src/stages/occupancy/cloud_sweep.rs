//! One lidar sweep as evidence: rays walked voxel by voxel.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Lidar, Pose, World};
use ommatidia_scene::PointCloud;
use rayon::prelude::*;

use super::accumulate::{Accumulator, Merged};
use super::block::{CELLS, Delta, HEIGHT_STEPS};
use super::config::{OccupancyConfig, to_units};
use super::window::Window;

/// Sectors of azimuth that are walked apart: fixed, so that the result does not depend on threads.
const SECTORS: usize = 32;
/// Rays end this many voxels before their return,
const MARGIN_VOXELS: f32 = 1.5;
/// or this share of their length if that is more: a ray from a sensor 1.7 m up that reaches the road at
/// range r is less than one voxel of 0.2 m above it for the last 0.2 r / 1.7.
const MARGIN_SHARE: f32 = 0.12;

/// Sums over the rays through the voxels of a block.
pub(super) struct Passes {
    returns: [u32; CELLS],
    passes: [u32; CELLS],
    height: [u32; CELLS],
}

impl Default for Passes {
    fn default() -> Self {
        Self { returns: [0; CELLS], passes: [0; CELLS], height: [0; CELLS] }
    }
}

/// A sweep as evidence, in the order of blocks in its window, and how many returns were left out
/// because they are out of range or not finite.
pub(super) fn deltas(
    config: &OccupancyConfig,
    world_from_lidar: &Pose<World, Lidar>,
    cloud: &PointCloud,
) -> (Vec<Delta>, u64) {
    let centre = Point3::from(world_from_lidar.translation);
    let heights = [config.below_m, config.above_m];
    let window = Window::around(&centre, config.max_range_m, heights, config.voxel_m);
    let origin = window.voxels_of(&centre);
    let rotation = (world_from_lidar.rotation_matrix() / config.voxel_m).cast::<f32>();
    let in_range = |p: &&[f32; 3]| {
        let range = Vector3::from(**p).norm();
        range >= config.min_range_m as f32 && range <= config.max_range_m as f32
    };
    let mut sectors = vec![Vec::new(); SECTORS];
    for p in cloud.xyz_m.iter().filter(in_range) {
        let turn = p[1].atan2(p[0]) / std::f32::consts::TAU + 0.5;
        let sector = (turn * SECTORS as f32) as usize % SECTORS;
        sectors[sector].push(rotation * Vector3::from(*p));
    }
    let used: usize = sectors.iter().map(Vec::len).sum();
    let walk_sector = |rays: &Vec<Vector3<f32>>| {
        let mut passes = Accumulator::new(&window);
        rays.iter().for_each(|ray| walk(&mut passes, origin, *ray));
        passes
    };
    let passes = Merged::new(&window, sectors.par_iter().map(walk_sector).collect());
    let block = |index: usize| delta(config, &window, index, &passes);
    let deltas = (0..window.len()).into_par_iter().with_min_len(64).filter_map(block).collect();
    (deltas, (cloud.len() - used) as u64)
}

/// Counts one ray in the voxels it passes and in the one it ends in. Amanatides & Woo 1987.
fn walk(passes: &mut Accumulator<Passes>, origin: Vector3<f32>, ray: Vector3<f32>) {
    let end = origin + ray;
    let last = end.map(|c| c.floor() as i32);
    if let Some((sums, cell)) = passes.at(last.into()) {
        sums.returns[cell] += 1;
        sums.height[cell] += ((end.z - end.z.floor()) * HEIGHT_STEPS as f32) as u32;
    }
    let length = ray.norm();
    let free = 1.0 - MARGIN_SHARE.max(MARGIN_VOXELS / length);
    let mut cell: Vector3<i32> = origin.map(|c| c.floor() as i32);
    let step = ray.map(|c| if c > 0.0 { 1 } else { -1 });
    // Shares of the ray at which it crosses the next face along each axis, and between two faces.
    let between = ray.map(|c| 1.0 / c.abs().max(1e-9));
    let mut next = Vector3::zeros();
    for axis in 0..3 {
        let inside = origin[axis] - origin[axis].floor();
        let ahead = if ray[axis] > 0.0 { 1.0 - inside } else { inside };
        next[axis] = ahead * between[axis];
    }
    loop {
        if let Some((sums, index)) = passes.at(cell.into()) {
            sums.passes[index] += 1;
        }
        let axis = next.imin();
        if next[axis] >= free {
            return;
        }
        cell[axis] += step[axis];
        next[axis] += between[axis];
    }
}

fn delta(
    config: &OccupancyConfig,
    window: &Window,
    block: usize,
    passes: &Merged<Passes>,
) -> Option<Delta> {
    let mut total: Option<Passes> = None;
    for share in passes.of(block) {
        let total = total.get_or_insert_default();
        for cell in 0..CELLS {
            total.returns[cell] += share.returns[cell];
            total.passes[cell] += share.passes[cell];
            total.height[cell] += share.height[cell];
        }
    }
    let total = total?;
    let mut delta = Delta { key: window.key(block), evidence: [0; CELLS], height: None };
    for cell in 0..CELLS {
        let returns = total.returns[cell];
        if returns > 0 {
            // Returns prevail over passes within a sweep: a ray along the road passes its voxels.
            let certain = 1.0 - (-f64::from(returns)).exp();
            delta.evidence[cell] = to_units(config.hit_log_odds * certain) as i16;
            let height = (total.height[cell] / returns) as i8;
            delta.height.get_or_insert_with(|| Box::new([0; CELLS]))[cell] = height;
        } else if total.passes[cell] > 0 {
            delta.evidence[cell] = -to_units(config.miss_log_odds) as i16;
        }
    }
    Some(delta)
}
