//! Velocity error of voxels.
//!
//! Beside the rays' mean velocity error of `occupancy_rays`, which only judges what a prediction got right,
//! this judges every voxel that moves on either side: what is not predicted as moving stands still.

use ommatidia_scene::Occupancy;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Voxels and velocity errors of one frame, or of many.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct VoxelFlowErrors {
    /// Truly moving voxels.
    pub moving: u64,
    /// Of these, voxels predicted as moving.
    pub found: u64,
    /// Observed voxels that move in the prediction alone.
    pub false_moving: u64,
    /// Sum of the true speeds, m/s.
    pub speed_sum: f64,
    /// Sum of the velocity errors of truly moving voxels, m/s.
    pub error_sum: f64,
    /// Sum of the predicted speeds of voxels that move in the prediction alone, m/s.
    pub false_sum: f64,
}

impl VoxelFlowErrors {
    /// Adds a frame. Judged are the voxels that the truth observed, if it estimated motion.
    ///
    /// # Errors
    /// [`Error::Grids`] if the grids differ.
    pub fn add(&mut self, truth: &Occupancy, predicted: &Occupancy) -> Result<(), Error> {
        if truth.grid != predicted.grid {
            return Err(Error::Grids {
                truth: format!("{:?}", truth.grid),
                predicted: format!("{:?}", predicted.grid),
            });
        }
        if truth.flow.is_none() {
            return Ok(());
        }
        let (mut own, mut said) = (Walk::default(), Walk::default());
        for index in 0..truth.grid.len() {
            let (t, p) = (own.velocity(truth, index), said.velocity(predicted, index));
            match (t, p) {
                (Some(t), p) => {
                    self.moving += 1;
                    self.found += u64::from(p.is_some());
                    self.speed_sum += distance(t, [0.0; 3]);
                    self.error_sum += distance(t, p.unwrap_or_default());
                }
                (None, Some(p)) if truth.observed.get(index) => {
                    self.false_moving += 1;
                    self.false_sum += distance(p, [0.0; 3]);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Mean velocity error of truly moving voxels, m/s; `None` without any.
    pub fn mean_error_m_s(&self) -> Option<f64> {
        (self.moving > 0).then(|| self.error_sum / self.moving as f64)
    }

    /// Share of the moving voxels that are predicted as moving.
    pub fn found_share(&self) -> Option<f64> {
        (self.moving > 0).then(|| self.found as f64 / self.moving as f64)
    }

    /// How much of all motion is explained: 1 is all of it, 0 is what saying that nothing moves explains.
    pub fn explained(&self) -> Option<f64> {
        (self.speed_sum > 0.0).then(|| 1.0 - (self.error_sum + self.false_sum) / self.speed_sum)
    }
}

/// Where a walk through the voxels in index order is.
#[derive(Default)]
struct Walk {
    rank: u32,
    next: usize,
}

impl Walk {
    /// Velocity of the next voxel; `None` where it stands still or is free.
    fn velocity(&mut self, voxels: &Occupancy, index: usize) -> Option<[f32; 3]> {
        if !voxels.occupied.get(index) {
            return None;
        }
        self.rank += 1;
        let flow = voxels.flow.as_deref().unwrap_or_default().get(self.next)?;
        let own = flow.rank + 1 == self.rank;
        self.next += usize::from(own);
        own.then_some(flow.velocity_m_s)
    }
}

fn distance(a: [f32; 3], b: [f32; 3]) -> f64 {
    (0..3).map(|i| f64::from(a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::{ClassId, GridSpec, VoxelFlow};

    use super::*;

    const GRID: GridSpec = GridSpec { min_corner_m: [0.0; 3], voxel_m: 1.0, size: [5, 1, 1] };

    /// `None` free, otherwise an occupied voxel and its velocity along x.
    fn voxels(velocities: [Option<f32>; 5]) -> Occupancy {
        let mut voxels = Occupancy::unobserved(GRID);
        let mut flow = Vec::new();
        for (index, velocity) in velocities.into_iter().enumerate() {
            voxels.observed.set(index, index != 4);
            let Some(velocity) = velocity else { continue };
            voxels.observed.set(index, true);
            voxels.occupied.set(index, true);
            let rank = voxels.classes.len() as u32;
            if velocity != 0.0 {
                flow.push(VoxelFlow { rank, velocity_m_s: [velocity, 0.0, 0.0] });
            }
            voxels.classes.push(ClassId(1));
        }
        voxels.flow = Some(flow);
        assert_eq!(voxels.check(), Ok(()));
        voxels
    }

    fn errors(truth: &Occupancy, predicted: &Occupancy) -> VoxelFlowErrors {
        let mut errors = VoxelFlowErrors::default();
        errors.add(truth, predicted).unwrap();
        errors
    }

    #[test]
    fn by_hand() {
        let truth = voxels([Some(0.0), Some(4.0), Some(-2.0), None, None]);
        let predicted = voxels([Some(1.0), Some(3.0), None, Some(0.0), Some(9.0)]);
        let errors = errors(&truth, &predicted);
        // The last voxel was not observed: nothing false about it.
        assert_eq!((errors.moving, errors.found, errors.false_moving), (2, 1, 1));
        assert_eq!(errors.mean_error_m_s(), Some(1.5));
        assert_eq!(errors.explained(), Some(1.0 - (3.0 + 1.0) / 6.0));
    }

    #[test]
    fn the_truth_explains_all_and_standing_still_nothing() {
        let truth = voxels([Some(0.0), Some(4.0), Some(-2.0), None, Some(1.0)]);
        assert_eq!(errors(&truth, &truth).explained(), Some(1.0));
        let still = Occupancy { flow: Some(Vec::new()), ..truth.clone() };
        assert_eq!(errors(&truth, &still).explained(), Some(0.0));
        assert_eq!(errors(&still, &still).explained(), None);
    }

    #[test]
    fn unknown_motion_is_not_judged() {
        let truth = Occupancy { flow: None, ..voxels([Some(1.0); 5]) };
        assert_eq!(errors(&truth, &voxels([Some(1.0); 5])), VoxelFlowErrors::default());
        let other = Occupancy::unobserved(GridSpec { voxel_m: 2.0, ..GRID });
        assert!(VoxelFlowErrors::default().add(&truth, &other).is_err());
    }
}
