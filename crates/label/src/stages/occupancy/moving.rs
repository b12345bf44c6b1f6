//! What moves: voxels that one moment saw occupied and the others saw free.

use std::collections::BTreeSet;

use nalgebra::Vector3;
use ommatidia_geometry::Timestamp;

use super::block::{BlockStore, SIDE, UNOBSERVED, cell_offset};
use super::config::{OccupancyConfig, to_units};
use super::memory::SweepMemory;

/// One connected thing that moves, at one timestamp.
#[derive(Debug, Clone, PartialEq)]
pub struct MovingCluster {
    /// Its voxels: integer world coordinates in units of the map's voxel, ascending.
    pub voxels: Vec<[i32; 3]>,
    /// Velocity over ground along the world's axes, m/s; `None` where it could not be followed to
    /// the sweeps before and after.
    pub velocity_m_s: Option<Vector3<f64>>,
}

impl MovingCluster {
    /// Mean of its voxels' centres, in voxels.
    fn centroid(&self) -> Vector3<f64> {
        let sum: Vector3<f64> =
            self.voxels.iter().map(|&v| Vector3::from(v.map(f64::from)).add_scalar(0.5)).sum();
        sum / self.voxels.len().max(1) as f64
    }
}

/// The clusters of all sweeps with exactly this timestamp, without velocity.
pub(super) fn clusters(
    store: &BlockStore,
    sweeps: &[SweepMemory],
    timestamp: Timestamp,
    config: &OccupancyConfig,
) -> Vec<MovingCluster> {
    let against = -to_units(config.moving.against_log_odds);
    let mut voxels = BTreeSet::new();
    for sweep in sweeps.iter().filter(|sweep| sweep.timestamp == timestamp) {
        for (key, cells) in sweep.blocks() {
            let Some(block) = store.get(key) else { continue };
            for &cell in cells {
                let sum = block.log_odds[cell as usize];
                if sum != UNOBSERVED && i32::from(sum) <= against {
                    let offset = cell_offset(cell as usize);
                    voxels.insert([0, 1, 2].map(|axis| key[axis] * SIDE + offset[axis]));
                }
            }
        }
    }
    components(voxels, config.moving.min_voxels)
}

/// Connected components (26 neighbours) of at least `least` voxels, in the order of their first voxel.
fn components(mut voxels: BTreeSet<[i32; 3]>, least: usize) -> Vec<MovingCluster> {
    let mut clusters = Vec::new();
    while let Some(seed) = voxels.pop_first() {
        let mut members = vec![seed];
        let mut next = 0;
        while next < members.len() {
            let [x, y, z] = members[next];
            next += 1;
            for dx in -1..=1 {
                for dy in -1..=1 {
                    for dz in -1..=1 {
                        members.extend(voxels.take(&[x + dx, y + dy, z + dz]));
                    }
                }
            }
        }
        if members.len() >= least {
            members.sort_unstable();
            clusters.push(MovingCluster { voxels: members, velocity_m_s: None });
        }
    }
    clusters
}

/// Clusters at neighbouring timestamps to compare with.
pub(super) struct Neighbours {
    pub(super) before: Vec<MovingCluster>,
    pub(super) before_s: f64,
    pub(super) after: Vec<MovingCluster>,
    pub(super) after_s: f64,
}

/// Gives a velocity to each cluster that is found again before and after, at speeds that agree.
pub(super) fn follow(
    clusters: &mut [MovingCluster],
    neighbours: &Neighbours,
    config: &OccupancyConfig,
) {
    let most = config.moving.max_speed_m_s;
    for cluster in clusters {
        let here = cluster.centroid();
        let velocity = |candidates: &[MovingCluster], seconds: f64| {
            let partner = nearest(cluster, here, candidates)?;
            let velocity = (partner.centroid() - here) * (config.voxel_m / seconds);
            (velocity.norm() <= most).then_some(velocity)
        };
        let before = velocity(&neighbours.before, -neighbours.before_s);
        let after = velocity(&neighbours.after, neighbours.after_s);
        let (Some(before), Some(after)) = (before, after) else { continue };
        let mean = (before + after) / 2.0;
        // Half a voxel of centroid noise per sweep, or 30 %.
        let noise = 0.5 * config.voxel_m / neighbours.before_s.min(neighbours.after_s);
        if (after - before).norm() <= noise.max(0.3 * mean.norm()) {
            cluster.velocity_m_s = Some(mean);
        }
    }
}

/// The cluster of similar size whose centroid is nearest.
fn nearest<'a>(
    cluster: &MovingCluster,
    centroid: Vector3<f64>,
    candidates: &'a [MovingCluster],
) -> Option<&'a MovingCluster> {
    let size = cluster.voxels.len();
    let similar =
        |other: &&MovingCluster| other.voxels.len() <= 2 * size && size <= 2 * other.voxels.len();
    let distance = |other: &MovingCluster| (other.centroid() - centroid).norm();
    candidates.iter().filter(similar).min_by(|a, b| distance(a).total_cmp(&distance(b)))
}
