//! The gradient of a convolution by its input.

use super::pass::{Pass, Place, pack};
use super::planes::{Frame, Planes};
use super::{Error, Shape, check_length};
use crate::simd::Simd;

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
    let firsts = || (0..step_y).flat_map(move |y| (0..step_x).map(move |x| [y, x]));
    let classes: Vec<Class> = firsts().filter_map(|first| Class::new(shape, first)).collect();
    // One frame that holds what every class reads.
    let most = |axis: usize| {
        classes.iter().map(|class| class.size[axis] + class.reach(axis)).max().unwrap_or(1)
    };
    let [top, left] = before(shape);
    let frame = Frame { top, left, step: [1, 1], rows: most(0), pitch: most(1) };
    let source = Planes::new(out_gradient, shape.size_out(), &frame, shape.taps());
    let channels = [shape.channels_in, shape.channels_out];
    for class in &classes {
        let place = Place { first: class.first, step: shape.stride, size: shape.size_in };
        let taps = &class.taps;
        let pass = Pass {
            simd,
            source: &source,
            frame,
            channels,
            shifts: taps.iter().map(|tap| frame.shift(tap.offset)).collect(),
            weights: pack(channels, taps.len(), |i, o, tap| {
                let [ky, kx] = taps[tap].at;
                let row = (o * shape.channels_in + i) * shape.kernel[0] + ky;
                weight[row * shape.kernel[1] + kx]
            }),
            bias: None,
            size: class.size,
        };
        if taps.is_empty() {
            clear(shape, class, gradient);
        } else {
            pass.run(place, gradient);
        }
    }
    Ok(())
}

/// A tap that a class of pixels sees.
struct Tap {
    /// Row and column in the kernel.
    at: [usize; 2],
    /// Rows down and columns right in the framed gradient.
    offset: [usize; 2],
}

/// The input's pixels of one remainder by the stride.
struct Class {
    first: [usize; 2],
    /// Rows and columns.
    size: [usize; 2],
    taps: Vec<Tap>,
}

/// Rows and columns of zeros before the gradient, which make all offsets positive.
fn before(shape: &Shape) -> [usize; 2] {
    [0, 1].map(|axis| match shape.stride[axis] {
        1 => shape.kernel[axis] - 1 - shape.padding[axis],
        stride => shape.kernel[axis].div_ceil(stride),
    })
}

impl Class {
    fn new(shape: &Shape, first: [usize; 2]) -> Option<Self> {
        let size = [0, 1].map(|axis| {
            shape.size_in[axis].saturating_sub(first[axis]).div_ceil(shape.stride[axis])
        });
        if size.contains(&0) {
            return None;
        }
        // The output row that tap k of input row `first + stride·y` went to is y + (first + padding - k) /
        // stride, where that divides.
        let along = |axis: usize| {
            let (stride, reach) = (shape.stride[axis], first[axis] + shape.padding[axis]);
            (0..shape.kernel[axis])
                .filter(move |k| reach % stride == k % stride)
                .map(move |k| (k, before(shape)[axis] + reach / stride - k / stride))
                .collect::<Vec<_>>()
        };
        let (rows, columns) = (along(0), along(1));
        let tap = |&(ky, y): &(usize, usize), &(kx, x): &(usize, usize)| Tap {
            at: [ky, kx],
            offset: [y, x],
        };
        let taps = rows.iter().flat_map(|row| columns.iter().map(move |column| tap(row, column)));
        Some(Self { first, size, taps: taps.collect() })
    }

    fn reach(&self, axis: usize) -> usize {
        self.taps.iter().map(|tap| tap.offset[axis]).max().unwrap_or(0)
    }
}

/// Pixels that no output saw.
fn clear(shape: &Shape, class: &Class, gradient: &mut [f32]) {
    let [height, width] = shape.size_in;
    for plane in gradient.chunks_exact_mut(height * width) {
        let rows = plane.chunks_exact_mut(width).skip(class.first[0]).step_by(shape.stride[0]);
        for row in rows {
            row.iter_mut().skip(class.first[1]).step_by(shape.stride[1]).for_each(|x| *x = 0.0);
        }
    }
}
