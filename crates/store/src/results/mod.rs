//! Results and truth in the formats of official evaluations: one file each, bounded, errors that name file and row.
//!
//! Plain rows come out; who evaluates them decides what they mean.

pub mod class_maps;
pub mod coco;
pub mod culane;
mod cursor;
pub mod flow_maps;
pub mod json;
pub mod kitti;
pub mod mot;
pub mod nuscenes_submission;
pub mod nuscenes_truth;
pub mod ply;
pub mod safetensors;
pub mod text;
pub mod voxels;
