//! One residual block.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

use crate::ops::{ConvNorm, ConvSettings};

/// `relu(convolutions(x) + shortcut(x))`.
#[derive(Module, Debug)]
pub struct Block {
    /// In order; all but the last with ReLU.
    pub convs: Vec<ConvNorm>,
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
        Self { convs, shortcut: (!same).then(shortcut) }
    }

    /// `[batch, channels, height, width]` to the same.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward(images.clone()),
            None => images.clone(),
        };
        let (last, inner) = self.convs.split_last().expect("a block has convolutions");
        let inner = inner.iter().fold(images, |images, conv| conv.forward(images));
        last.forward_onto(inner, shortcut)
    }
}
