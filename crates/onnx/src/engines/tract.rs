//! tract: pure Rust.

use tract_onnx::prelude::{
    Arc, Framework, InferenceModelExt, IntoRunnable, IntoTValue, TValue, TVec, Tensor,
    TypedRunnableModel,
};

use super::{Engine, Numbers, Value};
use crate::Error;

pub(super) struct Tract {
    plan: Arc<TypedRunnableModel>,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

fn fail(cause: impl std::fmt::Debug) -> Error {
    // Its causes are a chain; the last one says most.
    Error::Engine { engine: "tract", what: format!("{cause:?}") }
}

impl Tract {
    pub(super) fn load(file: &[u8]) -> Result<Self, Error> {
        let model = tract_onnx::onnx().model_for_read(&mut &*file).map_err(fail)?;
        let model = model.into_optimized().map_err(fail)?;
        let (names_in, names_out) = names(file)?;
        let plan = model.into_runnable().map_err(fail)?;
        Ok(Self { plan, inputs: names_in, outputs: names_out })
    }
}

/// Names of inputs and outputs: tract keeps their order only.
fn names(file: &[u8]) -> Result<(Vec<String>, Vec<String>), Error> {
    let model = crate::decode(file)?;
    let graph = model.graph.unwrap_or_default();
    let names =
        |values: Vec<crate::proto::ValueInfo>| values.into_iter().map(|value| value.name).collect();
    Ok((names(graph.input), names(graph.output)))
}

impl Engine for Tract {
    fn name(&self) -> &'static str {
        "tract"
    }

    fn run(&mut self, inputs: &[Value]) -> Result<Vec<Value>, Error> {
        let mut given: TVec<TValue> = TVec::new();
        for name in &self.inputs {
            let input = inputs.iter().find(|input| input.name == *name);
            let input = input.ok_or_else(|| fail(format!("input {name} is missing")))?;
            let tensor = match &input.data {
                Numbers::Floats(data) => Tensor::from_shape(&input.shape, data),
                Numbers::Integers(data) => Tensor::from_shape(&input.shape, data),
            };
            given.push(tensor.map_err(fail)?.into_tvalue());
        }
        let values = self.plan.run(given).map_err(fail)?;
        let value = |(value, name): (TValue, &String)| {
            let plain = value.try_as_plain_ram().map_err(fail)?;
            let data = plain.as_slice::<f32>().map_err(fail)?.to_vec();
            let (name, shape) = (name.clone(), value.shape().to_vec());
            Ok(Value { name, shape, data: Numbers::Floats(data) })
        };
        values.into_iter().zip(&self.outputs).map(value).collect()
    }
}
