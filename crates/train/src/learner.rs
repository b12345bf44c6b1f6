//! What the loop needs of a network.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use ommatidia_model::Sample;
use ommatidia_scene::VectorSpace;

use crate::Error;

/// A loss and what it is made of.
#[derive(Debug, Clone)]
pub struct Loss {
    /// What the gradient is taken of.
    pub total: Tensor<1>,
    /// Parts by name, not weighed and not below zero, for the record and for telling when they leap; always
    /// the same names in the same order.
    pub parts: Vec<(String, Tensor<1>)>,
}

/// A network that can be trained and asked.
pub trait Learner: Module {
    /// Loss of a batch.
    ///
    /// # Errors
    /// [`Error::Network`] if a sample does not fit the network.
    fn loss(&self, samples: &[Sample], device: &Device) -> Result<Loss, Error>;

    /// What the network says about the present moment of each sample.
    ///
    /// # Errors
    /// [`Error::Network`] if a sample does not fit the network.
    fn predict(&self, samples: &[Sample], device: &Device) -> Result<Vec<VectorSpace>, Error>;

    /// Counts scores of predictions; nothing counted yet.
    fn scorer(&self) -> Box<dyn Count + '_>;

    /// What scores and baselines need of a moment's truth.
    fn excerpt(&self, truth: &VectorSpace) -> VectorSpace;

    /// Trivial answers, made from excerpts of the training set's truth.
    fn baselines(&self, training: &[VectorSpace]) -> Vec<Trivial<'_>>;
}

/// Counts predictions against truth, in memory that does not grow with pictures.
pub trait Count {
    /// Counts predictions, one per moment of the truth.
    fn add(&mut self, predicted: &[VectorSpace], truth: &[VectorSpace]);

    /// Scores of what was counted by name, the one that counts first.
    fn scores(&self) -> Vec<(String, f64)>;
}

/// What one would say of every moment without looking.
pub struct Trivial<'a> {
    /// What it does.
    pub name: String,
    /// What it always says.
    pub answer: VectorSpace,
    /// Counts its scores.
    pub count: Box<dyn Count + 'a>,
}
