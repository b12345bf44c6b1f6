//! What a task is: a head with its targets, loss, decoding and scores.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use ommatidia_scene::VectorSpace;

use crate::Moment;

/// What heads read.
#[derive(Debug, Clone)]
pub struct Features {
    /// Per camera, finest level first: `[batch * cameras, channels, height, width]`, the cameras of one
    /// sample after one another.
    pub pyramid: Vec<Tensor<4>>,
    /// Bird's-eye space `[batch, channels, x, y]`, height folded into the channels; `None` where no task
    /// asks for it.
    pub space: Option<Tensor<4>>,
}

/// What a head says, by name: the tensors that its loss and decoding read, and that are exported.
pub type Output = Vec<(&'static str, Tensor<4>)>;

/// One task. Each is one file in `tasks/` and one line of its registry.
pub trait Task: Module {
    /// What the loss compares with, on the device.
    type Targets;

    /// Applies the head.
    fn forward(&self, features: &Features) -> Output;

    /// Targets of a batch from the truth of its present moments; parts without truth are masked out.
    fn targets(&self, moments: &[&Moment], device: &Device) -> Self::Targets;

    /// Mean loss, one number; 0 where nothing of the batch has truth.
    fn loss(&self, output: &Output, targets: &Self::Targets) -> Tensor<1>;

    /// Writes what was said about each moment into its vector space.
    fn decode(&self, output: &Output, moments: &[&Moment], into: &mut [VectorSpace]);

    /// Scores of predictions against truth, the one that counts first; larger is better there.
    fn scores(&self, predicted: &[VectorSpace], truth: &[VectorSpace]) -> Vec<(&'static str, f64)>;
}
