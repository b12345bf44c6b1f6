//! The map, seen from the vehicle: a grid in the ego frame.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::{BitGrid, ClassId, GridSpec, Occupancy, VoxelFlow};
use rayon::prelude::*;

use super::block::{BlockStore, UNOBSERVED, cell_index};
use super::config::{OccupancyConfig, to_units};
use super::moving::MovingCluster;
use super::window::Window;

/// No block there.
const ABSENT: u32 = u32::MAX;
/// Fraction bits of voxel coordinates while walking up a column.
const FRACTION: u32 = 16;

/// Samples the map at the centres of the grid's voxels, moving things on top.
pub(super) fn extract(
    store: &BlockStore,
    config: &OccupancyConfig,
    moving: &[MovingCluster],
    world_from_ego: &Pose<World, Ego>,
    grid: &GridSpec,
) -> Occupancy {
    let sampler = Sampler::new(store, config, world_from_ego, grid);
    let planes = (0..grid.size[0]).into_par_iter().map(|x| sampler.plane(x));
    let planes: Vec<Plane> = planes.collect();
    let mut observed = concatenate(grid, planes.iter().map(|plane| &plane.observed));
    let mut occupied = concatenate(grid, planes.iter().map(|plane| &plane.occupied));
    let flow = mark_moving(&mut observed, &mut occupied, config, moving, world_from_ego, grid);
    let classes = vec![ClassId::UNKNOWN; occupied.count()];
    Occupancy { grid: *grid, observed, occupied, classes, flow }
}

/// Voxels of one x, packed like a [`BitGrid`].
struct Plane {
    observed: Vec<u64>,
    occupied: Vec<u64>,
}

struct Sampler<'a> {
    store: &'a BlockStore,
    window: Window,
    /// Slot of each block of the window in the store.
    slots: Vec<u32>,
    grid: GridSpec,
    /// First voxel's centre and steps along the grid's axes, in map voxels relative to the window.
    origin: Vector3<f64>,
    steps: [Vector3<f64>; 3],
    occupied: i32,
    free: i32,
}

impl<'a> Sampler<'a> {
    fn new(
        store: &'a BlockStore,
        config: &OccupancyConfig,
        world_from_ego: &Pose<World, Ego>,
        grid: &GridSpec,
    ) -> Self {
        let far = grid.size.map(|n| f64::from(n) * grid.voxel_m);
        let low = Vector3::from(grid.min_corner_m);
        let corner = |i: usize| {
            let offset =
                Vector3::from_fn(|axis, _| if i >> axis & 1 == 1 { far[axis] } else { 0.0 });
            (*world_from_ego * Point3::from(low + offset)).coords
        };
        let corners: Vec<Vector3<f64>> = (0..8).map(corner).collect();
        let min = corners.iter().fold(corners[0], |a, b| a.inf(b));
        let max = corners.iter().fold(corners[0], |a, b| a.sup(b));
        let window = Window::between(min, max, config.voxel_m);
        let slots = (0..window.len())
            .into_par_iter()
            .map(|i| store.slot(&window.key(i)).unwrap_or(ABSENT))
            .collect();
        let first = *world_from_ego * grid.centre([0; 3]);
        let origin = (first.coords - window.corner_m()) / config.voxel_m;
        let scale = grid.voxel_m / config.voxel_m;
        let rotation = world_from_ego.rotation_matrix() * scale;
        let steps = [0, 1, 2].map(|axis| rotation.column(axis).into_owned());
        let (occupied, free) =
            (to_units(config.occupied_log_odds), -to_units(config.free_log_odds));
        Self { store, window, slots, grid: *grid, origin, steps, occupied, free }
    }

    fn plane(&self, x: u32) -> Plane {
        let [_, ny, nz] = self.grid.size;
        let words = (ny as usize * nz as usize).div_ceil(64);
        let mut plane = Plane { observed: vec![0; words], occupied: vec![0; words] };
        for y in 0..ny {
            let start = self.origin + self.steps[0] * f64::from(x) + self.steps[1] * f64::from(y);
            self.column(start, y as usize * nz as usize, &mut plane);
        }
        plane
    }

