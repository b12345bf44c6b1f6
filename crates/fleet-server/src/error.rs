//! What can go wrong.

use thiserror::Error;

/// Why the server cannot do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The database cannot be reached or used.
    #[error("database {url}: {cause}; see docs/fleet.md for how to name one")]
    Open {
        /// Its address, without a password.
        url: String,
        /// What it said.
        cause: Box<sqlx::Error>,
    },
    /// A statement failed.
    #[error("database, at {statement:?}: {cause}")]
    Database {
        /// Its beginning.
        statement: String,
        /// What the database said.
        cause: Box<sqlx::Error>,
    },
    /// What the database holds cannot be what this program wrote.
    #[error("database: {what}: {problem}")]
    Corrupt {
        /// Where.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// A setting contradicts itself or another.
    #[error("{setting}: {problem}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What is wrong, and what it may be.
        problem: String,
    },
    /// What was asked for cannot be done, through the fault of who asked.
    #[error("{0}")]
    Refused(String),
    /// There is no such thing.
    #[error("there is no {0}")]
    Missing(String),
    /// A rollout, filter or message is out of bounds.
    #[error(transparent)]
    Fleet(#[from] ommatidia_fleet::Error),
    /// The work was cut off where a test asked for it.
    #[error("cut off by a test")]
    CutOff,
}

impl Error {
    pub(crate) fn io(path: impl std::fmt::Display, cause: std::io::Error) -> Self {
        Self::Io { path: path.to_string(), cause }
    }

    /// Whether the machine is at fault and not the input.
    pub fn is_environment(&self) -> bool {
        matches!(self, Self::Open { .. } | Self::Database { .. } | Self::Io { .. })
    }
}
