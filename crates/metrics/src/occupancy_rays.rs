//! RayIoU: what rays from a virtual lidar meet first, in truth and in prediction.
//!
//! SparseOcc, Liu et al. 2024, section 3.4: unlike voxel IoU it does not reward thick surfaces. A ray is
//! right if both sides end in the same class within a threshold of distance; a ray that meets nothing in
//! the truth is not judged. Unobserved voxels stop no ray.

use std::collections::BTreeMap;

use nalgebra::{Point3, Vector3};
use ommatidia_scene::{BitGrid, ClassId, GridSpec, Occupancy};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::occupancy::ClassCounts;

/// Distances within which a ray is right, metres.
pub const THRESHOLDS_M: [f64; 3] = [1.0, 2.0, 4.0];

/// Rays by the class they end in, once per threshold of [`THRESHOLDS_M`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RayCounts {
    /// Rays judged: those that end in the truth.
    pub rays: u64,
    /// Counts per class and threshold.
    pub classes: BTreeMap<ClassId, [ClassCounts; 3]>,
}

impl RayCounts {
    /// Mean over classes of the rays' intersection over union, at each of [`THRESHOLDS_M`]; `None`
    /// without rays. Their mean is RayIoU.
    pub fn ray_iou(&self) -> Option<[f64; 3]> {
        (self.rays > 0).then(|| {
            [0, 1, 2].map(|t| {
                let per_class = self.classes.values().filter_map(|counts| counts[t].iou());
                let (count, sum) = per_class.fold((0u32, 0.0), |(n, sum), iou| (n + 1, sum + iou));
                sum / f64::from(count.max(1))
            })
        })
    }

    /// Adds another origin's or frame's rays.
    pub fn add(&mut self, other: &Self) {
        self.rays += other.rays;
        for (class, counts) in &other.classes {
            let sums = self.classes.entry(*class).or_default();
            for (sum, more) in sums.iter_mut().zip(counts) {
                sum.both += more.both;
                sum.truth += more.truth;
                sum.predicted += more.predicted;
            }
        }
    }
}

/// SparseOcc's query rays: 360 azimuths by elevations spaced as a 32-beam lidar's, unit vectors.
pub fn lidar_rays() -> Vec<Vector3<f64>> {
    const HIGHEST_RAD: f64 = 0.21;
    let mut elevations: Vec<f64> =
        (1..=10).map(|k| f64::from(k).atan() - std::f64::consts::FRAC_PI_2).collect();
    while elevations[elevations.len() - 1] < HIGHEST_RAD {
        let [.., before, last] = elevations[..] else { unreachable!("ten elevations to start") };
        elevations.push(2.0 * last - before);
    }
    let ray = |elevation: f64, azimuth_deg: u32| {
        let azimuth = f64::from(azimuth_deg).to_radians();
        let flat = elevation.cos();
        Vector3::new(flat * azimuth.cos(), flat * azimuth.sin(), elevation.sin())
    };
    elevations.iter().flat_map(|&e| (0..360).map(move |azimuth| ray(e, azimuth))).collect()
}

/// Casts `rays` (unit vectors, ego frame) from `origin_in_ego` (metres) through both.
///
/// # Errors
/// [`Error::Grids`] if the grids differ.
pub fn compare_rays(
    truth: &Occupancy,
    predicted: &Occupancy,
    origin_in_ego: &Point3<f64>,
    rays: &[Vector3<f64>],
) -> Result<RayCounts, Error> {
    if truth.grid != predicted.grid {
        return Err(Error::Grids {
            truth: format!("{:?}", truth.grid),
            predicted: format!("{:?}", predicted.grid),
        });
    }
    let (truth_ranks, predicted_ranks) = (ranks(&truth.occupied), ranks(&predicted.occupied));
    let mut counts = RayCounts::default();
    for ray in rays {
        let first = |occupancy: &Occupancy, ranks: &[usize]| {
            let (index, distance_m) =
                cast(&occupancy.grid, &occupancy.occupied, origin_in_ego, ray)?;
            Some((occupancy.classes[rank(&occupancy.occupied, ranks, index)], distance_m))
        };
        let Some((class, distance_m)) = first(truth, &truth_ranks) else { continue };
        counts.rays += 1;
        let end = first(predicted, &predicted_ranks);
        for (t, threshold_m) in THRESHOLDS_M.iter().enumerate() {
            counts.classes.entry(class).or_default()[t].truth += 1;
            if let Some((predicted_class, predicted_m)) = end {
                let right =
                    predicted_class == class && (predicted_m - distance_m).abs() < *threshold_m;
                let sums = &mut counts.classes.entry(predicted_class).or_default()[t];
                sums.predicted += 1;
                sums.both += u64::from(right);
            }
        }
    }
    Ok(counts)
}

/// Set bits before each word.
fn ranks(bits: &BitGrid) -> Vec<usize> {
    let before = bits.words().iter().scan(0, |sum, word| {
        let before = *sum;
        *sum += word.count_ones() as usize;
        Some(before)
    });
    before.collect()
}

