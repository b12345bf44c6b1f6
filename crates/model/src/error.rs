//! Why the network cannot be made or fed.

use std::path::PathBuf;

use crate::task::TaskError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No preset has this name.
    #[error("no network is called {name:?}; there are {known}")]
    Preset {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A setting does not fit.
    #[error("network configuration: {what} {why}")]
    Config {
        /// Which setting.
        what: String,
        /// What is wrong with it and what would be right.
        why: String,
    },
    /// A head cannot be built.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A sample does not fit the network.
    #[error("sample {sample}: {what}")]
    Sample {
        /// Its name.
        sample: String,
        /// What does not fit and what would.
        what: String,
    },
    /// Weights could not be read in.
    #[error("weights of {path}: {what}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}
