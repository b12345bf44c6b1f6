//! Why something was refused.

use std::io;

use ommatidia_scene::ContentHash;
use thiserror::Error;

use crate::tuf::Refusal;

/// Why a bundle, a delta or an update was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The system would not read or write.
    #[error("{what}: {cause}")]
    Io {
        /// The file and what was done with it.
        what: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A bundle is not laid out as bundles are.
    #[error("the bundle is damaged at byte {at}: {problem}; fetch or create it again")]
    Layout {
        /// Offset into the bundle.
        at: u64,
        /// What is wrong there.
        problem: String,
    },
    /// A manifest cannot be what a bundle says of itself.
    #[error("the bundle's manifest is refused: {problem}")]
    Manifest {
        /// The member at fault and why.
        problem: String,
    },
    /// A file is not the one that its manifest names.
    #[error(
        "{path} has content {found}, but the manifest names {expected}: the bundle is damaged or forged; fetch it again"
    )]
    Content {
        /// The file within the bundle.
        path: String,
        /// Hash in the manifest.
        expected: ContentHash,
        /// Hash of the bytes.
        found: ContentHash,
    },
    /// The description of a bundle to create is at fault.
    #[error("cannot create the bundle: {problem}")]
    Plan {
        /// What and where, and what to do.
        problem: String,
    },
    /// A delta does not lead from the given bundle to the one it names.
    #[error("the delta is refused: {problem}; fetch the whole bundle instead")]
    Delta {
        /// What is wrong with it.
        problem: String,
    },
    /// This machine cannot run the bundle.
    #[error("the bundle does not fit this vehicle: {problem}")]
    Unfit {
        /// What is demanded and what is there.
        problem: String,
    },
    /// Metadata of a repository was refused.
    #[error("{repository} repository: {refusal}")]
    Metadata {
        /// `director` or `image`.
        repository: String,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// Both repositories are sound by themselves, but not together or not for this vehicle.
    #[error("the update is refused: {problem}")]
    Instruction {
        /// What contradicts what.
        problem: String,
    },
    /// A download brought other bytes than were announced, too many, or too slowly.
    #[error("download of {path}: {problem}")]
    Download {
        /// Path in the repository.
        path: String,
        /// What happened.
        problem: String,
        /// Whether the rest may come another time.
        interrupted: bool,
    },
    /// Somebody else changes the vehicle.
    #[error("{problem}; try again")]
    Busy {
        /// What happened.
        problem: String,
    },
    /// The candidate does not compute what its release computed.
    #[error("the replay gate refused the update: {reason}")]
    Gate {
        /// Which case and output, and by how much.
        reason: String,
    },
    /// There is no vehicle state, or both copies of it are damaged.
    #[error("the vehicle's state is not usable: {problem}")]
    State {
        /// What was found.
        problem: String,
    },
}

impl Error {
    /// About a file.
    pub(crate) fn io(what: impl Into<String>, cause: io::Error) -> Self {
        Self::Io { what: what.into(), cause }
    }

    /// Whether the machine or the network is at fault and trying again may help. What a server does not
    /// have, or has with other content or size, is no such thing.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Busy { .. } => true,
            Self::Download { interrupted, .. } => *interrupted,
            Self::Metadata { refusal, .. } => refusal.is_environment(),
            _ => false,
        }
    }
}
