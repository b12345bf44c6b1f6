//! The inner loop of outputs: a run of pixels times a block of output channels, held in registers.

use crate::simd::{FLOATS, Isa, Kernel};

/// Output channels of a block.
pub(super) const BLOCK: usize = 8;

/// Vectors of pixels of a run: with a block they fill the 32 registers of AVX-512 but for weights and input.
pub(super) const RUN: usize = 3;

/// Weights of one block for one tap of one input channel.
pub(super) type Weights = [f32; BLOCK];

/// One run of one block.
pub(super) struct Tile<'a> {
    /// From the first pixel's first tap on.
    pub(super) source: &'a [f32],
    /// From one input channel to the next.
    pub(super) channel: usize,
    /// Shifts of the taps.
    pub(super) shifts: &'a [usize],
    /// Per input channel and tap.
    pub(super) weights: &'a [Weights],
    /// Vectors of pixels that are wanted, at most [`RUN`].
    pub(super) vectors: usize,
    /// The sums, `[channel][pixel]`.
    pub(super) out: &'a mut [[f32; RUN * FLOATS]; BLOCK],
}

impl Kernel for Tile<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self.vectors {
            1 => self.sums::<I, 1>(isa),
            2 => self.sums::<I, 2>(isa),
            _ => self.sums::<I, 3>(isa),
        }
    }
}

impl Tile<'_> {
    #[inline(always)]
    fn sums<I: Isa, const VECTORS: usize>(self, isa: I) {
        let mut sums = [[isa.splat_f(0.0); VECTORS]; BLOCK];
        let channels = self.weights.chunks_exact(self.shifts.len());
        let reach = self.shifts.iter().max().map_or(0, |shift| shift + VECTORS * FLOATS);
        for (channel, weights) in channels.enumerate() {
            let source = &self.source[channel * self.channel..][..reach];
            for (weights, &shift) in weights.iter().zip(self.shifts) {
                // SAFETY: `reach` is the end of the run at the largest shift.
                let pixels = unsafe { source.get_unchecked(shift..shift + VECTORS * FLOATS) };
                let (pixels, _) = pixels.as_chunks::<FLOATS>();
                let mut values = [isa.splat_f(0.0); VECTORS];
                for (value, pixels) in values.iter_mut().zip(pixels) {
                    *value = isa.load_f(pixels);
                }
                for (sums, &weight) in sums.iter_mut().zip(weights) {
                    let weight = isa.splat_f(weight);
                    for (sum, &value) in sums.iter_mut().zip(&values) {
                        *sum = isa.mul_add_loosely(weight, value, *sum);
                    }
                }
            }
        }
        for (out, sums) in self.out.iter_mut().zip(sums) {
            let (out, _) = out.as_chunks_mut::<FLOATS>();
            for (out, sum) in out.iter_mut().zip(sums) {
                isa.store_f(sum, out);
            }
        }
    }
}
