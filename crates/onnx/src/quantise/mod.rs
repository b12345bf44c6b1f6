//! 8 bits after training: weights symmetric per channel, activations by the range they have on calibration
//! clips. Written as `QuantizeLinear` and `DequantizeLinear` around each layer, which engines fuse.

mod plan;
mod ranges;

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::{
    Error,
    engines::Value,
    proto::{Attribute, Graph, Model, Node, Tensor, data_type},
};
use plan::Plan;
pub use ranges::Range;

/// Largest number of a weight in 8 bits.
const WEIGHT_STEPS: f32 = 127.0;
/// Steps of an activation in 8 bits.
const STEPS: f32 = 255.0;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Layers in 8 bits.
    pub layers: usize,
    /// Convolutions and matrix products that stayed as they were.
    pub float_layers: usize,
}

/// How an activation is kept: `real = scale * (kept - zero)`.
#[derive(Debug, Clone, Copy)]
struct Step {
    scale: f32,
    zero: u8,
}

impl Step {
    fn of((low, high): Range) -> Self {
        let scale = ((high - low) / STEPS).max(f32::MIN_POSITIVE * STEPS);
        Self { scale, zero: (-low / scale).round().clamp(0.0, STEPS) as u8 }
    }
}

/// The model in 8 bits. `inputs` gives the calibration inputs by number, `None` behind the last; it is gone
/// through twice.
///
/// # Errors
/// [`Error::Engine`] where a calibration input cannot be computed; [`Error::File`] without a graph.
pub fn quantise(
    model: &Model,
    inputs: &mut dyn FnMut(usize) -> Result<Option<Vec<Value>>, Error>,
) -> Result<(Model, Summary), Error> {
    let mut model = model.clone();
    let graph = model.graph.as_ref().ok_or_else(|| Error::File("it has no graph".to_owned()))?;
    let plan = Plan::of(graph);
    let mut steps: HashMap<String, Step> = ranges::calibrate(&model, &plan.values, inputs)?
        .into_iter()
        .map(|(name, range)| (name, Step::of(range)))
        .collect();
    for value in &plan.values {
        // What is the largest of some numbers has their steps.
        if let Some(step) = plan.like.get(value).and_then(|like| steps.get(like)).copied() {
            steps.insert(value.clone(), step);
        }
    }
    let graph = model.graph.get_or_insert_default();
    let weighted = |node: &&Node| matches!(node.op_type.as_str(), "Conv" | "MatMul");
    let layers = graph.node.iter().filter(weighted).count();
    let summary = Summary { layers: plan.nodes.len(), float_layers: layers - plan.nodes.len() };
    rewrite(graph, &plan, &steps);
    Ok((model, summary))
}

fn rewrite(graph: &mut Graph, plan: &Plan, steps: &HashMap<String, Step>) {
    let kept = |name: &str| format!("{name}_kept");
    let mut constants: BTreeMap<String, Tensor> = BTreeMap::new();
    let tensors: HashMap<String, Tensor> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), tensor.clone())).collect();
    let mut nodes = Vec::with_capacity(graph.node.len() * 2);
    let mut weights: HashSet<String> = HashSet::new();
    let given = graph.input.iter().map(|input| &input.name);
    for (name, step) in given.filter_map(|name| Some((name, steps.get(name)?))) {
        nodes.extend(round_trip(name, *step, &mut constants));
    }
    for (index, node) in graph.node.iter().enumerate() {
        let mut node = node.clone();
        let fused = matches!(node.op_type.as_str(), "Add" | "MaxPool" | "Conv" | "MatMul");
        for name in node.input.iter_mut().filter(|name| fused && steps.contains_key(*name)) {
            *name = kept(name);
        }
        if plan.nodes.contains(&index) {
            let step = graph.node[index].input.first().and_then(|name| steps.get(name));
            if let Some(step) = step {
                let made = weigh(&mut node, *step, &tensors, &mut constants);
                // Layers that share a weight read it from one node.
                nodes
                    .extend(made.into_iter().filter(|made| weights.insert(made.output[0].clone())));
            }
        }
        let made: Vec<String> = node.output.clone();
        nodes.push(node);
        for name in made {
            if let Some(step) = steps.get(&name) {
                nodes.extend(round_trip(&name, *step, &mut constants));
            }
        }
    }
    graph.node = nodes;
    graph.initializer.extend(constants.into_values());
    crate::lower::remove_unused(graph);
}

