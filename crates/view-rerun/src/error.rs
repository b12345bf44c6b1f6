//! Why nothing was recorded.

use std::path::PathBuf;

use thiserror::Error;

/// Why nothing was recorded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The clip or the labels cannot be read.
    #[error(transparent)]
    Store(#[from] ommatidia_store::Error),
    /// The recording cannot be started or taken further.
    #[error("{path}: {cause}")]
    Recording {
        /// The recording.
        path: PathBuf,
        /// The SDK's reason.
        cause: Box<re_sdk::RecordingStreamError>,
    },
    /// The finished recording cannot be put in place.
    #[error("{path} cannot be written: {cause}; check that its directory exists and has room")]
    Write {
        /// The recording.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
}
