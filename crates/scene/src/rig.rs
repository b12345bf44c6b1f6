//! The sensors of a vehicle and where they sit.

use ommatidia_geometry::{
    Camera, CameraModel, Duration, Ego, Intrinsics, Lidar, Pose, frames::Imu,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use ommatidia_geometry::camera::ReadoutDirection;

/// When the rows of an image were exposed. The image's timestamp is the middle of all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Shutter {
    /// All at once.
    #[default]
    Global,
    /// Line after line.
    Rolling {
        /// From the first line's exposure to the last one's.
        readout_ns: Duration,
        /// Which line comes first.
        direction: ReadoutDirection,
    },
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraSensor {
    /// Unique within the rig.
    pub name: String,
    /// Image width, pixels.
    pub width: u32,
    /// Image height, pixels.
    pub height: u32,
    /// Projection.
    pub intrinsics: Intrinsics,
    /// Mounting.
    pub ego_from_camera: Pose<Ego, Camera>,
    /// Exposure of the rows.
    #[serde(default)]
    pub shutter: Shutter,
}

/// One lidar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LidarSensor {
    /// Unique within the rig.
    pub name: String,
    /// Mounting.
    pub ego_from_lidar: Pose<Ego, Lidar>,
}

/// The inertial unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImuSensor {
    /// Unique within the rig.
    pub name: String,
    /// Mounting.
    pub ego_from_imu: Pose<Ego, Imu>,
}

/// All sensors of one vehicle.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rig {
    /// Cameras; a [`crate::Frame`] holds its images in this order.
    pub cameras: Vec<CameraSensor>,
    /// Lidars; a [`crate::Frame`] holds its clouds in this order.
    #[serde(default)]
    pub lidars: Vec<LidarSensor>,
    /// Inertial unit.
    #[serde(default)]
    pub imu: Option<ImuSensor>,
}

/// Why a rig cannot be used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RigError {
    /// A number that must be finite and within bounds is not.
    #[error("sensor {sensor}: {what}")]
    Calibration {
        /// The sensor's name.
        sensor: String,
        /// What is wrong with it and what would be right.
        what: String,
    },
    /// A name that cannot name a file or folder.
    #[error(
        "a sensor is named {0:?}; names must not be empty, `.` or `..`, nor hold slashes or control characters: files are named after them"
    )]
    Name(String),
    /// Two sensors share a name.
    #[error("two sensors are named {0}; names must be unique within a rig")]
    DuplicateName(String),
}

/// Largest image side accepted, pixels.
const MAX_SIDE_PX: u32 = 32_768;

/// Longest time in which lines are read out, nanoseconds: a second.
const MAX_READOUT_NS: i64 = 1_000_000_000;

/// A quaternion's length may differ from 1 by this much.
const MAX_STRETCH: f64 = 1e-3;

fn is_name(name: &str) -> bool {
    let is_bad = |c: char| c == '/' || c == '\\' || c.is_control();
    !name.is_empty() && name != "." && name != ".." && !name.contains(is_bad)
}

/// What is wrong with where a sensor is mounted.
fn mounting<B>(ego_from_sensor: &Pose<Ego, B>) -> Option<String> {
    let length = ego_from_sensor.rotation.norm();
    if !ego_from_sensor.is_finite() {
        return Some("its mounting pose is not finite".to_owned());
    }
    ((length - 1.0).abs() > MAX_STRETCH)
        .then(|| format!("its mounting's quaternion has length {length}; it must be 1"))
}

impl CameraSensor {
    /// Finite parameters, positive focal lengths, a sensible size.
    ///
    /// # Errors
    /// [`RigError::Calibration`] names the first number that is out of bounds.
    pub fn check(&self) -> Result<(), RigError> {
        let fail = |what: String| Err(RigError::Calibration { sensor: self.name.clone(), what });
        let (fx, fy) = self.intrinsics.focal_px();
        if self.intrinsics.parameters().iter().any(|p| !p.is_finite()) {
            return fail("an intrinsic parameter is not a finite number".into());
        }
        if fx <= 0.0 || fy <= 0.0 {
            return fail(format!("focal length is {fx} x {fy} px; both must be positive"));
        }
        if !(1..=MAX_SIDE_PX).contains(&self.width) || !(1..=MAX_SIDE_PX).contains(&self.height) {
            return fail(format!(
                "image size is {} x {}; sides must be 1 to {MAX_SIDE_PX}",
                self.width, self.height
            ));
        }
        if let Shutter::Rolling { readout_ns, .. } = self.shutter
            && !(0..=MAX_READOUT_NS).contains(&readout_ns.0)
        {
            let (given, most) = (readout_ns.0, MAX_READOUT_NS);
            return fail(format!("its lines are read out in {given} ns; choose 0 to {most}"));
        }
        mounting(&self.ego_from_camera).map_or(Ok(()), fail)
    }
}

impl Rig {
    /// Every sensor is usable and its name unique and fit for a file's name.
    ///
    /// # Errors
    /// The first sensor that is not.
    pub fn check(&self) -> Result<(), RigError> {
        self.cameras.iter().try_for_each(CameraSensor::check)?;
        for lidar in &self.lidars {
            if let Some(what) = mounting(&lidar.ego_from_lidar) {
                return Err(RigError::Calibration { sensor: lidar.name.clone(), what });
            }
        }
        let mut names: Vec<&str> = self.cameras.iter().map(|c| c.name.as_str()).collect();
        names.extend(self.lidars.iter().map(|l| l.name.as_str()));
        names.extend(self.imu.iter().map(|i| i.name.as_str()));
        if let Some(bad) = names.iter().find(|name| !is_name(name)) {
            return Err(RigError::Name((*bad).to_owned()));
        }
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(RigError::DuplicateName(pair[0].to_owned())),
            None => Ok(()),
        }
    }

    /// Index of the camera of that name.
    pub fn camera_index(&self, name: &str) -> Option<usize> {
        self.cameras.iter().position(|camera| camera.name == name)
    }
}
