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

#[cfg(test)]
mod tests {
    use ommatidia_geometry::camera::Pinhole;
    use ommatidia_geometry::{Intrinsics, Pose};
    use ommatidia_scene::{CameraSensor, ClassId, GridSpec, Shutter};

    use super::*;

    const GRID: GridSpec = GridSpec { min_corner_m: [0.0; 3], voxel_m: 1.0, size: [10, 10, 10] };

    /// Occupied at x = 5, free below, unobserved above.
    fn wall() -> Occupancy {
        let mut occupancy = Occupancy::unobserved(GRID);
        for index in 0..GRID.len() {
            let [x, ..] = GRID.cell(index);
            occupancy.observed.set(index, x <= 5);
            occupancy.occupied.set(index, x == 5);
        }
        occupancy.classes = vec![ClassId::UNKNOWN; occupancy.occupied.count()];
        occupancy
    }

    fn check(returns: &[[f64; 3]], range_m: f64, expected: LidarAgreement) {
        let returns: Vec<Point3<f64>> = returns.iter().map(|&p| p.into()).collect();
        let counts = |p: &Point3<f64>| p.coords.norm() <= range_m;
        assert_eq!(lidar_agreement(&wall(), &returns, counts), expected);
    }

    #[test]
    fn hits_neighbours_and_violations() {
        // In the wall, before it, behind it, two behind it, in free space twice, outside the grid.
        let returns = [
            [5.5, 5.5, 5.5],
            [4.5, 5.5, 5.5],
            [6.5, 5.5, 5.5],
            [7.5, 5.5, 5.5],
            [1.5, 5.5, 5.5],
            [1.6, 5.6, 5.6],
            [-1.0, 5.5, 5.5],
        ];
        let (returns_counted, hits, violated_voxels, returned_voxels) = (6, 3, 2, 5);
        let expected = LidarAgreement {
            returns: returns_counted,
            hits,
            free_voxels: 500,
            violated_voxels,
            returned_voxels,
        };
        check(&returns, 100.0, expected);
        assert_eq!(expected.lidar_hit_rate(), Some(0.5));
        assert_eq!(expected.free_violation_rate(), Some(0.004));
        assert_eq!(expected.refuted_rate(), Some(0.4));
        // Out of range nothing counts.
        check(&returns, 0.1, LidarAgreement::default());
        assert_eq!(LidarAgreement::default().lidar_hit_rate(), None);
    }

    #[test]
    fn view_is_range_and_image() {
        let intrinsics = Intrinsics::Pinhole(Pinhole { fx: 50.0, fy: 50.0, cx: 50.0, cy: 50.0 });
        let camera = CameraSensor {
            name: "front".into(),
            width: 100,
            height: 100,
            intrinsics,
            ego_from_camera: Pose::identity(),
            shutter: Shutter::Global,
        };
        let rig = Rig { cameras: vec![camera], ..Rig::default() };
        let view = in_view(&rig, Point3::origin(), 30.0);
        for (p_in_ego, expected) in [
            ([0.0, 0.0, 29.0], true),
            ([0.0, 0.0, 31.0], false),
            ([11.0, 0.0, 10.0], false),
            ([0.0, 0.0, -5.0], false),
        ] {
            assert_eq!(view(&Point3::from(p_in_ego)), expected, "{p_in_ego:?}");
        }
    }
}
