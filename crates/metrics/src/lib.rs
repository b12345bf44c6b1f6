//! The field's metrics, one file each: plain slices and scene types in, a serialisable report out.
//!
//! No I/O. Official settings are named protocols (`protocols/*.toml`, see [`protocol`]). Each definition is the official tool's; where two tools differ, the file says which.

pub mod depth;
pub mod detection;
mod error;
mod numeric;
pub mod occupancy;
pub mod occupancy_lidar;
pub mod occupancy_rays;
pub mod protocol;
pub mod statistics;
pub mod surface;
pub mod trajectory;

pub use error::Error;
pub use protocol::Protocol;
