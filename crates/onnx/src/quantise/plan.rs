//! Which values of a graph are kept in 8 bits.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::proto::{Graph, Node, data_type};

/// What is done to a graph.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Convolutions and matrix products, by number.
    pub(super) nodes: BTreeSet<usize>,
    /// Values that are kept in 8 bits, in an order in which they are computed.
    pub(super) values: Vec<String>,
    /// Values that have the range of another one: the largest of it.
    pub(super) like: HashMap<String, String>,
}

/// Who makes and who reads each value.
struct Wires<'a> {
    readers: HashMap<&'a str, Vec<usize>>,
    outputs: HashSet<&'a str>,
}

impl<'a> Wires<'a> {
    fn of(graph: &'a Graph) -> Self {
        let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, node) in graph.node.iter().enumerate() {
            for name in &node.input {
                readers.entry(name).or_default().push(index);
            }
        }
        Self { readers, outputs: graph.output.iter().map(|out| out.name.as_str()).collect() }
    }

    /// The only node that reads a value, if it is one, and no output.
    fn only_reader(&self, value: &str) -> Option<usize> {
        match self.readers.get(value).map(Vec::as_slice) {
            Some([reader]) if !self.outputs.contains(value) => Some(*reader),
            _ => None,
        }
    }
}

impl Plan {
    /// All convolutions and matrix products with weights, but for those whose result is an output: the last
    /// layers of heads, where the error would not be averaged any more (Nagel et al. 2021, section 3.4).
    pub(super) fn of(graph: &Graph) -> Self {
        let wires = Wires::of(graph);
        let weights: HashSet<&str> = (graph.initializer.iter())
            .filter(|tensor| tensor.data_type == data_type::FLOAT && tensor.name.contains('.'))
            .map(|tensor| tensor.name.as_str())
            .collect();
        let constants: HashSet<&str> =
            graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let mut plan = Self::default();
        let mut known: HashSet<String> = HashSet::new();
        for (index, node) in graph.node.iter().enumerate() {
            let weighted = matches!(node.op_type.as_str(), "Conv" | "MatMul")
                && node.input.get(1).is_some_and(|name| weights.contains(name.as_str()))
                && !constants.contains(node.input[0].as_str());
            let made = &node.output[0];
            if weighted && !ends(graph, &wires, made) {
                plan.nodes.insert(index);
                plan.add(&mut known, &node.input[0]);
                plan.add(&mut known, &after_relu(graph, &wires, made));
            } else if node.op_type == "MaxPool" && known.contains(&node.input[0]) {
                plan.like.insert(made.clone(), node.input[0].clone());
                plan.add(&mut known, made);
            } else if joins(node) && node.input.iter().all(|name| known.contains(name)) {
                plan.add(&mut known, &after_relu(graph, &wires, made));
            }
        }
        plan
    }

    fn add(&mut self, known: &mut HashSet<String>, value: &str) {
        if known.insert(value.to_owned()) {
            self.values.push(value.to_owned());
        }
    }
}

fn joins(node: &Node) -> bool {
    node.op_type == "Add"
}

/// Whether a value is an output, or becomes one by being moved and activated only.
fn ends(graph: &Graph, wires: &Wires<'_>, value: &str) -> bool {
    let mut value = value;
    loop {
        if wires.outputs.contains(value) {
            return true;
        }
        let Some(reader) = wires.only_reader(value) else { return false };
        let node = &graph.node[reader];
        if !matches!(node.op_type.as_str(), "Reshape" | "Transpose" | "Sigmoid" | "Add" | "Concat")
        {
            return false;
        }
        value = &node.output[0];
    }
}

/// The value behind a ReLU that alone reads one, as that is what is kept.
fn after_relu(graph: &Graph, wires: &Wires<'_>, value: &str) -> String {
    match wires.only_reader(value).map(|reader| &graph.node[reader]) {
        Some(node) if node.op_type == "Relu" => node.output[0].clone(),
        _ => value.to_owned(),
    }
}