    /// Walks up one column in fixed point; `first` is its lowest voxel's bit in the plane.
    fn column(&self, start: Vector3<f64>, first: usize, plane: &mut Plane) {
        let unit = f64::from(1u32 << FRACTION);
        let mut at: [i32; 3] = (start * unit).map(|c| c as i32).into();
        let step: [i32; 3] = (self.steps[2] * unit).map(|c| c.round() as i32).into();
        let mut cached = (usize::MAX, ABSENT);
        for bit in first..first + self.grid.size[2] as usize {
            let [x, y, z] = at.map(|c| c >> FRACTION);
            (0..3).for_each(|axis| at[axis] += step[axis]);
            let Some(index) = self.window.block_at(x, y, z) else { continue };
            if index != cached.0 {
                cached = (index, self.slots[index]);
            }
            if cached.1 == ABSENT {
                continue;
            }
            let sum = self.store.at(cached.1).log_odds[cell_index(x, y, z)];
            let occupied = u64::from(i32::from(sum) >= self.occupied);
            let free = u64::from(sum != UNOBSERVED && i32::from(sum) <= self.free);
            plane.observed[bit / 64] |= (occupied | free) << (bit % 64);
            plane.occupied[bit / 64] |= occupied << (bit % 64);
        }
    }
}

/// One mask from the masks of all x.
fn concatenate<'a>(grid: &GridSpec, planes: impl Iterator<Item = &'a Vec<u64>>) -> BitGrid {
    let bits = grid.size[1] as usize * grid.size[2] as usize;
    let mut words = vec![0u64; grid.len().div_ceil(64)];
    for (x, plane) in planes.enumerate() {
        let (first, shift) = (x * bits / 64, x * bits % 64);
        for (i, &word) in plane.iter().enumerate().filter(|(_, word)| **word != 0) {
            words[first + i] |= word << shift;
            if shift > 0 && word >> (64 - shift) != 0 {
                words[first + i + 1] |= word >> (64 - shift);
            }
        }
    }
    BitGrid::from_words(grid.len(), words).expect("planes fill the grid exactly")
}

/// Marks the voxels whose centres lie in moving ones; the flow, if every cluster has a velocity.
fn mark_moving(
    observed: &mut BitGrid,
    occupied: &mut BitGrid,
    config: &OccupancyConfig,
    moving: &[MovingCluster],
    world_from_ego: &Pose<World, Ego>,
    grid: &GridSpec,
) -> Option<Vec<VoxelFlow>> {
    let ego_from_world = world_from_ego.inverse();
    let mut marked: Vec<(usize, usize)> = Vec::new();
    for (id, cluster) in moving.iter().enumerate() {
        for &voxel in &cluster.voxels {
            let corner = Vector3::from(voxel.map(f64::from));
            let middle = (corner.add_scalar(0.5)) * config.voxel_m;
            let middle = ego_from_world * Point3::from(middle);
            cells_in(&middle, voxel, config, world_from_ego, grid, |index| {
                marked.push((index, id))
            });
        }
    }
    marked.sort_unstable();
    marked.dedup_by_key(|(index, _)| *index);
    for &(index, _) in &marked {
        observed.set(index, true);
        occupied.set(index, true);
    }
    let velocities: Option<Vec<Vector3<f64>>> = moving.iter().map(|c| c.velocity_m_s).collect();
    let velocities = velocities.filter(|v| !v.is_empty())?;
    let mut ranks = occupied.ones().zip(0u32..);
    let flow = marked.iter().filter_map(|&(index, id)| {
        let rank = ranks.find(|&(one, _)| one == index)?.1;
        let velocity = ego_from_world.rotate(&velocities[id]);
        Some(VoxelFlow { rank, velocity_m_s: velocity.cast::<f32>().into() })
    });
    Some(flow.collect())
}

/// Calls `visit` with each grid voxel whose centre lies in the map voxel around `middle` (ego frame).
fn cells_in(
    middle: &Point3<f64>,
    voxel: [i32; 3],
    config: &OccupancyConfig,
    world_from_ego: &Pose<World, Ego>,
    grid: &GridSpec,
    mut visit: impl FnMut(usize),
) {
    let reach = config.voxel_m * 0.5 * 3f64.sqrt() / grid.voxel_m;
    let range = |axis: usize| {
        let at = (middle[axis] - grid.min_corner_m[axis]) / grid.voxel_m - 0.5;
        let low = (at - reach).ceil().max(0.0) as u32;
        low..((at + reach).floor() + 1.0).clamp(0.0, f64::from(grid.size[axis])) as u32
    };
    for x in range(0) {
        for y in range(1) {
            for z in range(2) {
                let centre = *world_from_ego * grid.centre([x, y, z]);
                let inside = (0..3)
                    .all(|axis| (centre[axis] / config.voxel_m).floor() as i32 == voxel[axis]);
                if inside {
                    visit(grid.index([x, y, z]));
                }
            }
        }
    }
}
