//! Average precision by object keypoint similarity, COCO's keypoint evaluation.
//!
//! Definitions and order of ties are those of pycocotools 2.0 (`COCOeval`, `iouType='keypoints'`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::oks_matching::{self, Matched};
use crate::Error;

/// COCO's constants per keypoint: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles.
pub const COCO_SIGMAS: [f64; 17] = [
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107,
    0.087, 0.087, 0.089, 0.089,
];

/// Settings of the evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OksProtocol {
    /// Spread of each keypoint's annotations relative to the object's size; as many as keypoints.
    pub sigmas: Vec<f64>,
    /// Predictions counted per image and category, best first; 20.
    pub max_detections: usize,
}

impl Default for OksProtocol {
    fn default() -> Self {
        Self { sigmas: COCO_SIGMAS.to_vec(), max_detections: 20 }
    }
}

/// An annotated person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TruePerson {
    /// The image.
    pub image: u64,
    /// COCO's category; 1 is a person.
    pub category: u64,
    /// Pixels `x, y` and visibility: 0 not labelled, 1 labelled but hidden, 2 visible.
    pub keypoints: Vec<[f64; 3]>,
    /// Area of the person's segment, square pixels.
    pub area_px2: f64,
    /// Left, top, width, height, pixels.
    pub box_px: [f64; 4],
    /// A crowd: matches any number of predictions, and counts for none.
    pub crowd: bool,
    /// Labelled keypoints as the annotation says; without any the person is not counted.
    pub labelled: usize,
}

/// A predicted person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictedPerson {
    /// The image.
    pub image: u64,
    /// COCO's category; 1 is a person.
    pub category: u64,
    /// Pixels `x, y` and a value that is not used.
    pub keypoints: Vec<[f64; 3]>,
    /// Confidence; NaN ranks last.
    pub score: f64,
}

impl PredictedPerson {
    /// Area of the box around the keypoints, as pycocotools' `loadRes` gives it.
    pub(super) fn area_px2(&self) -> f64 {
        let span = |axis: usize| {
            let values = self.keypoints.iter().map(|k| k[axis]);
            values.clone().fold(f64::NEG_INFINITY, f64::max) - values.fold(f64::INFINITY, f64::min)
        };
        span(0) * span(1)
    }
}

/// COCO's ten figures. `None` where the truth has no such person.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OksReport {
    /// Average precision over similarities 0.50 to 0.95.
    pub ap: Option<f64>,
    /// At 0.50.
    pub ap50: Option<f64>,
    /// At 0.75.
    pub ap75: Option<f64>,
    /// Of persons of 32² to 96² pixels.
    pub ap_medium: Option<f64>,
    /// Of larger persons.
    pub ap_large: Option<f64>,
    /// Average recall over similarities 0.50 to 0.95.
    pub ar: Option<f64>,
    /// At 0.50.
    pub ar50: Option<f64>,
    /// At 0.75.
    pub ar75: Option<f64>,
    /// Of persons of 32² to 96² pixels.
    pub ar_medium: Option<f64>,
    /// Of larger persons.
    pub ar_large: Option<f64>,
}

/// An image's part in the evaluation over persons of all sizes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ImageShare {
    /// The image.
    pub image: u64,
    /// Persons that count.
    pub persons: usize,
    /// Of them found, mean over the ten similarities.
    pub found: f64,
    /// Found at similarity 0.50.
    pub found50: usize,
    /// Predictions that count as wrong at similarity 0.50.
    pub wrong50: usize,
}

/// Similarity of a prediction with an annotated person, 0 to 1.
///
/// Mean over labelled keypoints of `exp(-d² / (2 s² k²))`, `s²` the area and `k` twice the sigma. A person
/// without labels is compared by how far keypoints lie outside twice its box.
/// <https://cocodataset.org/#keypoints-eval>.
pub fn oks(truth: &TruePerson, predicted: &PredictedPerson, sigmas: &[f64]) -> f64 {
    let [left, top, width, height] = truth.box_px;
    let (x0, x1) = (left - width, left + 2.0 * width);
    let (y0, y1) = (top - height, top + 2.0 * height);
    let any = truth.keypoints.iter().any(|k| k[2] > 0.0);
    let (mut sum, mut count) = (0.0, 0usize);
    for ((t, p), sigma) in truth.keypoints.iter().zip(&predicted.keypoints).zip(sigmas) {
        if any && t[2] <= 0.0 {
            continue;
        }
        let (dx, dy) = if any {
            (p[0] - t[0], p[1] - t[1])
        } else {
            let outside = |v: f64, low: f64, high: f64| (low - v).max(0.0) + (v - high).max(0.0);
            (outside(p[0], x0, x1), outside(p[1], y0, y1))
        };
        let variance = (2.0 * sigma).powi(2);
        let e = (dx * dx + dy * dy) / variance / (truth.area_px2 + f64::EPSILON) / 2.0;
        sum += (-e).exp();
        count += 1;
    }
    sum / count as f64
}

