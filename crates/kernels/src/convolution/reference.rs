//! Convolution as its definition says.

use super::Shape;

/// Calls `visit(output, weight, input)` with the indices of every product.
fn products(shape: &Shape, mut visit: impl FnMut(usize, usize, usize)) {
    let ([height, width], [rows, columns]) = (shape.size_out(), shape.size_in);
    let (taps_y, taps_x) = (shape.kernel[0], shape.kernel[1]);
    for n in 0..shape.batch {
        for o in 0..shape.channels_out {
            for i in 0..shape.channels_in {
                for (ky, kx) in (0..taps_y).flat_map(|ky| (0..taps_x).map(move |kx| (ky, kx))) {
                    let weight = ((o * shape.channels_in + i) * taps_y + ky) * taps_x + kx;
                    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                        let row = (y * shape.stride[0] + ky).checked_sub(shape.padding[0]);
                        let column = (x * shape.stride[1] + kx).checked_sub(shape.padding[1]);
                        let (Some(row), Some(column)) = (row, column) else { continue };
                        if row < rows && column < columns {
                            let output = ((n * shape.channels_out + o) * height + y) * width + x;
                            let input =
                                ((n * shape.channels_in + i) * rows + row) * columns + column;
                            visit(output, weight, input);
                        }
                    }
                }
            }
        }
    }
}

/// The output.
pub fn forward(shape: &Shape, input: &[f32], weight: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0_f64; shape.len_out()];
    products(shape, |o, w, i| out[o] += f64::from(weight[w]) * f64::from(input[i]));
    out.into_iter().map(|value| value as f32).collect()
}

/// The gradient by the input, of a gradient by the output.
pub fn input_gradient(shape: &Shape, out_gradient: &[f32], weight: &[f32]) -> Vec<f32> {
    let mut gradient = vec![0.0_f64; shape.len_in()];
    products(shape, |o, w, i| {
        gradient[i] += f64::from(weight[w]) * f64::from(out_gradient[o]);
    });
    gradient.into_iter().map(|value| value as f32).collect()
}

/// The gradient by the weight, of a gradient by the output.
pub fn weight_gradient(shape: &Shape, input: &[f32], out_gradient: &[f32]) -> Vec<f32> {
    let mut gradient = vec![0.0_f64; shape.len_weight()];
    products(shape, |o, w, i| {
        gradient[w] += f64::from(input[i]) * f64::from(out_gradient[o]);
    });
    gradient.into_iter().map(|value| value as f32).collect()
}
