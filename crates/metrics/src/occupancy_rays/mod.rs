//! RayIoU: what rays from a virtual lidar meet first, in truth and in prediction.
//!
//! SparseOcc, Liu et al. 2024, section 3.4 and its `ray_metrics.py`: unlike voxel IoU it does not reward
//! thick surfaces. A ray is right if both sides end in the same class within a threshold of distance; a
//! ray that meets nothing in the truth is not judged. Free and unobserved voxels stop no ray.

mod cast;
mod flow;
mod panoptic;

use std::collections::BTreeMap;

use nalgebra::{Point3, Vector3};
use ommatidia_scene::{ClassId, GridSpec, Occupancy};
use serde::{Deserialize, Serialize};

pub use flow::{FlowGrid, OccScore, RayFlow, compare_flow};
pub use panoptic::{RayPanoptic, RayPanopticProtocol, RayQuality};

use crate::Error;
use crate::confusion::mean;
use crate::occupancy::ClassCounts;
use cast::{End, Pair, Start};

/// Distances within which a ray is right, metres.
pub const THRESHOLDS_M: [f64; 3] = [1.0, 2.0, 4.0];

/// Free space in the dense grids made of [`Occupancy`]: no class has this number.
const FREE: u8 = u8::MAX;

/// Rays by the class they end in, once per threshold of [`THRESHOLDS_M`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RayCounts {
    /// Rays judged: those that end in the truth.
    pub rays: u64,
    /// Counts per class and threshold.
    pub classes: BTreeMap<ClassId, [ClassCounts; 3]>,
}

impl RayCounts {
    /// Mean over the classes that `counts` names of the rays' intersection over union, at each of
    /// [`THRESHOLDS_M`]; `None` where no ray ends in one of them. Their mean is RayIoU.
    pub fn ray_iou(&self, counts: impl Fn(ClassId) -> bool) -> Option<[f64; 3]> {
        let at = |t: usize| {
            let classes = self.classes.iter().filter(|(class, _)| counts(**class));
            mean(classes.filter_map(|(_, counts)| counts[t].iou()))
        };
        Some([at(0)?, at(1)?, at(2)?])
    }

    /// Intersection over union of each class that occurs, at each of [`THRESHOLDS_M`].
    pub fn per_class(&self) -> BTreeMap<ClassId, [f64; 3]> {
        let iou = |(&class, counts): (&ClassId, &[ClassCounts; 3])| {
            Some((class, [counts[0].iou()?, counts[1].iou()?, counts[2].iou()?]))
        };
        self.classes.iter().filter_map(iou).collect()
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
pub fn lidar_rays() -> Vec<Vector3<f32>> {
    const HIGHEST_RAD: f64 = 0.21;
    let mut elevations: Vec<f64> =
        (1..=10).map(|k| -(std::f64::consts::FRAC_PI_2 - f64::from(k).atan())).collect();
    while elevations[elevations.len() - 1] < HIGHEST_RAD {
        let [.., before, last] = elevations[..] else { unreachable!("ten elevations to start") };
        elevations.push(last + (last - before));
    }
    let ray = |elevation: f64, azimuth_deg: u32| {
        let azimuth = f64::from(azimuth_deg) * (std::f64::consts::PI / 180.0);
        let flat = elevation.cos();
        let ray = Vector3::new(flat * azimuth.cos(), flat * azimuth.sin(), elevation.sin());
        ray.map(|c| c as f32)
    };
    elevations.iter().flat_map(|&e| (0..360).map(move |azimuth| ray(e, azimuth))).collect()
}

/// Two dense grids of classes, in C order of `[x, y, z]`.
#[derive(Debug, Clone, Copy)]
pub struct Grids<'a> {
    /// Where the voxels are.
    pub grid: &'a GridSpec,
    /// True class of each voxel.
    pub truth: &'a [u8],
    /// Predicted class of each voxel.
    pub predicted: &'a [u8],
    /// The class of free space.
    pub free: u8,
}

impl Grids<'_> {
    fn check(&self) -> Result<(), Error> {
        let voxels = self.grid.len();
        let wrong = |truth, predicted| Error::Lengths { what: "voxels", truth, predicted };
        if self.truth.len() != self.predicted.len() {
            return Err(wrong(self.truth.len(), self.predicted.len()));
        }
        if self.truth.len() != voxels {
            return Err(wrong(voxels, self.predicted.len()));
        }
        Ok(())
    }

