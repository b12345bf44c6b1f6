//! Why a network could not be exported or run.

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network uses an operator that has no translation yet.
    #[error("{what} cannot be said in ONNX yet; add it to crates/onnx/src/lower")]
    Operator {
        /// Which one.
        what: String,
    },
    /// The network could not be recorded.
    #[error("the network could not be recorded: {0}")]
    Capture(String),
    /// A sample does not fit the network.
    #[error(transparent)]
    Network(#[from] ommatidia_model::Error),
    /// An engine did not take the file or failed on it.
    #[error("{engine}: {what}")]
    Engine {
        /// Which engine.
        engine: &'static str,
        /// What it said.
        what: String,
    },
    /// A file is no network that this program exported.
    #[error("the file is no exported network: {0}")]
    File(String),
    /// A disk failed.
    #[error(transparent)]
    Store(#[from] ommatidia_store::Error),
}
