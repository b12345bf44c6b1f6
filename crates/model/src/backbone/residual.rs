//! RegNet and ResNet: a stem and stages of residual blocks.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use serde::{Deserialize, Serialize};

use super::{Block, check_stages};
use crate::{
    Error, config,
    ops::{ConvNorm, ConvSettings, halve},
};

/// A RegNet: blocks of a point convolution, one of 3 x 3 in groups, and another point convolution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegNetConfig {
    /// Channels of the first convolution.
    pub stem: usize,
    /// Channels of each stage.
    pub widths: Vec<usize>,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Channels of one group, of a narrower stage all; left out: no groups, which suits a CPU with few channels.
    #[serde(default)]
    pub group_width: Option<usize>,
    /// Weigh channels by what the whole picture holds: RegNetY instead of RegNetX.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub squeeze: bool,
}

impl RegNetConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        check_stages(&self.widths, &self.depths)?;
        config::range("backbone.stem", self.stem, 1, 1024)?;
        for &width in &self.widths {
            let group = self.group_width.unwrap_or(width).min(width);
            if group == 0 || width % group != 0 {
                let why = format!("is {group}, which does not divide a width of {width}");
                return config::fail("backbone.group_width", &why);
            }
        }
        Ok(())
    }

    pub(super) fn init(&self, device: &Device) -> Residual {
        let mut channels = self.stem;
        let mut stage = |(&width, &depth): (&usize, &usize)| {
            let groups = self.group_width.map_or(1, |group| width / group.min(width));
            let block = |index: usize| {
                let stride = if index == 0 { 2 } else { 1 };
                let settings = [
                    ConvSettings::new([channels, width], 1),
                    ConvSettings::new([width; 2], 3).stride(stride).groups(groups),
                    ConvSettings::new([width; 2], 1),
                ];
                let block = Block::new(&settings, device);
                // A quarter of what goes in: Radosavovic et al. 2020, section 4, and their code.
                let inner = (channels as f64 / 4.0).round_ties_even() as usize;
                channels = width;
                if self.squeeze { block.squeeze(inner.max(1), device) } else { block }
            };
            (0..depth).map(block).collect()
        };
        let stages = self.widths.iter().zip(&self.depths).map(&mut stage).collect();
        let stem = ConvSettings::new([3, self.stem], 3).stride(2);
        Residual { stem: ConvNorm::new(stem, device), pool: false, stages }
    }
}

/// A ResNet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Channels of the blocks' 3 x 3 convolutions in the first stage; each further stage has twice as many.
    #[serde(default = "ResNetConfig::default_width")]
    pub width: usize,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Three convolutions a block, the last with four times the channels, as in ResNet-50; else two.
    #[serde(default)]
    pub bottleneck: bool,
}

impl ResNetConfig {
    /// He et al. 2016, table 1.
    fn default_width() -> usize {
        64
    }

    pub(super) fn channels(&self) -> Vec<usize> {
        let expansion = if self.bottleneck { 4 } else { 1 };
        (0..self.depths.len()).map(|stage| expansion * (self.width << stage)).collect()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        config::range("backbone.width", self.width, 1, 1024)?;
        check_stages(&self.channels(), &self.depths)
    }

    pub(super) fn init(&self, device: &Device) -> Residual {
        let mut channels = self.width;
        let mut stages = Vec::new();
        for (stage, (&depth, out)) in self.depths.iter().zip(self.channels()).enumerate() {
            let mut blocks = Vec::new();
            for index in 0..depth {
                let stride = if index == 0 && stage > 0 { 2 } else { 1 };
                blocks.push(self.block([channels, self.width << stage, out], stride, device));
                channels = out;
            }
            stages.push(blocks);
        }
        let stem = ConvSettings::new([3, self.width], 7).stride(2);
        Residual { stem: ConvNorm::new(stem, device), pool: true, stages }
    }

    fn block(&self, [from, inner, to]: [usize; 3], stride: usize, device: &Device) -> Block {
        let settings = if self.bottleneck {
            vec![
                ConvSettings::new([from, inner], 1),
                ConvSettings::new([inner, inner], 3).stride(stride),
                ConvSettings::new([inner, to], 1),
            ]
        } else {
            vec![
                ConvSettings::new([from, inner], 3).stride(stride),
                ConvSettings::new([inner, to], 3),
            ]
        };
        Block::new(&settings, device)
    }
}

/// A stem and stages of blocks.
#[derive(Module, Debug)]
pub struct Residual {
    /// To half the size.
    pub stem: ConvNorm,
    pool: bool,
    /// Blocks of each stage.
    pub stages: Vec<Vec<Block>>,
}

impl Residual {
    /// Features of every stage.
    pub fn forward(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut features = self.stem.forward(images);
        if self.pool {
            features = halve(features);
        }
        let mut stages = Vec::with_capacity(self.stages.len());
        for blocks in &self.stages {
            features = blocks.iter().fold(features, |features, block| block.forward(features));
            stages.push(features.clone());
        }
        stages
    }
}
