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
    /// No stage has this name.
    #[error("there is no stage named {stage}; the stages are {known}")]
    UnknownStage {
        /// The name given.
        stage: String,
        /// The names there are.
        known: String,
    },
    /// The directory holds labels of another recording.
    #[error("{} holds labels of clip {found}, not of {wanted}; choose another --out or remove it", directory.display())]
    OtherClip {
        /// The labels directory.
        directory: std::path::PathBuf,
        /// Whose labels it holds.
        found: String,
        /// The clip to be labelled.
        wanted: String,
    },
    /// The directory holds labels that no stage makes.
    #[error("{} holds labels that were imported or generated, which labelling would overwrite; choose another --out", directory.display())]
    NotMade {
        /// The labels directory.
        directory: std::path::PathBuf,
    },
    /// The run was asked to stop. What is done is kept.
    #[error("interrupted; run the same command again and it goes on where it stopped")]
    Interrupted,
    /// Reading the clip or writing labels.
    #[error(transparent)]
    Store(#[from] ommatidia_store::Error),
}
