//! One residual block.

use burn::{
    module::Module,
    tensor::{
        Device, Tensor,
        activation::{relu, sigmoid},
    },
};

use crate::ops::{Conv, ConvNorm, ConvSettings};

/// `relu(convolutions(x) + shortcut(x))`.
#[derive(Module, Debug)]
pub struct Block {
    /// In order; all but the last with ReLU.
    pub convs: Vec<ConvNorm>,
    /// Before the last of them.
    pub squeeze: Option<Squeeze>,
    /// Where size or channels change.
    pub shortcut: Option<ConvNorm>,
}

impl Block {
    /// From the settings of the convolutions, at least one.
    pub fn new(settings: &[ConvSettings], device: &Device) -> Self {
        let (last, inner) = settings.split_last().expect("a block has convolutions");
        let mut convs: Vec<_> = inner.iter().map(|s| ConvNorm::new(*s, device)).collect();
        convs.push(ConvNorm::residual(*last, device));
        let stride = settings.iter().map(|s| s.stride).product();
        let channels = [settings[0].channels[0], last.channels[1]];
        let same = stride == 1 && channels[0] == channels[1];
        let shortcut = || ConvNorm::linear(ConvSettings::new(channels, 1).stride(stride), device);
        Self { convs, squeeze: None, shortcut: (!same).then(shortcut) }
    }

    /// With channels weighed before the last convolution, by way of so many.
    pub fn squeeze(self, inner: usize, device: &Device) -> Self {
        let [channels, ..] = self.convs[self.convs.len() - 1].conv.weight.shape().dims::<4>();
        Self { squeeze: Some(Squeeze::new(channels, inner, device)), ..self }
    }

    /// `[batch, channels, height, width]` to the same.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(images.clone()),
            None => images.clone(),
        };
        let (last, inner) = self.convs.split_last().expect("a block has convolutions");
        let inner = inner.iter().fold(images, |images, conv| conv.forward(images));
        let inner = match &self.squeeze {
            Some(squeeze) => squeeze.forward(inner),
            None => inner,
        };
        last.forward_onto(inner, shortcut)
    }
}

/// Weighs channels by what the whole picture holds (Hu et al. 2018, "Squeeze-and-excitation networks").
#[derive(Module, Debug)]
pub struct Squeeze {
    down: Conv,
    up: Conv,
}

impl Squeeze {
    fn new(channels: usize, inner: usize, device: &Device) -> Self {
        Self {
            down: Conv::new(ConvSettings::new([channels, inner], 1), device),
            up: Conv::new(ConvSettings::new([inner, channels], 1), device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let mean = images.clone().mean_dim(3).mean_dim(2);
        images * sigmoid(self.up.forward(relu(self.down.forward(mean))))
    }
}
