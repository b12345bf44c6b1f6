//! Recordings of a clip and its labels for the Rerun viewer, version 0.36.
//!
//! A crate of its own because the recording SDK brings as many crates as the rest of the program; the
//! command line takes it in with the feature `rerun`.
//!
//! | entity | what |
//! |---|---|
//! | `world` | right-handed, z up |
//! | `world/trajectory`, `world/given` | the labelled path and the recording's own |
//! | `world/ego` | the vehicle; moves with the labelled path, or else the given one |
//! | `world/ego/cameras/NAME` | mounting and pinhole; below it `image` as recorded and `depth` |
//! | `world/ego/lidars/NAME` | returns |
//! | `world/ego/occupancy` | occupied voxels by class or height |
//! | `world/ego/surface` | the ground as a mesh, drivable or not |
//! | `world/ego/objects`, `world/ego/lanes` | boxes, centrelines |
//!
//! Timelines: `frame` counts frames; `time` is since the first frame, each sensor at its own.

#![cfg(feature = "sdk")]

mod error;
mod record;
mod shapes;

pub use error::Error;
pub use record::{Summary, record};
