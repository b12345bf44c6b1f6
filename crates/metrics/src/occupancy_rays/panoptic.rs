//! RayPQ: panoptic quality over the ends of rays.
//!
//! SparseOcc's `ray_pq.py`: rays that end in the truth are the elements; a ray belongs to the
//! intersection of two segments only if its ends lie within a threshold of each other; unmatched segments
//! of fewer than ten rays do not count.

use std::collections::{BTreeMap, BTreeSet};

use nalgebra::{Point3, Vector3};
use serde::{Deserialize, Serialize};

use super::{Grids, within};
use crate::Error;
use crate::confusion::mean;
use crate::panoptic::{Overlaps, PanopticCounts, Unlabelled, key};

/// Which classes have instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RayPanopticProtocol {
    /// Classes whose instances are told apart in the truth.
    pub things: BTreeSet<u8>,
    /// Unmatched segments with fewer rays do not count. SparseOcc: 10.
    pub min_rays: u64,
}

/// Matches at each of [`super::THRESHOLDS_M`], of one frame or of many.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RayPanoptic {
    /// Matches within 1, 2 and 4 m.
    pub at: [PanopticCounts; 3],
}

/// RayPQ's figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RayQuality {
    /// At each of [`super::THRESHOLDS_M`].
    pub ray_pq_at: [f64; 3],
    /// Over all classes and thresholds.
    pub ray_pq: f64,
}

impl RayPanoptic {
    /// Adds another frame.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.at.iter_mut().zip(&other.at) {
            sum.add(more);
        }
    }

    /// Means over those of `classes` that occur; `None` if no segment was judged.
    pub fn quality(&self, classes: impl Fn(u8) -> bool) -> Option<RayQuality> {
        let of_all =
            self.at.iter().flat_map(|at| &at.classes).filter(|(class, _)| classes(**class));
        let ray_pq = mean(of_all.filter_map(|(_, quality)| quality.pq()))?;
        let pq = |counts: &PanopticCounts| counts.quality(&classes).map(|quality| quality.pq);
        let [one, two, four] = &self.at;
        Some(RayQuality { ray_pq_at: [pq(one)?, pq(two)?, pq(four)?], ray_pq })
    }

    /// Casts `rays` (unit vectors, ego frame) from each of `origins_in_ego` (metres) through both grids;
    /// `instances` are the true and predicted instance of each voxel.
    ///
    /// # Errors
    /// [`Error::Lengths`] where a grid does not have the announced number of voxels.
    pub fn compare(
        grids: &Grids<'_>,
        instances: [&[u32]; 2],
        origins_in_ego: &[Point3<f64>],
        rays: &[Vector3<f32>],
        protocol: &RayPanopticProtocol,
    ) -> Result<Self, Error> {
        grids.check()?;
        for instances in instances {
            if instances.len() != grids.truth.len() {
                let (truth, predicted) = (grids.truth.len(), instances.len());
                return Err(Error::Lengths { what: "voxels", truth, predicted });
            }
        }
        let (mut truth, mut predicted) = (Vec::new(), Vec::new());
        let mut near: [Vec<bool>; 3] = Default::default();
        grids.judged(origins_in_ego, rays, |ends| {
            truth.push((grids.truth[ends[0].index], instances[0][ends[0].index]));
            predicted.push((grids.predicted[ends[1].index], instances[1][ends[1].index]));
            for (near, keeps) in near.iter_mut().zip(within(ends[0], ends[1])) {
                near.push(keeps);
            }
        });
        let of_one_class = instances_of_one_class(&truth);
        let true_key = |&(class, instance): &(u8, u32)| {
            // Instances seen in several classes, and number 0, are no instances of their own.
            let own = protocol.things.contains(&class) && of_one_class.contains(&instance);
            key(class, if own { instance } else { 0 })
        };
        let predicted_key = |&(class, instance): &(u8, u32)| key(class, instance);
        let at = near.map(|near| {
            let keys = predicted.iter().map(predicted_key);
            let overlaps = Overlaps::new(truth.iter().map(true_key), keys, Some(&near));
            let mut counts =
                overlaps.matched(&BTreeSet::new(), Unlabelled::Missed, protocol.min_rays);
            counts.classes.remove(&grids.free);
            counts
        });
        Ok(Self { at })
    }
}

/// Instances above 0 all of whose rays end in one class.
fn instances_of_one_class(ends: &[(u8, u32)]) -> BTreeSet<u32> {
    let mut classes: BTreeMap<u32, Option<u8>> = BTreeMap::new();
    for &(class, instance) in ends {
        let entry = classes.entry(instance).or_insert(Some(class));
        if *entry != Some(class) {
            *entry = None;
        }
    }
    let kept = classes.into_iter().filter(|(instance, class)| *instance > 0 && class.is_some());
    kept.map(|(instance, _)| instance).collect()
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::GridSpec;

    use super::super::lidar_rays;
    use super::*;

    const GRID: GridSpec =
        GridSpec { min_corner_m: [-5.0, -5.0, -1.0], voxel_m: 0.5, size: [20, 20, 6] };
    const FREE: u8 = 3;

    /// Ground of class 2 and two boxes of class 1, the second `shift` voxels farther.
    fn scene(shift: u32) -> (Vec<u8>, Vec<u32>) {
        (0..GRID.len())
            .map(|i| match GRID.cell(i) {
                [_, _, 0] => (2, 0),
                [15, 2..=6, _] => (1, 1),
                [x, 12..=16, _] if x == 15 + shift => (1, 2),
                _ => (FREE, 0),
            })
            .unzip()
    }

    fn quality(shift: u32) -> [f64; 3] {
        let ((truth, t), (predicted, p)) = (scene(0), scene(shift));
        let grids = Grids { grid: &GRID, truth: &truth, predicted: &predicted, free: FREE };
        let protocol = RayPanopticProtocol { things: [1].into(), min_rays: 10 };
        let origins = [Point3::new(0.1, 0.1, 0.9)];
        let counts =
            RayPanoptic::compare(&grids, [&t, &p], &origins, &lidar_rays(), &protocol).unwrap();
        counts.quality(|_| true).unwrap().ray_pq_at
    }

    #[test]
    fn identity_scores_one_and_distance_costs() {
        assert_eq!(quality(0), [1.0; 3]);
        let [one, two, four] = quality(4);
        assert!(one <= two && two < four && four < 1.0, "{one} {two} {four}");
    }
}
