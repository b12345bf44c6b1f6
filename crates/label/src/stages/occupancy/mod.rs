//! Occupancy: depth fused along rays into voxels, with what moves kept apart.
//!
//! Every voxel of the world that a ray reached holds a sum of log-odds (Moravec & Elfes 1985, Hornung et
//! al. 2013): up where depth ends, down where it sees through. Three things differ from the textbook:
//!
//! - The uncertainty of a depth spreads its evidence along the ray and thins it in proportion; free
//!   space ends a margin of its standard deviation before the surface.
//! - Images carve by voxel, not by ray: a voxel is free if *all* pixels that it covers see past it. Rays
//!   that graze the road do not carve it, and the background does not carve a pole.
//! - Sums are integers and a sweep's share of each is bounded, so the map does not depend on the order
//!   of sweeps nor on threads, and a frame is labelled with what was seen before *and after* it.
//!
//! The map remembers which voxels each sweep saw occupied. Those that all sweeps together call free are
//! what moves: occupied at that moment, absent from the map.

mod accumulate;
mod block;
mod camera_sweep;
mod cloud_sweep;
mod config;
mod extract;
mod memory;
mod moving;
mod pyramid;
mod rays;
#[cfg(test)]
mod tests;
mod window;

pub use camera_sweep::PosedDepth;
pub use config::{DepthNoise, MovingConfig, OccupancyConfig};
pub use moving::MovingCluster;
pub use rays::CameraRays;

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Ego, Lidar, Pose, Timestamp, World};
use ommatidia_scene::{GridSpec, Occupancy, PointCloud, Skipped};

use crate::Error;
use block::{BlockStore, CELLS, Delta, SIDE, cell_offset};
use camera_sweep::CameraSweep;
use config::to_units;
use memory::SweepMemory;
use moving::Moment;
use window::Window;

/// Sweeps before and after in which something that moves is looked for again.
const FOLLOWED_SWEEPS: usize = 3;

/// A piece of surface in the static map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurfacePoint {
    /// Centre of its voxel in x and y, mean height of the surface in z; metres.
    pub p_in_world: Point3<f64>,
    /// Evidence behind it, log-odds.
    pub weight: f32,
}

/// Evidence about the world around a stretch of the drive.
///
/// Use: integrate the sweeps of a segment and of some seconds around it, [`Self::extract`] at each of
/// the segment's frames, [`Self::forget`] what lies behind, go on.
pub struct OccupancyMap {
    config: OccupancyConfig,
    store: BlockStore,
    sweeps: Vec<SweepMemory>,
    left_out: LeftOut,
}

impl OccupancyMap {
    /// An empty map.
    ///
    /// # Errors
    /// [`Error::Config`] if a parameter is out of bounds.
    pub fn new(config: OccupancyConfig) -> Result<Self, Error> {
        config.check()?;
        Ok(Self {
            config,
            store: BlockStore::default(),
            sweeps: Vec::new(),
            left_out: LeftOut::default(),
        })
    }

    /// The parameters.
    pub fn config(&self) -> &OccupancyConfig {
        &self.config
    }

    /// Adds one depth map. Pixels without depth, in the sky say, say nothing.
    pub fn integrate(&mut self, posed: &PosedDepth<'_>) {
        let size = (posed.depth.width, posed.depth.height);
        assert_eq!(posed.rays.size(), size, "the depth map and its camera differ in size");
        let deltas = CameraSweep::new(&self.config, posed).deltas(&mut self.left_out);
        self.apply(posed.timestamp, &deltas);
    }

    /// Adds one lidar sweep, its returns already moved to where the sensor was at `timestamp`.
    pub fn integrate_cloud(
        &mut self,
        timestamp: Timestamp,
        world_from_lidar: &Pose<World, Lidar>,
        cloud: &PointCloud,
    ) {
        let (deltas, left_out) = cloud_sweep::deltas(&self.config, world_from_lidar, cloud);
        self.left_out.returns += left_out;
        self.apply(timestamp, &deltas);
    }

    fn apply(&mut self, timestamp: Timestamp, deltas: &[Delta]) {
        deltas.iter().for_each(|delta| self.store.apply(delta));
        let least = to_units(self.config.moving.min_hit_log_odds);
        self.sweeps.push(SweepMemory::new(timestamp, deltas, least));
    }

    /// What is where at `timestamp`, in the ego frame: the static map, and what moves as the sweeps of
    /// exactly that timestamp saw it. Classes are unknown. Flow is `None` unless everything that moves
    /// could be followed through other sweeps.
    pub fn extract(
        &self,
        timestamp: Timestamp,
        world_from_ego: &Pose<World, Ego>,
        grid: &GridSpec,
    ) -> Occupancy {
        let moving = self.moving(timestamp);
        extract::extract(&self.store, &self.config, &moving, world_from_ego, grid)
    }

