//! Detected boxes against true ones, as each benchmark defines it.

pub mod argoverse2;
pub mod kitti;
pub mod nuscenes;
pub mod rotated;
pub mod waymo;
