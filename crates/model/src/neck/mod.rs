//! BiFPN: a pyramid of features that sees the picture at all sizes (Tan et al. 2020, "EfficientDet").

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Device, Tensor, activation::relu},
};
use serde::{Deserialize, Serialize};

use crate::{
    Error, config,
    ops::{Conv, ConvNorm, ConvSettings, halve, resize_bilinear, resize_nearest},
    rays,
};

/// Sizes of the pyramid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeckConfig {
    /// Of every level.
    pub channels: usize,
    /// Passes down and up.
    pub repeats: usize,
    /// Stage of the backbone that the finest level is made of, from 0.
    #[serde(default)]
    pub first: usize,
    /// Every level is told where its cells look, by the calibration: for depth and space, which differ between
    /// cameras that see the same.
    #[serde(default)]
    pub rays: bool,
}

impl NeckConfig {
    /// Whether there is such a pyramid over a backbone of so many stages.
    ///
    /// # Errors
    /// [`Error::Config`] names the setting that does not fit.
    pub fn check(&self, stages: usize) -> Result<(), Error> {
        config::range("neck.channels", self.channels, 1, 4096)?;
        config::range("neck.repeats", self.repeats, 0, 16)?;
        config::range("neck.first", self.first, 0, stages - 1)
    }

    /// With fresh weights, over stages of these channels.
    pub fn init(&self, stages: &[usize], device: &Device) -> Neck {
        let stages = &stages[self.first..];
        let lateral =
            |from: &usize| ConvNorm::linear(ConvSettings::new([*from, self.channels], 1), device);
        let told = if self.rays { stages.len() } else { 0 };
        let rays = |_| Conv::new(ConvSettings::new([rays::CHANNELS, self.channels], 1), device);
        let layer = |_| Layer::new(stages.len(), self.channels, device);
        Neck {
            laterals: stages.iter().map(lateral).collect(),
            rays: (0..told).map(rays).collect(),
            layers: (0..self.repeats).map(layer).collect(),
            first: self.first,
        }
    }
}

/// The pyramid.
#[derive(Module, Debug)]
pub struct Neck {
    laterals: Vec<ConvNorm>,
    /// One per level, or none.
    rays: Vec<Conv>,
    layers: Vec<Layer>,
    first: usize,
}

impl Neck {
    /// Levels of equal channels from the backbone's stages, finest first. `rays`: where the cells of the
    /// finest look.
    ///
    /// # Panics
    /// If `rays` are missing in a neck that is told them.
    pub fn forward(&self, stages: Vec<Tensor<4>>, rays: Option<&Tensor<4>>) -> Vec<Tensor<4>> {
        let stages = stages.into_iter().skip(self.first);
        let levels = stages.zip(&self.laterals).map(|(stage, lateral)| lateral.forward(stage));
        let mut levels: Vec<_> = levels.collect();
        for (level, told) in levels.iter_mut().zip(&self.rays) {
            let rays = rays.expect("a neck that is told rays is given them").clone();
            let [_, _, height, width] = level.dims();
            *level = level.clone() + told.forward(resize_bilinear(rays, [height, width]));
        }
        self.layers.iter().fold(levels, |levels, layer| layer.forward(levels))
    }
}

/// A pass from coarse to fine, and one back.
#[derive(Module, Debug)]
struct Layer {
    /// Of all levels but the coarsest, finest first.
    down: Vec<Fusion>,
    /// Of all levels but the finest.
    up: Vec<Fusion>,
}

impl Layer {
    fn new(levels: usize, channels: usize, device: &Device) -> Self {
        let fusion = |inputs: usize| Fusion::new(inputs, channels, device);
        let up = |level: usize| fusion(if level + 1 == levels { 2 } else { 3 });
        Self { down: (1..levels).map(|_| fusion(2)).collect(), up: (1..levels).map(up).collect() }
    }

    fn forward(&self, levels: Vec<Tensor<4>>) -> Vec<Tensor<4>> {
        let mut fused = levels.clone();
        for level in (0..levels.len() - 1).rev() {
            let [_, _, height, width] = levels[level].dims();
            let above = resize_nearest(fused[level + 1].clone(), [height, width]);
            fused[level] = self.down[level].forward(vec![levels[level].clone(), above]);
        }
        for level in 1..levels.len() {
            let below = halve(fused[level - 1].clone());
            let mut inputs = vec![levels[level].clone(), below];
            if level + 1 < levels.len() {
                inputs.push(fused[level].clone());
            }
            fused[level] = self.up[level - 1].forward(inputs);
        }
        fused
    }
}

/// A learned mean of several inputs, then a convolution.
#[derive(Module, Debug)]
struct Fusion {
    weights: Param<Tensor<1>>,
    conv: ConvNorm,
}

impl Fusion {
    fn new(inputs: usize, channels: usize, device: &Device) -> Self {
        Self {
            weights: Initializer::Ones.init([inputs], device),
            conv: ConvNorm::new(ConvSettings::new([channels; 2], 3), device),
        }
    }

    /// "Fast normalized fusion", section 3.3.
    fn forward(&self, inputs: Vec<Tensor<4>>) -> Tensor<4> {
        let weights = relu(self.weights.val());
        let weights = weights.clone() / (weights.sum() + 1e-4);
        let share = |index: usize| weights.clone().narrow(0, index, 1).reshape([1, 1, 1, 1]);
        let terms = inputs.into_iter().enumerate().map(|(index, input)| input * share(index));
        self.conv.forward(terms.reduce(|sum, term| sum + term).expect("something is fused"))
    }
}