/// Evaluates predictions on the given images; those without annotation count too.
///
/// # Errors
/// A row whose keypoints are not as many as the protocol's, or a prediction for another image.
pub fn evaluate_oks(
    images: &[u64],
    truth: &[TruePerson],
    predicted: &[PredictedPerson],
    protocol: &OksProtocol,
) -> Result<(OksReport, Vec<ImageShare>), Error> {
    let images: BTreeSet<u64> = images.iter().copied().collect();
    check(&images, truth, predicted, protocol)?;
    let categories: BTreeSet<u64> = truth.iter().map(|person| person.category).collect();
    type Sides<'a> = (Vec<&'a TruePerson>, Vec<&'a PredictedPerson>);
    let mut groups: BTreeMap<(u64, u64), Sides<'_>> = BTreeMap::new();
    for person in truth {
        groups.entry((person.category, person.image)).or_default().0.push(person);
    }
    for person in predicted {
        groups.entry((person.category, person.image)).or_default().1.push(person);
    }
    let mut matched: BTreeMap<u64, Vec<(u64, Matched)>> = BTreeMap::new();
    for ((category, image), (truth, predicted)) in groups {
        if categories.contains(&category) {
            let found = oks_matching::match_image(&truth, predicted, protocol);
            matched.entry(category).or_default().push((image, found));
        }
    }
    let by_range: Vec<Vec<oks_matching::Curve>> = (0..oks_matching::RANGES_PX2.len())
        .map(|range| {
            let of = |found: &Vec<(u64, Matched)>| oks_matching::accumulate(found, range);
            matched.values().filter_map(of).collect()
        })
        .collect();
    Ok((report(&by_range), shares(&images, &matched)))
}

fn check(
    images: &BTreeSet<u64>,
    truth: &[TruePerson],
    predicted: &[PredictedPerson],
    protocol: &OksProtocol,
) -> Result<(), Error> {
    let wanted = protocol.sigmas.len();
    let complain = |side: &'static str, row: usize, image: u64, found: usize| {
        if !images.contains(&image) {
            let other = if side == "prediction" { "truth" } else { "list of images" };
            let row = format!("{side} {row}");
            return Err(Error::UnknownSample {
                side: other,
                sample: format!("image {image}"),
                row,
            });
        }
        if found != wanted {
            let what = format!("{found} keypoints; the protocol has {wanted}");
            return Err(Error::row(side, format!("{row} of image {image}"), what));
        }
        Ok(())
    };
    for (row, person) in truth.iter().enumerate() {
        complain("truth", row, person.image, person.keypoints.len())?;
    }
    for (row, person) in predicted.iter().enumerate() {
        complain("prediction", row, person.image, person.keypoints.len())?;
    }
    Ok(())
}

