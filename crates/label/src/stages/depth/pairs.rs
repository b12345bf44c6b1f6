//! Which cameras of a rig make stereo pairs.

use nalgebra::{Matrix3, Vector3};
use ommatidia_geometry::camera::{Rectification, StereoView, rectify};
use ommatidia_geometry::{Camera, Ego, Pose};
use ommatidia_scene::{CameraSensor, Rig};

use crate::stages::overlap::overlap;

/// Two cameras that see the same scene side by side.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    /// The left one's index in the rig.
    pub(super) first: usize,
    /// The right one's.
    pub(super) second: usize,
    /// The virtual cameras that make rows correspond.
    pub(super) rectification: Rectification,
    /// The images' rows correspond as they are.
    pub(super) is_rectified: bool,
    /// Of such images: from pixels of the right one, homogeneous, to those of a camera that looks
    /// exactly as the left one does. `None` where the right one does.
    pub(super) level_from_right: Option<Matrix3<f64>>,
}

/// Least share of the first image that the second camera must see too.
const LEAST_OVERLAP: f64 = 0.6;
/// A pair counts as long as others if its baseline is at least this share of theirs.
const SIMILAR_BASELINE: f64 = 0.5;
/// Largest part of the baseline across the rows or along the view for images to be used as they
/// are: at 100 pixels of disparity rows are then off by one pixel at most.
const STRAIGHT: f64 = 0.01;
/// Largest angle between the axes of two cameras taken for parallel, radians: a hundredth of a pixel.
const PARALLEL_RAD: f64 = 1e-5;
/// Farthest that rows of images used as they are may be apart, pixels: such is the matcher's noise,
/// and resampling would cost as much sharpness.
const MAX_ROW_PX: f64 = 0.7;
/// Farthest that their columns may be shifted, pixels: it must not use up the matcher's range.
const MAX_COLUMN_PX: f64 = 8.0;

/// Disjoint pairs. Of pairs with similar baselines those next to each other in the rig come first, in
/// the rig's order, as recordings list them; then those with the longer baseline.
pub(super) fn stereo_pairs(rig: &Rig) -> Vec<Pair> {
    let mut candidates = Vec::new();
    for first in 0..rig.cameras.len() {
        for second in 0..rig.cameras.len() {
            candidates.extend(pair(rig, first, second));
        }
    }
    let longest = candidates.iter().map(|pair| pair.rectification.baseline_m).fold(0.0, f64::max);
    let order = |pair: &Pair| {
        let is_long = pair.rectification.baseline_m >= SIMILAR_BASELINE * longest;
        let is_adjacent = pair.first.abs_diff(pair.second) == 1;
        let place = if is_adjacent { pair.first.min(pair.second) } else { usize::MAX };
        (!is_long, place)
    };
    candidates.sort_by(|a, b| {
        let (long_a, long_b) = (a.rectification.baseline_m, b.rectification.baseline_m);
        order(a).cmp(&order(b)).then(long_b.total_cmp(&long_a)).then(a.first.cmp(&b.first))
    });
    let mut taken = vec![false; rig.cameras.len()];
    candidates.retain(|pair| {
        let is_free = !taken[pair.first] && !taken[pair.second];
        if is_free {
            (taken[pair.first], taken[pair.second]) = (true, true);
        }
        is_free
    });
    candidates.sort_by_key(|pair| pair.first);
    candidates
}

pub(super) fn view(camera: &CameraSensor) -> StereoView<Ego> {
    StereoView {
        intrinsics: camera.intrinsics,
        width: camera.width,
        height: camera.height,
        rig_from_camera: camera.ego_from_camera,
    }
}

fn pair(rig: &Rig, first: usize, second: usize) -> Option<Pair> {
    let (left, right) = (&rig.cameras[first], &rig.cameras[second]);
    if first == second || (left.width, left.height) != (right.width, right.height) {
        return None;
    }
    let rectification = rectify(&view(left), &view(right)).ok()?;
    let baseline = left.ego_from_camera.inverse() * right.ego_from_camera;
    // A pair above each other would need turned images.
    let is_sideways = baseline.translation.x > baseline.translation.y.abs();
    if !is_sideways || overlap(left, right) < LEAST_OVERLAP {
        return None;
    }
    let level_from_right = level_from_right(left, right, &baseline);
    Some(Pair {
        first,
        second,
        rectification,
        is_rectified: level_from_right.is_some(),
        level_from_right: level_from_right.filter(|_| baseline.rotation.angle() > PARALLEL_RAD),
    })
}

