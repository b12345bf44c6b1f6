//! Layers that the network is built of. On the CPU they run on our own kernels, elsewhere on Burn's.

mod apply;
mod backend;
mod cpu;
mod gather;
mod layers;
mod resize;

pub use apply::{convolve, normalise};
pub use gather::gather_sum;
pub use layers::{Conv, ConvNorm, ConvSettings, relu_slope};
pub use resize::{halve, resize_bilinear, resize_nearest};

#[cfg(test)]
mod tests;
