//! What can go wrong while labelling.

use thiserror::Error;

/// Why labels could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The rig lacks what a stage cannot do without.
    #[error("{stage}: {what}")]
    Rig {
        /// The stage that needs it.
        stage: &'static str,
        /// What is missing and what to do.
        what: String,
    },
    /// A frame that a stage cannot take.
    #[error("{stage}: {what}")]
    Input {
        /// The stage that was given it.
        stage: &'static str,
        /// What is wrong with it and what would be right.
        what: String,
    },
    /// A configuration value is out of bounds.
    #[error("{stage}: {key} is {value}; {expected}")]
    Config {
        /// The stage it belongs to.
        stage: &'static str,
        /// Its key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A saved state cannot be continued from.
    #[error(
        "{stage}: the saved state cannot be read ({reason}); delete the labels' `.parts` folder and run again"
    )]
    Checkpoint {
        /// The stage that wrote it.
        stage: &'static str,
        /// What the decoder says.
        reason: String,
    },
}
