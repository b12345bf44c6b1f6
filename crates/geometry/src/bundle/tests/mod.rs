//! Synthetic drives with known truth.

mod converge;
mod dense;
mod jacobians;

use nalgebra::{Point2, Point3, UnitQuaternion, Vector3, Vector6};

use super::*;
use crate::camera::Pinhole;
use crate::{CameraModel, Ego, Intrinsics, Pose, World, so3};

/// A fixed stream of numbers in `[-1, 1)`: splitmix64.
pub(super) struct Noise(pub u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as i64 as f64 / (1u64 << 63) as f64
    }

    /// About normal, unit variance: the sum of twelve.
    fn normal(&mut self) -> f64 {
        0.5 * (0..12).map(|_| self.next()).sum::<f64>()
    }

    fn tangent(&mut self, metres: f64, radians: f64) -> Vector6<f64> {
        let scales = [metres, metres, metres, radians, radians, radians];
        Vector6::from_iterator(scales.into_iter().map(|scale| scale * self.next()))
    }
}

fn camera(yaw_rad: f64, position: [f64; 3]) -> RigCamera {
    // Camera axes in ego: x right = -y, y down = -z, z forward = x; then turned about up.
    let axes = nalgebra::Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
    let level = UnitQuaternion::from_matrix(&axes);
    let rotation = so3::exp(&Vector3::new(0.0, 0.0, yaw_rad)) * level;
    let intrinsics = Intrinsics::Pinhole(Pinhole { fx: 700.0, fy: 710.0, cx: 600.0, cy: 190.0 });
    RigCamera { intrinsics, ego_from_camera: Pose::new(rotation, position.into()) }
}

/// Two forward cameras half a metre apart.
pub(super) fn stereo() -> Vec<RigCamera> {
    vec![camera(0.0, [1.0, 0.27, 1.6]), camera(0.0, [1.0, -0.27, 1.6])]
}

/// Three cameras that share no view.
fn surround() -> Vec<RigCamera> {
    [0.0, 2.1, -2.1].map(|yaw| camera(yaw, [1.0 + yaw.cos(), 0.8 * yaw.sin(), 1.6])).into()
}

/// A drive of `count` poses, metres apart, turning, and the landmarks around it.
pub(super) fn drive(cameras: Vec<RigCamera>, count: usize, landmarks: usize) -> BundleProblem {
    let mut noise = Noise(7);
    let step = Pose::<Ego, Ego>::exp(&Vector6::new(1.2, 0.0, 0.02, 0.002, -0.003, 0.03));
    let mut world_from_ego = Pose::<World, Ego>::identity();
    let mut problem = BundleProblem { cameras, ..Default::default() };
    for i in 0..count {
        problem.poses.push(PoseVariable { world_from_ego, fixed: i == 0 });
        world_from_ego = world_from_ego * step;
    }
    for _ in 0..landmarks {
        let around = problem.poses[((noise.next() + 1.0) * 0.5 * count as f64) as usize % count];
        let distance = 4.0 + 40.0 * noise.next().abs();
        let bearing = std::f64::consts::PI * noise.next();
        let height = 1.5 + 2.0 * noise.next();
        let offset = Point3::new(distance * bearing.cos(), distance * bearing.sin(), height);
        let anchor = around.world_from_ego * Point3::new(0.0, 0.0, 1.6);
        let point = around.world_from_ego * offset;
        problem.landmarks.push(Landmark::from_point(anchor, point).unwrap());
    }
    observe(&mut problem);
    problem
}

/// Exact observations of all landmarks in sight.
fn observe(problem: &mut BundleProblem) {
    for (l, landmark) in problem.landmarks.iter().enumerate() {
        let Some(p_in_world) = landmark.point_in_world() else { continue };
        let mut seen = Vec::new();
        for (p, pose) in problem.poses.iter().enumerate() {
            for (c, camera) in problem.cameras.iter().enumerate() {
                let world_from_camera = pose.world_from_ego * camera.ego_from_camera;
                let p_in_camera = world_from_camera.inverse() * p_in_world;
                let Some(pixel) = camera.intrinsics.project(&p_in_camera) else { continue };
                if p_in_camera.z > 1.0 && in_image(&pixel) {
                    let (pose, camera, landmark) = (p as u32, c as u32, l as u32);
                    seen.push(Observation { pose, camera, landmark, pixel, sigma_px: 0.5 });
                }
            }
        }
        if seen.len() >= 2 {
            problem.observations.extend(seen);
        }
    }
}

fn in_image(pixel: &Point2<f64>) -> bool {
    (0.0..1200.0).contains(&pixel.x) && (0.0..380.0).contains(&pixel.y)
}

/// Moves the free poses and all landmarks off the truth.
pub(super) fn disturb(problem: &mut BundleProblem, metres: f64, radians: f64) {
    let mut noise = Noise(99);
    for pose in problem.poses.iter_mut().filter(|pose| !pose.fixed) {
        pose.world_from_ego = pose.world_from_ego.retract(&noise.tangent(metres, radians));
    }
    for landmark in &mut problem.landmarks {
        let turn = Vector3::new(noise.next(), noise.next(), 0.0) * 0.01;
        *landmark = landmark.retract(&turn);
        landmark.inverse_distance *= 1.0 + 0.2 * noise.next();
    }
}

/// Adds normal noise of each observation's sigma.
pub(super) fn blur(problem: &mut BundleProblem) {
    let mut noise = Noise(3);
    for observation in &mut problem.observations {
        observation.pixel.x += observation.sigma_px * noise.normal();
        observation.pixel.y += observation.sigma_px * noise.normal();
    }
}

/// Largest distance and angle between the poses of two problems.
fn pose_error(a: &BundleProblem, b: &BundleProblem) -> (f64, f64) {
    let pairs = a.poses.iter().zip(&b.poses);
    pairs.fold((0.0, 0.0), |(metres, radians): (f64, f64), (a, b)| {
        let difference = a.world_from_ego.inverse() * b.world_from_ego;
        (metres.max(difference.translation.norm()), radians.max(difference.rotation.angle()))
    })
}
