//! HOTA: detection and association in balance, over localisation thresholds.
//!
//! Luiten et al., HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking, IJCV 2021; TrackEval's
//! `metrics/hota.py`, number for number.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::frames::{Dense, DenseSequence};
use crate::assignment::assign;
use crate::numeric::{mean, pairwise_sum};

/// Number of localisation thresholds.
pub const ALPHAS: usize = 19;

/// Localisation thresholds: 0.05, 0.10, ..., 0.95.
pub fn alphas() -> [f64; ALPHAS] {
    std::array::from_fn(|i| 0.05 + i as f64 * 0.05)
}

/// HOTA and its parts; each as mean over the thresholds and at each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HotaReport {
    /// Geometric mean of detection and association accuracy.
    pub hota: f64,
    /// Detection accuracy.
    pub deta: f64,
    /// Association accuracy.
    pub assa: f64,
    /// Detection recall.
    pub detre: f64,
    /// Detection precision.
    pub detpr: f64,
    /// Association recall.
    pub assre: f64,
    /// Association precision.
    pub asspr: f64,
    /// Localisation accuracy: mean similarity of matches.
    pub loca: f64,
    /// As HOTA with detection recall instead of accuracy (open world).
    pub owta: f64,
    /// HOTA at the least threshold.
    pub hota_0: f64,
    /// Localisation accuracy at the least threshold.
    pub loca_0: f64,
    /// Their product.
    pub hotaloca_0: f64,
    /// The figures at each threshold.
    pub per_alpha: PerAlpha,
}

/// Figures at each threshold, in the order of [`alphas`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PerAlpha {
    /// HOTA.
    pub hota: Vec<f64>,
    /// Detection accuracy.
    pub deta: Vec<f64>,
    /// Association accuracy.
    pub assa: Vec<f64>,
    /// Detection recall.
    pub detre: Vec<f64>,
    /// Detection precision.
    pub detpr: Vec<f64>,
    /// Association recall.
    pub assre: Vec<f64>,
    /// Association precision.
    pub asspr: Vec<f64>,
    /// Localisation accuracy.
    pub loca: Vec<f64>,
    /// Open-world accuracy.
    pub owta: Vec<f64>,
    /// Matches.
    pub tp: Vec<u64>,
    /// True boxes without match.
    pub fn_: Vec<u64>,
    /// Predictions without match.
    pub fp: Vec<u64>,
}

/// Counts and association figures at one threshold, of one sequence or of several.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AtAlpha {
    tp: u64,
    fn_: u64,
    fp: u64,
    assa: f64,
    assre: f64,
    asspr: f64,
    loca: f64,
}

/// The parts of HOTA of one sequence.
pub(super) type HotaParts = [AtAlpha; ALPHAS];

/// What a sequence has in HOTA, kept so that it can be had again over other sequences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SequenceParts(pub(super) HotaParts);

/// HOTA, detection and association accuracy of sequences as one, each counted as often as `counts` says.
pub fn hota_of(sequences: &[&SequenceParts], counts: &[u32]) -> [f64; 3] {
    let parts = sequences
        .iter()
        .zip(counts)
        .flat_map(|(parts, &count)| std::iter::repeat_n(&parts.0, count as usize));
    let found = report(&combine(parts));
    [found.hota, found.deta, found.assa]
}

pub(super) fn of_sequence(sequence: &DenseSequence<'_>) -> HotaParts {
    let (truths, predictions) = (sequence.truths(), sequence.predictions());
    if truths == 0 || predictions == 0 {
        return [AtAlpha { fn_: truths, fp: predictions, loca: 1.0, ..AtAlpha::default() }; ALPHAS];
    }
    let potential = potential_matches(sequence);
    let aligned = |truth: u32, predicted: u32| {
        let shared = potential.get(&(truth, predicted)).copied().unwrap_or(0.0);
        let counts =
            sequence.truth_count[truth as usize] + sequence.predicted_count[predicted as usize];
        shared / (counts as f64 - shared)
    };
    let mut parts = [AtAlpha::default(); ALPHAS];
    let mut pairs = Pairs::default();
    let alphas = alphas();
    for frame in &sequence.frames {
        let matched = match_frame(frame, &aligned);
        for (part, alpha) in parts.iter_mut().zip(alphas) {
            let similar = |&&(row, column): &&(usize, usize)| {
                frame.similarity(row, column) >= alpha - f64::EPSILON
            };
            let mut similarity = 0.0;
            let mut count = 0;
            for &(row, column) in matched.iter().filter(similar) {
                similarity += frame.similarity(row, column);
                count += 1;
            }
            part.tp += count;
            part.fn_ += frame.truth.len() as u64 - count;
            part.fp += frame.predicted.len() as u64 - count;
            part.loca += similarity;
        }
        for (row, column) in matched {
            let similarity = frame.similarity(row, column);
            pairs.count(frame.truth[row], frame.predicted[column], |i| {
                similarity >= alphas[i] - f64::EPSILON
            });
        }
    }
    for (i, part) in parts.iter_mut().enumerate() {
        pairs.associate(i, sequence, part);
        part.loca = part.loca.max(1e-10) / (part.tp as f64).max(1e-10);
    }
    parts
}

