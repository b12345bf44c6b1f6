//! Detected boxes against true ones, as each benchmark defines it.

pub mod nuscenes;
