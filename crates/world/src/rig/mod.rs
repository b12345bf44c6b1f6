//! Rigs that worlds are filmed with: presets by name, at any image size, and how calibrations drift.

mod drift;
mod presets;
#[cfg(test)]
mod tests;

pub use drift::{CalibrationDrift, drifted};
pub use presets::{fisheye4, nuscenes6, stereo, surround8};

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Camera, CameraModel, Ego, Intrinsics, Pose};
use ommatidia_scene::{CameraSensor, Rig};
use thiserror::Error;

/// A rig that has a name.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// As on the command line.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// Image size that it comes with, pixels.
    pub size_px: [u32; 2],
    build: fn() -> Rig,
}

/// All presets.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "stereo",
        summary: "two forward cameras 0.54 m apart and a lidar, as KITTI's car",
        size_px: presets::STEREO_PX,
        build: presets::stereo_full,
    },
    Preset {
        name: "nuscenes6",
        summary: "six cameras around and a 32-beam lidar, as nuScenes' cars",
        size_px: presets::NUSCENES_PX,
        build: nuscenes6,
    },
    Preset {
        name: "surround8",
        summary: "three forward (narrow, main, wide), four to the sides, one rear, as production cars",
        size_px: presets::SURROUND_PX,
        build: surround8,
    },
    Preset {
        name: "fisheye4",
        summary: "four fisheyes of 190 degrees around, for parking",
        size_px: presets::FISHEYE_PX,
        build: fisheye4,
    },
];

/// Why there is no such rig.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PresetError {
    /// No preset has that name.
    #[error("there is no rig {name}; choose one of {}", known())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// Too small or too large an image.
    #[error(
        "images of {width}x{height} cannot be filmed; sides must be {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels"
    )]
    Size {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
}

/// Sides of images that a rig can be asked for, pixels.
const MIN_SIDE_PX: u32 = 16;
const MAX_SIDE_PX: u32 = 8192;

fn known() -> String {
    PRESETS.iter().map(|preset| preset.name).collect::<Vec<_>>().join(", ")
}

/// The preset of that name, all its images of `size_px` (width, height) if given.
///
/// # Errors
/// There is no such preset, or the size is out of bounds.
pub fn preset(name: &str, size_px: Option<[u32; 2]>) -> Result<Rig, PresetError> {
    let found = PRESETS.iter().find(|preset| preset.name == name);
    let preset = found.ok_or_else(|| PresetError::Unknown { name: name.to_owned() })?;
    let rig = (preset.build)();
    match size_px {
        Some(size_px) => resized(&rig, size_px),
        None => Ok(rig),
    }
}

/// The same rig with images of another size. Pixels stay square: the view keeps its width, and its
/// height follows the aspect of the image. The principal point keeps its place in the image.
///
/// # Errors
/// The size is out of bounds.
pub fn resized(rig: &Rig, [width, height]: [u32; 2]) -> Result<Rig, PresetError> {
    let bounds = MIN_SIDE_PX..=MAX_SIDE_PX;
    if !bounds.contains(&width) || !bounds.contains(&height) {
        return Err(PresetError::Size { width, height });
    }
    let mut rig = rig.clone();
    for camera in &mut rig.cameras {
        camera.intrinsics = scaled(camera, width, height);
        (camera.width, camera.height) = (width, height);
    }
    Ok(rig)
}

fn scaled(camera: &CameraSensor, width: u32, height: u32) -> Intrinsics {
    let across = f64::from(width) / f64::from(camera.width);
    let down = f64::from(height) / f64::from(camera.height);
    let mut parameters = camera.intrinsics.parameters();
    for (parameter, by) in parameters.iter_mut().zip([across, across, across, down]) {
        *parameter *= by;
    }
    camera.intrinsics.with_parameters(&parameters)
}

/// A camera that looks along the ego frame's x axis from this position.
pub fn ego_from_forward_camera(position_m: Vector3<f64>) -> Pose<Ego, Camera> {
    // Camera x (right) is -y in ego, y (down) is -z, z (forward) is x.
    let axes = Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
    let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes));
    Pose::new(rotation, position_m)
}

/// A camera at this position that looks `yaw_rad` to the left and `down_rad` below the horizon.
pub fn ego_from_turned_camera(
    position_m: Vector3<f64>,
    yaw_rad: f64,
    down_rad: f64,
) -> Pose<Ego, Camera> {
    let turn = UnitQuaternion::from_euler_angles(0.0, down_rad, yaw_rad);
    Pose::new(turn * ego_from_forward_camera(position_m).rotation, position_m)
}
