//! Engines that run an exported file.

#[cfg(feature = "ort")]
mod ort;
mod rten;
#[cfg(feature = "tract")]
mod tract;

use crate::Error;

/// A value that goes into or comes out of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Name of the input or output.
    pub name: String,
    /// Sizes.
    pub shape: Vec<usize>,
    /// Numbers in C order.
    pub data: Numbers,
}

/// Numbers of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// `FLOAT`.
    Floats(Vec<f32>),
    /// `INT64`.
    Integers(Vec<i64>),
}

/// A file, ready to be run.
pub trait Engine {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Computes all outputs, in the file's order; all are floats.
    ///
    /// # Errors
    /// [`Error::Engine`] with what the engine says.
    fn run(&mut self, inputs: &[Value]) -> Result<Vec<Value>, Error>;
}

/// Engines of this build, by name.
pub const BUILT: &[&str] = &[
    "rten",
    #[cfg(feature = "tract")]
    "tract",
    #[cfg(feature = "ort")]
    "onnxruntime",
];

/// Loads a file into an engine of [`BUILT`]. ONNX Runtime is the library that the environment's
/// `ORT_DYLIB_PATH` names.
///
/// # Errors
/// [`Error::Engine`] where the engine is not built in, not installed, or does not take the file.
pub fn load(engine: &str, file: &[u8], threads: usize) -> Result<Box<dyn Engine>, Error> {
    match engine {
        "rten" => Ok(Box::new(rten::Rten::load(file, threads)?)),
        #[cfg(feature = "tract")]
        "tract" => Ok(Box::new(tract::Tract::load(file)?)),
        #[cfg(feature = "ort")]
        "onnxruntime" => Ok(Box::new(ort::OnnxRuntime::load(file, threads)?)),
        _ => Err(Error::Engine {
            engine: "engines",
            what: format!("{engine} is not in this build, which has {}", BUILT.join(", ")),
        }),
    }
}
