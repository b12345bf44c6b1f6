//! Rigs that worlds are filmed with.

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Camera, Ego, Intrinsics, Pose, camera::Pinhole};
use ommatidia_scene::{CameraSensor, LidarSensor, Rig, Shutter};

/// Height of the cameras over the ground, metres.
const CAMERA_HEIGHT_M: f64 = 1.6;
/// Camera in front of the rear axle, metres.
const CAMERA_FORWARD_M: f64 = 1.7;
/// Distance between the stereo cameras, metres.
const BASELINE_M: f64 = 0.54;

/// A camera that looks along the ego frame's x axis from this position.
pub fn ego_from_forward_camera(position_m: Vector3<f64>) -> Pose<Ego, Camera> {
    // Camera x (right) is -y in ego, y (down) is -z, z (forward) is x.
    let axes = Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
    let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes));
    Pose::new(rotation, position_m)
}

/// Two forward pinholes with 84 degrees of horizontal view and a lidar above them.
pub fn stereo(width: u32, height: u32) -> Rig {
    let focal = 0.55 * f64::from(width);
    let intrinsics = Intrinsics::Pinhole(Pinhole {
        fx: focal,
        fy: focal,
        cx: 0.5 * f64::from(width),
        cy: 0.5 * f64::from(height),
    });
    let camera = |name: &str, y_m: f64| CameraSensor {
        name: name.to_owned(),
        width,
        height,
        intrinsics,
        ego_from_camera: ego_from_forward_camera(Vector3::new(
            CAMERA_FORWARD_M,
            y_m,
            CAMERA_HEIGHT_M,
        )),
        shutter: Shutter::Global,
    };
    Rig {
        cameras: vec![camera("left", 0.5 * BASELINE_M), camera("right", -0.5 * BASELINE_M)],
        lidars: vec![LidarSensor {
            name: "top".to_owned(),
            ego_from_lidar: Pose::new(
                UnitQuaternion::identity(),
                Vector3::new(CAMERA_FORWARD_M - 0.3, 0.0, 1.75),
            ),
        }],
        imu: None,
    }
}
