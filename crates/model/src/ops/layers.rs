//! Convolution, and convolution with batch normalisation.

use burn::{
    module::{Initializer, Module},
    nn::{
        BatchNorm, BatchNormConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{Device, Tensor, activation::relu},
};

use super::apply::{convolve, convolve_folded, normalise};

/// Sizes of a convolution with square taps, padded so that without stride the size stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSettings {
    /// Channels in, channels out.
    pub channels: [usize; 2],
    /// Taps along each side; odd.
    pub kernel: usize,
    /// Pixels from one output to the next.
    pub stride: usize,
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl ConvSettings {
    /// Dense, without stride.
    pub fn new(channels: [usize; 2], kernel: usize) -> Self {
        Self { channels, kernel, stride: 1, groups: 1 }
    }

    /// With a stride.
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// In groups.
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    fn init(self, bias: bool, device: &Device) -> Conv2d {
        let pad = self.kernel / 2;
        Conv2dConfig::new(self.channels, [self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_groups(self.groups)
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_bias(bias)
            .with_initializer(relu_slope())
            .init(device)
    }
}

/// He et al. 2015, equation (14), for the backward pass: as ResNets start.
pub fn relu_slope() -> Initializer {
    Initializer::KaimingNormal { gain: std::f64::consts::SQRT_2, fan_out_only: true }
}

/// A convolution with bias.
#[derive(Module, Debug)]
pub struct Conv {
    pub(super) conv: Conv2d,
}

impl Conv {
    /// With fresh weights; the bias begins at 0.
    pub fn new(settings: ConvSettings, device: &Device) -> Self {
        let mut conv = settings.init(true, device);
        conv.bias = Some(Initializer::Zeros.init([settings.channels[1]], device));
        Self { conv }
    }

    /// `[batch, channels, height, width]` to the same.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        convolve(&self.conv, images)
    }
}

/// A convolution, batch normalisation (Ioffe and Szegedy 2015), and a ReLU where asked for.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// Without bias: the normalisation has one.
    pub conv: Conv2d,
    /// Statistics of the batch when training, running ones else.
    pub norm: BatchNorm,
    relu: bool,
}

impl ConvNorm {
    /// With a ReLU.
    pub fn new(settings: ConvSettings, device: &Device) -> Self {
        let conv = settings.init(false, device);
        Self { conv, norm: BatchNormConfig::new(settings.channels[1]).init(device), relu: true }
    }

    /// Without.
    pub fn linear(settings: ConvSettings, device: &Device) -> Self {
        Self { relu: false, ..Self::new(settings, device) }
    }

    /// Without, the scale at 0: the last of a residual block, which so begins as the identity (Goyal et
    /// al. 2017, section 5.1).
    pub fn residual(settings: ConvSettings, device: &Device) -> Self {
        let mut layer = Self::linear(settings, device);
        layer.norm.gamma = Initializer::Zeros.init([settings.channels[1]], device);
        layer
    }

    /// `[batch, channels, height, width]` to the same.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        self.apply(images, None, self.relu)
    }

    /// `relu(forward(images) + shortcut)`.
    pub fn forward_onto(&self, images: Tensor<4>, shortcut: Tensor<4>) -> Tensor<4> {
        self.apply(images, Some(shortcut), true)
    }

    fn apply(&self, images: Tensor<4>, shortcut: Option<Tensor<4>>, rectify: bool) -> Tensor<4> {
        if let Some(out) = convolve_folded(&self.conv, &self.norm, &images) {
            let out = match shortcut {
                Some(shortcut) => out + shortcut,
                None => out,
            };
            return if rectify { relu(out) } else { out };
        }
        normalise(&self.norm, convolve(&self.conv, images), shortcut, rectify)
    }
}
