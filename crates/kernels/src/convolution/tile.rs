//! The inner loop: a run of pixels times two blocks of output channels, held in registers.

use super::blocked::{Blocked, Lanes};
use crate::simd::{FLOATS, Floats, Isa, Kernel};

/// Blocks of output channels that one tile makes.
pub(super) const PAIR: usize = 2;

/// One tap: which weight, and how far its input pixel lies behind the first tap's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tap {
    /// Row and column in the kernel.
    pub(super) at: [usize; 2],
    /// Rows down and columns right in the blocked input.
    pub(super) offset: [usize; 2],
}

/// One row of output for a pair of channel blocks.
pub(super) struct Row<'a> {
    /// Blocked image; its channel count.
    pub(super) input: &'a Blocked,
    pub(super) image: usize,
    pub(super) channels_in: usize,
    /// Weights of the pair.
    pub(super) weights: &'a [Lanes],
    pub(super) taps: &'a [Tap],
    /// Input row of the first tap.
    pub(super) y: usize,
    /// Columns of input from one output to the next.
    pub(super) stride: usize,
    /// `[block of the pair][pixel]`; a whole number of runs long each.
    pub(super) out: [&'a mut [Lanes]; PAIR],
}

/// Lengths of runs that there are tiles for: with two blocks they fill the 32 registers of AVX-512 but
/// for weights and input.
const RUNS: [usize; 4] = [14, 12, 10, 8];

/// The run that wastes least at the end of a row; of equals the longest.
pub(super) fn run_for(width: usize) -> usize {
    let padded = |run: &usize| width.div_ceil(*run) * run;
    RUNS.into_iter().min_by_key(padded).expect("there are runs")
}

/// Columns of blocked input that whole runs of output read.
pub(super) fn columns_read(width: usize, stride: usize, taps: &[Tap]) -> usize {
    let run = run_for(width);
    let reach = taps.iter().map(|tap| tap.offset[1]).max().unwrap_or(0);
    (width.div_ceil(run) * run - 1) * stride + reach + 1
}

impl Kernel for (Row<'_>, usize) {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let (mut row, run) = self;
        match (run, row.stride) {
            (14, 1) => row.all::<I, 14, 1>(isa),
            (12, 1) => row.all::<I, 12, 1>(isa),
            (10, 1) => row.all::<I, 10, 1>(isa),
            (_, 1) => row.all::<I, 8, 1>(isa),
            (14, 2) => row.all::<I, 14, 2>(isa),
            (12, 2) => row.all::<I, 12, 2>(isa),
            (10, 2) => row.all::<I, 10, 2>(isa),
            (_, 2) => row.all::<I, 8, 2>(isa),
            (14, _) => row.all::<I, 14, 0>(isa),
            (12, _) => row.all::<I, 12, 0>(isa),
            (10, _) => row.all::<I, 10, 0>(isa),
            _ => row.all::<I, 8, 0>(isa),
        }
    }
}

impl Row<'_> {
    /// All runs of the row. `STRIDE` 0: not known when compiling.
    #[inline(always)]
    fn all<I: Isa, const RUN: usize, const STRIDE: usize>(&mut self, isa: I) {
        for x in (0..self.out[0].len()).step_by(RUN) {
            let sums = self.tile::<I, RUN, STRIDE>(isa, x);
            for (out, sums) in self.out.iter_mut().zip(sums) {
                for (pixel, sum) in out[x..x + RUN].iter_mut().zip(sums) {
                    isa.store_f(sum, pixel);
                }
            }
        }
    }

    #[inline(always)]
    fn tile<I: Isa, const RUN: usize, const STRIDE: usize>(
        &self,
        isa: I,
        x: usize,
    ) -> [[<I as Floats>::F; RUN]; PAIR] {
        let stride = if STRIDE == 0 { self.stride } else { STRIDE };
        let Blocked { rows, columns, blocks, .. } = *self.input;
        let image = self.input.image(self.image);
        let mut sums = [[isa.splat_f(0.0); RUN]; PAIR];
        let mut weights = self.weights;
        for block in 0..blocks {
            let channels = FLOATS.min(self.channels_in - block * FLOATS);
            for tap in self.taps {
                let row = block * rows + self.y + tap.offset[0];
                let start = row * columns + x * stride + tap.offset[1];
                let pixels = &image[start..start + (RUN - 1) * stride + 1];
                let (here, rest) = weights.split_at(PAIR * FLOATS);
                weights = rest;
                for channel in 0..channels {
                    let [a, b] = [0, 1].map(|half| isa.load_f(&here[PAIR * channel + half]));
                    for j in 0..RUN {
                        // SAFETY: `pixels` reaches to (RUN - 1) * stride; `channel` is below FLOATS.
                        let value =
                            unsafe { *pixels.get_unchecked(j * stride).get_unchecked(channel) };
                        let value = isa.splat_f(value);
                        sums[0][j] = isa.mul_add_loosely(value, a, sums[0][j]);
                        sums[1][j] = isa.mul_add_loosely(value, b, sums[1][j]);
                    }
                }
            }
        }
        sums
    }
}
