//! Batch normalisation (Ioffe and Szegedy 2015) with what follows it in a residual network: a shortcut
//! that is added, and a ReLU. One pass makes the statistics, one the output; two more the gradients.
//!
//! Images are `[batch, channels, pixels]` in C order. Results depend on neither threads nor instruction
//! set: sums run over fixed blocks of single precision, and over blocks in double precision.

mod backward;
mod forward;
mod sums;

#[cfg(test)]
mod tests;

pub use backward::{Gradients, Known, backward};
pub use forward::{Statistics, apply, statistics};

/// Sizes of a batch of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Images.
    pub batch: usize,
    /// Channels of each.
    pub channels: usize,
    /// Pixels of each channel.
    pub pixels: usize,
}

impl Sizes {
    /// Numbers in all images.
    pub fn len(&self) -> usize {
        self.batch * self.channels * self.pixels
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Planes that one thread takes at least, so that small ones are worth it.
    fn planes_at_once(&self) -> usize {
        (1_usize << 14).div_ceil(self.pixels.max(1))
    }
}

/// New numbers, one plane at a time: `fill(plane, out)` writes every number of `out`.
fn planes(
    sizes: &Sizes,
    fill: impl Fn(usize, &mut [std::mem::MaybeUninit<f32>]) + Sync,
) -> Vec<f32> {
    use rayon::prelude::*;
    let mut out: Vec<f32> = Vec::with_capacity(sizes.len());
    let room = &mut out.spare_capacity_mut()[..sizes.len()];
    room.par_chunks_mut(sizes.pixels.max(1))
        .enumerate()
        .with_min_len(sizes.planes_at_once())
        .for_each(|(plane, out)| fill(plane, out));
    // SAFETY: there is room for so many, and `fill` has written each of them.
    unsafe { out.set_len(sizes.len()) };
    out
}
