//! Results and truth in the formats of official evaluations: one file each, bounded, errors that name file and row.
//!
//! Plain rows come out; who evaluates them decides what they mean.

pub mod culane;
mod cursor;
pub mod json;
pub mod kitti;
pub mod mot;
pub mod nuscenes_submission;
pub mod nuscenes_truth;
pub mod ply;
pub mod safetensors;
