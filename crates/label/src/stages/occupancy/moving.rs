//! What moves: voxels that one moment saw occupied and the others saw free.

use std::collections::BTreeMap;

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
    /// Velocity over ground along the world's axes, m/s; `None` where it could not be followed through
    /// at least two sweeps before or after.
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
///
/// Two thresholds: a cluster is made of voxels hit now that the map calls rather free than occupied, and
/// counts if enough of them are free beyond doubt.
pub(super) fn clusters(
    store: &BlockStore,
    sweeps: &[SweepMemory],
    timestamp: Timestamp,
    config: &OccupancyConfig,
) -> Vec<MovingCluster> {
    let against = -to_units(config.moving.against_log_odds);
    let mut voxels = BTreeMap::new();
    for sweep in sweeps.iter().filter(|sweep| sweep.timestamp == timestamp) {
        for (key, cells) in sweep.blocks() {
            let Some(block) = store.get(key) else { continue };
            for &cell in cells {
                let sum = block.log_odds[cell as usize];
                if sum != UNOBSERVED && sum < 0 {
                    let offset = cell_offset(cell as usize);
                    let voxel = [0, 1, 2].map(|axis| key[axis] * SIDE + offset[axis]);
                    voxels.insert(voxel, i32::from(sum) <= against);
                }
            }
        }
    }
    components(voxels, config.moving.min_voxels)
}

/// Connected components (26 neighbours) with at least `least` voxels beyond doubt, in the order of their
/// first voxel.
fn components(mut voxels: BTreeMap<[i32; 3], bool>, least: usize) -> Vec<MovingCluster> {
    let mut clusters = Vec::new();
    while let Some((seed, certain)) = voxels.pop_first() {
        let mut members = vec![seed];
        let mut certain = usize::from(certain);
        let mut next = 0;
        while next < members.len() {
            let [x, y, z] = members[next];
            next += 1;
            for i in 0..27 {
                let neighbour = [x + i / 9 - 1, y + i / 3 % 3 - 1, z + i % 3 - 1];
                if let Some(beyond_doubt) = voxels.remove(&neighbour) {
                    members.push(neighbour);
                    certain += usize::from(beyond_doubt);
                }
            }
        }
        if certain >= least {
            members.sort_unstable();
            clusters.push(MovingCluster { voxels: members, velocity_m_s: None });
        }
    }
    clusters
}

/// What moved at another timestamp.
pub(super) struct Moment {
    /// Seconds after the moment in question; negative before it.
    pub(super) after_s: f64,
    pub(super) clusters: Vec<MovingCluster>,
}

/// Gives a velocity to each cluster that is found again at two other moments or more and moves steadily.
///
/// `before` and `after`: nearest in time first.
pub(super) fn follow(
    clusters: &mut [MovingCluster],
    before: &[Moment],
    after: &[Moment],
    config: &OccupancyConfig,
) {
    for cluster in clusters {
        let mut path = vec![(0.0, cluster.centroid())];
        path.extend(trace(cluster, before, config));
        path.extend(trace(cluster, after, config));
        if path.len() >= 3 {
            cluster.velocity_m_s = fit(&path, config);
        }
    }
}

/// Time and centroid (voxels) of the cluster in moments farther and farther away.
fn trace(
    cluster: &MovingCluster,
    moments: &[Moment],
    config: &OccupancyConfig,
) -> Vec<(f64, Vector3<f64>)> {
    let mut path = vec![(0.0, cluster.centroid())];
    for moment in moments {
        let (last_s, last) = path[path.len() - 1];
        let earlier = path.len().checked_sub(2).map(|i| path[i]);
        let velocity = earlier.map_or(Vector3::zeros(), |(s, at)| (last - at) / (last_s - s));
        let expected = last + velocity * (moment.after_s - last_s);
        let reach = config.moving.max_speed_m_s * (moment.after_s - last_s).abs() / config.voxel_m;
        let Some(partner) = nearest(cluster, expected, &moment.clusters) else { break };
        if (partner - last).norm() > reach {
            break;
        }
        path.push((moment.after_s, partner));
    }
    path.split_off(1)
}

/// Centroid of the cluster nearest to `expected` among those of similar size.
fn nearest(
    cluster: &MovingCluster,
    expected: Vector3<f64>,
    candidates: &[MovingCluster],
) -> Option<Vector3<f64>> {
    let size = cluster.voxels.len();
    let similar =
        |other: &&MovingCluster| other.voxels.len() <= 3 * size && size <= 3 * other.voxels.len();
    let centroids = candidates.iter().filter(similar).map(MovingCluster::centroid);
    centroids.min_by(|a, b| (a - expected).norm().total_cmp(&(b - expected).norm()))
}

/// Slope of the line of least squares through a path, if the path keeps to it within a voxel (root mean
/// square): what jumps about is a mismatch. m/s.
fn fit(path: &[(f64, Vector3<f64>)], config: &OccupancyConfig) -> Option<Vector3<f64>> {
    let n = path.len() as f64;
    let mean_s = path.iter().map(|(s, _)| s).sum::<f64>() / n;
    let mean = path.iter().map(|(_, at)| at).sum::<Vector3<f64>>() / n;
    let spread: f64 = path.iter().map(|(s, _)| (s - mean_s).powi(2)).sum();
    let slope: Vector3<f64> = path.iter().map(|(s, at)| (at - mean) * (s - mean_s)).sum();
    let slope = slope / spread;
    let off = |(s, at): &(f64, Vector3<f64>)| (at - mean - slope * (s - mean_s)).norm_squared();
    let residual = (path.iter().map(off).sum::<f64>() / n).sqrt();
    let velocity_m_s = slope * config.voxel_m;
    (residual <= 1.0 && velocity_m_s.norm() <= config.moving.max_speed_m_s).then_some(velocity_m_s)
}
