//! The output of a convolution.

use rayon::prelude::*;

use super::blocked::{Blocked, Frame, Lanes, Weights};
use super::tile::{PAIR, Row, Tap, columns_read, run_for};
use super::{Error, Shape, check_length};
use crate::simd::{FLOATS, Simd};

/// Convolves `input` with `weight` and adds `bias` per output channel.
///
/// # Errors
/// [`Error`] where sizes and lengths do not fit.
pub fn forward(
    simd: Simd,
    shape: &Shape,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    out: &mut [f32],
) -> Result<(), Error> {
    shape.check()?;
    check_length("the input", input.len(), shape.len_in())?;
    check_length("the weight", weight.len(), shape.len_weight())?;
    check_length("the output", out.len(), shape.len_out())?;
    if let Some(bias) = bias {
        check_length("the bias", bias.len(), shape.channels_out)?;
    }
    let [kernel_y, kernel_x] = shape.kernel;
    let taps: Vec<Tap> = (0..kernel_y)
        .flat_map(|y| (0..kernel_x).map(move |x| Tap { at: [y, x], offset: [y, x] }))
        .collect();
    let [height, width] = shape.size_out();
    let frame = Frame {
        top: shape.padding[0],
        left: shape.padding[1],
        rows: (height - 1) * shape.stride[0] + kernel_y,
        columns: columns_read(width, shape.stride[1], &taps),
    };
    let pass = Pass {
        simd,
        input: Blocked::new(input, shape.channels_in, shape.size_in, frame),
        channels: [shape.channels_out, shape.channels_in],
        weights: Weights::new([shape.channels_out, shape.channels_in], &taps, |o, i, tap| {
            weight[((o * shape.channels_in + i) * kernel_y + tap.at[0]) * kernel_x + tap.at[1]]
        }),
        taps,
        stride: shape.stride,
        size: [height, width],
        bias,
    };
    let place = Place { first: [0, 0], step: [1, 1], size: [height, width] };
    pass.run(place, out);
    Ok(())
}

/// A sum over taps for all pixels of a grid.
pub(super) struct Pass<'a> {
    pub(super) simd: Simd,
    pub(super) input: Blocked,
    /// Output, input.
    pub(super) channels: [usize; 2],
    pub(super) weights: Weights,
    pub(super) taps: Vec<Tap>,
    pub(super) stride: [usize; 2],
    /// Rows and columns of the grid.
    pub(super) size: [usize; 2],
    pub(super) bias: Option<&'a [f32]>,
}

/// Which pixels of an image the grid is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) first: [usize; 2],
    pub(super) step: [usize; 2],
    /// Of the image.
    pub(super) size: [usize; 2],
}

impl Pass<'_> {
    /// Writes the grid into images `[batch, output channels, height, width]`.
    pub(super) fn run(&self, place: Place, out: &mut [f32]) {
        let plane = place.size[0] * place.size[1];
        let [channels_out, _] = self.channels;
        let images = out.par_chunks_mut(channels_out * plane).enumerate();
        images.for_each(|(image, planes)| {
            let pairs = planes.par_chunks_mut(PAIR * FLOATS * plane).enumerate();
            pairs.for_each(|(pair, planes)| self.planes(place, image, pair, planes));
        });
    }

    /// One pair of channel blocks of one image.
    fn planes(&self, place: Place, image: usize, pair: usize, planes: &mut [f32]) {
        let [height, width] = self.size;
        let run = run_for(width);
        let across = width.div_ceil(run) * run;
        let mut row: Vec<Lanes> = vec![[0.0; FLOATS]; PAIR * across];
        for y in 0..height {
            let (a, b) = row.split_at_mut(across);
            let job = Row {
                input: &self.input,
                image,
                channels_in: self.channels[1],
                weights: self.weights.pair(pair),
                taps: &self.taps,
                y: y * self.stride[0],
                stride: self.stride[1],
                out: [a, b],
            };
            self.simd.run((job, run));
            let start = (place.first[0] + y * place.step[0]) * place.size[1] + place.first[1];
            let plane = place.size[0] * place.size[1];
            for (channel, plane) in planes.chunks_exact_mut(plane).enumerate() {
                let bias = self.bias.map_or(0.0, |bias| bias[pair * PAIR * FLOATS + channel]);
                let (half, lane) = (channel / FLOATS, channel % FLOATS);
                let sums = &row[half * across..][..width];
                let pixels = plane[start..].iter_mut().step_by(place.step[1]);
                for (pixel, sum) in pixels.zip(sums) {
                    *pixel = sum[lane] + bias;
                }
            }
        }
    }
}
