//! The gradients of a convolution.

use rayon::prelude::*;

use super::blocked::{Blocked, Frame, Lanes, Weights};
use super::forward::{Pass, Place};
use super::tile::{PAIR, Tap, columns_read};
use super::{Error, Shape, check_length};
use crate::simd::{FLOATS, Isa, Kernel, Simd};

/// The gradient by the input, of a gradient by the output.
///
/// With a stride, the input's pixels fall into classes by their remainder; each class sees its own taps
/// and is a convolution without stride.
///
/// # Errors
/// [`Error`] where sizes and lengths do not fit.
pub fn input_gradient(
    simd: Simd,
    shape: &Shape,
    out_gradient: &[f32],
    weight: &[f32],
    gradient: &mut [f32],
) -> Result<(), Error> {
    shape.check()?;
    check_length("the gradient by the output", out_gradient.len(), shape.len_out())?;
    check_length("the weight", weight.len(), shape.len_weight())?;
    check_length("the gradient by the input", gradient.len(), shape.len_in())?;
    let [step_y, step_x] = shape.stride;
    for first in (0..step_y).flat_map(|y| (0..step_x).map(move |x| [y, x])) {
        one_class(simd, shape, first, (out_gradient, weight), gradient);
    }
    Ok(())
}

fn one_class(
    simd: Simd,
    shape: &Shape,
    first: [usize; 2],
    (out_gradient, weight): (&[f32], &[f32]),
    gradient: &mut [f32],
) {
    let size = [0, 1]
        .map(|axis| shape.size_in[axis].saturating_sub(first[axis]).div_ceil(shape.stride[axis]));
    if size.contains(&0) {
        return;
    }
    // The output row that tap k of input row `first + stride·y` went to is y + (first + padding - k) / stride,
    // where that divides; `before` makes it positive.
    let before = [0, 1].map(|axis| shape.kernel[axis].div_ceil(shape.stride[axis]));
    let along = |axis: usize| {
        let (stride, reach) = (shape.stride[axis], first[axis] + shape.padding[axis]);
        (0..shape.kernel[axis])
            .filter(move |k| reach % stride == k % stride)
            .map(move |k| (k, before[axis] + reach / stride - k / stride))
            .collect::<Vec<_>>()
    };
    let (rows, columns) = (along(0), along(1));
    let tap =
        |&(ky, y): &(usize, usize), &(kx, x): &(usize, usize)| Tap { at: [ky, kx], offset: [y, x] };
    let taps: Vec<Tap> =
        rows.iter().flat_map(|row| columns.iter().map(move |column| tap(row, column))).collect();
    let reach = taps.iter().map(|tap| tap.offset[0]).max().unwrap_or(0);
    let frame = Frame {
        top: before[0],
        left: before[1],
        rows: size[0] + reach,
        columns: columns_read(size[1], 1, &taps),
    };
    let [taps_y, taps_x] = shape.kernel;
    let pass = Pass {
        simd,
        input: Blocked::new(out_gradient, shape.channels_out, shape.size_out(), frame),
        channels: [shape.channels_in, shape.channels_out],
        weights: Weights::new([shape.channels_in, shape.channels_out], &taps, |i, o, tap| {
            weight[((o * shape.channels_in + i) * taps_y + tap.at[0]) * taps_x + tap.at[1]]
        }),
        taps,
        stride: [1, 1],
        size,
        bias: None,
    };
    pass.run(Place { first, step: shape.stride, size: shape.size_in }, gradient);
}

