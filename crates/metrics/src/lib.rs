//! The field's metrics, one file each: plain slices and scene types in, a serialisable report out.
//!
//! No I/O. Official settings are named protocols (`protocols/*.toml`, see [`protocol`]). Each definition is the official tool's; where two tools differ, the file says which.

mod assignment;
pub mod birds_eye;
pub mod calibration;
pub mod coco;
pub mod confusion;
pub mod depth;
pub mod detection;
mod error;
pub mod instances;
pub mod keypoints;
pub mod lanes;
mod numeric;
pub mod occupancy;
pub mod occupancy_grid;
pub mod occupancy_lidar;
pub mod occupancy_rays;
pub mod optical_flow;
pub mod panoptic;
pub mod protocol;
pub mod reconstruction;
pub mod semantics;
pub mod statistics;
pub mod stereo;
pub mod surface;
pub mod tracking;
pub mod trajectory;
pub mod voxel_flow;
pub mod waymo_occupancy;

pub use error::Error;
pub use protocol::Protocol;
