//! Results and truth in the formats of official evaluations: one file each, bounded, errors that name file and row.
//!
//! Plain rows come out; who evaluates them decides what they mean.

pub mod culane;
pub mod json;
pub mod ply;
pub mod safetensors;
