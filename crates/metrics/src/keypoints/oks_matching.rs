//! Which predicted person is which annotated one, and the curves that follow.

use super::oks::{OksProtocol, PredictedPerson, TruePerson, oks};

/// Persons counted, by area: all, medium, large.
pub(super) const RANGES_PX2: [[f64; 2]; 3] =
    [[0.0, 1e10], [32.0 * 32.0, 96.0 * 96.0], [96.0 * 96.0, 1e10]];
/// Similarities from 0.50 to 0.95.
const THRESHOLDS: usize = 10;
/// Recalls from 0 to 1 at which precision is read.
const RECALLS: usize = 101;

/// `numpy.linspace(0.5, 0.95, 10)`.
fn threshold(index: usize) -> f64 {
    if index + 1 == THRESHOLDS { 0.95 } else { index as f64 * ((0.95 - 0.5) / 9.0) + 0.5 }
}

/// What became of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub(super) score: f64,
    pub(super) matched: bool,
    pub(super) ignored: bool,
}

/// One image in one range of areas.
#[derive(Debug, Clone)]
pub(super) struct InRange {
    /// Persons that count.
    pub(super) persons: usize,
    /// Predictions by threshold, best first.
    pub(super) outcomes: Vec<Vec<Outcome>>,
}

/// One image.
#[derive(Debug, Clone)]
pub(super) struct Matched {
    pub(super) ranges: Vec<InRange>,
}

/// Precision at each recall and final recall, by threshold.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    pub(super) precision: Vec<Vec<f64>>,
    pub(super) recall: Vec<f64>,
}

/// Matches one image's persons of one category.
pub(super) fn match_image(
    truth: &[&TruePerson],
    mut predicted: Vec<&PredictedPerson>,
    protocol: &OksProtocol,
) -> Matched {
    predicted.sort_by(|a, b| by_score(a.score, b.score));
    predicted.truncate(protocol.max_detections);
    let similarity: Vec<Vec<f64>> = predicted
        .iter()
        .map(|p| truth.iter().map(|t| oks(t, p, &protocol.sigmas)).collect())
        .collect();
    let range = |range: &[f64; 2]| in_range(truth, &predicted, &similarity, *range);
    Matched { ranges: RANGES_PX2.iter().map(range).collect() }
}

/// Descending; NaN last, as NumPy sorts it.
pub(super) fn by_score(a: f64, b: f64) -> std::cmp::Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn in_range(
    truth: &[&TruePerson],
    predicted: &[&PredictedPerson],
    similarity: &[Vec<f64>],
    [low, high]: [f64; 2],
) -> InRange {
    let outside = |area: f64| area < low || area > high;
    let ignored: Vec<bool> =
        truth.iter().map(|t| t.crowd || t.labelled == 0 || outside(t.area_px2)).collect();
    // Persons that count come first.
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by_key(|&i| ignored[i]);
    let outcomes = (0..THRESHOLDS).map(|t| {
        let mut taken = vec![false; truth.len()];
        let outcome = |(p, person): (usize, &&PredictedPerson)| {
            let best = best_match(&order, &similarity[p], threshold(t), |g| {
                (taken[g] && !truth[g].crowd, ignored[g])
            });
            best.inspect(|&g| taken[g] = true);
            let ignored = best.map_or_else(|| outside(person.area_px2()), |g| ignored[g]);
            Outcome { score: person.score, matched: best.is_some(), ignored }
        };
        predicted.iter().enumerate().map(outcome).collect()
    });
    InRange { outcomes: outcomes.collect(), persons: ignored.iter().filter(|i| !**i).count() }
}

/// The most similar person that is free; one that counts before any that does not. Of equals the last.
fn best_match(
    order: &[usize],
    similarity: &[f64],
    threshold: f64,
    state: impl Fn(usize) -> (bool, bool),
) -> Option<usize> {
    let mut least = threshold.min(1.0 - 1e-10);
    let mut best = None;
    for &g in order {
        let (taken, ignored) = state(g);
        if taken {
            continue;
        }
        if ignored && best.is_some_and(|b| !state(b).1) {
            break;
        }
        if similarity[g] >= least {
            least = similarity[g];
            best = Some(g);
        }
    }
    best
}

/// Curves over all images; `None` where no person counts.
pub(super) fn accumulate(images: &[(u64, Matched)], range: usize) -> Option<Curve> {
    let in_range = || images.iter().map(|(_, matched)| &matched.ranges[range]);
    let persons: usize = in_range().map(|image| image.persons).sum();
    if persons == 0 {
        return None;
    }
    let (mut precision, mut recall) = (Vec::new(), Vec::new());
    for t in 0..THRESHOLDS {
        let mut outcomes: Vec<Outcome> =
            in_range().flat_map(|image| image.outcomes[t].iter().copied()).collect();
        outcomes.sort_by(|a, b| by_score(a.score, b.score));
        let (curve, last) = curve(&outcomes, persons);
        precision.push(curve);
        recall.push(last);
    }
    Some(Curve { precision, recall })
}

/// Interpolated precision at each recall, and the last recall.
fn curve(outcomes: &[Outcome], persons: usize) -> (Vec<f64>, f64) {
    let (mut right, mut wrong) = (0.0f64, 0.0f64);
    let mut recalls = Vec::with_capacity(outcomes.len());
    let mut precisions = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        if !outcome.ignored {
            if outcome.matched {
                right += 1.0;
            } else {
                wrong += 1.0;
            }
        }
        recalls.push(right / persons as f64);
        precisions.push(right / (wrong + right + f64::EPSILON));
    }
    for i in (1..precisions.len()).rev() {
        precisions[i - 1] = precisions[i - 1].max(precisions[i]);
    }
    let at = |k: usize| {
        let wanted = if k + 1 == RECALLS { 1.0 } else { k as f64 * 0.01 };
        precisions.get(recalls.partition_point(|&r| r < wanted)).copied().unwrap_or(0.0)
    };
    ((0..RECALLS).map(at).collect(), recalls.last().copied().unwrap_or(0.0))
}
