//! Measures a network, and trivial answers beside it, on data that it did not learn from.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use ommatidia_model::{Sample, is_error};
use ommatidia_scene::VectorSpace;
use serde::Serialize;

use crate::Error;
use crate::data::{SkipLog, Source, fit};
use crate::learner::{Learner, Trivial};
use crate::observer::Observer;

/// What is measured on.
#[derive(Debug, Clone)]
pub struct Validation {
    /// The samples.
    pub source: Arc<dyn Source>,
    /// Most of them that are used, spread evenly.
    pub samples: usize,
}

/// Numbers of at most `most` samples of a source, spread evenly.
fn spread(source: &dyn Source, most: usize) -> Vec<usize> {
    let (all, used) = (source.len(), most.min(source.len()));
    (0..used).map(|i| i * all / used.max(1)).collect()
}

/// What the trivial answers reach: by score, then by answer.
pub type BaselineScores = BTreeMap<String, BTreeMap<String, f64>>;

/// A network's score beside the best trivial answer's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The score, `task.score`.
    pub metric: String,
    /// Less is better.
    pub error: bool,
    /// What the network reaches.
    pub network: f64,
    /// The best trivial answer, if any has this score.
    pub baseline: Option<String>,
    /// What that one reaches.
    pub baseline_value: Option<f64>,
    /// Whether the network is better.
    pub better: Option<bool>,
}

/// Each score of a network beside that of the trivial answer which is best at it.
pub fn compare(scores: &BTreeMap<String, f64>, baselines: &BaselineScores) -> Vec<Comparison> {
    let one = |(metric, &network): (&String, &f64)| {
        let error = is_error(metric);
        let ahead = |a: f64, b: f64| if error { a < b } else { a > b };
        let answers = baselines.get(metric).into_iter().flatten();
        let best = answers.reduce(|best, next| if ahead(*next.1, *best.1) { next } else { best });
        Comparison {
            metric: metric.clone(),
            error,
            network,
            baseline: best.map(|(name, _)| name.clone()),
            baseline_value: best.map(|(_, value)| *value),
            better: best.map(|(_, value)| ahead(network, *value)),
        }
    };
    scores.iter().map(one).collect()
}

/// How samples are read and shown to a network.
pub(crate) struct Measure<'a> {
    pub(crate) device: &'a Device,
    pub(crate) validation: &'a Validation,
    /// Width and height that the network takes, pixels.
    pub(crate) size: [usize; 2],
    /// Samples at a time.
    pub(crate) batch: usize,
    pub(crate) observer: &'a dyn Observer,
    /// Of samples that cannot be read.
    pub(crate) skipped: &'a SkipLog,
}

/// What a validation found.
pub(crate) struct Measured {
    pub(crate) scores: Vec<(String, f64)>,
    /// Of the trivial answers that were asked.
    pub(crate) baselines: BaselineScores,
}

impl Measure<'_> {
    /// Excerpts of the truth of at most `most` training samples. `None` if somebody asked to stop.
    pub(crate) fn excerpts<L: Learner>(
        &self,
        network: &L,
        training: &dyn Source,
        most: usize,
    ) -> Option<Vec<VectorSpace>> {
        let mut excerpts = Vec::new();
        for index in spread(training, most) {
            if self.observer.interrupted() {
                return None;
            }
            match training.read(index) {
                Ok(sample) => {
                    excerpts.push(network.excerpt(&fit(sample, self.size).present().truth));
                }
                Err(cause) => self.skipped.add(&training.name(index), &cause.to_string()),
            }
        }
        Some(excerpts)
    }

    /// Scores of the network and of trivial answers on unchanged samples, a batch in memory at a time.
    /// `None` if somebody asked to stop before the end.
    pub(crate) fn run<L: Learner>(
        &self,
        network: &L,
        mut trivial: Vec<Trivial<'_>>,
    ) -> Result<Option<Measured>, Error> {
        let Validation { source, samples } = self.validation;
        let indices = spread(&**source, *samples);
        let mut scorer = network.scorer();
        let mut done = 0;
        for chunk in indices.chunks(self.batch) {
            if self.observer.interrupted() {
                return Ok(None);
            }
            let samples = self.read(chunk);
            if !samples.is_empty() {
                let truth: Vec<_> =
                    samples.iter().map(|s| network.excerpt(&s.present().truth)).collect();
                scorer.add(&network.predict(&samples, self.device)?, &truth);
                for Trivial { answer, count, .. } in &mut trivial {
                    for truth in &truth {
                        count.add(std::slice::from_ref(answer), std::slice::from_ref(truth));
                    }
                }
            }
            done += chunk.len();
            self.observer.validating(done, indices.len());
        }
        let mut baselines = BaselineScores::new();
        for Trivial { name, count, .. } in &trivial {
            for (score, value) in count.scores() {
                baselines.entry(score).or_default().insert(name.clone(), value);
            }
        }
        Ok(Some(Measured { scores: scorer.scores(), baselines }))
    }

    fn read(&self, chunk: &[usize]) -> Vec<Sample> {
        let source = &self.validation.source;
        let mut samples = Vec::with_capacity(chunk.len());
        for &index in chunk {
            match source.read(index) {
                Ok(sample) => samples.push(fit(sample, self.size)),
                Err(cause) => self.skipped.add(&source.name(index), &cause.to_string()),
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_trivial_answer_is_the_one_to_beat() {
        let scores = [("a.miou", 0.3), ("a.off_m", 0.2), ("a.alone", 1.0)];
        let scores = scores.map(|(name, value)| (name.to_owned(), value)).into();
        let of = |pairs: [(&str, f64); 2]| pairs.map(|(name, v)| (name.to_owned(), v)).into();
        let baselines = [
            ("a.miou".to_owned(), of([("empty", 0.0), ("prior", 0.3)])),
            ("a.off_m".to_owned(), of([("empty", 0.5), ("prior", 0.4)])),
        ];
        let found = compare(&scores, &baselines.into());
        let row = |i: usize| (found[i].baseline.as_deref(), found[i].better);
        assert_eq!(row(0), (None, None));
        assert_eq!(row(1), (Some("prior"), Some(false)), "as good is not better");
        assert_eq!(row(2), (Some("prior"), Some(true)));
        assert_eq!(found[2].baseline_value, Some(0.4));
    }
}
