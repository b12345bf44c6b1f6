//! What was seen before, carried along as the vehicle moves.

mod warp;

use burn::{
    module::Module,
    tensor::{
        Device, Tensor,
        activation::{sigmoid, softmax, tanh},
    },
};
use ommatidia_scene::GridSpec;
use serde::{Deserialize, Serialize};

use crate::{
    Error, config,
    ops::{Conv, ConvSettings, gather_sum},
};

pub use warp::{Warp, Warps};

/// How moments are fused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fusion {
    /// One state, gated by what is new (Cho et al. 2014, gated recurrent units, over space).
    #[default]
    Recurrent,
    /// Every place attends to what was there at each remembered moment.
    Attention,
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemoryConfig {
    /// How moments are fused.
    pub fusion: Fusion,
    /// Most past moments that attention looks at.
    pub moments: usize,
    /// A moment is remembered this long after the last, seconds, ...
    pub spacing_s: f64,
    /// ... or once this far is travelled, metres, whichever is first.
    pub spacing_m: f64,
}

impl Default for MemoryConfig {
    /// A queue by time and by distance, as described by Karpathy 2021 (Tesla AI Day); three moments a
    /// quarter of a second apart.
    fn default() -> Self {
        Self { fusion: Fusion::Recurrent, moments: 3, spacing_s: 0.25, spacing_m: 1.0 }
    }
}

impl MemoryConfig {
    /// Whether there is such a memory.
    ///
    /// # Errors
    /// [`Error::Config`] names the setting that does not fit.
    pub fn check(&self) -> Result<(), Error> {
        config::range("space.memory.moments", self.moments, 1, 64)?;
        if self.spacing_s >= 0.0 && self.spacing_m >= 0.0 {
            return Ok(());
        }
        config::fail("space.memory.spacing", "must not be negative")
    }

    /// How many past spaces it holds.
    pub fn slots(&self) -> usize {
        match self.fusion {
            Fusion::Recurrent => 1,
            Fusion::Attention => self.moments,
        }
    }

    /// Whether a moment is to be remembered that is so far from the last one remembered.
    pub fn is_due(&self, passed_s: f64, travelled_m: f64) -> bool {
        passed_s >= self.spacing_s || travelled_m >= self.spacing_m
    }

    /// With fresh weights, over a space of so many channels.
    pub fn init(&self, channels: usize, device: &Device) -> Memory {
        let conv = |from: usize, to: usize| Conv::new(ConvSettings::new([from, to], 3), device);
        match self.fusion {
            Fusion::Recurrent => Memory::Recurrent(Recurrent {
                gates: conv(2 * channels, 2 * channels),
                candidate: conv(2 * channels, channels),
            }),
            Fusion::Attention => Memory::Attention(Attention { score: conv(2 * channels, 1) }),
        }
    }
}

/// Taken off the score of a moment that there is not: its share is then exactly 0.
const NOT_THERE: f64 = 1e4;

/// The memory's weights.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has one")]
pub enum Memory {
    /// One state.
    Recurrent(Recurrent),
    /// Several moments.
    Attention(Attention),
}

/// Gates of a recurrent unit.
#[derive(Module, Debug)]
pub struct Recurrent {
    gates: Conv,
    candidate: Conv,
}

/// Scores of moments.
#[derive(Module, Debug)]
pub struct Attention {
    score: Conv,
}

impl Memory {
    /// Fuses the present space with past ones, oldest first, all `[batch, channels, x, y]` and aligned with
    /// the present. Recurrent memory reads the last only, which is its own earlier result.
    pub fn forward(&self, present: Tensor<4>, past: &[Tensor<4>]) -> Tensor<4> {
        let Some(last) = past.last() else { return present };
        match self {
            Self::Recurrent(unit) => unit.forward(present, last.clone()),
            Self::Attention(unit) => unit.forward(present, past),
        }
    }

    /// As [`Self::forward`], for a fixed number of past moments: `known`, `[batch, moments]`, is 1 for those
    /// that there are and 0 for the others, whose spaces then do not count.
    pub(crate) fn forward_known(
        &self,
        present: Tensor<4>,
        past: &[Tensor<4>],
        known: Tensor<2>,
    ) -> Tensor<4> {
        let Some(last) = past.last() else { return present };
        let [batch, moments] = known.dims();
        match self {
            Self::Recurrent(unit) => {
                let known = known.narrow(1, moments - 1, 1).reshape([batch, 1, 1, 1]);
                let unknown = known.clone().neg() + 1.0;
                unit.forward(present.clone(), last.clone()) * known + present * unknown
            }
            Self::Attention(unit) => unit.forward_known(present, past, Some(known)),
        }
    }

    /// Whether what is remembered is the fused space instead of the moment's own.
    pub fn remembers_fused(&self) -> bool {
        matches!(self, Self::Recurrent(_))
    }
}

impl Recurrent {
    fn forward(&self, present: Tensor<4>, state: Tensor<4>) -> Tensor<4> {
        let both = Tensor::cat(vec![present.clone(), state.clone()], 1);
        let mut gates = sigmoid(self.gates.forward(both)).chunk(2, 1).into_iter();
        let mut gate = || gates.next().expect("there are two gates");
        let (keep, read) = (gate(), gate());
        let seen = Tensor::cat(vec![present.clone(), read * state.clone()], 1);
        // The candidate is a correction of what is seen now, so that a fresh memory does no harm.
        let candidate = present + tanh(self.candidate.forward(seen));
        candidate.clone() + keep * (state - candidate)
    }
}

impl Attention {
    fn forward(&self, present: Tensor<4>, past: &[Tensor<4>]) -> Tensor<4> {
        self.forward_known(present, past, None)
    }

    fn forward_known(
        &self,
        present: Tensor<4>,
        past: &[Tensor<4>],
        known: Option<Tensor<2>>,
    ) -> Tensor<4> {
        let moments = || std::iter::once(&present).chain(past);
        let score = |moment: &Tensor<4>| {
            self.score.forward(Tensor::cat(vec![present.clone(), moment.clone()], 1))
        };
        let [batch, _, x, y] = present.dims();
        let mut scores = Tensor::cat(moments().map(score).collect(), 1);
        if let Some(known) = known {
            let present = Tensor::ones([batch, 1], &known.device());
            let known = Tensor::cat(vec![present, known], 1).reshape([batch, 1 + past.len(), 1, 1]);
            scores = scores + (known - 1.0) * NOT_THERE;
        }
        let shares = softmax(scores, 1);
        let term = |(index, moment): (usize, &Tensor<4>)| {
            let share = shares.clone().slice([0..batch, index..index + 1, 0..x, 0..y]);
            moment.clone() * share
        };
        moments().enumerate().map(term).reduce(|sum, term| sum + term).expect("there is a present")
    }
}

/// Moves a space `[batch, channels, x, y]` of another moment into the present's frame; 0 where it was not
/// covered.
pub fn align(space: Tensor<4>, warps: &Warps) -> Tensor<4> {
    let [batch, channels, x, y] = space.dims();
    let rows = space.permute([0, 2, 3, 1]).reshape([batch, x * y, channels]);
    let moved = gather_sum(rows, warps.cell.clone(), warps.weight.clone());
    moved.reshape([batch, x, y, channels]).permute([0, 3, 1, 2])
}

/// The cells of a grid seen from above.
pub(crate) fn cells(grid: &GridSpec) -> usize {
    grid.size[0] as usize * grid.size[1] as usize
}
