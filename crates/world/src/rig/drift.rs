//! Mountings that have moved since they were calibrated.

use nalgebra::{Vector3, Vector6};
use ommatidia_geometry::Pose;
use ommatidia_scene::Rig;
use serde::{Deserialize, Serialize};

use crate::noise::{Stream, mix};

/// How far mountings deviate from the calibration: one standard deviation about or along each axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalibrationDrift {
    /// Of cameras, radians.
    pub camera_turn_rad: f64,
    /// Of cameras, metres.
    pub camera_shift_m: f64,
    /// Of lidars, radians.
    pub lidar_turn_rad: f64,
    /// Of lidars, metres.
    pub lidar_shift_m: f64,
}

impl Default for CalibrationDrift {
    /// Small against the disturbances that extrinsic calibration is trained to undo (RegNet, Schneider
    /// et al. 2017, from 0.2 m and 1 degree in its last stage): what thermal expansion and shocks leave.
    fn default() -> Self {
        Self {
            camera_turn_rad: 0.2f64.to_radians(),
            camera_shift_m: 0.003,
            lidar_turn_rad: 0.1f64.to_radians(),
            lidar_shift_m: 0.003,
        }
    }
}

/// The rig as it really is, when `nominal` is what the calibration says. Each sensor has numbers of its
/// own, so that adding one does not move the others.
pub fn drifted(nominal: &Rig, drift: &CalibrationDrift, seed: u64) -> Rig {
    let mut rig = nominal.clone();
    for (i, camera) in rig.cameras.iter_mut().enumerate() {
        let seed = mix(seed ^ mix(0xca3e_0000 + i as u64));
        let moved = disturbance(drift.camera_turn_rad, drift.camera_shift_m, seed);
        camera.ego_from_camera = camera.ego_from_camera * Pose::exp(&moved);
    }
    for (i, lidar) in rig.lidars.iter_mut().enumerate() {
        let seed = mix(seed ^ mix(0x11da_0000 + i as u64));
        let moved = disturbance(drift.lidar_turn_rad, drift.lidar_shift_m, seed);
        lidar.ego_from_lidar = lidar.ego_from_lidar * Pose::exp(&moved);
    }
    rig
}

fn disturbance(turn_rad: f64, shift_m: f64, seed: u64) -> Vector6<f64> {
    let mut stream = Stream::new(seed);
    let shift = Vector3::from_fn(|_, _| shift_m * stream.normal());
    let turn = Vector3::from_fn(|_, _| turn_rad * stream.normal());
    Vector6::new(shift.x, shift.y, shift.z, turn.x, turn.y, turn.z)
}
