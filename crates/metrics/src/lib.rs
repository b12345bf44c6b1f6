//! The field's metrics, one file each: plain slices and scene types in, a serialisable report out.
//!
//! No I/O. Each definition is the official tool's; where two tools differ, the file says which.

pub mod depth;
mod error;
pub mod occupancy;
pub mod occupancy_lidar;
pub mod occupancy_rays;
pub mod surface;
pub mod trajectory;

pub use error::Error;
