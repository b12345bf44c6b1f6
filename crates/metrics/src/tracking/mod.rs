//! Tracks against true tracks.

mod clear;
mod frames;
mod hota;
mod identity;
pub mod mot_challenge;
pub mod nuscenes;
pub mod samota;
pub mod similarity;
#[cfg(test)]
mod tests;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use clear::ClearReport;
pub use frames::{Frame, Sequence};
pub use hota::{ALPHAS, HotaReport, PerAlpha, SequenceParts, alphas, hota_of};
pub use identity::IdentityReport;

use crate::{Error, Protocol};
use frames::DenseSequence;

/// Settings of HOTA, CLEAR MOT and IDF1; [`Protocol::named`] has `mot_challenge` and `mot20`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackingProtocol {
    /// Least similarity of a match of CLEAR MOT.
    pub clear_threshold: f64,
    /// Least similarity of a match of identities.
    pub identity_threshold: f64,
    /// MOTChallenge's number of the class that counts.
    pub counted_class: u32,
    /// Classes whose predictions are neither right nor wrong.
    pub distractor_classes: Vec<u32>,
    /// Centres this far apart are not similar at all, metres; where boxes are compared by centre.
    pub zero_distance_m: f64,
}

impl Protocol for TrackingProtocol {
    const KIND: &'static str = "tracking";
    const NAMED: &'static [(&'static str, &'static str)] = &[
        ("mot_challenge", include_str!("../../protocols/mot_challenge.toml")),
        ("mot20", include_str!("../../protocols/mot20.toml")),
    ];

    fn check(&self) -> Result<(), String> {
        let valid = |x: f64| x > 0.0 && x <= 1.0;
        if !(valid(self.clear_threshold) && valid(self.identity_threshold)) {
            return Err("thresholds must be above 0 and at most 1".to_owned());
        }
        if !(self.zero_distance_m.is_finite() && self.zero_distance_m > 0.0) {
            return Err("zero_distance_m must be positive".to_owned());
        }
        Ok(())
    }
}

/// Figures of tracks: of each sequence, or of all as one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackingFigures {
    /// HOTA and its parts.
    pub hota: HotaReport,
    /// CLEAR MOT.
    pub clear: ClearReport,
    /// Identity figures.
    pub identity: IdentityReport,
}

/// Figures of all sequences as one, and of each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackingReport {
    /// All sequences as one.
    pub combined: TrackingFigures,
    /// Each sequence, in the order given.
    pub per_sequence: Vec<(String, TrackingFigures)>,
    /// What each has in HOTA, in the same order; for comparing runs.
    #[serde(skip)]
    pub parts: Vec<SequenceParts>,
}

/// HOTA, CLEAR MOT and identity figures of one class.
///
/// # Errors
/// A sequence that occurs twice, an identity that occurs twice in a frame, a similarity outside 0 to 1.
pub fn evaluate(
    sequences: &[Sequence],
    protocol: &TrackingProtocol,
) -> Result<TrackingReport, Error> {
    let mut names: Vec<&str> = sequences.iter().map(|sequence| sequence.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let row = format!("sequence {}", pair[0]);
        return Err(Error::row("truth", row, "occurs twice; sequences must be unique"));
    }
    let parts: Vec<_> = sequences
        .par_iter()
        .map(|sequence| {
            let dense = DenseSequence::new(sequence)?;
            let clear = clear::of_sequence(&dense, protocol.clear_threshold, |_, _, _| ());
            let identity = identity::of_sequence(&dense, protocol.identity_threshold);
            Ok((hota::of_sequence(&dense), clear, identity))
        })
        .collect::<Result<_, Error>>()?;
    let combined = TrackingFigures {
        hota: hota::report(&hota::combine(parts.iter().map(|(hota, _, _)| hota))),
        clear: clear::report(&clear::combine(parts.iter().map(|(_, clear, _)| clear))),
        identity: identity::report(&identity::combine(parts.iter().map(|(_, _, id)| id))),
    };
    let each = parts.iter().map(|(hota, clear, identity)| TrackingFigures {
        hota: hota::report(hota),
        clear: clear::report_alone(clear),
        identity: identity::report(identity),
    });
    let per_sequence = sequences.iter().map(|s| s.name.clone()).zip(each).collect();
    let parts = parts.into_iter().map(|(hota, _, _)| SequenceParts(hota)).collect();
    Ok(TrackingReport { combined, per_sequence, parts })
}
