//! Why something does not run.

use std::path::PathBuf;

use thiserror::Error;

/// Why something does not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// What is to run does not hold together.
    #[error("{origin} cannot be run: {what}")]
    Release {
        /// The bundle or the file.
        origin: String,
        /// What is missing or contradicts what, and what would be right.
        what: String,
    },
    /// The cameras are not those that the network was released for.
    #[error("the rig does not fit the network: {what}")]
    Rig {
        /// What is demanded and what is there.
        what: String,
    },
    /// A setting does not fit.
    #[error("{}: {what}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// Which setting, and what would be right.
        what: String,
    },
    /// The engine failed on a frame, or answered what is no number.
    #[error(transparent)]
    Engine(#[from] ommatidia_onnx::Error),
    /// An output holds what is no number.
    #[error("output {output} holds {count} values that are no numbers")]
    NotFinite {
        /// Name of the output.
        output: String,
        /// How many.
        count: usize,
    },
    /// A camera cannot be opened or ended.
    #[error("camera {camera}: {what}")]
    Camera {
        /// Its name in the rig.
        camera: String,
        /// What happened and what to do.
        what: String,
    },
    /// A clip cannot be read.
    #[error(transparent)]
    Clip(#[from] ommatidia_train::Error),
    /// A disk failed.
    #[error(transparent)]
    Store(#[from] ommatidia_store::Error),
    /// A bundle or a slot is at fault.
    #[error(transparent)]
    Update(#[from] ommatidia_update::Error),
}

impl Error {
    /// Whether the machine is at fault (disk, a camera), not the input.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Camera { .. } | Self::Engine(ommatidia_onnx::Error::Engine { .. }) => true,
            Self::Engine(ommatidia_onnx::Error::Store(error)) => error.is_environment(),
            Self::Clip(error) => error.is_environment(),
            Self::Store(error) => error.is_environment(),
            Self::Update(error) => error.is_environment(),
            _ => false,
        }
    }
}
