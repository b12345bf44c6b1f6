//! Why something cannot be shown.

use thiserror::Error;

/// Why something cannot be shown.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The picture does not compress.
    #[error("a {width}x{height} picture cannot be encoded: {what}")]
    Encode {
        /// Its width, pixels.
        width: usize,
        /// Its height, pixels.
        height: usize,
        /// The encoder's reason.
        what: String,
    },
    /// Parts of the labels do not fit each other.
    #[error("frame {frame}: {what}")]
    Frame {
        /// The frame's index in the clip.
        frame: usize,
        /// What does not fit.
        what: String,
    },
}
