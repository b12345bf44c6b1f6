//! The replay gate in process: a candidate computes its replay cases in the engine that will run it.

use std::collections::BTreeMap;

use ommatidia_onnx::engines::{self, Engine, Numbers, Value};
use ommatidia_onnx::proto::{ValueInfo, data_type};
use ommatidia_update::Error;
use ommatidia_update::bundle::Bundle;
use ommatidia_update::replay::{self, Agreement};
use ommatidia_update::uptane::Ecu;
use ommatidia_update::vehicle;

use crate::Release;

/// Runs replay cases of bundles in an engine of this build.
#[derive(Debug, Clone)]
pub struct BuiltInGate {
    /// An engine of [`engines::BUILT`].
    pub engine: String,
    /// Its threads; 0 for as many as it likes.
    pub threads: usize,
}

impl BuiltInGate {
    /// Computes every replay case of a bundle and compares, and checks that the bundle's parts fit each
    /// other and this program.
    ///
    /// # Errors
    /// [`Error::Gate`] with why it should not be run; [`Error::Io`] if it cannot be read.
    pub fn judge(&self, bundle: &Bundle<'_>) -> Result<Agreement, Error> {
        let mut replay = self.load(bundle).map_err(|reason| Error::Gate { reason })?;
        replay::run(bundle, &mut replay)
    }

    /// The network in the engine, if the bundle holds together.
    fn load(&self, bundle: &Bundle<'_>) -> Result<Replay, String> {
        let release = Release::from_bundle(bundle).map_err(|cause| cause.to_string())?;
        let engine = engines::load(&self.engine, &release.network, self.threads);
        let engine = engine.map_err(|cause| cause.to_string())?;
        crate::decode::Decoder::new(&release).map_err(|cause| cause.to_string())?;
        Ok(Replay { engine, inputs: inputs_of(&release.network)? })
    }
}

impl vehicle::Gate for BuiltInGate {
    fn check(&mut self, _ecu: &Ecu, bundle: &Bundle<'_>) -> Result<(), Error> {
        self.judge(bundle).map(drop)
    }
}

struct Replay {
    engine: Box<dyn Engine>,
    inputs: Vec<Input>,
}

/// An input of the file.
struct Input {
    name: String,
    shape: Vec<usize>,
    whole: bool,
}

fn inputs_of(network: &[u8]) -> Result<Vec<Input>, String> {
    let model = ommatidia_onnx::decode(network).map_err(|cause| cause.to_string())?;
    let graph = model.graph.unwrap_or_default();
    let input = |value: &ValueInfo| {
        let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref())?;
        let sides = tensor.shape.iter().flat_map(|shape| &shape.dim);
        let side = |side: Option<i64>| side.and_then(|side| usize::try_from(side).ok());
        let shape = sides.map(|dim| side(dim.dim_value)).collect::<Option<_>>()?;
        let whole = tensor.elem_type == data_type::INT64;
        Some(Input { name: value.name.clone(), shape, whole })
    };
    let inputs = graph.input.iter().map(|value| {
        input(value).ok_or_else(|| format!("its input {} has no fixed sizes", value.name))
    });
    inputs.collect()
}

impl Input {
    /// What a case gives, as the file takes it.
    fn value(&self, given: &BTreeMap<String, Vec<f32>>) -> Result<Value, String> {
        let Self { name, shape, whole } = self;
        let data = given.get(name).ok_or_else(|| format!("it gives no input {name}"))?;
        let wanted = shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side));
        if wanted != Some(data.len()) {
            return Err(format!("it gives {} values as {name} of {shape:?}", data.len()));
        }
        let data = match whole {
            false => Numbers::Floats(data.clone()),
            true => Numbers::Integers(
                data.iter().map(|value| integer(*value, name)).collect::<Result<_, _>>()?,
            ),
        };
        Ok(Value { name: name.clone(), shape: shape.clone(), data })
    }
}

/// Whole numbers that 32-bit floats hold exactly.
const EXACT: f32 = (1 << 24) as f32;

fn integer(value: f32, name: &str) -> Result<i64, String> {
    if value.fract() != 0.0 || value.abs() > EXACT {
        return Err(format!("it gives {value} as {name}, which takes whole numbers"));
    }
    Ok(value as i64)
}

impl replay::Engine for Replay {
    fn run(
        &mut self,
        _bundle: &Bundle<'_>,
        inputs: &BTreeMap<String, Vec<f32>>,
    ) -> Result<BTreeMap<String, Vec<f32>>, String> {
        let values = self.inputs.iter().map(|input| input.value(inputs));
        let values: Vec<Value> = values.collect::<Result<_, _>>()?;
        let outputs = self.engine.run(&values).map_err(|cause| cause.to_string())?;
        let floats = |output: Value| match output.data {
            Numbers::Floats(data) => Some((output.name, data)),
            Numbers::Integers(_) => None,
        };
        Ok(outputs.into_iter().filter_map(floats).collect())
    }
}
