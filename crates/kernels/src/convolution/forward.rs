//! The output of a convolution.

use super::pass::{Pass, Place, pack};
use super::planes::{Frame, Planes};
use super::{Error, Shape, check_length};
use crate::simd::Simd;

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
    let frame = frame(shape);
    let channels = [shape.channels_out, shape.channels_in];
    let pass = Pass {
        simd,
        source: &Planes::new(input, shape.size_in, &frame, shape.taps()),
        frame,
        channels,
        shifts: shifts(shape, &frame),
        weights: pack(channels, shape.taps(), |o, i, tap| {
            weight[(o * shape.channels_in + i) * shape.taps() + tap]
        }),
        bias,
        size: shape.size_out(),
    };
    pass.run(Place { first: [0, 0], step: [1, 1], size: pass.size }, out);
    Ok(())
}

/// How the input lies so that every tap is a shift.
pub(super) fn frame(shape: &Shape) -> Frame {
    let along =
        |axis: usize| shape.size_out()[axis] + (shape.kernel[axis] - 1) / shape.stride[axis];
    let [top, left] = shape.padding;
    Frame { top, left, step: shape.stride, rows: along(0), pitch: along(1) }
}

/// The taps' shifts, row by row of the kernel.
pub(super) fn shifts(shape: &Shape, frame: &Frame) -> Vec<usize> {
    let [taps_y, taps_x] = shape.kernel;
    (0..taps_y * taps_x).map(|tap| frame.shift([tap / taps_x, tap % taps_x])).collect()
}
