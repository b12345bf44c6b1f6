//! Why training or prediction stopped.

use std::path::PathBuf;

use thiserror::Error;

/// Why training or prediction stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    Store(#[from] ommatidia_store::Error),
    /// The network cannot be made or fed.
    #[error("{0}")]
    Network(String),
    /// A setting does not fit.
    #[error("{}: {what}", origin.display())]
    Config {
        /// The file, or the preset's name.
        origin: PathBuf,
        /// Which setting, what is wrong with it and what would be right.
        what: String,
    },
    /// A folder or clip holds nothing to learn from.
    #[error("{}: {what}", path.display())]
    Data {
        /// Where.
        path: PathBuf,
        /// What is missing or wrong, and what would be right.
        what: String,
    },
    /// Too much of the data cannot be read.
    #[error(
        "{failed} samples in a row cannot be read; the last one, {sample}: {cause}. Repair the data or leave it out"
    )]
    Unreadable {
        /// How many were tried.
        failed: usize,
        /// The last one.
        sample: String,
        /// Why it cannot be read.
        cause: String,
    },
    /// A checkpoint is damaged or of other settings.
    #[error("checkpoint {}: {what}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// Published weights do not fit the network.
    #[error("weights {}: {what}", path.display())]
    Weights {
        /// The file, or the map of names.
        path: PathBuf,
        /// What does not fit and what to do.
        what: String,
    },
    /// The loss is no number, or far above where it was.
    #[error(
        "step {step}: {what}. The batch ({}) was saved in {}; the last checkpoint is intact. Start anew in another --out, with a lower optimiser.rate or without these samples; if the losses only leapt, --resume with a higher record.leap (0 for any) goes on",
        samples.join(", "),
        saved.display()
    )]
    Diverged {
        /// The step that was not taken.
        step: u64,
        /// What the loss or the gradient was.
        what: String,
        /// Names of the samples.
        samples: Vec<String>,
        /// Folder with pictures and names.
        saved: PathBuf,
    },
    /// The ranks of a job cannot work together.
    #[error("ranks: {0}")]
    Ranks(String),
    /// Somebody asked to stop; the state was saved.
    #[error("interrupted after step {step}; the state is saved")]
    Interrupted {
        /// Steps that are done.
        step: u64,
    },
}

impl Error {
    /// The machine is at fault (disk, another rank), not the input.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Store(error) => error.is_environment(),
            Self::Ranks(_) => true,
            _ => false,
        }
    }
}
