//! A hierarchical vision transformer: in every stage, attention to a coarse version of the picture.

use burn::{
    module::Module,
    nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig},
    tensor::{
        Device, Tensor,
        activation::{gelu, softmax},
        module::adaptive_avg_pool2d,
    },
};
use serde::{Deserialize, Serialize};

use super::check_stages;
use crate::{
    Error, config,
    ops::{Conv, ConvSettings},
};

/// Sizes of the transformer. The defaults of PVT v2-B0: widths 32, 64, 160, 256, two blocks each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// Channels of each stage.
    pub widths: Vec<usize>,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Channels of one head of attention; divides all widths.
    #[serde(default = "TransformerConfig::default_head")]
    pub head_width: usize,
    /// Rows and columns that every stage's keys and values are pooled to: PVT v2's "linear" attention, whose
    /// cost grows with the number of pixels and not with its square.
    #[serde(default = "TransformerConfig::default_pooled")]
    pub pooled: usize,
    /// Channels within the feed-forward part, times the width.
    #[serde(default = "TransformerConfig::default_expansion")]
    pub expansion: usize,
}

impl TransformerConfig {
    fn default_head() -> usize {
        32
    }

    /// Wang et al. 2022, section 3.2.
    fn default_pooled() -> usize {
        7
    }

    fn default_expansion() -> usize {
        4
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        check_stages(&self.widths, &self.depths)?;
        config::range("backbone.pooled", self.pooled, 1, 64)?;
        config::range("backbone.expansion", self.expansion, 1, 16)?;
        match self
            .widths
            .iter()
            .find(|width| self.head_width == 0 || **width % self.head_width != 0)
        {
            Some(width) => {
                let why = format!("is {}, which does not divide {width}", self.head_width);
                config::fail("backbone.head_width", &why)
            }
            None => Ok(()),
        }
    }

    pub(super) fn init(&self, device: &Device) -> Transformer {
        let mut channels = 3;
        let mut stages = Vec::new();
        for (&width, &depth) in self.widths.iter().zip(&self.depths) {
            let [kernel, stride] = if stages.is_empty() { [7, 4] } else { [3, 2] };
            let embed = ConvSettings::new([channels, width], kernel).stride(stride);
            let blocks = (0..depth).map(|_| Layer::new(self, width, device)).collect();
            stages.push(Stage {
                embed: Conv::new(embed, device),
                norm: LayerNormConfig::new(width).init(device),
                blocks,
            });
            channels = width;
        }
        Transformer { stages }
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct Transformer {
    stages: Vec<Stage>,
}

#[derive(Module, Debug)]
struct Stage {
    embed: Conv,
    norm: LayerNorm,
    blocks: Vec<Layer>,
}

/// Attention, then a feed-forward part with a 3 x 3 convolution, which also tells places apart.
#[derive(Module, Debug)]
struct Layer {
    norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    project: Linear,
    norm_forward: LayerNorm,
    expand: Linear,
    mix: Conv,
    contract: Linear,
    heads: usize,
    pooled: usize,
}

impl Layer {
    fn new(config: &TransformerConfig, width: usize, device: &Device) -> Self {
        let linear = |from: usize, to: usize| LinearConfig::new(from, to).init(device);
        let inner = width * config.expansion;
        Self {
            norm: LayerNormConfig::new(width).init(device),
            query: linear(width, width),
            key: linear(width, width),
            value: linear(width, width),
            project: linear(width, width),
            norm_forward: LayerNormConfig::new(width).init(device),
            expand: linear(width, inner),
            mix: Conv::new(ConvSettings::new([inner; 2], 3).groups(inner), device),
            contract: linear(inner, width),
            heads: width / config.head_width,
            pooled: config.pooled,
        }
    }

    /// Tokens `[batch, pixels, channels]` of a picture of that size.
    fn forward(&self, tokens: Tensor<3>, size: [usize; 2]) -> Tensor<3> {
        let tokens = tokens.clone() + self.attend(self.norm.forward(tokens), size);
        let inner = self.expand.forward(self.norm_forward.forward(tokens.clone()));
        let inner = to_tokens(self.mix.forward(to_picture(inner, size)));
        tokens + self.contract.forward(gelu(inner))
    }

    fn attend(&self, tokens: Tensor<3>, size: [usize; 2]) -> Tensor<3> {
        let [batch, pixels, width] = tokens.dims();
        let coarse = [size[0].min(self.pooled), size[1].min(self.pooled)];
        let pooled = to_tokens(adaptive_avg_pool2d(to_picture(tokens.clone(), size), coarse));
        let per_head = width / self.heads;
        let split = |x: Tensor<3>| {
            let count = x.dims()[1];
            x.reshape([batch, count, self.heads, per_head]).swap_dims(1, 2)
        };
        let query = split(self.query.forward(tokens));
        let key = split(self.key.forward(pooled.clone()));
        let value = split(self.value.forward(pooled));
        let scores = query.matmul(key.transpose()) / (per_head as f64).sqrt();
        let mixed = softmax(scores, 3).matmul(value);
        self.project.forward(mixed.swap_dims(1, 2).reshape([batch, pixels, width]))
    }
}

fn to_tokens(picture: Tensor<4>) -> Tensor<3> {
    let [batch, channels, height, width] = picture.dims();
    picture.reshape([batch, channels, height * width]).swap_dims(1, 2)
}

fn to_picture(tokens: Tensor<3>, [height, width]: [usize; 2]) -> Tensor<4> {
    let [batch, _, channels] = tokens.dims();
    tokens.swap_dims(1, 2).reshape([batch, channels, height, width])
}

impl Transformer {
    /// Features of every stage.
    pub fn forward(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut features = images;
        let mut all = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let picture = stage.embed.forward(features);
            let [_, _, height, width] = picture.dims();
            let tokens = stage.norm.forward(to_tokens(picture));
            let layer = |tokens: Tensor<3>, layer: &Layer| layer.forward(tokens, [height, width]);
            features = to_picture(stage.blocks.iter().fold(tokens, layer), [height, width]);
            all.push(features.clone());
        }
        all
    }
}
