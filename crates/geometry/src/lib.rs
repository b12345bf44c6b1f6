//! Geometry of rigs: typed frames and poses, camera models, minimal solvers, robust estimation,
//! triangulation and bundle adjustment.
//!
//! No I/O, no images, no tensors. Frames and conventions are in `FRAMES.md` beside this crate.

pub mod bundle;
pub mod camera;
pub mod error;
pub mod frames;
pub mod pose;
pub mod ransac;
pub mod robust;
pub mod so3;
pub mod solvers;
pub mod time;
pub mod triangulation;

pub use camera::{CameraModel, Intrinsics};
pub use error::Error;
pub use frames::{Camera, Ego, Lidar, World};
pub use pose::Pose;
pub use robust::Loss;
pub use time::{Duration, Timestamp};
