//! What heads are built of.

use burn::{
    module::Module,
    nn::{
        BatchNorm, BatchNormConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{Device, Tensor},
};

use crate::{
    ops::{convolve, normalise, resize_bilinear},
    task::Level,
};

/// A convolution of `kernel x kernel` that keeps the size.
pub(super) fn convolution(
    channels: [usize; 2],
    kernel: usize,
    bias: bool,
    device: &Device,
) -> Conv2d {
    let half = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_padding(PaddingConfig2d::Explicit(half, half, half, half))
        .with_bias(bias)
        .init(device)
}

/// A last layer whose outputs start at `value`: rare things start rare (Lin et al. 2017, section 4.1).
pub(super) fn last_layer(channels: [usize; 2], value: f32, device: &Device) -> Conv2d {
    last_layer_at(channels[0], &vec![value; channels[1]], device)
}

/// A last layer, one output per value, which it starts at.
pub(super) fn last_layer_at(channels_in: usize, values: &[f32], device: &Device) -> Conv2d {
    let mut layer = convolution([channels_in, values.len()], 1, true, device);
    let bias = Tensor::from_floats(values, device);
    layer.bias = layer.bias.map(|_| burn::module::Param::from_tensor(bias));
    layer
}

/// Convolution, batch norm, ReLU.
#[derive(Module, Debug)]
pub(super) struct Block {
    convolution: Conv2d,
    norm: BatchNorm,
}

impl Block {
    pub(super) fn new(channels: [usize; 2], kernel: usize, device: &Device) -> Self {
        Self {
            convolution: convolution(channels, kernel, false, device),
            norm: BatchNormConfig::new(channels[1]).init(device),
        }
    }

    pub(super) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        normalise(&self.norm, convolve(&self.convolution, input), None, true)
    }
}

/// The levels of the pyramid in one map of the finest one's size: each through a 1x1 convolution to a
/// common width, upsampled, summed, then one 3x3 block (Kirillov et al. 2019, Panoptic FPN, figure 3).
#[derive(Module, Debug)]
pub(super) struct Merge {
    laterals: Vec<Conv2d>,
    norm: BatchNorm,
    block: Block,
}

impl Merge {
    pub(super) fn new(levels: &[Level], width: usize, device: &Device) -> Self {
        let lateral = |level: &Level| convolution([level.channels, width], 1, false, device);
        Self {
            laterals: levels.iter().map(lateral).collect(),
            norm: BatchNormConfig::new(width).init(device),
            block: Block::new([width, width], 3, device),
        }
    }

    pub(super) fn forward(&self, pyramid: &[Tensor<4>]) -> Tensor<4> {
        let [_, _, height, width] = pyramid[0].dims();
        let mut levels = self.laterals.iter().zip(pyramid);
        let level =
            |(lateral, features): (&Conv2d, &Tensor<4>)| convolve(lateral, features.clone());
        let finest = level(levels.next().expect("a pyramid has a level"));
        let sum =
            levels.fold(finest, |sum, next| sum + resize_bilinear(level(next), [height, width]));
        self.block.forward(normalise(&self.norm, sum, None, true))
    }
}
