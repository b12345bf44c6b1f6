//! The graph while it is written.

use std::collections::{HashMap, HashSet};

use burn::{
    backend::{
        capture::TensorId,
        ir::{ScalarIr, TensorIr},
    },
    tensor::{DType, TensorData},
};

use crate::{
    Error,
    proto::{Attribute, Node, Tensor, data_type},
};

/// Nodes and constants so far, and what values are called.
pub(super) struct Emit {
    names: HashMap<TensorId, String>,
    pub(super) nodes: Vec<Node>,
    pub(super) initializers: Vec<Tensor>,
    constants: HashSet<String>,
}

/// ONNX's number of a type.
pub(super) fn data_type(dtype: DType) -> Result<i32, Error> {
    match dtype {
        DType::F32 => Ok(data_type::FLOAT),
        DType::I32 => Ok(data_type::INT32),
        DType::I64 => Ok(data_type::INT64),
        DType::Bool(_) => Ok(data_type::BOOL),
        other => Err(Error::Operator { what: format!("numbers of type {other:?}") }),
    }
}

impl Emit {
    pub(super) fn new(names: HashMap<TensorId, String>) -> Self {
        Self { names, nodes: Vec::new(), initializers: Vec::new(), constants: HashSet::new() }
    }

    /// What a value is called.
    pub(super) fn name(&self, id: TensorId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| format!("value_{}", id.value()))
    }

    /// A value that was given when the network was recorded.
    pub(super) fn constant(&mut self, id: TensorId, data: &TensorData) -> Result<(), Error> {
        let shape: Vec<usize> = data.shape().iter().copied().collect();
        let raw = data.bytes().to_vec();
        let tensor = Tensor::raw(self.name(id), &shape, data_type(data.dtype())?, raw);
        self.initializers.push(tensor);
        Ok(())
    }

    /// A constant of integers, written once for each content.
    pub(super) fn integers(&mut self, values: &[i64]) -> String {
        let text: Vec<String> = values.iter().map(i64::to_string).collect();
        let name = format!("integers_{}", text.join("_").replace('-', "m"));
        self.once(&name, |name| Tensor::integers(name, &[values.len()], values));
        name
    }

    /// A constant of one integer without axes.
    pub(super) fn scalar(&mut self, value: ScalarIr, like: DType) -> Result<String, Error> {
        let number = value.elem::<f64>();
        let kind = data_type(like)?;
        let text = format!("{number:?}").replace(['-', '.'], "_");
        let name = format!("scalar_{kind}_{}_{text}", if number < 0.0 { "m" } else { "p" });
        let raw = match kind {
            data_type::FLOAT => (number as f32).to_le_bytes().to_vec(),
            data_type::INT32 => (number as i32).to_le_bytes().to_vec(),
            data_type::INT64 => (number as i64).to_le_bytes().to_vec(),
            _ => vec![u8::from(number != 0.0)],
        };
        self.once(&name, |name| Tensor::raw(name, &[], kind, raw));
        Ok(name)
    }

    /// A constant of numbers.
    pub(super) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        self.once(name, |name| Tensor::floats(name, dims, values));
        name.to_owned()
    }

    fn once(&mut self, name: &str, make: impl FnOnce(&str) -> Tensor) {
        if self.constants.insert(name.to_owned()) {
            self.initializers.push(make(name));
        }
    }

    /// Adds a node over named values.
    pub(super) fn node(&mut self, op_type: &str, input: &[&str], out: &str, with: Vec<Attribute>) {
        let mut node = Node::new(op_type, input, &[out]);
        node.attribute = with;
        self.nodes.push(node);
    }

    /// Adds a node without settings over recorded values.
    pub(super) fn op(&mut self, op_type: &str, input: &[&TensorIr], out: &TensorIr) {
        self.op_with(op_type, input, out, Vec::new());
    }

    /// Adds a node over recorded values.
    pub(super) fn op_with(
        &mut self,
        op_type: &str,
        input: &[&TensorIr],
        out: &TensorIr,
        with: Vec<Attribute>,
    ) {
        let input: Vec<String> = input.iter().map(|tensor| self.name(tensor.id)).collect();
        let input: Vec<&str> = input.iter().map(String::as_str).collect();
        let out = self.name(out.id);
        self.node(op_type, &input, &out, with);
    }

    /// Adds a node whose second input is a constant that was named before.
    pub(super) fn op_constant(
        &mut self,
        op_type: &str,
        (input, constant): (&TensorIr, &str),
        out: &TensorIr,
        with: Vec<Attribute>,
    ) {
        let (input, out) = (self.name(input.id), self.name(out.id));
        self.node(op_type, &[&input, constant], &out, with);
    }

    /// Converts to the type of the result.
    pub(super) fn cast(&mut self, input: &TensorIr, out: &TensorIr) -> Result<(), Error> {
        let to = i64::from(data_type(out.dtype)?);
        self.op_with("Cast", &[input], out, vec![Attribute::integer("to", to)]);
        Ok(())
    }
}

/// Sizes of a recorded value.
pub(super) fn sizes(tensor: &TensorIr) -> Vec<usize> {
    tensor.shape.iter().copied().collect()
}

/// Sizes as integers.
pub(super) fn shape(tensor: &TensorIr) -> Vec<i64> {
    tensor.shape.iter().map(|&side| side as i64).collect()
}