    /// What moves at `timestamp`, in the order of the first voxel.
    pub fn moving(&self, timestamp: Timestamp) -> Vec<MovingCluster> {
        let at = |time| moving::clusters(&self.store, &self.sweeps, time, &self.config);
        let mut clusters = at(timestamp);
        if clusters.is_empty() {
            return clusters;
        }
        let mut times: Vec<Timestamp> = self.sweeps.iter().map(|sweep| sweep.timestamp).collect();
        times.sort_unstable();
        times.dedup();
        let moment = |&time: &Timestamp| Moment {
            after_s: (time - timestamp).as_secs_f64(),
            clusters: at(time),
        };
        let first_after = times.partition_point(|&time| time <= timestamp);
        let first = times.partition_point(|&time| time < timestamp);
        let before: Vec<Moment> =
            times[..first].iter().rev().take(FOLLOWED_SWEEPS).map(moment).collect();
        let after: Vec<Moment> =
            times[first_after..].iter().take(FOLLOWED_SWEEPS).map(moment).collect();
        moving::follow(&mut clusters, &before, &after, &self.config);
        let least = self.config.moving.min_unfollowed_voxels;
        clusters.retain(|c| c.velocity_m_s.is_some() || c.voxels.len() >= least);
        clusters
    }

    /// Occupied voxels of the static map in a box of the world, with the surface's height inside them,
    /// in the order of blocks.
    pub fn surface_points(&self, low_m: Vector3<f64>, high_m: Vector3<f64>) -> Vec<SurfacePoint> {
        let voxel_m = self.config.voxel_m;
        let window = Window::between(low_m, high_m, voxel_m);
        let occupied = to_units(self.config.occupied_log_odds);
        let mut points = Vec::new();
        for key in (0..window.len()).map(|index| window.key(index)) {
            let Some(block) = self.store.get(&key) else { continue };
            for cell in (0..CELLS).filter(|&c| i32::from(block.log_odds[c]) >= occupied) {
                let Some((height, weight)) = block.height(cell) else { continue };
                let [x, y, z] = cell_offset(cell);
                let [x, y, z] = [key[0] * SIDE + x, key[1] * SIDE + y, key[2] * SIDE + z];
                let up = f64::from(z) + f64::from(height);
                let steps = Vector3::new(f64::from(x) + 0.5, f64::from(y) + 0.5, up);
                let weight = weight as f32 / 100.0;
                points.push(SurfacePoint { p_in_world: Point3::from(steps * voxel_m), weight });
            }
        }
        points
    }

    /// Drops blocks farther than `radius_m` from `centre_in_world` along x or y, and the memory of
    /// sweeps before `since`.
    pub fn forget(&mut self, centre_in_world: &Point3<f64>, radius_m: f64, since: Timestamp) {
        let block_m = self.config.voxel_m * f64::from(SIDE);
        self.store.retain(|key| {
            (0..2).all(|axis| {
                let middle = (f64::from(key[axis]) + 0.5) * block_m;
                (middle - centre_in_world[axis]).abs() <= radius_m
            })
        });
        self.sweeps.retain(|sweep| sweep.timestamp >= since);
    }

    /// Blocks of 512 voxels in memory.
    pub fn blocks(&self) -> usize {
        self.store.len()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let sweeps: usize = self.sweeps.iter().map(SweepMemory::heap_bytes).sum();
        self.store.heap_bytes() + sweeps
    }

    /// What was not used since the last call, and why.
    pub fn take_skipped(&mut self) -> Vec<Skipped> {
        let left_out = std::mem::take(&mut self.left_out);
        let skipped =
            |what: &str, why: &str, count| Skipped { what: what.into(), why: why.into(), count };
        let all = [
            skipped("lidar return", "nearer or farther than the map's range", left_out.returns),
            skipped("depth pixel", "nearer or farther than the map's range", left_out.far),
            skipped("depth pixel", "confidence too low to mark or carve", left_out.doubtful),
            skipped("depth pixel", "its neighbours do not agree", left_out.flying),
        ];
        all.into_iter().filter(|skipped| skipped.count > 0).collect()
    }
}

/// Counts of what was not used. Pixels are counted with the weight of the samples that stand for them.
#[derive(Debug, Clone, Copy, Default)]
struct LeftOut {
    returns: u64,
    far: u64,
    doubtful: u64,
    flying: u64,
}
