//! ONNX Runtime, loaded when asked for.

use std::path::PathBuf;
use std::sync::OnceLock;

use ort::{
    environment::Environment,
    session::{Session, SessionInputValue},
    value::Tensor,
};

use super::{Engine, Numbers, Value};
use crate::Error;

pub(super) struct OnnxRuntime {
    session: Session,
}

fn fail(cause: impl std::fmt::Display) -> Error {
    Error::Engine { engine: "onnxruntime", what: cause.to_string() }
}

/// The variable that names the library.
const LIBRARY: &str = "ORT_DYLIB_PATH";

/// The library allows one in a process.
static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();

fn environment() -> Result<Environment, String> {
    let library = std::env::var_os(LIBRARY).map(PathBuf::from).filter(|path| path.is_file());
    let library = library
        .ok_or_else(|| format!("not found; set {LIBRARY} to its library (libonnxruntime.so)"))?;
    let builder = ort::init_from(library).map_err(|cause| cause.to_string())?;
    builder.build().map_err(|cause| cause.to_string())
}

impl OnnxRuntime {
    /// With so many threads; 0 for as many as it likes.
    pub(super) fn load(file: &[u8], threads: usize) -> Result<Self, Error> {
        let environment = ENVIRONMENT.get_or_init(environment).as_ref().map_err(fail)?;
        let mut builder = Session::builder(environment).map_err(fail)?;
        if threads > 0 {
            builder = builder.with_intra_threads(threads).map_err(fail)?;
        }
        Ok(Self { session: builder.commit_from_memory(file).map_err(fail)? })
    }
}

impl Engine for OnnxRuntime {
    fn name(&self) -> &'static str {
        "onnxruntime"
    }

    fn run(&mut self, inputs: &[Value]) -> Result<Vec<Value>, Error> {
        let mut given: Vec<(String, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
        for input in inputs {
            let shape = input.shape.clone();
            let value = match &input.data {
                Numbers::Floats(data) => {
                    Tensor::from_array((shape, data.clone())).map_err(fail)?.into()
                }
                Numbers::Integers(data) => {
                    Tensor::from_array((shape, data.clone())).map_err(fail)?.into()
                }
            };
            given.push((input.name.clone(), value));
        }
        let outputs = self.session.run(given).map_err(fail)?;
        let value = |(name, value): (&str, ort::value::ValueRef<'_>)| {
            let (shape, data) = value.try_extract_tensor::<f32>().map_err(fail)?;
            let shape = shape.iter().map(|&side| side as usize).collect();
            Ok(Value { name: name.to_owned(), shape, data: Numbers::Floats(data.to_vec()) })
        };
        outputs.iter().map(value).collect()
    }
}
