//! Predictions to true boxes of one sample, best score first, for all matching distances at once.

use std::f64::consts::PI;

use super::filter::{Filter, Uncounted};
use super::{DetectionBox, DetectionProtocol, SampleCounts, SamplePredictions, SampleTruth};
use crate::Error;

/// A counted prediction and what it matched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scored {
    pub(super) score: f64,
    /// Place in the input: sample in the upper half, row in the lower.
    pub(super) place: u64,
    /// A bit for each matching distance at which it matched.
    pub(super) matched: u32,
    /// Where the errors of its match are; without meaning if it did not match at the distance for errors.
    pub(super) errors: u32,
}

impl Scored {
    /// Best first; of equals the last in the input, as the devkit sorts upwards by (score, position) and turns
    /// that around.
    pub(super) fn order(&self, other: &Self) -> std::cmp::Ordering {
        other.score.total_cmp(&self.score).then(other.place.cmp(&self.place))
    }
}

/// Errors of a match, in the order of [`super::TruePositiveError::ALL`].
pub(super) type Errors = [f64; 5];

/// What one sample says about one class.
#[derive(Debug, Clone, Default)]
pub(super) struct ClassMatches {
    /// True boxes that count.
    pub(super) truths: u64,
    /// Predictions that count, best first.
    pub(super) predictions: Vec<Scored>,
    /// Errors of those that matched at the distance for errors.
    pub(super) errors: Vec<Errors>,
}

impl ClassMatches {
    /// Appends those of another sample; the order of predictions is then that of neither.
    pub(super) fn append(&mut self, mut other: Self) {
        let before = self.errors.len() as u32;
        other.predictions.iter_mut().for_each(|prediction| prediction.errors += before);
        self.truths += other.truths;
        self.predictions.append(&mut other.predictions);
        self.errors.append(&mut other.errors);
    }
}

/// What one sample says about all classes.
pub(super) struct SampleMatches {
    pub(super) classes: Vec<ClassMatches>,
    pub(super) truth: Uncounted,
    pub(super) predicted: Uncounted,
}

impl SampleMatches {
    pub(super) fn counts(&self) -> SampleCounts {
        let sum =
            |of: fn(&ClassMatches) -> usize| self.classes.iter().map(of).sum::<usize>() as u64;
        SampleCounts {
            truths: sum(|class| class.truths as usize),
            predictions: sum(|class| class.predictions.len()),
            matched: sum(|class| class.errors.len()),
        }
    }
}

/// `ordinal`: position of the sample among the predicted ones.
pub(super) fn match_sample(
    ordinal: usize,
    truth: &SampleTruth,
    predicted: &SamplePredictions,
    protocol: &DetectionProtocol,
) -> Result<SampleMatches, Error> {
    let (truths, truth_out) = counted(&truth.boxes, truth, protocol);
    let (boxes, predicted_out) = counted(&predicted.boxes, truth, protocol);
    let mut classes = Vec::with_capacity(truths.len());
    for (class, (truths, boxes)) in truths.iter().zip(boxes).enumerate() {
        let matches = match_class(truths, boxes, protocol, class);
        let mut matches = matches.map_err(|(side, row)| {
            let row = format!("{row} of sample {}", truth.sample);
            Error::row(side, row, "a matched box needs a size above zero in all directions")
        })?;
        for prediction in &mut matches.predictions {
            prediction.place |= (ordinal as u64) << 32;
        }
        classes.push(matches);
    }
    Ok(SampleMatches { classes, truth: truth_out, predicted: predicted_out })
}

type Rows<'a> = Vec<(usize, &'a DetectionBox)>;

/// Boxes that count with their rows, by class.
fn counted<'a>(
    boxes: &'a [DetectionBox],
    sample: &SampleTruth,
    protocol: &DetectionProtocol,
) -> (Vec<Rows<'a>>, Uncounted) {
    let mut classes = vec![Vec::new(); protocol.classes.len()];
    let mut out = Uncounted::default();
    for (row, given) in boxes.iter().enumerate() {
        let class = &protocol.classes[usize::from(given.class)];
        let filter = Filter {
            range_m: class.range_m,
            not_in_bicycle_racks: class.not_in_bicycle_racks,
            ego_m: sample.ego_m,
            bicycle_racks: &sample.bicycle_racks,
        };
        if filter.keeps(given.center_m, given.points, &mut out) {
            classes[usize::from(given.class)].push((row, given));
        }
    }
    (classes, out)
}

