//! Coordinate frames as types. They are empty: a frame is only ever a type parameter of [`crate::Pose`].
//!
//! Axes and origins are in `FRAMES.md`.

/// East, north, up; metres; origin at the clip's first ego pose unless georeferenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {}

/// x forward, y left, z up; origin on the ground below the rear axle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ego {}

/// x right, y down, z forward along the optical axis; origin at the optical centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Camera {}

/// The axes of the lidar's own driver; origin at the sensor's centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lidar {}

/// The axes of the inertial unit's own driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imu {}

/// An annotated object: x forward, y left, z up; origin at the centre of its box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {}

/// A virtual camera of a rectified stereo pair: as [`Camera`], x along the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rectified {}

/// One rigid piece of a simulated world: the axes its mesh was made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {}
