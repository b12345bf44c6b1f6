//! The parts of ONNX's protobuf messages that an exported network needs (`onnx.proto` of ONNX 1.13, opset 18).

use prost::Message;

/// Numbers of `TensorProto.DataType`.
pub mod data_type {
    #![allow(missing_docs, reason = "named as in ONNX")]
    pub const FLOAT: i32 = 1;
    pub const UINT8: i32 = 2;
    pub const INT8: i32 = 3;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;
    pub const BOOL: i32 = 9;
}

/// A file.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    /// Version of the format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// Who wrote it.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// Version of the writer.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// For people.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// The network.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
    /// Which operators are meant.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
    /// What the format has no place for, by name.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<Entry>,
}

/// A set of operators.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSet {
    /// Empty for ONNX's own.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// Its version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A key and its value.
#[derive(Clone, PartialEq, Message)]
pub struct Entry {
    /// Name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// A network: nodes in an order in which they can be computed.
#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    /// Operators.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// What it is called.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Weights and other constants.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
    /// What is given.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfo>,
    /// What is asked for.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfo>,
}

/// One operator at work.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Names of the values that it reads; empty for one that is left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the values that it makes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

/// A setting of a node.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// One number.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// One integer.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// Text.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    /// Integers.
    // Packed numbers are of a later protobuf than ONNX uses.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Which of them is meant: 1 number, 2 integer, 3 text, 7 integers.
    #[prost(int32, tag = "20")]
    pub kind: i32,
}

/// A constant.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Sizes.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// One of [`data_type`].
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// The value's name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Numbers, little endian, in C order.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
}

/// A value's name, type and sizes.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfo {
    /// Name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<Type>,
    /// For people.
    #[prost(string, tag = "3")]
    pub doc_string: String,
}

/// A value's type.
#[derive(Clone, PartialEq, Message)]
pub struct Type {
    /// Of a tensor; the format knows others.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorType>,
}

/// A tensor's type.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// One of [`data_type`].
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Sizes.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

/// Sizes of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    /// One per axis.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// Size of an axis.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// Known beforehand.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
}

impl Tensor {
    /// Of numbers.
    pub fn floats(name: impl Into<String>, dims: &[usize], values: &[f32]) -> Self {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::raw(name, dims, data_type::FLOAT, raw_data)
    }

    /// Of integers.
    pub fn integers(name: impl Into<String>, dims: &[usize], values: &[i64]) -> Self {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::raw(name, dims, data_type::INT64, raw_data)
    }

    /// Of bytes as they lie in the file.
    pub fn raw(name: impl Into<String>, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> Self {
        let dims = dims.iter().map(|&side| side as i64).collect();
        Self { dims, data_type, name: name.into(), raw_data }
    }

    /// Its numbers, where it holds floats.
    pub fn as_floats(&self) -> Option<Vec<f32>> {
        let floats = || self.raw_data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        (self.data_type == data_type::FLOAT).then(|| floats().collect())
    }
}

impl ValueInfo {
    /// A tensor's.
    pub fn tensor(name: impl Into<String>, elem_type: i32, dims: &[usize], doc: &str) -> Self {
        let dim = |&side: &usize| Dimension { dim_value: Some(side as i64) };
        let shape = Some(Shape { dim: dims.iter().map(dim).collect() });
        let tensor_type = Some(TensorType { elem_type, shape });
        Self { name: name.into(), r#type: Some(Type { tensor_type }), doc_string: doc.to_owned() }
    }

    /// Its sizes and type; none where it is no tensor of known sizes.
    pub fn sizes(&self) -> Option<(Vec<usize>, i32)> {
        let tensor = self.r#type.as_ref()?.tensor_type.as_ref()?;
        let side = |dim: &Dimension| usize::try_from(dim.dim_value?).ok();
        let sizes = tensor.shape.as_ref()?.dim.iter().map(side).collect::<Option<Vec<_>>>()?;
        Some((sizes, tensor.elem_type))
    }
}

impl Attribute {
    /// An integer.
    pub fn integer(name: &str, value: i64) -> Self {
        Self { name: name.to_owned(), i: Some(value), kind: 2, ..Self::default() }
    }

    /// Integers.
    pub fn integers(name: &str, values: impl IntoIterator<Item = usize>) -> Self {
        let ints = values.into_iter().map(|value| value as i64).collect();
        Self { name: name.to_owned(), ints, kind: 7, ..Self::default() }
    }

    /// A number.
    pub fn number(name: &str, value: f32) -> Self {
        Self { name: name.to_owned(), f: Some(value), kind: 1, ..Self::default() }
    }

    /// Text.
    pub fn text(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            s: Some(value.as_bytes().to_vec()),
            kind: 3,
            ..Self::default()
        }
    }
}

impl Node {
    /// Without settings, named after its first output.
    pub fn new(op_type: &str, input: &[&str], output: &[&str]) -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            input: names(input),
            output: names(output),
            name: output.first().map(|name| format!("make_{name}")).unwrap_or_default(),
            op_type: op_type.to_owned(),
            attribute: Vec::new(),
        }
    }

    /// With one more setting.
    pub fn with(mut self, attribute: Attribute) -> Self {
        self.attribute.push(attribute);
        self
    }
}
