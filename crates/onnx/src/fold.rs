//! Normalisations go into the convolutions before them.

use std::collections::HashMap;

use crate::{
    lower::remove_unused,
    proto::{Graph, Node, Tensor},
};

/// Folds each `BatchNormalization` of a `Conv` into it, where nothing else reads the convolution: one pass
/// over the numbers less, and the weights that int8 has to meet.
pub(crate) fn norms(graph: &mut Graph) {
    let mut readers: HashMap<String, usize> = HashMap::new();
    let outputs = graph.output.iter().map(|value| &value.name);
    for name in graph.node.iter().flat_map(|node| &node.input).chain(outputs) {
        *readers.entry(name.clone()).or_default() += 1;
    }
    let makers: HashMap<String, usize> = (graph.node.iter().enumerate())
        .flat_map(|(index, node)| node.output.iter().map(move |name| (name.clone(), index)))
        .collect();
    let constants: HashMap<String, usize> = (graph.initializer.iter().enumerate())
        .map(|(index, tensor)| (tensor.name.clone(), index))
        .collect();
    for index in 0..graph.node.len() {
        let norm = graph.node[index].clone();
        if norm.op_type != "BatchNormalization" || readers[&norm.input[0]] != 1 {
            continue;
        }
        let Some(&maker) = makers.get(&norm.input[0]) else { continue };
        let conv = graph.node[maker].clone();
        let constant = |name: &String| constants.get(name).map(|&at| &graph.initializer[at]);
        if conv.op_type != "Conv" {
            continue;
        }
        let Some((weight, bias)) = folded(&conv, &norm, constant) else { continue };
        let node = &mut graph.node[maker];
        node.input = vec![conv.input[0].clone(), weight.name.clone(), bias.name.clone()];
        node.output = norm.output.clone();
        graph.initializer.extend([weight, bias]);
        // What is left of the normalisation is not read any more.
        graph.node[index].output = vec![format!("{}_folded", norm.output[0])];
    }
    remove_unused(graph);
}

/// Weight and bias of both together.
fn folded<'a>(
    conv: &Node,
    norm: &Node,
    constant: impl Fn(&String) -> Option<&'a Tensor>,
) -> Option<(Tensor, Tensor)> {
    let weight = constant(&conv.input[1])?;
    let values = weight.as_floats()?;
    let [gamma, beta, mean, variance] =
        [1, 2, 3, 4].map(|at| constant(&norm.input[at]).and_then(Tensor::as_floats));
    let (gamma, beta, mean, variance) = (gamma?, beta?, mean?, variance?);
    let own = match conv.input.get(2) {
        Some(name) => constant(name)?.as_floats()?,
        None => vec![0.0; gamma.len()],
    };
    let epsilon = norm.attribute.iter().find(|a| a.name == "epsilon").and_then(|a| a.f)?;
    let scale: Vec<f32> =
        gamma.iter().zip(&variance).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
    let each = values.len() / scale.len();
    let scaled: Vec<f32> = values
        .chunks_exact(each)
        .zip(&scale)
        .flat_map(|(row, scale)| row.iter().map(move |value| value * scale))
        .collect();
    let bias: Vec<f32> =
        (0..scale.len()).map(|i| beta[i] + (own[i] - mean[i]) * scale[i]).collect();
    let dims: Vec<usize> = weight.dims.iter().map(|&side| side as usize).collect();
    let name = &norm.output[0];
    Some((
        Tensor::floats(format!("{}.folded_{name}", weight.name), &dims, &scaled),
        Tensor::floats(format!("{}.bias_{name}", weight.name), &[scale.len()], &bias),
    ))
}