/// To 8 bits and back.
fn round_trip(name: &str, step: Step, constants: &mut BTreeMap<String, Tensor>) -> [Node; 2] {
    let [scale, zero, small, kept] =
        ["scale", "zero", "small", "kept"].map(|part| format!("{name}_{part}"));
    constants.insert(scale.clone(), Tensor::floats(&scale, &[], &[step.scale]));
    constants.insert(zero.clone(), Tensor::raw(&zero, &[], data_type::UINT8, vec![step.zero]));
    [
        Node::new("QuantizeLinear", &[name, &scale, &zero], &[&small]),
        Node::new("DequantizeLinear", &[&small, &scale, &zero], &[&kept]),
    ]
}

/// Puts the weights of a layer into 8 bits, and its bias into 32.
fn weigh(
    node: &mut Node,
    input: Step,
    tensors: &HashMap<String, Tensor>,
    constants: &mut BTreeMap<String, Tensor>,
) -> Vec<Node> {
    let name = node.input[1].clone();
    let Some((weight, values)) =
        tensors.get(&name).and_then(|weight| Some((weight, weight.as_floats()?)))
    else {
        return Vec::new();
    };
    let dims: Vec<usize> = weight.dims.iter().map(|&side| side as usize).collect();
    // Of a convolution [out, in, y, x], of a matrix product [in, out].
    let axis = if node.op_type == "Conv" { 0 } else { dims.len() - 1 };
    let inner: usize = dims[axis + 1..].iter().product();
    let channel = |at: usize| at / inner % dims[axis];
    let mut scales = vec![0.0_f32; dims[axis]];
    for (at, value) in values.iter().enumerate() {
        let scale = &mut scales[channel(at)];
        *scale = scale.max(value.abs() / WEIGHT_STEPS);
    }
    scales.iter_mut().for_each(|scale| *scale = scale.max(f32::MIN_POSITIVE * STEPS));
    let small = |(at, value): (usize, &f32)| (value / scales[channel(at)]).round() as i8 as u8;
    let small: Vec<u8> = values.iter().enumerate().map(small).collect();
    let [small_name, scale, zero, kept] =
        ["int8", "scale", "zero", "kept"].map(|part| format!("{name}_{part}"));
    let zeros = vec![0; scales.len()];
    constants.insert(small_name.clone(), Tensor::raw(&small_name, &dims, data_type::INT8, small));
    constants.insert(scale.clone(), Tensor::floats(&scale, &[scales.len()], &scales));
    constants.insert(zero.clone(), Tensor::raw(&zero, &[scales.len()], data_type::INT8, zeros));
    let axis = Attribute::integer("axis", axis as i64);
    let mut nodes =
        vec![Node::new("DequantizeLinear", &[&small_name, &scale, &zero], &[&kept]).with(axis)];
    node.input[1] = kept;
    let bias = node.input.get(2).and_then(|name| Some((name, tensors.get(name)?.as_floats()?)));
    if let Some((_, values)) = bias {
        let scales: Vec<f32> = scales.iter().map(|scale| scale * input.scale).collect();
        let whole = |(value, scale): (&f32, &f32)| (value / scale).round() as i32;
        let raw = values.iter().zip(&scales).flat_map(|pair| whole(pair).to_le_bytes()).collect();
        // Its steps are those of the layer's input too: layers that share it each have their own.
        let own = &node.output[0];
        let [small, scale, zero, kept] =
            ["int32", "scale", "zero", "kept"].map(|part| format!("{own}_bias_{part}"));
        let count = [scales.len()];
        constants.insert(small.clone(), Tensor::raw(&small, &count, data_type::INT32, raw));
        constants.insert(scale.clone(), Tensor::floats(&scale, &count, &scales));
        let zeros = vec![0; 4 * scales.len()];
        constants.insert(zero.clone(), Tensor::raw(&zero, &count, data_type::INT32, zeros));
        let axis = Attribute::integer("axis", 0);
        nodes.push(Node::new("DequantizeLinear", &[&small, &scale, &zero], &[&kept]).with(axis));
        node.input[2] = kept;
    }
    nodes
}
