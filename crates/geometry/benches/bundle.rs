//! Bundle adjustment of a window and of a drive, in observations per second.

use nalgebra::{Matrix3, Point3, UnitQuaternion, Vector3, Vector6};
use ommatidia_geometry::bundle::{
    BundleOptions, BundleProblem, Landmark, Observation, PoseVariable, RigCamera,
};
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{CameraModel, Intrinsics, Pose};

fn main() {
    divan::main();
}

fn camera(y_m: f64) -> RigCamera {
    let axes = Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
    let intrinsics = Intrinsics::Pinhole(Pinhole { fx: 700.0, fy: 700.0, cx: 600.0, cy: 190.0 });
    let translation = Vector3::new(0.0, y_m, 1.6);
    RigCamera {
        intrinsics,
        ego_from_camera: Pose::new(UnitQuaternion::from_matrix(&axes), translation),
    }
}

/// A straight stereo drive, a metre a pose, with 40 new landmarks at each; slightly off the truth.
fn drive(poses: usize) -> BundleProblem {
    let mut problem =
        BundleProblem { cameras: vec![camera(0.27), camera(-0.27)], ..Default::default() };
    for i in 0..poses {
        let world_from_ego = Pose::new(UnitQuaternion::identity(), Vector3::x() * i as f64);
        problem.poses.push(PoseVariable { world_from_ego, fixed: i < 2 });
    }
    for l in 0..40 * poses {
        let share = |prime: usize| (l * prime % 1009) as f64 / 1009.0;
        let ahead = (l / 40) as f64 + 12.0 + 25.0 * share(7);
        let point = Point3::new(ahead, 16.0 * share(31) - 8.0, 4.0 * share(97));
        let anchor = Point3::new((l / 40) as f64, 0.0, 1.6);
        problem.landmarks.extend(Landmark::from_point(anchor, point));
        for pose in l / 40..(l / 40 + 10).min(poses) {
            for camera in 0..2 {
                let mounted = &problem.cameras[camera];
                let world_from_camera =
                    problem.poses[pose].world_from_ego * mounted.ego_from_camera;
                let Some(pixel) =
                    mounted.intrinsics.project(&(world_from_camera.inverse() * point))
                else {
                    continue;
                };
                let (pose, camera, landmark) = (pose as u32, camera as u32, l as u32);
                problem.observations.push(Observation {
                    pose,
                    camera,
                    landmark,
                    pixel,
                    sigma_px: 0.5,
                });
            }
        }
    }
    for (i, pose) in problem.poses.iter_mut().enumerate().skip(2) {
        let wave = (i as f64 * 0.9).sin();
        let off = Vector6::new(0.05, 0.02, -0.01, 0.001, 0.002, -0.001) * wave;
        pose.world_from_ego = pose.world_from_ego.retract(&off);
    }
    problem
}

#[divan::bench(args = [10, 100])]
fn solve(bencher: divan::Bencher<'_, '_>, poses: usize) {
    let problem = drive(poses);
    bencher
        .counter(divan::counter::ItemsCount::new(problem.observations.len()))
        .with_inputs(|| problem.clone())
        .bench_values(|mut problem| problem.solve(&BundleOptions::default()).map(|r| r.iterations));
}
