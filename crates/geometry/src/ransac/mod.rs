//! Robust estimation: RANSAC with local optimisation and the truncated quadratic score of MSAC.
//!
//! Fischler & Bolles 1981; Torr & Zisserman, *MLESAC*, 2000; Chum, Matas & Kittler, *Locally
//! optimized RANSAC*, 2003; Lebeda, Matas & Chum, *Fixing the locally optimized RANSAC*, 2012.
//!
//! ```
//! use ommatidia_geometry::ransac::{RansacConfig, RelativePoseEstimator, Uniform, ransac};
//! use ommatidia_geometry::solvers::BearingPair;
//! # fn run(pairs: &[BearingPair]) -> Result<(), ommatidia_geometry::Error> {
//! let config = RansacConfig { threshold: 0.002, ..RansacConfig::default() };
//! let found = ransac(&RelativePoseEstimator::default(), pairs, &mut Uniform, &config)?;
//! println!("{} of {} pairs agree", found.inlier_count, pairs.len());
//! # Ok(())
//! # }
//! ```

mod estimators;
mod random;
mod sampler;

pub use estimators::{
    AbsolutePoseEstimator, FundamentalEstimator, HomographyEstimator, PointPair,
    RelativePoseEstimator, RigPoseEstimator, RotationEstimator, SimilarityEstimator,
};
pub use random::Random;
pub use sampler::{Grouped, Prosac, Sampler, Uniform};

use serde::{Deserialize, Serialize};

use crate::Error;

/// A model that small samples determine and that data can be measured against.
pub trait Estimator {
    /// What is observed.
    type Datum: Copy;
    /// What is sought.
    type Model: Clone;
    /// For messages.
    const NAME: &'static str;
    /// Data that determine finitely many models.
    const SAMPLE_SIZE: usize;

    /// All models that [`Self::SAMPLE_SIZE`] data satisfy; none if they are degenerate.
    fn estimate(&self, sample: &[Self::Datum]) -> Vec<Self::Model>;

    /// How far a datum is from a model; not negative, in the unit of the threshold. NaN counts as
    /// infinitely far.
    fn residual(&self, model: &Self::Model, datum: &Self::Datum) -> f64;

    /// A better model from many inliers, starting at one; `None` if there is none.
    fn refine(&self, model: &Self::Model, inliers: &[Self::Datum]) -> Option<Self::Model>;
}

/// Settings of [`ransac`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RansacConfig {
    /// Largest residual of an inlier, in the estimator's unit: radians on bearings (pixels over
    /// focal length), pixels for fundamental matrices, metres for alignments.
    pub threshold: f64,
    /// Probability of having drawn a sample free of outliers when the search ends.
    pub confidence: f64,
    /// Fewest samples; guards against samples that are free of outliers yet ill-conditioned.
    pub min_iterations: usize,
    /// Most samples.
    pub max_iterations: usize,
    /// Fewest inliers of an acceptable model; at least one more than a sample is always required.
    pub min_inliers: usize,
    /// Refinements on the inliers of each new best model, at thresholds that shrink from
    /// `local_widening` times the threshold to the threshold. 0 turns local optimisation off.
    pub local_steps: usize,
    /// See `local_steps`.
    pub local_widening: f64,
    /// Determines the samples, and with the data the result.
    pub seed: u64,
}

impl Default for RansacConfig {
    /// Threshold 0.001 rad: one pixel at a focal length of 1000 px. Confidence as OpenCV's. The least
    /// number of samples and the four shrinking steps are this crate's own choice.
    fn default() -> Self {
        Self {
            threshold: 1e-3,
            confidence: 0.999,
            min_iterations: 50,
            max_iterations: 10_000,
            min_inliers: 0,
            local_steps: 4,
            local_widening: 2.0,
            seed: 0,
        }
    }
}

/// The model that most data agree on.
#[derive(Debug, Clone, PartialEq)]
pub struct Consensus<M> {
    /// Refined on its inliers.
    pub model: M,
    /// Which data lie within the threshold, in their order.
    pub inliers: Vec<bool>,
    /// How many do.
    pub inlier_count: usize,
    /// Mean of `min(residual, threshold)^2 / threshold^2` over all data: 0 is perfect, 1 is none.
    pub score: f64,
    /// Samples drawn.
    pub iterations: usize,
    /// Samples that gave no model.
    pub degenerate_samples: usize,
}

