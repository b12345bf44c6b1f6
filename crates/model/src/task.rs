//! What a task is: a head with its targets, loss, decoding, scores and trivial baselines.

use std::fmt::Debug;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use ommatidia_scene::{GridSpec, VectorSpace};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::Sample;

/// What heads read.
#[derive(Debug, Clone)]
pub struct Features {
    /// Per camera, finest level first: `[batch * cameras, channels, height, width]`, the cameras of one
    /// sample after one another.
    pub pyramid: Vec<Tensor<4>>,
    /// Bird's-eye space `[batch, channels, x, y]`, height folded into the channels; `None` where no task
    /// asks for it, and while heads of cameras run.
    pub space: Option<Tensor<4>>,
}

/// One level of the pyramid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Channels of its features.
    pub channels: usize,
    /// Pixels of the picture per feature, along both axes.
    pub stride: usize,
}

/// Bird's-eye space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpaceShape {
    /// Channels of its features, all heights together.
    pub channels: usize,
    /// The voxels that heads speak about; x and y are the axes of the features.
    pub grid: GridSpec,
}

/// What the features of a network look like: what a head is built for.
#[derive(Debug, Clone, PartialEq)]
pub struct Shapes {
    /// Levels of the pyramid, finest first.
    pub pyramid: Vec<Level>,
    /// The space; `None` in a network without.
    pub space: Option<SpaceShape>,
}

impl Shapes {
    /// The space that a task needs.
    ///
    /// # Errors
    /// [`TaskError::NoSpace`] in a network without.
    pub fn space_for(&self, task: &'static str) -> Result<SpaceShape, TaskError> {
        self.space.ok_or(TaskError::NoSpace { task })
    }
}

/// Why a head cannot be built.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TaskError {
    /// The task reads bird's-eye space and the network makes none.
    #[error(
        "task {task} reads the bird's-eye space and this network has none; give it a space, or drop the task"
    )]
    NoSpace {
        /// The task.
        task: &'static str,
    },
    /// A setting that cannot be used.
    #[error("task {task}: {what}")]
    Setting {
        /// The task.
        task: &'static str,
        /// Which setting, what is wrong with it and what would be right.
        what: String,
    },
}

/// What a head says, by name: the tensors that its loss and decoding read, and that are exported.
pub type Output = Vec<(&'static str, Tensor<4>)>;

/// The tensor of that name.
///
/// # Panics
/// If the output is not that head's.
pub fn named(output: &Output, name: &str) -> Tensor<4> {
    let found = output.iter().find(|(key, _)| *key == name);
    found.unwrap_or_else(|| panic!("a head's output holds {name}")).1.clone()
}

/// What a head reads, and so when it can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// The pyramid alone: it can run before the lift.
    Cameras,
    /// The space, and the pyramid where it likes.
    Space,
}

/// Depth as a distribution over bins, as a lift weights features by it.
#[derive(Debug, Clone)]
pub struct DepthDistribution {
    /// The level of the pyramid that it is of; a lift of another level cannot use it.
    pub level: usize,
    /// Probabilities `[batch * cameras, bins, height, width]`, at the size of one level of the pyramid.
    pub probability: Tensor<4>,
    /// Edges between the bins, metres along the optical axis, one more than bins, ascending.
    pub edges_m: Vec<f32>,
}

/// One task. Each is one file in `tasks/` and one line of its registry.
pub trait Task: Module + Sized {
    /// Its settings.
    type Settings: Serialize + DeserializeOwned + Default + Debug + Clone + PartialEq;

    /// What the loss compares with, on the device.
    type Targets: Debug + Clone + Send;

    /// Name in settings and reports, snake case.
    const NAME: &'static str;

    /// What it reads.
    const READS: Reads;

    /// What scores are made of, moment after moment. Does not grow with pixels and voxels.
    type Tally: Debug + Clone + Send;

    /// A head with fresh weights.
    ///
    /// # Errors
    /// [`TaskError`] where the settings make no sense, or the network lacks what the head reads.
    fn new(settings: &Self::Settings, shapes: &Shapes, device: &Device) -> Result<Self, TaskError>;

    /// Applies the head.
    fn forward(&self, features: &Features) -> Output;

    /// Whether the lift may use this head's depth: only then does it run on past moments.
    fn gives_depth(&self) -> bool {
        false
    }

    /// Depth per pixel, for the lift, from a head that estimates it.
    fn depth_distribution(&self, _output: &Output) -> Option<DepthDistribution> {
        None
    }

    /// Targets of a batch from the truth of its present moments; parts without truth are masked out.
    fn targets(&self, samples: &[Sample], device: &Device) -> Self::Targets;

    /// Mean loss, one number; 0 where nothing of the batch has truth.
    fn loss(&self, output: &Output, targets: &Self::Targets) -> Tensor<1>;

    /// Writes what was said about each sample's present moment into its vector space.
    fn decode(&self, output: &Output, samples: &[Sample], into: &mut [VectorSpace]);

    /// Nothing counted yet.
    fn tally(&self) -> Self::Tally;

    /// Counts predictions against truth, moment by moment.
    fn count(&self, tally: &mut Self::Tally, predicted: &[VectorSpace], truth: &[VectorSpace]);

    /// Scores of what was counted, the one that counts first; larger is better there, and wherever
    /// [`is_error`](crate::is_error) does not say otherwise. Nothing where the truth knows nothing of this task.
    fn figures(&self, tally: &Self::Tally) -> Vec<(String, f64)>;

    /// Scores of predictions against truth, as of [`Self::figures`].
    fn scores(&self, predicted: &[VectorSpace], truth: &[VectorSpace]) -> Vec<(String, f64)> {
        let mut tally = self.tally();
        self.count(&mut tally, predicted, truth);
        self.figures(&tally)
    }

    /// Copies what [`Self::baselines`] needs of a moment's truth, no finer than the head's own grid.
    fn excerpt(&self, truth: &VectorSpace, into: &mut VectorSpace);

    /// What one would say without looking, from excerpts of the training set's truth: the scores to beat, by
    /// name. Where such an answer has a threshold, it is the one that is best on that truth.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<(&'static str, VectorSpace)>;
}
