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
    /// A sensor is mounted where no vehicle is.
    #[error("sensor {sensor} {what}")]
    Mounting {
        /// The sensor's name.
        sensor: String,
        /// Where it is and where it may be.
        what: String,
    },
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
    /// A scenario is no TOML, or has keys that do not exist.
    #[error("scenario: {reason}; `omma generate --list` shows scenarios to start from")]
    ScenarioText {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// A value of a scenario is impossible.
    #[error("scenario: `{key}` is {value}; choose it from {low} to {high}")]
    ScenarioValue {
        /// Which.
        key: String,
        /// What was given.
        value: f64,
        /// Lowest value.
        low: f64,
        /// Highest value.
        high: f64,
    },
    /// Parts of a scenario exclude each other.
    #[error("scenario: {what}")]
    ScenarioConflict {
        /// Which, and what to change.
        what: String,
    },
    /// No scenario of the library has this name.
    #[error("scenario: there is none called `{name}`; choose one of {known}, or give a file")]
    UnknownScenario {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// An event does not fit on the roads that the seed gave.
    #[error(
        "scenario: no room for `{event}` with seed {seed}: {reason}; give another seed, a longer \
         `place.length_m`, or fewer junctions"
    )]
    NoRoom {
        /// Which event or part of the traffic.
        event: &'static str,
        /// The seed.
        seed: u64,
        /// What is missing.
        reason: String,
    },
}