fn rank(bits: &BitGrid, ranks: &[usize], index: usize) -> usize {
    let below = (1u64 << (index % 64)) - 1;
    ranks[index / 64] + (bits.words()[index / 64] & below).count_ones() as usize
}

/// The first set voxel along a ray and the distance to its near face. Amanatides & Woo 1987.
fn cast(
    grid: &GridSpec,
    bits: &BitGrid,
    origin: &Point3<f64>,
    ray: &Vector3<f64>,
) -> Option<(usize, f64)> {
    let (mut enter, mut exit) = (0.0f64, f64::INFINITY);
    for axis in 0..3 {
        let low = grid.min_corner_m[axis];
        let high = low + f64::from(grid.size[axis]) * grid.voxel_m;
        if ray[axis] == 0.0 {
            if !(low..high).contains(&origin[axis]) {
                return None;
            }
            continue;
        }
        let (a, b) = ((low - origin[axis]) / ray[axis], (high - origin[axis]) / ray[axis]);
        enter = enter.max(a.min(b));
        exit = exit.min(a.max(b));
    }
    if enter.partial_cmp(&exit) != Some(std::cmp::Ordering::Less) {
        return None;
    }
    let start = origin + ray * enter;
    let (mut cell, mut next, mut between, mut step) =
        ([0i64; 3], [f64::INFINITY; 3], [0.0; 3], [0; 3]);
    for axis in 0..3 {
        let at = (start[axis] - grid.min_corner_m[axis]) / grid.voxel_m;
        cell[axis] = (at.floor() as i64).clamp(0, i64::from(grid.size[axis]) - 1);
        step[axis] = if ray[axis] > 0.0 { 1 } else { -1 };
        if ray[axis] != 0.0 {
            between[axis] = grid.voxel_m / ray[axis].abs();
            let face = cell[axis] as f64 + if ray[axis] > 0.0 { 1.0 } else { 0.0 };
            next[axis] = enter + (face - at) * grid.voxel_m / ray[axis];
        }
    }
    let mut distance_m = enter;
    loop {
        let index = grid.index(cell.map(|c| c as u32));
        if bits.get(index) {
            return Some((index, distance_m));
        }
        let axis = (0..3).min_by(|&a, &b| next[a].total_cmp(&next[b]))?;
        distance_m = next[axis];
        cell[axis] += step[axis];
        next[axis] += between[axis];
        if !(0..i64::from(grid.size[axis])).contains(&cell[axis]) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-20.0, -20.0, -2.0], voxel_m: 0.5, size: [80, 80, 16] };

    /// A wall of one voxel at `x_m`, of class `class`.
    fn wall(x_m: f64, class: u8) -> Occupancy {
        let mut occupancy = Occupancy::unobserved(GRID);
        let [x, ..] = GRID.cell_at(&Point3::new(x_m, 0.0, 0.0)).unwrap();
        for y in 0..GRID.size[1] {
            for z in 0..GRID.size[2] {
                let index = GRID.index([x, y, z]);
                occupancy.observed.set(index, true);
                occupancy.occupied.set(index, true);
                occupancy.classes.push(ClassId(class));
            }
        }
        occupancy
    }

    fn check(predicted: &Occupancy, expected: [f64; 3]) {
        let rays = [Vector3::x()];
        let origin = Point3::new(0.1, 0.1, 0.1);
        let counts = compare_rays(&wall(10.2, 3), predicted, &origin, &rays).unwrap();
        assert_eq!(counts.ray_iou(), Some(expected));
    }

    #[test]
    fn distance_and_class_decide() {
        check(&wall(10.2, 3), [1.0; 3]);
        check(&wall(11.7, 3), [0.0, 1.0, 1.0]);
        check(&wall(7.2, 3), [0.0, 0.0, 1.0]);
        check(&wall(10.2, 4), [0.0; 3]);
        check(&Occupancy::unobserved(GRID), [0.0; 3]);
    }

    #[test]
    fn rays_that_meet_nothing_are_not_judged() {
        let empty = Occupancy::unobserved(GRID);
        let counts = compare_rays(&empty, &wall(5.0, 1), &Point3::origin(), &lidar_rays()).unwrap();
        assert_eq!(counts.ray_iou(), None);
    }

    #[test]
    fn distances_agree_with_the_plane() {
        let truth = wall(10.2, 1);
        let origin = Point3::new(0.3, -0.2, 0.1);
        let mut met = 0;
        for ray in lidar_rays() {
            let Some((_, distance_m)) = cast(&GRID, &truth.occupied, &origin, &ray) else {
                continue;
            };
            met += 1;
            assert!(((origin + ray * distance_m).x - 10.0).abs() < 1e-9, "{ray}");
        }
        assert!(met > 500, "{met} rays");
    }

    #[test]
    fn elevations_span_a_lidars() {
        let rays = lidar_rays();
        let (low, high) = (rays[0].z.asin(), rays[rays.len() - 1].z.asin());
        assert!((low + std::f64::consts::FRAC_PI_4).abs() < 1e-12, "{low}");
        assert!((0.21..0.23).contains(&high), "{high}");
        assert!(rays.iter().all(|ray| (ray.norm() - 1.0).abs() < 1e-12));
    }
}