    /// Calls `judge` with the ends of each ray that enters the grid and ends in the truth.
    fn judged(
        &self,
        origins_in_ego: &[Point3<f64>],
        rays: &[Vector3<f32>],
        mut judge: impl FnMut([End; 2]),
    ) {
        let pair = Pair::new(self.grid, self.truth, self.predicted, self.free);
        for origin in origins_in_ego {
            let start = Start::new(origin, self.grid);
            for ray in rays {
                let Some(ends) = pair.cast(&start, ray) else { continue };
                if self.truth[ends[0].index] != self.free {
                    judge(ends);
                }
            }
        }
    }
}

/// Casts `rays` (unit vectors, ego frame) from each of `origins_in_ego` (metres) through both grids.
///
/// The official evaluation takes up to eight origins a frame: the lidar's places at other times of the
/// drive that lie within the grid.
///
/// # Errors
/// [`Error::Lengths`] where a grid does not have the announced number of voxels.
pub fn compare_grids(
    grids: &Grids<'_>,
    origins_in_ego: &[Point3<f64>],
    rays: &[Vector3<f32>],
) -> Result<RayCounts, Error> {
    grids.check()?;
    let mut tally = Tally::default();
    grids.judged(origins_in_ego, rays, |[truth, predicted]| {
        let (t, p) = (grids.truth[truth.index], grids.predicted[predicted.index]);
        tally.judge(t, p, within(truth, predicted));
    });
    Ok(tally.counts(grids.free))
}

/// Which thresholds two ends keep.
fn within(truth: End, predicted: End) -> [bool; 3] {
    let error_m = (predicted.distance_m - truth.distance_m).abs();
    THRESHOLDS_M.map(|threshold_m| error_m < threshold_m as f32)
}

/// [`compare_grids`] for labels: what is not occupied stops no ray.
///
/// # Errors
/// [`Error::Grids`] if the grids differ.
pub fn compare_rays(
    truth: &Occupancy,
    predicted: &Occupancy,
    origin_in_ego: &Point3<f64>,
    rays: &[Vector3<f32>],
) -> Result<RayCounts, Error> {
    if truth.grid != predicted.grid {
        return Err(Error::Grids {
            truth: format!("{:?}", truth.grid),
            predicted: format!("{:?}", predicted.grid),
        });
    }
    let (true_classes, predicted_classes) = (dense(truth), dense(predicted));
    let grids = Grids {
        grid: &truth.grid,
        truth: &true_classes,
        predicted: &predicted_classes,
        free: FREE,
    };
    compare_grids(&grids, &[*origin_in_ego], rays)
}

/// One class per voxel.
fn dense(occupancy: &Occupancy) -> Vec<u8> {
    let mut classes = vec![FREE; occupancy.grid.len()];
    for (index, class) in occupancy.occupied.ones().zip(&occupancy.classes) {
        classes[index] = class.0;
    }
    classes
}

/// Counts by class number, without a map on the way.
struct Tally {
    rays: u64,
    truth: [u64; 256],
    predicted: [u64; 256],
    right: [[u64; 256]; 3],
}

impl Default for Tally {
    fn default() -> Self {
        Self { rays: 0, truth: [0; 256], predicted: [0; 256], right: [[0; 256]; 3] }
    }
}

impl Tally {
    #[inline]
    fn judge(&mut self, truth: u8, predicted: u8, within: [bool; 3]) {
        let (t, p) = (usize::from(truth), usize::from(predicted));
        self.rays += 1;
        self.truth[t] += 1;
        self.predicted[p] += 1;
        for (right, near) in self.right.iter_mut().zip(within) {
            right[t] += u64::from(near & (t == p));
        }
    }

