//! Procedural worlds, ray-cast sensors and exact truth.
//!
//! A [`scenario::Scenario`] and a seed give a [`Site`]: roads, surroundings, traffic, weather. A [`Drive`]
//! films it with a rig of any camera models. Deterministic in (scenario, seed, rig, options). The small
//! street of [`StreetDrive`] remains for the labeller's tests.

pub mod actors;
mod axes;
mod bvh;
pub mod drive;
mod error;
mod footprint;
pub mod imaging;
pub mod look;
pub mod material;
pub mod motion;
mod noise;
pub mod rig;
pub mod roads;
pub mod scenario;
pub mod sensor;
pub mod sensors;
pub mod shape;
pub mod site;
pub mod street;
pub mod street_drive;
pub mod surroundings;
pub mod trace;
pub mod traffic;

pub use drive::{Drive, DriveFrame, DriveOptions};
pub use error::Error;
pub use site::Site;
pub use street_drive::{StreetDrive, StreetDriveFrame, StreetDriveOptions};
