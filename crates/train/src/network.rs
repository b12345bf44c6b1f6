//! The network of `model`, as the loop needs it.

use burn::tensor::Device;
use ommatidia_model::{Network, Sample, Scorer};
use ommatidia_scene::VectorSpace;

use crate::{Count, Error, Learner, Loss, Trivial};

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

    fn scorer(&self) -> Box<dyn Count + '_> {
        Box::new(Self::scorer(self))
    }

    fn excerpt(&self, truth: &VectorSpace) -> VectorSpace {
        Self::excerpt(self, truth)
    }

    fn baselines(&self, training: &[VectorSpace]) -> Vec<Trivial<'_>> {
        let baselines = Self::baselines(self, training).into_iter();
        baselines
            .map(|baseline| Trivial {
                name: baseline.name.to_owned(),
                answer: baseline.answer,
                count: Box::new(baseline.scorer),
            })
            .collect()
    }
}

impl Count for Scorer<'_> {
    fn add(&mut self, predicted: &[VectorSpace], truth: &[VectorSpace]) {
        Self::add(self, predicted, truth);
    }

    fn scores(&self) -> Vec<(String, f64)> {
        Self::scores(self)
    }
}

fn inputs(
    network: &Network,
    samples: &[Sample],
    device: &Device,
) -> Result<ommatidia_model::Inputs, Error> {
    network.inputs(samples, device).map_err(|cause| Error::Network(cause.to_string()))
}
