//! Occupancy against lidar returns, where no voxel truth exists.

use std::collections::HashSet;

use nalgebra::Point3;
use ommatidia_geometry::CameraModel;
use ommatidia_scene::{Occupancy, Rig};

/// How well voxels agree with the returns of a lidar that was not used to make them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LidarAgreement {
    /// Returns in the grid, in range and in view.
    pub returns: u64,
    /// Of these, in or next to (26 neighbours) an occupied voxel.
    pub hits: u64,
    /// Voxels observed and free whose centre is in range and in view.
    pub free_voxels: u64,
    /// Of these, with a return in range and in view inside.
    pub violated_voxels: u64,
    /// Voxels that hold a return in range and in view.
    pub returned_voxels: u64,
}

impl LidarAgreement {
    /// Share of the returns that hit: `hits / returns`; `None` without returns.
    pub fn lidar_hit_rate(&self) -> Option<f64> {
        ratio(self.hits, self.returns)
    }

    /// Share of free voxels that a return refutes: `violated_voxels / free_voxels`; `None` without free
    /// voxels. Most free voxels are far from any surface, so this is small by nature: see
    /// [`Self::refuted_rate`].
    pub fn free_violation_rate(&self) -> Option<f64> {
        ratio(self.violated_voxels, self.free_voxels)
    }

    /// The stricter reading: share of voxels with returns that were called free:
    /// `violated_voxels / returned_voxels`; `None` without returns.
    pub fn refuted_rate(&self) -> Option<f64> {
        ratio(self.violated_voxels, self.returned_voxels)
    }

    /// Sums the counts of several frames, so that rates weigh returns and voxels alike, not frames.
    pub fn add(&mut self, other: &Self) {
        self.returns += other.returns;
        self.hits += other.hits;
        self.free_voxels += other.free_voxels;
        self.violated_voxels += other.violated_voxels;
        self.returned_voxels += other.returned_voxels;
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Compares voxels with the returns of the same moment.
///
/// `returns_in_ego`: metres, ego frame. `counts(p_in_ego)`: whether a place is in range and in view, see
/// [`in_view`]; it is asked for returns and for centres of free voxels. Returns outside the grid do not
/// count. Occlusion is not considered: a return that the cameras cannot see counts as missed unless the
/// map knows the place from another frame.
pub fn lidar_agreement(
    occupancy: &Occupancy,
    returns_in_ego: &[Point3<f64>],
    counts: impl Fn(&Point3<f64>) -> bool,
) -> LidarAgreement {
    let grid = &occupancy.grid;
    let mut agreement = LidarAgreement::default();
    let mut returned = HashSet::new();
    for p_in_ego in returns_in_ego.iter().filter(|p| counts(p)) {
        let Some(cell) = grid.cell_at(p_in_ego) else { continue };
        agreement.returns += 1;
        agreement.hits += u64::from(near_occupied(occupancy, cell));
        returned.insert(grid.index(cell));
    }
    agreement.returned_voxels = returned.len() as u64;
    for (w, (&seen, &full)) in
        occupancy.observed.words().iter().zip(occupancy.occupied.words()).enumerate()
    {
        let mut free = seen & !full;
        while free != 0 {
            let index = w * 64 + free.trailing_zeros() as usize;
            free &= free - 1;
            let violated = returned.contains(&index);
            if violated || counts(&grid.centre(grid.cell(index))) {
                agreement.free_voxels += 1;
                agreement.violated_voxels += u64::from(violated);
            }
        }
    }
    agreement
}

/// Whether the voxel or one of its 26 neighbours is occupied.
fn near_occupied(occupancy: &Occupancy, cell: [u32; 3]) -> bool {
    let grid = &occupancy.grid;
    let range = |axis: usize| cell[axis].saturating_sub(1)..(cell[axis] + 2).min(grid.size[axis]);
    range(0)
        .any(|x| range(1).any(|y| range(2).any(|z| occupancy.occupied.get(grid.index([x, y, z])))))
}

/// Whether a place in the ego frame lies within `range_m` of `centre_in_ego` and inside the image of at
/// least one of the rig's cameras.
pub fn in_view(
    rig: &Rig,
    centre_in_ego: Point3<f64>,
    range_m: f64,
) -> impl Fn(&Point3<f64>) -> bool {
    let cameras: Vec<_> = rig
        .cameras
        .iter()
        .map(|c| {
            let size = (f64::from(c.width), f64::from(c.height));
            (c.ego_from_camera.inverse(), c.intrinsics, size)
        })
        .collect();
    move |p_in_ego| {
        let near = (p_in_ego - centre_in_ego).norm() <= range_m;
        near && cameras.iter().any(|(camera_from_ego, intrinsics, (width, height))| {
            intrinsics.project(&(*camera_from_ego * *p_in_ego)).is_some_and(|pixel| {
                (0.0..*width).contains(&pixel.x) && (0.0..*height).contains(&pixel.y)
            })
        })
    }
}
