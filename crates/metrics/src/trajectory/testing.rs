//! Trajectories for the tests of this folder.

use nalgebra::{UnitQuaternion, Vector3, Vector6};

use super::EgoPose;

/// Poses along x at these positions, metres.
pub(super) fn straight(x_m: &[f64]) -> Vec<EgoPose> {
    let pose = |&x| EgoPose::new(UnitQuaternion::identity(), Vector3::new(x, 0.0, 0.0));
    x_m.iter().map(pose).collect()
}

/// A rising curve of about 1 m per pose that turns in all axes.
pub(super) fn helix(poses: usize) -> Vec<EgoPose> {
    let pose = |i: usize| {
        let t = i as f64 * 0.05;
        let rotation = UnitQuaternion::from_euler_angles(0.1 * t.sin(), 0.05 * t.cos(), t);
        EgoPose::new(rotation, Vector3::new(20.0 * t.sin(), 20.0 * t.cos(), 0.3 * t))
    };
    (0..poses).map(pose).collect()
}

/// Some pose, the same for the same seed.
pub(super) fn random_pose(seed: u64) -> EgoPose {
    let value = |k: u64| ((seed * 7 + k) as f64 * 12.9898).sin() * 43.758_545_3 % 1.0;
    EgoPose::exp(&Vector6::from_fn(|row, _| value(row as u64) * if row < 3 { 50.0 } else { 1.7 }))
}
