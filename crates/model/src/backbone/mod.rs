//! From pictures to features, of half the size at every stage.

mod block;
mod residual;
mod transformer;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use serde::{Deserialize, Serialize};

use crate::{Error, config};

pub use block::{Block, Squeeze};
pub use residual::{RegNetConfig, ResNetConfig, Residual};
pub use transformer::{Attention, Transformer, TransformerConfig};

/// Which network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BackboneConfig {
    /// Radosavovic et al. 2020, "Designing network design spaces".
    Regnet(RegNetConfig),
    /// He et al. 2016, "Deep residual learning for image recognition".
    Resnet(ResNetConfig),
    /// Wang et al. 2022, "PVT v2: improved baselines with pyramid vision transformer".
    Transformer(TransformerConfig),
}

/// Stride of the first stage.
pub const FIRST_STRIDE: usize = 4;

impl BackboneConfig {
    /// Channels of every stage; the first has a stride of [`FIRST_STRIDE`], each further twice the last's.
    pub fn channels(&self) -> Vec<usize> {
        match self {
            Self::Regnet(config) => config.widths.clone(),
            Self::Resnet(config) => config.channels(),
            Self::Transformer(config) => config.widths.clone(),
        }
    }

    /// Whether there is such a network.
    ///
    /// # Errors
    /// [`Error::Config`] names the setting that does not fit.
    pub fn check(&self) -> Result<(), Error> {
        config::range("backbone: the number of stages", self.channels().len(), 1, 6)?;
        match self {
            Self::Regnet(config) => config.check(),
            Self::Resnet(config) => config.check(),
            Self::Transformer(config) => config.check(),
        }
    }

    /// With fresh weights.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn init(&self, device: &Device) -> Result<Backbone, Error> {
        self.check()?;
        Ok(match self {
            Self::Regnet(config) => Backbone::Residual(config.init(device)),
            Self::Resnet(config) => Backbone::Residual(config.init(device)),
            Self::Transformer(config) => Backbone::Transformer(config.init(device)),
        })
    }
}

/// The network.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has one")]
pub enum Backbone {
    /// Convolutions with shortcuts.
    Residual(Residual),
    /// Attention.
    Transformer(Transformer),
}

impl Backbone {
    /// Features of every stage from normalised pictures `[batch, 3, height, width]`.
    pub fn forward(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        match self {
            Self::Residual(network) => network.forward(images),
            Self::Transformer(network) => network.forward(images),
        }
    }
}

/// As many depths as widths, and sensible ones.
fn check_stages(widths: &[usize], depths: &[usize]) -> Result<(), Error> {
    if widths.len() != depths.len() {
        let why = format!("are {} for {} widths; give as many", depths.len(), widths.len());
        return config::fail("backbone.depths", &why);
    }
    for (&width, &depth) in widths.iter().zip(depths) {
        config::range("backbone.widths", width, 1, 8192)?;
        config::range("backbone.depths", depth, 1, 64)?;
    }
    Ok(())
}