fn report(by_range: &[Vec<oks_matching::Curve>]) -> OksReport {
    let mean = |values: Vec<f64>| {
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    // Thresholds 0.50 and 0.75 are the first and the sixth.
    let precision = |range: usize, only: Option<usize>| {
        let curves = by_range[range].iter().flat_map(|curve| curve.precision.iter().enumerate());
        let chosen = curves.filter(|(t, _)| only.is_none_or(|only| only == *t));
        mean(chosen.flat_map(|(_, values)| values.iter().copied()).collect())
    };
    let recall = |range: usize, only: Option<usize>| {
        let curves = by_range[range].iter().flat_map(|curve| curve.recall.iter().enumerate());
        mean(curves.filter(|(t, _)| only.is_none_or(|only| only == *t)).map(|(_, &r)| r).collect())
    };
    OksReport {
        ap: precision(0, None),
        ap50: precision(0, Some(0)),
        ap75: precision(0, Some(5)),
        ap_medium: precision(1, None),
        ap_large: precision(2, None),
        ar: recall(0, None),
        ar50: recall(0, Some(0)),
        ar75: recall(0, Some(5)),
        ar_medium: recall(1, None),
        ar_large: recall(2, None),
    }
}

fn shares(images: &BTreeSet<u64>, matched: &BTreeMap<u64, Vec<(u64, Matched)>>) -> Vec<ImageShare> {
    let mut shares: BTreeMap<u64, ImageShare> =
        images.iter().map(|&image| (image, ImageShare { image, ..Default::default() })).collect();
    for (image, found) in matched.values().flatten() {
        let Some(share) = shares.get_mut(image) else { continue };
        let all = &found.ranges[0];
        share.persons += all.persons;
        let right = |t: usize| all.outcomes[t].iter().filter(|o| o.matched && !o.ignored).count();
        let thresholds = all.outcomes.len();
        share.found += (0..thresholds).map(right).sum::<usize>() as f64 / thresholds as f64;
        share.found50 += right(0);
        share.wrong50 += all.outcomes[0].iter().filter(|o| !o.matched && !o.ignored).count();
    }
    shares.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::ransac::Random;
    use proptest::prelude::*;

    fn person(random: &mut Random, image: u64) -> TruePerson {
        let keypoints: Vec<[f64; 3]> = (0..17)
            .map(|_| [200.0 * random.uniform(), 200.0 * random.uniform(), random.below(3) as f64])
            .collect();
        let labelled = keypoints.iter().filter(|k| k[2] > 0.0).count();
        let area_px2 = 500.0 + 20_000.0 * random.uniform();
        let box_px = [0.0, 0.0, 200.0, 200.0];
        TruePerson { image, category: 1, keypoints, area_px2, box_px, crowd: false, labelled }
    }

    fn perfect(truth: &TruePerson, score: f64) -> PredictedPerson {
        let keypoints = truth.keypoints.clone();
        PredictedPerson { image: truth.image, category: 1, keypoints, score }
    }

    fn ap(truth: &[TruePerson], predicted: &[PredictedPerson]) -> f64 {
        let images = [1, 2, 3];
        evaluate_oks(&images, truth, predicted, &OksProtocol::default()).unwrap().0.ap.unwrap()
    }

    proptest! {
        #[test]
        fn perfect_predictions_score_1_and_a_false_one_never_helps(seed in 0u64..50) {
            let mut random = Random::new(seed);
            let truth: Vec<_> = (0..6).map(|i| person(&mut random, 1 + i % 3)).collect();
            let mut predicted: Vec<_> = truth.iter().map(|t| perfect(t, random.uniform())).collect();
            prop_assert!((ap(&truth, &predicted) - 1.0).abs() < 1e-12);
            let shifted: Vec<_> = predicted
                .iter()
                .map(|p| {
                    let move_ = |k: &[f64; 3]| [k[0] + 30.0 * random.uniform(), k[1], k[2]];
                    PredictedPerson { keypoints: p.keypoints.iter().map(move_).collect(), ..p.clone() }
                })
                .collect();
            let before = ap(&truth, &shifted);
            let mut more = shifted.clone();
            more.push(PredictedPerson {
                keypoints: vec![[1e5, 1e5, 1.0]; 17],
                score: random.uniform(),
                ..shifted[0].clone()
            });
            prop_assert!(ap(&truth, &more) <= before + 1e-12);
            predicted.reverse();
            prop_assert!((ap(&truth, &predicted) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn rows_that_do_not_fit_are_named() {
        let mut random = Random::new(1);
        let truth = vec![person(&mut random, 1)];
        let mut wrong = perfect(&truth[0], 0.5);
        wrong.image = 9;
        let protocol = OksProtocol::default();
        let message = |predicted: &[PredictedPerson]| {
            evaluate_oks(&[1], &truth, predicted, &protocol).unwrap_err().to_string()
        };
        assert!(message(&[wrong.clone()]).contains("image 9"), "{}", message(&[wrong]));
        let mut short = perfect(&truth[0], 0.5);
        short.keypoints.pop();
        assert!(message(&[short.clone()]).contains("16 keypoints"), "{}", message(&[short]));
    }

    #[test]
    fn without_truth_there_are_no_figures() {
        let (report, shares) = evaluate_oks(&[4], &[], &[], &OksProtocol::default()).unwrap();
        assert_eq!((report.ap, report.ar), (None, None));
        assert_eq!(shares.len(), 1);
    }
}
