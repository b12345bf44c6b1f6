//! What can be wrong with what was asked of a world.

use crate::roads::{Junctions, Setting};

/// A world cannot be made as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// An option of a road network is out of its range.
    #[error("road network: `{name}` is {value}; choose it from {low} to {high}")]
    RoadOption {
        /// Which.
        name: &'static str,
        /// What was given.
        value: f64,
        /// Lowest value.
        low: f64,
        /// Highest value.
        high: f64,
    },
    /// A junction does not exist in this kind of place.
    #[error(
        "road network: a junction of kind {kind:?} does not occur in a {setting:?} setting; exits and \
         merges belong to motorways, all others to the other settings"
    )]
    RoadJunction {
        /// What was asked for.
        kind: Junctions,
        /// Where.
        setting: Setting,
    },
    /// A site refers to what does not exist.
    #[error("site: {what}")]
    Site {
        /// What is wrong.
        what: String,
    },
    /// The rig cannot be used.
    #[error(transparent)]
    Rig(#[from] ommatidia_scene::RigError),
    /// A camera sits in something solid.
    #[error(
        "camera {camera} sits inside of something solid at the drive's start; move its mounting, or the \
         vehicle's start"
    )]
    CameraInside {
        /// The camera's name.
        camera: String,
    },
    /// A camera's optics cannot be simulated.
    #[error(transparent)]
    Imaging(#[from] crate::imaging::ImagingError),
    /// An option of a drive is out of its range.
    #[error("drive: `{name}` is {value}; choose it from {low} to {high}")]
    DriveOption {
        /// Which.
        name: &'static str,
        /// What was given.
        value: f64,
        /// Lowest value.
        low: f64,
        /// Highest value.
        high: f64,
    },
}