/// The gradient by the weight, of a gradient by the output.
///
/// # Errors
/// [`Error`] where sizes and lengths do not fit.
pub fn weight_gradient(
    simd: Simd,
    shape: &Shape,
    input: &[f32],
    out_gradient: &[f32],
    gradient: &mut [f32],
) -> Result<(), Error> {
    shape.check()?;
    check_length("the input", input.len(), shape.len_in())?;
    check_length("the gradient by the output", out_gradient.len(), shape.len_out())?;
    check_length("the gradient by the weight", gradient.len(), shape.len_weight())?;
    let [height, width] = shape.size_out();
    let frame = Frame {
        top: shape.padding[0],
        left: shape.padding[1],
        rows: (height - 1) * shape.stride[0] + shape.kernel[0],
        columns: (width - 1) * shape.stride[1] + shape.kernel[1],
    };
    let input = Blocked::new(input, shape.channels_in, shape.size_in, frame);
    // An even number of blocks: sums are made for pairs.
    let padded = shape.channels_out.div_ceil(PAIR * FLOATS) * PAIR;
    let frame = Frame { top: 0, left: 0, rows: height, columns: width };
    let out_gradient = Blocked::new(out_gradient, shape.channels_out, [height, width], frame);
    let blocks_in = input.blocks;
    let jobs: Vec<(usize, usize)> =
        (0..padded / PAIR).flat_map(|o| (0..blocks_in).map(move |i| (o, i))).collect();
    let sums: Vec<Vec<Lanes>> = jobs
        .par_iter()
        .map(|&(pair, block_in)| {
            simd.run(Sums { shape, input: &input, out_gradient: &out_gradient, pair, block_in })
        })
        .collect();
    let one = |(index, value): (usize, &mut f32)| {
        let (tap, rest) = (index % shape.taps(), index / shape.taps());
        let (i, o) = (rest % shape.channels_in, rest / shape.channels_in);
        let job = o / (PAIR * FLOATS) * blocks_in + i / FLOATS;
        let half = o / FLOATS % PAIR;
        *value = sums[job][(tap * FLOATS + i % FLOATS) * PAIR + half][o % FLOATS];
    };
    gradient.par_iter_mut().with_min_len(4096).enumerate().for_each(one);
    Ok(())
}

/// Input channels that are summed at once: with two blocks of output channels 16 registers.
const AT_ONCE: usize = 8;

/// Sums for one pair of output blocks and one input block: `[tap, input channel, block of the pair]`.
struct Sums<'a> {
    shape: &'a Shape,
    input: &'a Blocked,
    out_gradient: &'a Blocked,
    pair: usize,
    block_in: usize,
}

impl Kernel for Sums<'_> {
    type Output = Vec<Lanes>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Vec<Lanes> {
        let mut sums = vec![[0.0; FLOATS]; self.shape.taps() * FLOATS * PAIR];
        let [height, _] = self.shape.size_out();
        let channels = FLOATS.min(self.shape.channels_in - self.block_in * FLOATS);
        for (image, y) in (0..self.shape.batch).flat_map(|n| (0..height).map(move |y| (n, y))) {
            for (tap, sums) in sums.chunks_exact_mut(FLOATS * PAIR).enumerate() {
                for (part, sums) in sums.chunks_exact_mut(AT_ONCE * PAIR).enumerate() {
                    if part * AT_ONCE < channels {
                        self.row(isa, [image, y, tap], part * AT_ONCE, sums);
                    }
                }
            }
        }
        sums
    }
}

impl Sums<'_> {
    /// Adds one row of one tap for [`AT_ONCE`] input channels.
    #[inline(always)]
    fn row<I: Isa>(&self, isa: I, [image, y, tap]: [usize; 3], channel: usize, out: &mut [Lanes]) {
        let (shape, input, given) = (self.shape, self.input, self.out_gradient);
        let (ky, kx) = (tap / shape.kernel[1], tap % shape.kernel[1]);
        let [_, width] = shape.size_out();
        let stride = shape.stride[1];
        let row = self.block_in * input.rows + y * shape.stride[0] + ky;
        let pixels = &input.image(image)[row * input.columns + kx..][..(width - 1) * stride + 1];
        // The last pair may lack its second block: it then sums the first twice, and nobody reads it.
        let blocks = [0, 1].map(|half| (self.pair * PAIR + half).min(given.blocks - 1));
        let given_rows = blocks
            .map(|block| &given.image(image)[(block * given.rows + y) * given.columns..][..width]);
        let mut sums = [[isa.splat_f(0.0); PAIR]; AT_ONCE];
        for (sums, out) in sums.iter_mut().zip(out.chunks_exact(PAIR)) {
            *sums = [isa.load_f(&out[0]), isa.load_f(&out[1])];
        }
        for x in 0..width {
            let [a, b] = given_rows.map(|row| isa.load_f(&row[x]));
            let pixel = &pixels[x * stride][channel..channel + AT_ONCE];
            for (sums, &value) in sums.iter_mut().zip(pixel) {
                let value = isa.splat_f(value);
                sums[0] = isa.mul_add_loosely(value, a, sums[0]);
                sums[1] = isa.mul_add_loosely(value, b, sums[1]);
            }
        }
        for (sums, out) in sums.iter().zip(out.chunks_exact_mut(PAIR)) {
            isa.store_f(sums[0], &mut out[0]);
            isa.store_f(sums[1], &mut out[1]);
        }
    }
}