/// From pixels of the right image to those of a camera parallel to the left one, if both images can
/// be matched row by row as they are.
fn level_from_right(
    left: &CameraSensor,
    right: &CameraSensor,
    left_from_right: &Pose<Camera, Camera>,
) -> Option<Matrix3<f64>> {
    use ommatidia_geometry::Intrinsics::Pinhole;
    let (Pinhole(a), Pinhole(b)) = (&left.intrinsics, &right.intrinsics) else { return None };
    let same = |a: f64, b: f64| (a - b).abs() < 1e-3;
    let pinholes = same(a.fx, b.fx) && same(a.fy, b.fy) && same(a.cx, b.cx) && same(a.cy, b.cy);
    let offset = left_from_right.translation;
    let is_straight = offset.y.abs() < STRAIGHT * offset.x && offset.z.abs() < STRAIGHT * offset.x;
    let matrix = Matrix3::new(a.fx, 0.0, a.cx, 0.0, a.fy, a.cy, 0.0, 0.0, 1.0);
    let level_from_right = matrix * left_from_right.rotation_matrix() * matrix.try_inverse()?;
    let (width, height) = (f64::from(right.width), f64::from(right.height));
    let is_level =
        [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)].iter().all(|&(x, y)| {
            let moved = level_from_right * Vector3::new(x, y, 1.0);
            let (dx, dy) = (moved.x / moved.z - x, moved.y / moved.z - y);
            moved.z > 0.0 && dx.abs() <= MAX_COLUMN_PX && dy.abs() <= MAX_ROW_PX
        });
    (pinholes && is_straight && is_level).then_some(level_from_right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{UnitQuaternion, Vector3};
    use ommatidia_geometry::{Intrinsics, camera::Pinhole};
    use ommatidia_scene::Shutter;

    fn camera(name: &str, y_m: f64, yaw_rad: f64) -> CameraSensor {
        // Camera axes in the ego frame: z forward, x right, y down.
        let forward = UnitQuaternion::from_euler_angles(-std::f64::consts::FRAC_PI_2, 0.0, 0.0);
        let facing = UnitQuaternion::from_euler_angles(0.0, 0.0, -std::f64::consts::FRAC_PI_2);
        let turned = UnitQuaternion::from_euler_angles(0.0, 0.0, yaw_rad) * facing * forward;
        CameraSensor {
            name: name.to_owned(),
            width: 1241,
            height: 376,
            intrinsics: Intrinsics::Pinhole(Pinhole { fx: 718.0, fy: 718.0, cx: 607.0, cy: 185.0 }),
            ego_from_camera: Pose::new(turned, Vector3::new(0.0, y_m, 1.65)),
            shutter: Shutter::Global,
        }
    }

    fn check(cameras: Vec<CameraSensor>, expected: &[(usize, usize)]) {
        let rig = Rig { cameras, ..Rig::default() };
        let pairs = stereo_pairs(&rig);
        let found: Vec<_> = pairs.iter().map(|pair| (pair.first, pair.second)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn kittis_four_cameras_make_two_pairs() {
        let cameras = [("0", 0.0), ("1", -0.54), ("2", 0.06), ("3", -0.47)];
        check(cameras.map(|(name, y)| camera(name, y, 0.0)).to_vec(), &[(0, 1), (2, 3)]);
    }

    #[test]
    fn the_left_camera_is_first_whatever_the_order() {
        check(vec![camera("right", -0.3, 0.0), camera("left", 0.3, 0.0)], &[(1, 0)]);
    }

    #[test]
    fn cameras_that_look_apart_make_no_pair() {
        check(vec![camera("front", 0.0, 0.0), camera("side", 0.5, 1.0)], &[]);
        check(vec![camera("alone", 0.0, 0.0)], &[]);
    }

    #[test]
    fn a_turned_partner_needs_rectification() {
        let rig = |yaw| Rig {
            cameras: vec![camera("left", 0.3, 0.0), camera("right", -0.3, yaw)],
            ..Rig::default()
        };
        assert!(stereo_pairs(&rig(0.0))[0].is_rectified);
        let nearly = &stereo_pairs(&rig(5e-4))[0];
        assert!(nearly.is_rectified);
        // Turned to the left by 0.36 px, its pixels are farther left than in a parallel camera.
        let level = nearly.level_from_right.unwrap() * Vector3::new(607.0, 185.0, 1.0);
        assert!((level.x / level.z - 607.0 + 0.359).abs() < 1e-3, "{level}");
        assert!(!stereo_pairs(&rig(0.02))[0].is_rectified);
    }
}
