//! Whether engines compute what Burn does.

use burn::tensor::{Device, Tensor, TensorData};
use ommatidia_model::{Network, Outputs, tasks::Head};
use serde::Serialize;

use crate::{
    Error, Feed, answers,
    capture::{AnyTensor, output_name},
    engines::{Engine, Numbers, Value},
};

/// How far an output of an engine is from Burn's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Name of the output.
    pub output: String,
    /// Largest difference of any number.
    pub max_abs: f64,
    /// Largest number there is in Burn's output.
    pub magnitude: f64,
}

impl Feed {
    /// As values for engines, in the order of the file's inputs.
    ///
    /// # Panics
    /// If a device cannot be read.
    pub fn values(&self) -> Vec<Value> {
        let value = |(name, tensor): (String, AnyTensor)| {
            let data = match tensor {
                AnyTensor::F2(tensor) => tensor.into_data(),
                AnyTensor::F3(tensor) => tensor.into_data(),
                AnyTensor::F4(tensor) => tensor.into_data(),
                AnyTensor::I3(tensor) => {
                    let data = tensor.into_data().convert::<i64>();
                    let shape = data.shape().iter().copied().collect();
                    let numbers = data.as_slice::<i64>().expect("converted to i64").to_vec();
                    return Value { name, shape, data: Numbers::Integers(numbers) };
                }
            };
            let shape = data.shape().iter().copied().collect();
            let numbers = data.convert::<f32>();
            let numbers = numbers.as_slice::<f32>().expect("converted to f32").to_vec();
            Value { name, shape, data: Numbers::Floats(numbers) }
        };
        self.named().into_iter().map(value).collect()
    }
}

/// What Burn answers.
///
/// # Panics
/// If a device cannot be read.
pub fn expected(network: &Network, feed: &Feed) -> Vec<Value> {
    let value = |(name, tensor): (String, Tensor<4>)| {
        let shape = tensor.dims().to_vec();
        let data = tensor.into_data().convert::<f32>();
        let data = data.as_slice::<f32>().expect("converted to f32").to_vec();
        Value { name, shape, data: Numbers::Floats(data) }
    };
    answers(network, feed).into_iter().map(value).collect()
}

/// An engine's answer as what the network's decoders read: shaped and ordered as Burn's own answer, `like`.
///
/// # Errors
/// [`Error::File`] where an output is missing or of another shape.
pub fn outputs(
    heads: &[Head],
    like: &Outputs,
    found: &[Value],
    device: &Device,
) -> Result<Outputs, Error> {
    let mut outputs = like.clone();
    for (head, output) in heads.iter().zip(&mut outputs.heads) {
        for (name, tensor) in output {
            let wanted = output_name(head.name(), name);
            let value = found.iter().find(|value| value.name == wanted);
            let shape = tensor.dims();
            let data = value.filter(|value| value.shape == shape).map(|value| &value.data);
            let Some(Numbers::Floats(data)) = data else {
                return Err(Error::File(format!("no output {wanted} of {shape:?}")));
            };
            *tensor = Tensor::from_data(TensorData::new(data.clone(), shape), device);
        }
    }
    Ok(outputs)
}

/// Differences of each output.
///
/// # Errors
/// [`Error::Engine`] where the engine fails, or answers something else than is asked.
pub fn compare(
    engine: &mut dyn Engine,
    inputs: &[Value],
    expected: &[Value],
) -> Result<Vec<Difference>, Error> {
    let found = engine.run(inputs)?;
    let name = engine.name();
    let difference = |wanted: &Value| {
        let fail = |what: String| Error::Engine { engine: name, what };
        let got = found.iter().find(|value| value.name == wanted.name);
        let got = got.ok_or_else(|| fail(format!("gives no output {}", wanted.name)))?;
        let (Numbers::Floats(a), Numbers::Floats(b)) = (&got.data, &wanted.data) else {
            return Err(fail(format!("gives integers as {}", wanted.name)));
        };
        if got.shape != wanted.shape || a.len() != b.len() {
            let (got, wanted) = (&got.shape, &wanted.shape);
            return Err(fail(format!("gives an output of {got:?} instead of {wanted:?}")));
        }
        let max_abs = a.iter().zip(b).map(|(a, b)| gap(*a, *b)).fold(0.0, f64::max);
        let magnitude = b.iter().map(|value| f64::from(value.abs())).fold(0.0, f64::max);
        Ok(Difference { output: wanted.name.clone(), max_abs, magnitude })
    };
    expected.iter().map(difference).collect()
}

/// Infinite where only one of them is a number.
fn gap(a: f32, b: f32) -> f64 {
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    let gap = (f64::from(a) - f64::from(b)).abs();
    if gap.is_nan() { f64::INFINITY } else { gap }
}
