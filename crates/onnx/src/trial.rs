//! A made-up sample, where there is no recorded one: files are sized by it, and checked on it.

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::{Camera, Ego, Intrinsics, Pose, Timestamp, World, camera::Pinhole};
use ommatidia_model::{Moment, NetworkConfig, Sample};
use ommatidia_scene::{CameraSensor, RgbImage, Rig, Shutter, VectorSpace};

/// Height of the cameras above the ground, and how far the vehicle moves between the moments, metres.
const HEIGHT_M: f64 = 1.5;
const STEP_M: f64 = 1.0;

/// Two moments of so many cameras in a ring, filming noise.
pub fn sample(config: &NetworkConfig, cameras: usize) -> Sample {
    let [width, height] = [config.image.width, config.image.height];
    let rig = Rig {
        cameras: (0..cameras).map(|index| camera(index, cameras, [width, height])).collect(),
        ..Rig::default()
    };
    let mut state = 1_u64;
    let mut picture = || {
        let byte = |_| {
            // Knuth's generator, of which the high bits are good enough to look at.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        RgbImage::new(width, height, (0..3 * width * height).map(byte).collect())
    };
    let moment = |index: u32| {
        let moved = Vector3::new(STEP_M * f64::from(index), 0.0, 0.0);
        let world_from_ego: Pose<World, Ego> = Pose::new(UnitQuaternion::identity(), moved);
        Moment {
            timestamp: Timestamp::from_secs_f64(f64::from(index)),
            rig: rig.clone(),
            images: (0..cameras).map(|_| picture()).collect(),
            world_from_ego: Some(world_from_ego),
            truth: VectorSpace::default(),
        }
    };
    let name = format!("{cameras} cameras filming noise");
    Sample { name, moments: (0..2).map(moment).collect() }
}

/// Looks outwards, 90 degrees wide.
fn camera(index: usize, of: usize, [width, height]: [usize; 2]) -> CameraSensor {
    // Columns: the camera's x (right), y (down), z (forward) in the ego frame.
    let forward: Pose<Ego, Camera> = Pose::from_row_major(&[
        0.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, HEIGHT_M, 0.0, 0.0, 0.0, 1.0,
    ])
    .expect("columns are a rotation");
    let yaw_rad = std::f64::consts::TAU * index as f64 / of as f64;
    let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw_rad);
    let turned: Pose<Ego, Ego> = Pose::new(turn, Vector3::zeros());
    let (cx, cy) = (width as f64 / 2.0, height as f64 / 2.0);
    CameraSensor {
        name: format!("camera_{index}"),
        width: width as u32,
        height: height as u32,
        intrinsics: Intrinsics::Pinhole(Pinhole { fx: cx, fy: cx, cx, cy }),
        ego_from_camera: turned * forward,
        shutter: Shutter::Global,
    }
}
