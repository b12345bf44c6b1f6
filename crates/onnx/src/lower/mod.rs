//! From recorded operators of Burn to ONNX's.
//!
//! burn-onnx 0.22 covers a dozen operators and neither transposition, look-up along an axis, softmax nor
//! comparison, which the lift needs; so the recording is its, the translation ours.

mod base;
mod emit;
mod module;
mod numeric;

use std::collections::HashSet;

use burn::backend::{capture::TensorId, ir::OperationIr};

use crate::{
    Error,
    capture::Recorded,
    proto::{Graph, Node, ValueInfo},
};
use emit::{Emit, data_type};

/// The graph of a recording: only what the outputs need.
pub(crate) fn graph(recorded: Recorded) -> Result<Graph, Error> {
    let mut emit = Emit::new(recorded.names);
    let ir = &recorded.graph.graph;
    let given: HashSet<TensorId> = ir.inputs.iter().copied().collect();
    for (id, data) in &recorded.graph.values {
        if !given.contains(id) {
            emit.constant(*id, data)?;
        }
    }
    for operation in &ir.operations {
        lower(&mut emit, operation)?;
    }
    let info = |id: &TensorId| -> Result<ValueInfo, Error> {
        let tensor = ir.operations.iter().flat_map(OperationIr::nodes).find(|t| t.id == *id);
        let tensor = tensor.ok_or_else(|| Error::Capture(format!("{id} is not in the graph")))?;
        let shape: Vec<usize> = tensor.shape.iter().copied().collect();
        Ok(ValueInfo::tensor(emit.name(*id), data_type(tensor.dtype)?, &shape, ""))
    };
    let mut graph = Graph {
        name: "network".to_owned(),
        input: ir.inputs.iter().map(info).collect::<Result<_, _>>()?,
        output: ir.outputs.iter().map(info).collect::<Result<_, _>>()?,
        ..Graph::default()
    };
    graph.node = emit.nodes;
    graph.initializer = emit.initializers;
    remove_unused(&mut graph);
    Ok(graph)
}

fn lower(emit: &mut Emit, operation: &OperationIr) -> Result<(), Error> {
    let known = match operation {
        OperationIr::Init(_) | OperationIr::Drop(_) => true,
        OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => {
            base::lower(emit, base)?
        }
        OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
            numeric::lower(emit, numeric)?
        }
        OperationIr::Float(_, float) => numeric::lower_float(emit, float)?,
        OperationIr::Int(int) => numeric::lower_int(emit, int)?,
        OperationIr::Bool(bool) => numeric::lower_bool(emit, bool)?,
        OperationIr::Activation(activation) => module::lower_activation(emit, activation)?,
        OperationIr::Module(module) => module::lower(emit, module)?,
        _ => false,
    };
    if known {
        return Ok(());
    }
    let text = format!("{operation:?}");
    let what = text.split("TensorIr").next().unwrap_or(&text);
    Err(Error::Operator { what: what.chars().take(160).collect() })
}

/// Drops nodes and constants that no output depends on.
pub(crate) fn remove_unused(graph: &mut Graph) {
    let mut needed: HashSet<&str> = graph.output.iter().map(|out| out.name.as_str()).collect();
    let mut keep = vec![false; graph.node.len()];
    for (node, keep) in graph.node.iter().zip(&mut keep).rev() {
        *keep = node.output.iter().any(|name| needed.contains(name.as_str()));
        if *keep {
            needed.extend(node.input.iter().map(String::as_str));
        }
    }
    let needed: HashSet<String> = needed.into_iter().map(str::to_owned).collect();
    let mut keep = keep.into_iter();
    graph.node.retain(|_: &Node| keep.next().unwrap_or(false));
    graph.initializer.retain(|tensor| needed.contains(&tensor.name));
}
