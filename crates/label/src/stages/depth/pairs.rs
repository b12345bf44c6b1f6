//! Which cameras of a rig make stereo pairs.

use nalgebra::{Point2, Point3};
use ommatidia_geometry::camera::{Rectification, StereoView, rectify};
use ommatidia_geometry::{Camera, CameraModel, Ego, Pose};
use ommatidia_scene::{CameraSensor, Rig};

/// Two cameras that see the same scene side by side.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    /// The left one's index in the rig.
    pub(super) first: usize,
    /// The right one's.
    pub(super) second: usize,
    /// The virtual cameras that make rows correspond.
    pub(super) rectification: Rectification,
    /// The images correspond as they are.
    pub(super) is_rectified: bool,
}

/// Least share of the first image that the second camera must see too.
const LEAST_OVERLAP: f64 = 0.6;
/// Depth at which overlap is judged, metres.
const OVERLAP_DEPTH_M: f64 = 20.0;
/// A pair counts as long as others if its baseline is at least this share of theirs.
const SIMILAR_BASELINE: f64 = 0.5;
/// Largest part of the baseline across the rows or along the view for images to be used as they
/// are: at 100 pixels of disparity rows are then off by one pixel at most.
const STRAIGHT: f64 = 0.01;
/// Largest angle between the axes of two cameras used as they are, radians: a tenth of a pixel.
const PARALLEL_RAD: f64 = 1e-4;

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
    (is_sideways && overlap(left, right, &baseline) >= LEAST_OVERLAP).then(|| Pair {
        first,
        second,
        rectification,
        is_rectified: is_rectified(left, right, &baseline),
    })
}

fn is_rectified(
    left: &CameraSensor,
    right: &CameraSensor,
    left_from_right: &Pose<Camera, Camera>,
) -> bool {
    use ommatidia_geometry::Intrinsics::Pinhole;
    let (Pinhole(a), Pinhole(b)) = (&left.intrinsics, &right.intrinsics) else { return false };
    let same = |a: f64, b: f64| (a - b).abs() < 1e-3;
    let pinholes = same(a.fx, b.fx) && same(a.fy, b.fy) && same(a.cx, b.cx) && same(a.cy, b.cy);
    let offset = left_from_right.translation;
    pinholes
        && left_from_right.rotation.angle() < PARALLEL_RAD
        && offset.y.abs() < STRAIGHT * offset.x
        && offset.z.abs() < STRAIGHT * offset.x
}

/// Share of the left image, at one depth, that the right camera sees too.
fn overlap(
    left: &CameraSensor,
    right: &CameraSensor,
    left_from_right: &Pose<Camera, Camera>,
) -> f64 {
    const GRID: usize = 12;
    let right_from_left = left_from_right.inverse();
    let sees = |i: usize| {
        let share = |k: usize, size: u32| (k as f64 + 0.5) / GRID as f64 * f64::from(size);
        let pixel = Point2::new(share(i % GRID, left.width), share(i / GRID, left.height));
        let ray = left.intrinsics.unproject(&pixel)?;
        let point = right_from_left * Point3::from(ray.into_inner() * OVERLAP_DEPTH_M);
        let seen = right.intrinsics.project(&point)?;
        let inside = (0.0..f64::from(right.width)).contains(&seen.x)
            && (0.0..f64::from(right.height)).contains(&seen.y);
        inside.then_some(())
    };
    (0..GRID * GRID).filter_map(sees).count() as f64 / (GRID * GRID) as f64
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
        assert!(!stereo_pairs(&rig(0.02))[0].is_rectified);
    }
}
