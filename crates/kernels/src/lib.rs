//! Image operators: a plain reference and a fast version of each.

pub mod allocator;
pub mod convolution;
pub mod flow;
pub mod lift;
pub mod norm;
pub mod raycast;
pub mod remap;
pub mod simd;
pub mod stereo;
#[cfg(test)]
mod testing;
