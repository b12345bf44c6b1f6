//! Which cameras follow points of their own, and which see the same things: from geometry alone.

use ommatidia_scene::{CameraSensor, Rig};

use crate::stages::overlap::{RANGE_M, overlap};

/// Cameras closer than this tell no depth, metres.
const MIN_BASELINE_M: f64 = 0.03;
/// Common view worth searching, share of the image.
const MIN_OVERLAP: f64 = 0.05;
/// A camera that another covers this much follows no points of its own.
const COVERED: f64 = 0.7;

/// The roles of a rig's cameras.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Roles {
    /// Cameras that follow points of their own.
    pub hosts: Vec<usize>,
    /// For each camera, those in which its points may be seen at the same time.
    pub partners: Vec<Vec<usize>>,
}

impl Roles {
    pub(super) fn of(rig: &Rig) -> Self {
        let count = rig.cameras.len();
        let mut hosts: Vec<usize> = Vec::new();
        for camera in 0..count {
            let covered = |&host: &usize| {
                overlap(&rig.cameras[camera], &rig.cameras[host]) >= COVERED
                    && baseline_m(&rig.cameras[camera], &rig.cameras[host]) < RANGE_M
            };
            if !hosts.iter().any(covered) {
                hosts.push(camera);
            }
        }
        let partners = (0..count)
            .map(|a| {
                let sees = |&b: &usize| {
                    let (a, b) = (&rig.cameras[a], &rig.cameras[b]);
                    baseline_m(a, b) >= MIN_BASELINE_M && overlap(a, b) >= MIN_OVERLAP
                };
                (0..count).filter(|&b| b != a).filter(sees).collect()
            })
            .collect();
        Self { hosts, partners }
    }
}

fn baseline_m(a: &CameraSensor, b: &CameraSensor) -> f64 {
    (a.ego_from_camera.translation - b.ego_from_camera.translation).norm()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Matrix3, UnitQuaternion, Vector3};
    use ommatidia_geometry::{Intrinsics, Pose, camera::Pinhole, so3};
    use ommatidia_scene::Shutter;

    fn camera(name: &str, yaw_deg: f64, position: [f64; 3]) -> CameraSensor {
        let axes = Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
        let turn = so3::exp(&Vector3::new(0.0, 0.0, yaw_deg.to_radians()));
        let rotation = turn * UnitQuaternion::from_matrix(&axes);
        CameraSensor {
            name: name.to_owned(),
            width: 1600,
            height: 900,
            intrinsics: Intrinsics::Pinhole(Pinhole { fx: 1200., fy: 1200., cx: 800., cy: 450. }),
            ego_from_camera: Pose::new(rotation, position.into()),
            shutter: Shutter::Global,
        }
    }

    fn check(cameras: Vec<CameraSensor>, hosts: &[usize], partners: &[&[usize]]) {
        let roles = Roles::of(&Rig { cameras, ..Rig::default() });
        assert_eq!(roles.hosts, hosts);
        assert_eq!(roles.partners, partners);
    }

    #[test]
    fn a_stereo_pair_has_one_host() {
        let pair = vec![camera("a", 0.0, [1.0, 0.3, 1.6]), camera("b", 0.0, [1.0, -0.3, 1.6])];
        check(pair, &[0], &[&[1], &[0]]);
    }

    #[test]
    fn surround_cameras_each_host_and_neighbours_may_share() {
        let ring = [0.0, 60.0, 120.0, 180.0].map(|yaw: f64| {
            let (sin, cos) = yaw.to_radians().sin_cos();
            camera(&format!("{yaw}"), yaw, [0.8 * cos, 0.8 * sin, 1.6])
        });
        check(ring.into(), &[0, 1, 2, 3], &[&[1], &[0, 2], &[1, 3], &[2]]);
    }

    #[test]
    fn opposite_cameras_share_nothing() {
        let two =
            vec![camera("front", 0.0, [2.0, 0.0, 1.6]), camera("back", 180.0, [0.0, 0.0, 1.6])];
        check(two, &[0, 1], &[&[], &[]]);
    }
}
