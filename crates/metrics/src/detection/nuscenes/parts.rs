//! What each sample has in mAP and NDS, kept so that they can be had again over other samples.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::matching::{ClassMatches, Errors, SampleMatches, Scored};
use super::report::summarise;
use super::{DetectionProtocol, Uncounted, curves_of};

/// What one sample has in the figures of each class, in the protocol's order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SampleParts(Vec<ClassPart>);

/// What one sample says about one class.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassPart {
    /// True boxes that count.
    #[serde(rename = "t", default, skip_serializing_if = "is_zero")]
    truths: u64,
    /// Of each prediction that counts its score, best first.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    scores: Vec<f64>,
    /// Of each a bit per matching distance at which it matched.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    matched: Vec<u32>,
    /// Errors of those that matched at the distance for errors, in their order; `None` for NaN.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<[Option<f64>; 5]>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl SampleParts {
    pub(super) fn of(sample: &SampleMatches) -> Self {
        let class = |matches: &ClassMatches| ClassPart {
            truths: matches.truths,
            scores: matches.predictions.iter().map(|p| p.score).collect(),
            matched: matches.predictions.iter().map(|p| p.matched).collect(),
            errors: matches
                .errors
                .iter()
                .map(|e| e.map(|x| Some(x).filter(|x| !x.is_nan())))
                .collect(),
        };
        Self(sample.classes.iter().map(class).collect())
    }
}

/// Samples whose figures are wanted over and over, each sample counted as often as is said.
pub struct PartsPool<'a> {
    protocol: &'a DetectionProtocol,
    /// Of each class all predictions, best first, and the errors that they refer to.
    classes: Vec<(Vec<Scored>, Vec<Errors>)>,
    samples: Vec<&'a SampleParts>,
}

impl<'a> PartsPool<'a> {
    /// Sorts once what is counted often.
    ///
    /// # Errors
    /// In words, where parts are not of this protocol.
    pub fn new(
        protocol: &'a DetectionProtocol,
        samples: Vec<&'a SampleParts>,
    ) -> Result<Self, String> {
        let count = protocol.classes.len();
        let distances = &protocol.matching_distances_m;
        let at = distances.iter().position(|&d| d == protocol.error_matching_distance_m);
        let bit = at.map_or(0, |at| 1u32 << at);
        let fits = |part: &ClassPart| {
            let hits = part.matched.iter().filter(|&&matched| matched & bit != 0).count();
            part.scores.len() == part.matched.len() && hits == part.errors.len()
        };
        if let Some(row) = samples.iter().position(|s| s.0.len() != count || !s.0.iter().all(fits))
        {
            return Err(format!("the parts of record {row} are not of its protocol's classes"));
        }
        let class = |class: usize| {
            let (mut predictions, mut errors) = (Vec::new(), Vec::new());
            for (index, sample) in samples.iter().enumerate() {
                let part = &sample.0[class];
                let mut next = errors.len() as u32;
                for (row, (&score, &matched)) in part.scores.iter().zip(&part.matched).enumerate() {
                    // Of equals those that come first within a sample are the surer already.
                    let place = ((index as u64) << 32) | (u32::MAX as u64 - row as u64);
                    predictions.push(Scored { score, place, matched, errors: next });
                    next += u32::from(matched & bit != 0);
                }
                errors.extend(part.errors.iter().map(|e| e.map(|x| x.unwrap_or(f64::NAN))));
            }
            predictions.par_sort_unstable_by(Scored::order);
            (predictions, errors)
        };
        Ok(Self { protocol, classes: (0..count).map(class).collect(), samples })
    }

    /// mAP and NDS with each sample counted as often as `counts` says.
    pub fn map_and_nds(&self, counts: &[u32]) -> [f64; 2] {
        let curves: Vec<_> = (0..self.classes.len())
            .into_par_iter()
            .map(|class| {
                let (all, errors) = &self.classes[class];
                let mut predictions = Vec::with_capacity(all.len());
                for prediction in all {
                    let times = counts[(prediction.place >> 32) as usize] as usize;
                    predictions.extend(std::iter::repeat_n(*prediction, times));
                }
                let truths = self.samples.iter().zip(counts);
                let truths = truths.map(|(s, &count)| s.0[class].truths * u64::from(count)).sum();
                let matches = ClassMatches { truths, predictions, errors: errors.clone() };
                curves_of(matches, self.protocol)
            })
            .collect();
        let none = Uncounted::default();
        let report = summarise(&curves, none, none, self.protocol);
        [report.map, report.nds]
    }
}
