//! Changes of size.

use burn::tensor::{
    Tensor, TensorData,
    module::{interpolate, max_pool2d},
    ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions},
};

/// To a given height and width, by the nearest pixel.
pub fn resize_nearest(images: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    if [height, width] == size {
        return images;
    }
    interpolate(images, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size(size))
}

/// To a given height and width, bilinear, pixel centres at integer + 0.5, beyond the rim the rim.
///
/// Two matrix products, one along each axis: their gradients are products too, where the gradient of a
/// sampler is a scatter.
pub fn resize_bilinear(images: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    if [height, width] == size {
        return images;
    }
    let device = images.device();
    let along = |from: usize, to: usize| {
        Tensor::<2>::from_data(TensorData::new(shares(from, to), [to, from]), &device)
    };
    let rows = images.reshape([batch * channels * height, width]);
    let wide = rows.matmul(along(width, size[1]).transpose());
    let columns = wide.reshape([batch * channels, height, size[1]]);
    let high = along(height, size[0]).unsqueeze::<3>();
    let high = high.expand([batch * channels, size[0], height]).matmul(columns);
    high.reshape([batch, channels, size[0], size[1]])
}

/// Share of each of `from` pixels in each of `to`, `[to, from]`.
fn shares(from: usize, to: usize) -> Vec<f32> {
    let mut shares = vec![0.0; to * from];
    for (i, row) in shares.chunks_exact_mut(from).enumerate() {
        let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
        let first = at as usize;
        row[first] += (1.0 - at.fract()) as f32;
        row[(first + 1).min(from - 1)] += at.fract() as f32;
    }
    shares
}

/// To half the height and width, rounded up: the largest of 3 x 3 pixels.
pub fn halve(images: Tensor<4>) -> Tensor<4> {
    max_pool2d(images, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn bilinear_is_that_of_the_sampler() {
        let device = Device::flex();
        for (from, to) in
            [([5, 7], [10, 14]), ([5, 7], [12, 9]), ([8, 6], [4, 3]), ([3, 3], [3, 3])]
        {
            let images =
                Tensor::<4>::random([2, 3, from[0], from[1]], Distribution::Default, &device);
            let options = InterpolateOptions::new(InterpolateMode::Bilinear)
                .with_align_corners(false)
                .with_output_size(to);
            let expected = interpolate(images.clone(), options);
            let off = (resize_bilinear(images, to) - expected).abs().max().into_scalar::<f32>();
            assert!(off < 1e-5, "{from:?} to {to:?}: off by {off}");
        }
    }
}
