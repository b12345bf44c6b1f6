//! Two-dimensional convolution of `f32` images, with both gradients.
//!
//! Images are `[batch, channels, height, width]`, weights `[channels out, channels in, kernel height,
//! kernel width]`, both in C order. Inside, channels are blocked by 16: each multiply-add takes 16 output
//! channels of two blocks for a run of pixels held in registers, as Georganas et al. 2018 ("Anatomy of
//! high-performance deep learning convolutions on SIMD architectures"). Results do not depend on the
//! number of threads; between instruction sets they may differ in the last bits.

mod backward;
mod blocked;
mod forward;
pub mod reference;
mod shape;
mod tile;

#[cfg(test)]
mod tests;

pub use backward::{input_gradient, weight_gradient};
pub use forward::forward;
pub use shape::Shape;

/// Why there is no such convolution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The sizes do not fit each other.
    #[error("convolution: {0}")]
    Shape(String),
    /// A slice does not have the length that the sizes ask for.
    #[error("convolution: {what} holds {found} numbers, its shape says {expected}")]
    Length {
        /// Which slice.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that it should have.
        expected: usize,
    },
}

fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Length { what, found, expected }) }
}