    fn counts(&self, free: u8) -> RayCounts {
        let occurs = |&class: &usize| {
            class != usize::from(free) && self.truth[class] + self.predicted[class] > 0
        };
        let of = |class: usize| {
            let (truth, predicted) = (self.truth[class], self.predicted[class]);
            let counts =
                [0, 1, 2].map(|t| ClassCounts { both: self.right[t][class], truth, predicted });
            (ClassId(class as u8), counts)
        };
        RayCounts { rays: self.rays, classes: (0..256).filter(occurs).map(of).collect() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        assert_eq!(counts.ray_iou(|_| true), Some(expected));
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
        assert_eq!((counts.rays, counts.ray_iou(|_| true)), (0, None));
    }

    #[test]
    fn classes_can_be_left_out_of_the_mean() {
        let rays = lidar_rays();
        let counts =
            compare_rays(&wall(10.2, 0), &wall(10.2, 3), &Point3::origin(), &rays).unwrap();
        assert_eq!(counts.ray_iou(|_| true), Some([0.0; 3]));
        assert_eq!(counts.ray_iou(|class| class != ClassId::UNKNOWN), Some([0.0; 3]));
        let counts =
            compare_rays(&wall(10.2, 0), &wall(10.2, 0), &Point3::origin(), &rays).unwrap();
        assert_eq!(counts.ray_iou(|class| class != ClassId::UNKNOWN), None);
    }

    #[test]
    fn elevations_span_a_lidars() {
        let rays = lidar_rays();
        let (low, high) = (rays[0].z.asin(), rays[rays.len() - 1].z.asin());
        assert!((low + std::f32::consts::FRAC_PI_4).abs() < 1e-6, "{low}");
        assert!((0.21..0.23).contains(&high), "{high}");
        assert!(rays.iter().all(|ray| (ray.norm() - 1.0).abs() < 1e-6));
    }

    const SMALL: GridSpec =
        GridSpec { min_corner_m: [-2.0, -2.0, -1.0], voxel_m: 0.4, size: [10, 10, 5] };

    fn voxels() -> impl Strategy<Value = Vec<u8>> {
        // Mostly free, class 4.
        proptest::collection::vec(0u8..12, SMALL.len())
            .prop_map(|voxels| voxels.into_iter().map(|class| class.min(4)).collect())
    }

    fn compared(truth: &[u8], predicted: &[u8]) -> RayCounts {
        let grids = Grids { grid: &SMALL, truth, predicted, free: 4 };
        compare_grids(&grids, &[Point3::origin(), Point3::new(1.3, -0.7, 0.2)], &lidar_rays())
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn identity_scores_one(voxels in voxels()) {
            let scores = compared(&voxels, &voxels).ray_iou(|_| true);
            prop_assert!(scores.is_none_or(|scores| scores == [1.0; 3]), "{:?}", scores);
        }

        #[test]
        fn wider_thresholds_never_hurt(a in voxels(), b in voxels()) {
            if let Some([one, two, four]) = compared(&a, &b).ray_iou(|_| true) {
                prop_assert!(0.0 <= one && one <= two && two <= four && four <= 1.0);
            }
        }

        #[test]
        fn order_of_origins_does_not_matter(a in voxels(), b in voxels()) {
            let grids = Grids { grid: &SMALL, truth: &a, predicted: &b, free: 4 };
            let (rays, p, q) = (lidar_rays(), Point3::origin(), Point3::new(1.3, -0.7, 0.2));
            let mut apart = compare_grids(&grids, &[q], &rays).unwrap();
            apart.add(&compare_grids(&grids, &[p], &rays).unwrap());
            prop_assert_eq!(apart, compare_grids(&grids, &[p, q], &rays).unwrap());
        }
    }

    #[test]
    fn grids_must_have_the_announced_size() {
        let grids = Grids { grid: &SMALL, truth: &[4; 500], predicted: &[4; 499], free: 4 };
        let error = compare_grids(&grids, &[Point3::origin()], &lidar_rays()).unwrap_err();
        assert_eq!(error, Error::Lengths { what: "voxels", truth: 500, predicted: 499 });
    }
}
