//! The network as an ONNX file: export, int8, and engines that run it.
//!
//! The forward pass is recorded on Burn's capture device and translated, operator by operator, to ONNX (opset
//! 18). The table of the lift and the memory are plain inputs, so that one file serves every calibration.
//! `docs/export.md` describes inputs, outputs and metadata.

mod capture;
pub mod check;
pub mod engines;
mod error;
mod fold;
mod lower;
pub mod metadata;
pub mod proto;
pub mod quantise;
pub mod trial;

use ommatidia_model::Network;
use prost::Message;

pub use capture::{Feed, answers, output_name};
pub use error::Error;

/// Version of ONNX's operators in exported files.
pub const OPSET: i64 = 18;
/// Version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// The network as a model. `feed` gives the sizes: the number of cameras, and one vehicle.
///
/// # Errors
/// [`Error::Operator`] where the network uses what has no translation; [`Error::Capture`].
pub fn export(
    network: &Network,
    feed: &Feed,
    metadata: &[(String, String)],
) -> Result<proto::Model, Error> {
    let mut graph = lower::graph(capture::record(network, feed)?)?;
    fold::norms(&mut graph);
    let entry =
        |(key, value): &(String, String)| proto::Entry { key: key.clone(), value: value.clone() };
    Ok(proto::Model {
        ir_version: IR_VERSION,
        producer_name: "omma".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: String::new(),
        graph: Some(graph),
        opset_import: vec![proto::OperatorSet { domain: String::new(), version: OPSET }],
        metadata_props: metadata.iter().map(entry).collect(),
    })
}

/// The bytes of a file.
pub fn encode(model: &proto::Model) -> Vec<u8> {
    model.encode_to_vec()
}

/// Reads a file.
///
/// # Errors
/// [`Error::File`].
pub fn decode(file: &[u8]) -> Result<proto::Model, Error> {
    proto::Model::decode(file).map_err(|cause| Error::File(cause.to_string()))
}