/// Searches the model on which most data agree. The result depends on the data, the sampler, the
/// config and nothing else.
///
/// # Errors
/// [`Error::Setting`] for settings out of range, [`Error::TooFewData`] for fewer data than one more
/// than a sample, [`Error::Degenerate`] if no sample gave a model, [`Error::NoConsensus`] if the best
/// has too few inliers.
pub fn ransac<E: Estimator>(
    estimator: &E,
    data: &[E::Datum],
    sampler: &mut dyn Sampler,
    config: &RansacConfig,
) -> Result<Consensus<E::Model>, Error> {
    config.check(E::NAME)?;
    let need = config.min_inliers.max(E::SAMPLE_SIZE + 1);
    if data.len() < need {
        return Err(Error::TooFewData { estimator: E::NAME, have: data.len(), need });
    }
    let mut search = Search { estimator, data, config, best: None };
    let mut random = Random::new(config.seed);
    let mut indices = vec![0; E::SAMPLE_SIZE];
    let mut sample = Vec::with_capacity(E::SAMPLE_SIZE);
    let (mut iterations, mut degenerate_samples) = (0, 0);
    let mut enough = config.max_iterations;
    while iterations < enough.max(config.min_iterations).min(config.max_iterations) {
        iterations += 1;
        sample.clear();
        if sampler.draw(&mut random, data.len(), &mut indices) {
            sample.extend(indices.iter().map(|&i| data[i]));
        }
        let models = if sample.is_empty() { Vec::new() } else { estimator.estimate(&sample) };
        degenerate_samples += usize::from(models.is_empty());
        for model in models {
            if search.consider(model) {
                enough = search.samples_needed();
            }
        }
    }
    let Some(best) = search.best else {
        let reason = "no sample gave a model; the data coincide or lie on a critical shape";
        return Err(Error::Degenerate { estimator: E::NAME, reason });
    };
    let inliers: Vec<bool> =
        data.iter().map(|d| estimator.residual(&best.model, d) <= config.threshold).collect();
    if best.inliers < need {
        return Err(Error::NoConsensus {
            estimator: E::NAME,
            inliers: best.inliers,
            need,
            data: data.len(),
            iterations,
        });
    }
    Ok(Consensus {
        model: best.model,
        inliers,
        inlier_count: best.inliers,
        score: best.cost / data.len() as f64,
        iterations,
        degenerate_samples,
    })
}

impl RansacConfig {
    fn check(&self, estimator: &'static str) -> Result<(), Error> {
        let positive = "positive and finite";
        let settings = [
            (
                "threshold",
                self.threshold,
                self.threshold > 0.0 && self.threshold.is_finite(),
                positive,
            ),
            (
                "confidence",
                self.confidence,
                self.confidence > 0.0 && self.confidence < 1.0,
                "between 0 and 1",
            ),
            ("max_iterations", self.max_iterations as f64, self.max_iterations > 0, "at least 1"),
            (
                "local_widening",
                self.local_widening,
                self.local_widening >= 1.0 && self.local_widening.is_finite(),
                "at least 1",
            ),
        ];
        match settings.into_iter().find(|s| !s.2) {
            Some((setting, value, _, range)) => {
                Err(Error::Setting { estimator, setting, value, range })
            }
            None => Ok(()),
        }
    }
}

struct Scored<M> {
    model: M,
    cost: f64,
    inliers: usize,
}

struct Search<'a, E: Estimator> {
    estimator: &'a E,
    data: &'a [E::Datum],
    config: &'a RansacConfig,
    best: Option<Scored<E::Model>>,
}

impl<E: Estimator> Search<'_, E> {
    /// Keeps a model that beats the best, locally optimised. Says whether it did.
    fn consider(&mut self, model: E::Model) -> bool {
        let limit = self.best.as_ref().map_or(f64::INFINITY, |b| b.cost);
        let Some(mut scored) = self.score(model, limit) else { return false };
        for step in 0..self.config.local_steps {
            let share = (step + 1) as f64 / self.config.local_steps as f64;
            let widening = self.config.local_widening + (1.0 - self.config.local_widening) * share;
            if let Some(better) = self.refine(&scored, widening * self.config.threshold) {
                scored = better;
            }
        }
        self.best = Some(scored);
        true
    }

    /// MSAC's truncated squares, in units of the threshold; `None` as soon as they reach a limit.
    fn score(&self, model: E::Model, limit: f64) -> Option<Scored<E::Model>> {
        let (mut cost, mut inliers) = (0.0, 0);
        for datum in self.data {
            let ratio = self.estimator.residual(&model, datum) / self.config.threshold;
            if ratio <= 1.0 {
                cost += ratio * ratio;
                inliers += 1;
            } else {
                cost += 1.0;
            }
            if cost >= limit {
                return None;
            }
        }
        Some(Scored { model, cost, inliers })
    }

    /// The model refined on the data within a threshold, if that scores better.
    fn refine(&self, scored: &Scored<E::Model>, threshold: f64) -> Option<Scored<E::Model>> {
        let near = |d: &&E::Datum| self.estimator.residual(&scored.model, d) <= threshold;
        let inliers: Vec<E::Datum> = self.data.iter().filter(near).copied().collect();
        if inliers.len() <= E::SAMPLE_SIZE {
            return None;
        }
        self.score(self.estimator.refine(&scored.model, &inliers)?, scored.cost)
    }

    /// Samples after which one free of outliers was drawn with the demanded confidence.
    /// Hartley & Zisserman 2003, Eq. (4.18).
    fn samples_needed(&self) -> usize {
        let inliers = self.best.as_ref().map_or(0, |b| b.inliers);
        let share = inliers as f64 / self.data.len() as f64;
        let clean = share.powi(E::SAMPLE_SIZE as i32);
        let needed = (1.0 - self.config.confidence).ln() / (-clean).ln_1p();
        // Saturates; NaN cannot occur, as the confidence lies within 0..1.
        if clean <= 0.0 { self.config.max_iterations } else { needed.ceil() as usize }
    }
}

#[cfg(test)]
mod tests;
