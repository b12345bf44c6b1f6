//! The network of `model`, as the loop needs it.

use burn::tensor::Device;
use ommatidia_model::{Network, Sample};
use ommatidia_scene::VectorSpace;

use crate::{Error, Learner, Loss};

impl Learner for Network {
    fn loss(&self, samples: &[Sample], device: &Device) -> Result<Loss, Error> {
        let outputs = self.forward(&inputs(self, samples, device)?);
        let losses = self.losses(&outputs, &self.targets(samples, device));
        let named = |(name, value): (&'static str, _)| (name.to_owned(), value);
        Ok(Loss { total: losses.total, parts: losses.parts.into_iter().map(named).collect() })
    }

    fn predict(&self, samples: &[Sample], device: &Device) -> Result<Vec<VectorSpace>, Error> {
        let outputs = self.forward(&inputs(self, samples, device)?);
        Ok(self.decode(&outputs, samples))
    }

    fn scores(&self, predicted: &[VectorSpace], truth: &[VectorSpace]) -> Vec<(String, f64)> {
        Self::scores(self, predicted, truth)
    }
}

fn inputs(
    network: &Network,
    samples: &[Sample],
    device: &Device,
) -> Result<ommatidia_model::Inputs, Error> {
    network.inputs(samples, device).map_err(|cause| Error::Network(cause.to_string()))
}
