//! A hierarchical vision transformer: in every stage, attention to a coarse version of the picture.

use burn::{
    module::Module,
    nn::{
        LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{
        Device, Tensor,
        activation::{gelu, relu, softmax},
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
    /// The same for each stage, where they differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expansions: Vec<usize>,
    /// What keys and values are made of.
    #[serde(default, skip_serializing_if = "Attention::is_default")]
    pub attention: Attention,
}

/// What keys and values are made of. All but the first are as PVT v2 was published, with a normalisation
/// behind each stage, so that its weights fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// Means over parts of the picture, `pooled` along each side.
    #[default]
    Pooled,
    /// The same, mixed by a point convolution: PVT v2-Li.
    PooledMixed,
    /// Patches of 8 x 8 pixels in the first stage, 4 x 4, 2 x 2, and pixels, by a convolution: PVT v2 B0 to
    /// B5. Its cost grows with the square of the number of pixels.
    Strided,
}

impl Attention {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Epsilon of the normalisations but those behind convolutions, as published.
    fn norm(self, width: usize) -> LayerNormConfig {
        LayerNormConfig::new(width).with_epsilon(if self == Self::Pooled { 1e-5 } else { 1e-6 })
    }
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
        if ![0, self.widths.len()].contains(&self.expansions.len()) {
            let [given, stages] = [self.expansions.len(), self.widths.len()];
            let why = format!("are {given} for {stages} widths; give as many, or none");
            return config::fail("backbone.expansions", &why);
        }
        for &expansion in &self.expansions {
            config::range("backbone.expansions", expansion, 1, 16)?;
        }
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
        for (index, (&width, &depth)) in self.widths.iter().zip(&self.depths).enumerate() {
            let [kernel, stride] = if stages.is_empty() { [7, 4] } else { [3, 2] };
            let embed = ConvSettings::new([channels, width], kernel).stride(stride);
            let blocks = (0..depth).map(|_| Layer::new(self, index, device)).collect();
            let finish = || self.attention.norm(width).init(device);
            stages.push(Stage {
                embed: Conv::new(embed, device),
                norm: LayerNormConfig::new(width).init(device),
                blocks,
                finish: (self.attention != Attention::Pooled).then(finish),
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
    finish: Option<LayerNorm>,
}

/// A convolution and a normalisation of what keys and values are made of.
#[derive(Module, Debug)]
struct Reduce {
    conv: Conv2d,
    norm: LayerNorm,
}

impl Reduce {
    fn new(width: usize, stride: usize, device: &Device) -> Self {
        let conv = Conv2dConfig::new([width; 2], [stride; 2])
            .with_stride([stride; 2])
            .with_padding(PaddingConfig2d::Explicit(0, 0, 0, 0));
        Self { conv: conv.init(device), norm: LayerNormConfig::new(width).init(device) }
    }

    fn forward(&self, picture: Tensor<4>) -> Tensor<3> {
        self.norm.forward(to_tokens(self.conv.forward(picture)))
    }
}

/// Attention, then a feed-forward part with a 3 x 3 convolution, which also tells places apart.
#[derive(Module, Debug)]
struct Layer {
    norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    reduce: Option<Reduce>,
    project: Linear,
    norm_forward: LayerNorm,
    expand: Linear,
    mix: Conv,
    contract: Linear,
    heads: usize,
    /// Rows and columns of the means that keys and values are made of.
    pooled: Option<usize>,
    /// Within the feed-forward part, too.
    rectify: bool,
}

impl Layer {
    fn new(config: &TransformerConfig, stage: usize, device: &Device) -> Self {
        let (width, attention) = (config.widths[stage], config.attention);
        let linear = |from: usize, to: usize| LinearConfig::new(from, to).init(device);
        let inner = width * config.expansions.get(stage).unwrap_or(&config.expansion);
        let reduce = match attention {
            Attention::Pooled => None,
            Attention::PooledMixed => Some(1),
            Attention::Strided => Some(8 >> stage).filter(|&stride| stride > 1),
        };
        Self {
            norm: attention.norm(width).init(device),
            query: linear(width, width),
            key: linear(width, width),
            value: linear(width, width),
            reduce: reduce.map(|stride| Reduce::new(width, stride, device)),
            project: linear(width, width),
            norm_forward: attention.norm(width).init(device),
            expand: linear(width, inner),
            mix: Conv::new(ConvSettings::new([inner; 2], 3).groups(inner), device),
            contract: linear(inner, width),
            heads: width / config.head_width,
            pooled: (attention != Attention::Strided).then_some(config.pooled),
            rectify: attention == Attention::PooledMixed,
        }
    }

    /// Tokens `[batch, pixels, channels]` of a picture of that size.
    fn forward(&self, tokens: Tensor<3>, size: [usize; 2]) -> Tensor<3> {
        let tokens = tokens.clone() + self.attend(self.norm.forward(tokens), size);
        let inner = self.expand.forward(self.norm_forward.forward(tokens.clone()));
        let inner = if self.rectify { relu(inner) } else { inner };
        let inner = to_tokens(self.mix.forward(to_picture(inner, size)));
        tokens + self.contract.forward(gelu(inner))
    }

    fn attend(&self, tokens: Tensor<3>, size: [usize; 2]) -> Tensor<3> {
        let [batch, pixels, width] = tokens.dims();
        let pooled = self.reduced(tokens.clone(), size);
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

    /// What keys and values are made of.
    fn reduced(&self, tokens: Tensor<3>, size: [usize; 2]) -> Tensor<3> {
        match (&self.reduce, self.pooled) {
            (None, None) => tokens,
            (Some(reduce), None) => reduce.forward(to_picture(tokens, size)),
            (reduce, Some(most)) => {
                // PVT v2-Li pools to as many even where there are fewer pixels.
                let coarse = if reduce.is_some() { [most; 2] } else { size.map(|s| s.min(most)) };
                let means = adaptive_avg_pool2d(to_picture(tokens, size), coarse);
                match reduce {
                    Some(reduce) => gelu(reduce.forward(means)),
                    None => to_tokens(means),
                }
            }
        }
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
            let tokens = stage.blocks.iter().fold(tokens, layer);
            let tokens = match &stage.finish {
                Some(norm) => norm.forward(tokens),
                None => tokens,
            };
            features = to_picture(tokens, [height, width]);
            all.push(features.clone());
        }
        all
    }
}
