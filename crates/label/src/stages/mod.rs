//! One stage per folder, each a pure step.

pub mod depth;
pub mod occupancy;
pub mod odometry;
mod overlap;
pub mod surface;
