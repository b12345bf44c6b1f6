//! OccScore and mAVE of the occupancy and flow challenge (OpenDriveLab, CVPR 2024).
//!
//! `projects/mmdet3d_plugin/datasets/ray_metrics.py` of OccNet: velocities are compared along the rays
//! that are right within 2 m, by class; `OccScore = 0.9 RayIoU + 0.1 max(1 - mAVE, 0)`.

use std::collections::BTreeMap;

use nalgebra::{Point3, Vector3};
use ommatidia_scene::ClassId;
use serde::{Deserialize, Serialize};

use super::{Grids, RayCounts, THRESHOLDS_M, Tally, within};
use crate::Error;
use crate::confusion::mean;

/// The threshold at which velocities are compared: 2 m.
const AT: usize = 1;
/// Weight of RayIoU in OccScore.
const RAY_IOU_WEIGHT: f64 = 0.9;

/// Velocities over ground of both sides' voxels, m/s along the ego frame's x and y.
#[derive(Debug, Clone, Copy)]
pub struct FlowGrid<'a> {
    /// True velocity of each voxel.
    pub truth: &'a [[f32; 2]],
    /// Predicted velocity of each voxel.
    pub predicted: &'a [[f32; 2]],
}

/// Rays and their velocity errors, of one frame or of many.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RayFlow {
    /// The rays.
    pub counts: RayCounts,
    /// Per class: sum of velocity errors of right rays (m/s), and their number.
    pub errors: BTreeMap<ClassId, (f64, u64)>,
}

/// The challenge's figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OccScore {
    /// RayIoU at each of [`THRESHOLDS_M`].
    pub ray_iou_at: [f64; 3],
    /// Their mean.
    pub ray_iou: f64,
    /// Mean over the moving classes of the mean velocity error of right rays, m/s; `None` if no ray of
    /// such a class is right.
    pub mave_m_s: Option<f64>,
    /// `None` without mAVE: the official script prints NaN then.
    pub occ_score: Option<f64>,
}

impl RayFlow {
    /// Adds another frame's rays.
    pub fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        for (class, (error, rays)) in &other.errors {
            let sum = self.errors.entry(*class).or_default();
            sum.0 += error;
            sum.1 += rays;
        }
    }

    /// The challenge's figures over the classes that `counts` names; `None` if no ray ends in one.
    /// `moving`: the classes that have a velocity.
    pub fn score(
        &self,
        counts: impl Fn(ClassId) -> bool,
        moving: impl Fn(ClassId) -> bool,
    ) -> Option<OccScore> {
        let ray_iou_at = self.counts.ray_iou(counts)?;
        let ray_iou = ray_iou_at.iter().sum::<f64>() / THRESHOLDS_M.len() as f64;
        let errors = self.errors.iter().filter(|(class, (_, rays))| moving(**class) && *rays > 0);
        let mave_m_s = mean(errors.map(|(_, (sum, rays))| sum / *rays as f64));
        let occ_score = mave_m_s
            .map(|mave| RAY_IOU_WEIGHT * ray_iou + (1.0 - RAY_IOU_WEIGHT) * (1.0 - mave).max(0.0));
        Some(OccScore { ray_iou_at, ray_iou, mave_m_s, occ_score })
    }
}

/// [`super::compare_grids`] with velocities.
///
/// # Errors
/// [`Error::Lengths`] where a grid does not have the announced number of voxels; [`Error::NotFinite`]
/// for a velocity of a ray's end that is no number.
pub fn compare_flow(
    grids: &Grids<'_>,
    flow: &FlowGrid<'_>,
    origins_in_ego: &[Point3<f64>],
    rays: &[Vector3<f32>],
) -> Result<RayFlow, Error> {
    grids.check()?;
    for velocities in [flow.truth, flow.predicted] {
        if velocities.len() != grids.truth.len() {
            let (truth, predicted) = (grids.truth.len(), velocities.len());
            return Err(Error::Lengths { what: "voxels", truth, predicted });
        }
    }
    let mut tally = Tally::default();
    let mut errors: BTreeMap<ClassId, (f64, u64)> = BTreeMap::new();
    let mut broken = None;
    grids.judged(origins_in_ego, rays, |[truth, predicted]| {
        let (t, p) = (grids.truth[truth.index], grids.predicted[predicted.index]);
        let near = within(truth, predicted);
        tally.judge(t, p, near);
        if t == p && near[AT] {
            let (v, w) = (flow.truth[truth.index], flow.predicted[predicted.index]);
            if !v.iter().all(|c| c.is_finite()) {
                broken = Some(("true flow", truth.index));
            } else if !w.iter().all(|c| c.is_finite()) {
                broken = Some(("predicted flow", predicted.index));
            }
            let error = (f64::from(v[0] - w[0])).hypot(f64::from(v[1] - w[1]));
            let sum = errors.entry(ClassId(t)).or_default();
            sum.0 += error;
            sum.1 += 1;
        }
    });
    match broken {
        Some((which, index)) => Err(Error::NotFinite { which, index }),
        None => Ok(RayFlow { counts: tally.counts(grids.free), errors }),
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::GridSpec;

    use super::*;

    const GRID: GridSpec =
        GridSpec { min_corner_m: [0.0, 0.0, 0.0], voxel_m: 1.0, size: [10, 3, 3] };
    const FREE: u8 = 2;

    /// Class 0 at x = 8 moving with `velocity`, everything else free.
    fn scored(predicted: u8, velocity: [f32; 2]) -> Result<Option<OccScore>, Error> {
        let wall = |class: u8| -> Vec<u8> {
            (0..GRID.len()).map(|i| if GRID.cell(i)[0] == 8 { class } else { FREE }).collect()
        };
        let (truth, predicted) = (wall(0), wall(predicted));
        let grids = Grids { grid: &GRID, truth: &truth, predicted: &predicted, free: FREE };
        let flow = FlowGrid {
            truth: &vec![[3.0, 0.0]; GRID.len()],
            predicted: &vec![velocity; GRID.len()],
        };
        let origin = [Point3::new(1.5, 1.5, 1.5)];
        let rays = compare_flow(&grids, &flow, &origin, &[Vector3::x(), -Vector3::x()])?;
        Ok(rays.score(|_| true, |class| class == ClassId(0)))
    }

    #[test]
    fn by_hand() {
        let score = scored(0, [3.0, 0.5]).unwrap().unwrap();
        assert_eq!((score.ray_iou, score.mave_m_s), (1.0, Some(0.5)));
        assert!((score.occ_score.unwrap() - 0.95).abs() < 1e-12);
        // Errors above 1 m/s take no more away.
        let score = scored(0, [-3.0, 0.0]).unwrap().unwrap();
        assert!((score.occ_score.unwrap() - 0.9).abs() < 1e-12);
        // Of another class no velocity is compared.
        let score = scored(1, [3.0, 0.0]).unwrap().unwrap();
        assert_eq!((score.ray_iou, score.mave_m_s, score.occ_score), (0.0, None, None));
    }

    #[test]
    fn velocities_must_be_numbers() {
        let error = scored(0, [f32::NAN, 0.0]).unwrap_err();
        assert!(matches!(error, Error::NotFinite { which: "predicted flow", .. }), "{error}");
    }
}