/// Greedy matching of one class. `Err`: the side and row of a box without size.
fn match_class(
    truths: &[(usize, &DetectionBox)],
    mut predicted: Vec<(usize, &DetectionBox)>,
    protocol: &DetectionProtocol,
    class: usize,
) -> Result<ClassMatches, (&'static str, usize)> {
    predicted.sort_unstable_by(|a, b| scored(a).order(&scored(b)));
    let period_rad = protocol.classes[class].orientation_period_rad;
    let limits_m = &protocol.matching_distances_m;
    let mut taken = vec![0u32; truths.len()];
    let mut distances_m = vec![0.0; truths.len()];
    let mut result = ClassMatches {
        truths: truths.len() as u64,
        predictions: Vec::with_capacity(predicted.len()),
        errors: Vec::new(),
    };
    for (row, given) in predicted {
        for (distance_m, (_, truth)) in distances_m.iter_mut().zip(truths) {
            *distance_m = center_distance_m(truth, given);
        }
        let mut matched = 0;
        let errors_at = result.errors.len() as u32;
        for (i, &limit_m) in limits_m.iter().enumerate() {
            let Some(nearest) = nearest_free(&distances_m, &taken, 1 << i) else { continue };
            if distances_m[nearest] < limit_m {
                taken[nearest] |= 1 << i;
                matched |= 1 << i;
                if limit_m == protocol.error_matching_distance_m {
                    let (truth_row, truth) = truths[nearest];
                    check_size("truth", truth_row, truth)?;
                    check_size("prediction", row, given)?;
                    result.errors.push(errors(truth, given, distances_m[nearest], period_rad));
                }
            }
        }
        result.predictions.push(Scored { matched, errors: errors_at, ..scored(&(row, given)) });
    }
    Ok(result)
}

fn scored(&(row, given): &(usize, &DetectionBox)) -> Scored {
    // Adding 0 makes -0 equal to 0.
    Scored { score: given.score + 0.0, place: row as u64, matched: 0, errors: 0 }
}

/// The nearest true box that is not taken, of equals the first.
fn nearest_free(distances_m: &[f64], taken: &[u32], bit: u32) -> Option<usize> {
    let mut nearest = None;
    let mut least_m = f64::INFINITY;
    for (i, (&distance_m, &taken)) in distances_m.iter().zip(taken).enumerate() {
        if taken & bit == 0 && distance_m < least_m {
            (nearest, least_m) = (Some(i), distance_m);
        }
    }
    nearest
}

fn check_size(
    side: &'static str,
    row: usize,
    given: &DetectionBox,
) -> Result<(), (&'static str, usize)> {
    if given.size_m.iter().all(|&side_m| side_m > 0.0) { Ok(()) } else { Err((side, row)) }
}

fn center_distance_m(a: &DetectionBox, b: &DetectionBox) -> f64 {
    let [dx, dy] = [0, 1].map(|i| b.center_m[i] - a.center_m[i]);
    (dx * dx + dy * dy).sqrt()
}

fn errors(truth: &DetectionBox, given: &DetectionBox, distance_m: f64, period_rad: f64) -> Errors {
    let [dx, dy] = [0, 1].map(|i| given.velocity_m_s[i] - truth.velocity_m_s[i]);
    let attribute = match truth.attribute {
        None => f64::NAN,
        wanted if wanted == given.attribute => 0.0,
        _ => 1.0,
    };
    [
        distance_m,
        1.0 - aligned_iou(truth.size_m, given.size_m),
        angle_between(truth.yaw_rad, given.yaw_rad, period_rad),
        (dx * dx + dy * dy).sqrt(),
        attribute,
    ]
}

/// IoU of two boxes of these sizes with the same centre and orientation.
fn aligned_iou(a: [f64; 3], b: [f64; 3]) -> f64 {
    let volume = |size: [f64; 3]| size.iter().product::<f64>();
    let common = volume([0, 1, 2].map(|i| a[i].min(b[i])));
    common / (volume(a) + volume(b) - common)
}

/// Size of the smallest angle between two headings that are the same again after `period_rad`.
fn angle_between(a_rad: f64, b_rad: f64, period_rad: f64) -> f64 {
    let difference = (a_rad - b_rad + period_rad / 2.0).rem_euclid(period_rad) - period_rad / 2.0;
    if difference > PI { (difference - 2.0 * PI).abs() } else { difference.abs() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_wrap() {
        let check = |a: f64, b: f64, period: f64, expected: f64| {
            assert!((angle_between(a, b, period) - expected).abs() < 1e-12, "{a} {b}");
        };
        check(3.0, -3.0, 2.0 * PI, 2.0 * PI - 6.0);
        check(0.0, PI, 2.0 * PI, PI);
        check(0.1, 0.1 + PI, PI, 0.0);
        check(0.0, 0.5, PI, 0.5);
    }

    #[test]
    fn sizes_overlap() {
        assert_eq!(aligned_iou([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), 1.0);
        assert_eq!(aligned_iou([2.0, 2.0, 2.0], [1.0, 2.0, 4.0]), 4.0 / 12.0);
    }
}
