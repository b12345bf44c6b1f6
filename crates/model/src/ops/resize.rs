//! Changes of size.

use burn::tensor::{
    Tensor,
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

/// To half the height and width, rounded up: the largest of 3 x 3 pixels.
pub fn halve(images: Tensor<4>) -> Tensor<4> {
    max_pool2d(images, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]))
}
