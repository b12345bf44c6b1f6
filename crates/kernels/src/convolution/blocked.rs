//! Images and weights with channels in blocks of 16.

use rayon::prelude::*;

use super::tile::{PAIR, Tap};
use crate::simd::FLOATS;

/// Sixteen channels of one pixel, or of one tap.
pub(super) type Lanes = [f32; FLOATS];

/// Images `[batch, channel blocks, rows, columns]` of [`Lanes`], with zeros around them. Channels past
/// the last are zero.
pub(super) struct Blocked {
    pub(super) blocks: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) pixels: Vec<Lanes>,
}

/// Where an image goes within its frame of zeros.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Blocked {
    /// Blocks images `[batch, channels, height, width]`. Rows and columns past the frame's are cut off.
    pub(super) fn new(
        images: &[f32],
        channels: usize,
        [height, width]: [usize; 2],
        frame: Frame,
    ) -> Self {
        let Frame { top, left, rows, columns } = frame;
        let blocks = channels.div_ceil(FLOATS);
        let batch = images.len() / (channels * height * width);
        let mut pixels = vec![[0.0; FLOATS]; batch * blocks * rows * columns];
        let wide = width.min(columns.saturating_sub(left));
        let one_row = |(index, row): (usize, &mut [Lanes])| {
            let (block, y) = (index / rows, index % rows);
            let Some(y) = y.checked_sub(top).filter(|&y| y < height) else { return };
            let first = block % blocks * FLOATS;
            let image = block / blocks * channels;
            for lane in 0..FLOATS.min(channels - first) {
                let start = ((image + first + lane) * height + y) * width;
                let source = &images[start..start + wide];
                for (pixel, &value) in row[left..left + wide].iter_mut().zip(source) {
                    pixel[lane] = value;
                }
            }
        };
        pixels.par_chunks_mut(columns).enumerate().for_each(one_row);
        Self { blocks, rows, columns, pixels }
    }

    /// All blocks of one image.
    pub(super) fn image(&self, index: usize) -> &[Lanes] {
        let size = self.blocks * self.rows * self.columns;
        &self.pixels[index * size..][..size]
    }
}

/// Weights for pairs of output blocks: `[pair, input block, tap, input channel, block of the pair]` of
/// [`Lanes`] over output channels.
pub(super) struct Weights {
    per_pair: usize,
    lanes: Vec<Lanes>,
}

impl Weights {
    /// Packs the taps of `weight(out, in, tap)`.
    pub(super) fn new(
        [channels_out, channels_in]: [usize; 2],
        taps: &[Tap],
        weight: impl Fn(usize, usize, &Tap) -> f32 + Sync,
    ) -> Self {
        let blocks_in = channels_in.div_ceil(FLOATS);
        let pairs = channels_out.div_ceil(PAIR * FLOATS);
        let per_pair = blocks_in * taps.len() * FLOATS * PAIR;
        let mut lanes = vec![[0.0; FLOATS]; pairs * per_pair];
        let fill = |(index, lanes): (usize, &mut Lanes)| {
            let (pair, within) = (index / per_pair, index % per_pair);
            let (half, rest) = (within % PAIR, within / PAIR);
            let (lane_in, rest) = (rest % FLOATS, rest / FLOATS);
            let (tap, block_in) = (&taps[rest % taps.len()], rest / taps.len());
            let i = block_in * FLOATS + lane_in;
            let first = (pair * PAIR + half) * FLOATS;
            if i < channels_in {
                for (o, value) in (first..channels_out).zip(lanes.iter_mut()) {
                    *value = weight(o, i, tap);
                }
            }
        };
        lanes.par_iter_mut().with_min_len(1024).enumerate().for_each(fill);
        Self { per_pair, lanes }
    }

    pub(super) fn pair(&self, pair: usize) -> &[Lanes] {
        &self.lanes[pair * self.per_pair..][..self.per_pair]
    }
}
