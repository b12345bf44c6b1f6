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

    /// Scores of predictions against truth by name, the one that counts first.
    fn scores(&self, predicted: &[VectorSpace], truth: &[VectorSpace]) -> Vec<(String, f64)>;
}
