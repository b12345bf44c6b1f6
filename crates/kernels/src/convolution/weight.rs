//! The gradient of a convolution by its weight.

use rayon::prelude::*;

use super::forward::{frame, shifts};
use super::planes::{Frame, Planes};
use super::{Error, Shape, check_length};
use crate::simd::{FLOATS, Isa, Kernel, Simd};

/// Output channels, and columns (taps of input channels), whose sums are held in registers.
const TILE: [usize; 2] = [8, 3];

/// Pixels that are summed before the lanes are added up: a tile's output channels fit the first cache.
const STRETCH: usize = 512;

/// Input channels of one job, whose taps' sums one thread makes.
const CHANNELS: usize = 16;

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
    let frame_in = frame(shape);
    let [height, width] = shape.size_out();
    // As the input lies, so that pixels go together; zeros where a row of the input is longer.
    let pitch = frame_in.pitch;
    let rows =
        height + usize::from(!(height * pitch).is_multiple_of(FLOATS)) * FLOATS.div_ceil(pitch);
    let frame_out = Frame { top: 0, left: 0, step: [1, 1], rows, pitch };
    let sums = Sums {
        shape,
        input: &Planes::new(input, shape.size_in, &frame_in, shape.taps()),
        given: &Planes::new(out_gradient, [height, width], &frame_out, 1),
        channel_in: frame_in.channel_len(),
        channel_out: frame_out.channel_len(),
        shifts: &shifts(shape, &frame_in),
        numbers: ((height - 1) * pitch + width).next_multiple_of(FLOATS),
    };
    let per_channel = shape.channels_in * shape.taps();
    gradient.par_chunks_mut(TILE[0] * per_channel).enumerate().for_each(|(block, gradient)| {
        let parts: Vec<Vec<f32>> = (0..shape.channels_in.div_ceil(CHANNELS))
            .into_par_iter()
            .map(|part| simd.run(Job { sums: &sums, block, part }))
            .collect();
        let wide = CHANNELS * shape.taps();
        for (part, values) in parts.iter().enumerate() {
            let columns = values.len() / TILE[0];
            for (row, out) in gradient.chunks_exact_mut(per_channel).enumerate() {
                out[part * wide..][..columns].copy_from_slice(&values[row * columns..][..columns]);
            }
        }
    });
    Ok(())
}

struct Sums<'a> {
    shape: &'a Shape,
    input: &'a Planes<'a>,
    given: &'a Planes<'a>,
    /// Numbers of one channel.
    channel_in: usize,
    channel_out: usize,
    shifts: &'a [usize],
    /// Pixels to sum over, a whole number of vectors.
    numbers: usize,
}

/// A block of output channels with some input channels: `[output channel][input channel][tap]`.
struct Job<'a> {
    sums: &'a Sums<'a>,
    block: usize,
    part: usize,
}

impl Kernel for Job<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Vec<f32> {
        let Sums { shape, input, given, channel_in, channel_out, shifts, numbers } = *self.sums;
        let channels = self.part * CHANNELS..((self.part + 1) * CHANNELS).min(shape.channels_in);
        // Where each column's pixels begin within an image.
        let columns: Vec<usize> = channels
            .flat_map(|channel| shifts.iter().map(move |shift| channel * channel_in + shift))
            .collect();
        let mut out = vec![0.0; TILE[0] * columns.len()];
        // The last block may lack channels: it then sums its last one again, and nobody reads it.
        let rows: [usize; TILE[0]] = std::array::from_fn(|row| {
            (self.block * TILE[0] + row).min(shape.channels_out - 1) * channel_out
        });
        for image in 0..shape.batch {
            let input = &input.numbers()[image * shape.channels_in * channel_in..];
            let given = &given.numbers()[image * shape.channels_out * channel_out..];
            for start in (0..numbers).step_by(STRETCH) {
                let length = STRETCH.min(numbers - start);
                let rows = rows.map(|row| &given[row + start..][..length]);
                for first in (0..columns.len()).step_by(TILE[1]) {
                    let column = |index: usize| {
                        let column = columns[(first + index).min(columns.len() - 1)];
                        &input[column + start..][..length]
                    };
                    let tile = tile(isa, &rows, &std::array::from_fn(column));
                    for (row, tile) in tile.iter().enumerate() {
                        let out = &mut out[row * columns.len() + first..];
                        let here = TILE[1].min(columns.len() - first);
                        for (out, sum) in out[..here].iter_mut().zip(tile) {
                            *out += sum;
                        }
                    }
                }
            }
        }
        out
    }
}

/// Products of every row with every column, summed over pixels.
#[inline(always)]
fn tile<I: Isa>(
    isa: I,
    rows: &[&[f32]; TILE[0]],
    columns: &[&[f32]; TILE[1]],
) -> [[f32; TILE[1]]; TILE[0]] {
    let mut sums = [[isa.splat_f(0.0); TILE[1]]; TILE[0]];
    for at in (0..rows[0].len() / FLOATS * FLOATS).step_by(FLOATS) {
        let run = |all: &[f32]| {
            // SAFETY: all rows and columns have one length, and whole vectors begin at `at`.
            isa.load_f(unsafe { &*all.as_ptr().add(at).cast::<[f32; FLOATS]>() })
        };
        let mut values = [isa.splat_f(0.0); TILE[1]];
        for c in 0..TILE[1] {
            values[c] = run(columns[c]);
        }
        for r in 0..TILE[0] {
            let given = run(rows[r]);
            for c in 0..TILE[1] {
                sums[r][c] = isa.mul_add_loosely(given, values[c], sums[r][c]);
            }
        }
    }
    let mut lanes = [[[0.0; FLOATS]; TILE[1]]; TILE[0]];
    for r in 0..TILE[0] {
        for c in 0..TILE[1] {
            isa.store_f(sums[r][c], &mut lanes[r][c]);
        }
    }
    lanes.map(|lanes| lanes.map(total))
}

/// Adds the lanes in a fixed order.
#[inline(always)]
fn total(mut lanes: [f32; FLOATS]) -> f32 {
    for width in [8, 4, 2, 1] {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0]
}
