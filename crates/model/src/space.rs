//! Bird's-eye space: lift, memory, and blocks over it.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};

use crate::{
    backbone::Block,
    config::SpaceConfig,
    lift::{Lift, Tables},
    memory::Memory,
    ops::ConvSettings,
    task::DepthDistribution,
};

/// From the pyramid to bird's-eye space.
#[derive(Module, Debug)]
pub(crate) struct Space {
    lift: Lift,
    pub(crate) memory: Option<Memory>,
    blocks: Vec<Block>,
    level: usize,
    #[module(skip)]
    edges_m: Option<Vec<f32>>,
}

impl Space {
    /// With fresh weights, over a pyramid of so many channels.
    pub(crate) fn new(config: &SpaceConfig, channels_in: usize, device: &Device) -> Self {
        let channels = config.channels;
        let conv = ConvSettings::new([channels; 2], 3);
        Self {
            lift: config.lift.init(channels_in, &config.grid, channels, device),
            memory: config.memory.as_ref().map(|memory| memory.init(channels, device)),
            blocks: (0..config.blocks).map(|_| Block::new(&[conv, conv], device)).collect(),
            level: config.lift.level,
            edges_m: config.lift.edges_m(),
        }
    }

    /// The level of the pyramid that is lifted.
    pub(crate) fn level(&self) -> usize {
        self.level
    }

    /// The space of one moment, `[batch, channels, x, y]`.
    pub(crate) fn lift(
        &self,
        pyramid: &[Tensor<4>],
        tables: &Tables,
        depth: Option<DepthDistribution>,
    ) -> Tensor<4> {
        self.lift.forward(pyramid[self.level].clone(), tables, self.edges_m.as_deref(), depth)
    }

    /// What heads read: the space with what is remembered, aligned with it, and the blocks applied.
    pub(crate) fn finish(&self, now: Tensor<4>, past: &[Tensor<4>]) -> Tensor<4> {
        let fused = match &self.memory {
            Some(memory) => memory.forward(now, past),
            None => now,
        };
        self.blocks(fused)
    }

    /// The blocks over a fused space.
    pub(crate) fn blocks(&self, fused: Tensor<4>) -> Tensor<4> {
        self.blocks.iter().fold(fused, |space, block| block.forward(space))
    }
}
