//! Sums over taps for all pixels of a grid.

use rayon::prelude::*;

use super::planes::{Frame, Planes};
use super::tile::{BLOCK, RUN, Tile, Weights};
use crate::simd::{FLOATS, Simd};

/// Runs that one thread takes at least.
const AT_ONCE: usize = 4;

/// What is summed.
pub(super) struct Pass<'a> {
    pub(super) simd: Simd,
    pub(super) source: &'a Planes<'a>,
    pub(super) frame: Frame,
    /// Output, input.
    pub(super) channels: [usize; 2],
    /// Which taps, as rows and columns of the frame.
    pub(super) shifts: Vec<usize>,
    /// `[block of output channels][input channel][tap]`.
    pub(super) weights: Vec<Weights>,
    pub(super) bias: Option<&'a [f32]>,
    /// Rows and columns of the grid.
    pub(super) size: [usize; 2],
}

/// Which pixels of the output images the grid is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) first: [usize; 2],
    pub(super) step: [usize; 2],
    /// Of the images.
    pub(super) size: [usize; 2],
}

/// Images that several threads write to, each to pixels of its own.
struct Shared(*mut f32);

// SAFETY: threads write through it to pixels that differ.
unsafe impl Sync for Shared {}

/// Packs `weight(out, in, tap)` in blocks of output channels.
pub(super) fn pack(
    [channels_out, channels_in]: [usize; 2],
    taps: usize,
    weight: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Vec<Weights> {
    let per_block = channels_in * taps;
    let mut packed = vec![[0.0; BLOCK]; channels_out.div_ceil(BLOCK) * per_block];
    packed.par_iter_mut().with_min_len(1024).enumerate().for_each(|(index, out)| {
        let (block, within) = (index / per_block, index % per_block);
        for (o, out) in (block * BLOCK..channels_out).zip(out) {
            *out = weight(o, within / taps, within % taps);
        }
    });
    packed
}

impl Pass<'_> {
    /// Writes the grid into images `[batch, output channels, height, width]`.
    pub(super) fn run(&self, place: Place, out: &mut [f32]) {
        let image_len = self.channels[0] * place.size[0] * place.size[1];
        let batch = out.len() / image_len;
        let shared = Shared(out.as_mut_ptr());
        let shared = &shared;
        // Outputs lie as the source's planes do, so that those between two rows are made too, for nobody.
        let numbers = (self.size[0] - 1) * self.frame.pitch + self.size[1];
        let runs = numbers.div_ceil(RUN * FLOATS);
        (0..batch * runs).into_par_iter().with_min_len(AT_ONCE).for_each(|job| {
            let (image, first) = (job / runs, job % runs * RUN * FLOATS);
            let count = (numbers - first).min(RUN * FLOATS);
            // SAFETY: the image lies within `out`.
            let image_out = unsafe { shared.0.add(image * image_len) };
            self.one_run(place, image, [first, count], image_out);
        });
    }

    /// All channels of one run of pixels.
    fn one_run(&self, place: Place, image: usize, [first, count]: [usize; 2], out: *mut f32) {
        let [channels_out, channels_in] = self.channels;
        let channel = self.frame.channel_len();
        let source = &self.source.numbers()[image * channels_in * channel + first..];
        let mut sums = [[0.0; RUN * FLOATS]; BLOCK];
        let blocks = self.weights.chunks_exact(channels_in * self.shifts.len());
        for (block, weights) in blocks.enumerate() {
            self.simd.run(Tile {
                source,
                channel,
                shifts: &self.shifts,
                weights,
                vectors: count.div_ceil(FLOATS),
                out: &mut sums,
            });
            for (o, sums) in (block * BLOCK..channels_out).zip(&sums) {
                let bias = self.bias.map_or(0.0, |bias| bias[o]);
                let plane = o * place.size[0] * place.size[1];
                self.rows([first, count], |[y, x], from, length| {
                    let row = place.first[0] + y * place.step[0];
                    let column = place.first[1] + x * place.step[1];
                    let start = plane + row * place.size[1] + column;
                    for (index, sum) in sums[from..from + length].iter().enumerate() {
                        // SAFETY: the pixel lies within its image; no other run has it.
                        unsafe { *out.add(start + index * place.step[1]) = sum + bias };
                    }
                });
            }
        }
    }

    /// Calls `each([y, x], from, length)` for the parts of a run that lie in the grid.
    #[inline(always)]
    fn rows(&self, [first, count]: [usize; 2], mut each: impl FnMut([usize; 2], usize, usize)) {
        let pitch = self.frame.pitch;
        let mut at = first;
        while at < first + count {
            let (y, x) = (at / pitch, at % pitch);
            let end = (first + count).min((y + 1) * pitch);
            let length = (end - at).min(self.size[1].saturating_sub(x));
            if length > 0 {
                each([y, x], at - first, length);
            }
            at = end;
        }
    }
}