/// Similarity of each pair of tracks, summed over frames, each frame normalised as an intersection over union.
fn potential_matches(sequence: &DenseSequence<'_>) -> HashMap<(u32, u32), f64> {
    let mut potential: HashMap<(u32, u32), f64> = HashMap::new();
    for frame in &sequence.frames {
        let columns = frame.predicted.len();
        if columns == 0 {
            continue;
        }
        let mut of_column = vec![0.0; columns];
        for row in frame.similarity.chunks_exact(columns) {
            of_column.iter_mut().zip(row).for_each(|(sum, similarity)| *sum += similarity);
        }
        for (row, &truth) in frame.similarity.chunks_exact(columns).zip(&frame.truth) {
            let of_row = pairwise_sum(row);
            for ((&similarity, of_column), &predicted) in
                row.iter().zip(&of_column).zip(&frame.predicted)
            {
                let union = of_column + of_row - similarity;
                if similarity > 0.0 && union > f64::EPSILON {
                    *potential.entry((truth, predicted)).or_default() += similarity / union;
                }
            }
        }
    }
    potential
}

/// The pairs of a frame that maximise similarity times alignment of the tracks.
fn match_frame(frame: &Dense<'_>, aligned: &impl Fn(u32, u32) -> f64) -> Vec<(usize, usize)> {
    let mut cost = Vec::with_capacity(frame.similarity.len());
    for (row, &truth) in frame.truth.iter().enumerate() {
        for (column, &predicted) in frame.predicted.iter().enumerate() {
            let similarity = frame.similarity(row, column);
            let score = if similarity > 0.0 { aligned(truth, predicted) * similarity } else { 0.0 };
            cost.push(-score);
        }
    }
    assign(&cost, frame.truth.len(), frame.predicted.len())
}

/// How often each pair of tracks matched at each threshold.
#[derive(Default)]
struct Pairs {
    place: HashMap<(u32, u32), usize>,
    rows: Vec<((u32, u32), [u64; ALPHAS])>,
}

impl Pairs {
    fn count(&mut self, truth: u32, predicted: u32, similar: impl Fn(usize) -> bool) {
        let place = *self.place.entry((truth, predicted)).or_insert_with(|| {
            self.rows.push(((truth, predicted), [0; ALPHAS]));
            self.rows.len() - 1
        });
        for (i, count) in self.rows[place].1.iter_mut().enumerate() {
            *count += u64::from(similar(i));
        }
    }

    fn associate(&self, i: usize, sequence: &DenseSequence<'_>, part: &mut AtAlpha) {
        let matches = (part.tp as f64).max(1.0);
        for &((truth, predicted), counts) in &self.rows {
            let shared = counts[i] as f64;
            let truths = sequence.truth_count[truth as usize] as f64;
            let predictions = sequence.predicted_count[predicted as usize] as f64;
            part.assa += shared * (shared / (truths + predictions - shared).max(1.0));
            part.assre += shared * (shared / truths.max(1.0));
            part.asspr += shared * (shared / predictions.max(1.0));
        }
        part.assa /= matches;
        part.assre /= matches;
        part.asspr /= matches;
    }
}

/// Several sequences as one: counts add up, association is weighted by matches. `combine_sequences`.
pub(super) fn combine<'a>(sequences: impl Iterator<Item = &'a HotaParts> + Clone) -> HotaParts {
    std::array::from_fn(|i| {
        let parts = sequences.clone().map(|parts| parts[i]);
        let sum = |of: fn(&AtAlpha) -> f64| parts.clone().map(|part| of(&part)).sum::<f64>();
        let tp: u64 = parts.clone().map(|part| part.tp).sum();
        let weight = (tp as f64).max(1.0);
        AtAlpha {
            tp,
            fn_: parts.clone().map(|part| part.fn_).sum(),
            fp: parts.clone().map(|part| part.fp).sum(),
            assa: sum(|part| part.assa * part.tp as f64) / weight,
            assre: sum(|part| part.assre * part.tp as f64) / weight,
            asspr: sum(|part| part.asspr * part.tp as f64) / weight,
            loca: sum(|part| part.loca * part.tp as f64).max(1e-10) / (tp as f64).max(1e-10),
        }
    })
}

pub(super) fn report(parts: &HotaParts) -> HotaReport {
    let each = |of: &dyn Fn(&AtAlpha) -> f64| -> Vec<f64> { parts.iter().map(of).collect() };
    let count = |of: fn(&AtAlpha) -> u64| -> Vec<u64> { parts.iter().map(of).collect() };
    let share = |part: u64, whole: u64| part as f64 / (whole as f64).max(1.0);
    let deta = |p: &AtAlpha| share(p.tp, p.tp + p.fn_ + p.fp);
    let detre = |p: &AtAlpha| share(p.tp, p.tp + p.fn_);
    let per_alpha = PerAlpha {
        hota: each(&|p| (deta(p) * p.assa).sqrt()),
        deta: each(&deta),
        assa: each(&|p| p.assa),
        detre: each(&detre),
        detpr: each(&|p| share(p.tp, p.tp + p.fp)),
        assre: each(&|p| p.assre),
        asspr: each(&|p| p.asspr),
        loca: each(&|p| p.loca),
        owta: each(&|p| (detre(p) * p.assa).sqrt()),
        tp: count(|p| p.tp),
        fn_: count(|p| p.fn_),
        fp: count(|p| p.fp),
    };
    HotaReport {
        hota: mean(&per_alpha.hota),
        deta: mean(&per_alpha.deta),
        assa: mean(&per_alpha.assa),
        detre: mean(&per_alpha.detre),
        detpr: mean(&per_alpha.detpr),
        assre: mean(&per_alpha.assre),
        asspr: mean(&per_alpha.asspr),
        loca: mean(&per_alpha.loca),
        owta: mean(&per_alpha.owta),
        hota_0: per_alpha.hota[0],
        loca_0: per_alpha.loca[0],
        hotaloca_0: per_alpha.hota[0] * per_alpha.loca[0],
        per_alpha,
    }
}
