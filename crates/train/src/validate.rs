//! Measures a network on data that it did not learn from.

use std::sync::Arc;

use burn::tensor::Device;
use ommatidia_model::Sample;
use ommatidia_scene::VectorSpace;

use crate::Error;
use crate::data::{SkipLog, Source, fit};
use crate::learner::Learner;
use crate::observer::Observer;

/// What is measured on.
#[derive(Debug, Clone)]
pub struct Validation {
    /// The samples.
    pub source: Arc<dyn Source>,
    /// Most of them that are used, spread evenly.
    pub samples: usize,
}

impl Validation {
    /// Numbers of the samples that are used.
    fn indices(&self) -> Vec<usize> {
        let (all, used) = (self.source.len(), self.samples.min(self.source.len()));
        (0..used).map(|i| i * all / used.max(1)).collect()
    }
}

/// Scores on unchanged samples of `size`, `batch` at a time. Those that cannot be read are logged. `None`
/// if somebody asked to stop before the end.
pub(crate) fn validate<L: Learner>(
    network: &L,
    device: &Device,
    validation: &Validation,
    (size, batch): ([usize; 2], usize),
    observer: &dyn Observer,
    skipped: &SkipLog,
) -> Result<Option<Vec<(String, f64)>>, Error> {
    let indices = validation.indices();
    let (mut predicted, mut truth): (Vec<VectorSpace>, Vec<VectorSpace>) = Default::default();
    let mut done = 0;
    for chunk in indices.chunks(batch) {
        if observer.interrupted() {
            return Ok(None);
        }
        let mut samples: Vec<Sample> = Vec::with_capacity(batch);
        for &index in chunk {
            match validation.source.read(index) {
                Ok(sample) => samples.push(fit(sample, size)),
                Err(cause) => skipped.add(&validation.source.name(index), &cause.to_string()),
            }
        }
        if !samples.is_empty() {
            predicted.extend(network.predict(&samples, device)?);
            truth.extend(
                samples.into_iter().filter_map(|mut sample| sample.moments.pop()).map(|m| m.truth),
            );
        }
        done += chunk.len();
        observer.validating(done, indices.len());
    }
    Ok(Some(network.scores(&predicted, &truth)))
}
