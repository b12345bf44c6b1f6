//! nuScenes detection: mAP by centre distance, five errors of true positives, NDS.
//!
//! Caesar et al. 2020, section 3.1; `nuscenes.eval.detection` of nuscenes-devkit 1.2.0, number for number.

mod boxes;
mod curve;
pub(crate) mod filter;
mod matching;
mod parts;
mod protocol;
mod report;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rayon::prelude::*;

pub use boxes::{DetectionBox, OrientedBox, SamplePredictions, SampleTruth, yaw_of};
pub use curve::Curve;
pub use filter::Uncounted;
pub use parts::{PartsPool, SampleParts};
pub use protocol::{DetectionClass, DetectionProtocol, TruePositiveError};
pub use report::{ClassReport, DetectionReport, SampleCounts};

use crate::Error;
use matching::{ClassMatches, SampleMatches, match_sample};
use report::{ClassCurves, summarise};

/// Figures of predictions for the same samples as the truth's, in any order.
///
/// Of predictions with the same score the one that comes later counts first, as in the devkit.
///
/// # Errors
/// A sample that only one side has or that occurs twice, more boxes than the protocol allows, a class or attribute
/// that it does not have, a number that is not finite (velocities may be NaN), a matched box without size.
pub fn evaluate(
    truth: &[SampleTruth],
    predicted: &[SamplePredictions],
    protocol: &DetectionProtocol,
) -> Result<DetectionReport, Error> {
    let truth_of = pair(truth, predicted)?;
    let matches: Vec<SampleMatches> = predicted
        .par_iter()
        .enumerate()
        .map(|(ordinal, predicted)| {
            let truth = truth_of[ordinal];
            check_boxes("truth", &truth.sample, &truth.boxes, protocol)?;
            check_predictions(predicted, protocol)?;
            match_sample(ordinal, truth, predicted, protocol)
        })
        .collect::<Result<_, _>>()?;
    let per_sample = matches.iter().map(SampleMatches::counts).collect();
    let parts = matches.par_iter().map(SampleParts::of).collect();
    let (mut truth_out, mut predicted_out) = (Uncounted::default(), Uncounted::default());
    let mut classes = vec![ClassMatches::default(); protocol.classes.len()];
    for sample in matches {
        truth_out.add(&sample.truth);
        predicted_out.add(&sample.predicted);
        for (all, class) in classes.iter_mut().zip(sample.classes) {
            all.append(class);
        }
    }
    let curves: Vec<ClassCurves> =
        classes.into_par_iter().map(|class| curves_of(class, protocol)).collect();
    let report = summarise(&curves, truth_out, predicted_out, protocol);
    Ok(DetectionReport { per_sample, parts, ..report })
}

fn curves_of(mut class: ClassMatches, protocol: &DetectionProtocol) -> ClassCurves {
    class.predictions.par_sort_unstable_by(matching::Scored::order);
    let curve = |(i, &distance_m): (usize, &f64)| {
        Curve::new(&class, 1 << i, distance_m == protocol.error_matching_distance_m)
    };
    ClassCurves {
        curves: protocol.matching_distances_m.par_iter().enumerate().map(curve).collect(),
        truths: class.truths,
        predictions: class.predictions.len() as u64,
    }
}

/// The truth of each predicted sample.
fn pair<'a>(
    truth: &'a [SampleTruth],
    predicted: &[SamplePredictions],
) -> Result<Vec<&'a SampleTruth>, Error> {
    let mut by_sample = HashMap::with_capacity(truth.len());
    for (row, sample) in truth.iter().enumerate() {
        if by_sample.insert(sample.sample.as_str(), (row, sample)).is_some() {
            let row = format!("sample {}", sample.sample);
            return Err(Error::row("truth", row, "occurs twice; samples must be unique"));
        }
    }
    let mut paired = Vec::with_capacity(predicted.len());
    for (row, predicted) in predicted.iter().enumerate() {
        // Removed, so that a second time it is unknown.
        let Some((_, truth)) = by_sample.remove(predicted.sample.as_str()) else {
            return Err(Error::UnknownSample {
                side: "truth",
                sample: predicted.sample.clone(),
                row: format!("prediction {row} (or it occurs twice)"),
            });
        };
        paired.push(truth);
    }
    if let Some((row, sample)) = by_sample.into_values().min_by_key(|(row, _)| *row) {
        return Err(Error::UnknownSample {
            side: "prediction",
            sample: sample.sample.clone(),
            row: format!("truth {row}; a sample without objects needs an empty list"),
        });
    }
    Ok(paired)
}

fn check_predictions(
    predicted: &SamplePredictions,
    protocol: &DetectionProtocol,
) -> Result<(), Error> {
    let (boxes, max) = (predicted.boxes.len(), protocol.max_boxes_per_sample);
    if boxes > max {
        return Err(Error::TooManyBoxes { sample: predicted.sample.clone(), boxes, max });
    }
    check_boxes("prediction", &predicted.sample, &predicted.boxes, protocol)
}

fn check_boxes(
    side: &'static str,
    sample: &str,
    boxes: &[DetectionBox],
    protocol: &DetectionProtocol,
) -> Result<(), Error> {
    for (row, given) in boxes.iter().enumerate() {
        if let Some(what) = wrong(given, protocol) {
            return Err(Error::row(side, format!("{row} of sample {sample}"), what));
        }
    }
    Ok(())
}

/// What keeps a box from being evaluated.
fn wrong(given: &DetectionBox, protocol: &DetectionProtocol) -> Option<String> {
    let finite = |values: &[f64]| values.iter().all(|x| x.is_finite());
    if usize::from(given.class) >= protocol.classes.len() {
        return Some(format!("class {} is none of the protocol's", given.class));
    }
    if given.attribute.is_some_and(|a| usize::from(a) >= protocol.attributes.len()) {
        return Some("the attribute is none of the protocol's".to_owned());
    }
    if !finite(&given.center_m) || !finite(&given.size_m) || !given.yaw_rad.is_finite() {
        return Some("centre, size and heading must be finite numbers".to_owned());
    }
    if given.size_m.iter().any(|side| *side < 0.0) {
        return Some(format!("the size {:?} is negative", given.size_m));
    }
    (!given.score.is_finite()).then(|| format!("the score is {}, not a finite number", given.score))
}
