//! Two-dimensional convolution of `f32` images, with both gradients.
//!
//! Images are `[batch, channels, height, width]`, weights `[channels out, channels in, kernel height,
//! kernel width]`, both in C order. Inside, an image's rows follow one another with zeros between them, so
//! that each tap is a shift, and 16 lanes are 16 pixels of one channel: multiply-adds take a run of pixels
//! and a block of output channels, or for the weight's gradient a block of output channels and some taps,
//! held in registers. Nothing is transposed, and point convolutions read images as they are. Results do not
//! depend on the number of threads; between instruction sets they may differ in the last bits.

mod backward;
mod forward;
mod pass;
mod planes;
pub mod reference;
mod shape;
mod tile;
mod weight;

#[cfg(test)]
mod tests;

pub use backward::input_gradient;
pub use forward::forward;
pub use shape::Shape;
pub use weight::weight_gradient;

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
