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
}
