//! nuScenes tracking: AMOTA and AMOTP over recalls, CLEAR MOT at the score that is best for MOTA.
//!
//! Weng et al., A Baseline for 3D Multi-Object Tracking, 2020; `nuscenes.eval.tracking` of nuscenes-devkit 1.2.0.
//! The distances here are exact. The devkit's come from `sklearn.metrics.pairwise.euclidean_distances`
//! (`tracking/algo.py`), which expands the square and loses up to 1e-5 m of nearly zero distances far from the
//! origin; AMOTP and MOTP differ by that.

mod matching;
mod protocol;
mod report;
#[cfg(test)]
mod tests;
mod tracks;

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

pub use protocol::{AmotaProtocol, TrackedClass};
pub use report::{AmotaReport, ClassAmota};
pub use tracks::{PredictedTracks, TrackedBox, TrackedSample};

use crate::Error;

/// Figures of predicted tracks for the same samples as the truth's, in any order.
///
/// The truth must hold all samples of its scenes.
///
/// # Errors
/// A sample that only one side has or that occurs twice, two samples of one time in a scene, more boxes than the
/// protocol allows, an identity that occurs twice in a sample, a class that the protocol does not have, a number that
/// is not finite.
pub fn evaluate(
    truth: &[TrackedSample],
    predicted: &[PredictedTracks],
    protocol: &AmotaProtocol,
) -> Result<AmotaReport, Error> {
    let pairs = pair(truth, predicted, protocol)?;
    let scenes = tracks::scenes(&pairs, protocol)?;
    let classes: Vec<(String, ClassAmota)> = protocol
        .classes
        .par_iter()
        .enumerate()
        .map(|(i, class)| {
            (class.name.clone(), report::of_class(&scenes.scenes, i as u16, protocol))
        })
        .collect();
    Ok(report::summarise(classes, scenes.truth, scenes.predicted))
}

/// Each sample of the truth with its predictions, checked.
fn pair<'a>(
    truth: &'a [TrackedSample],
    predicted: &'a [PredictedTracks],
    protocol: &AmotaProtocol,
) -> Result<Vec<(&'a TrackedSample, &'a PredictedTracks)>, Error> {
    let mut by_sample = HashMap::with_capacity(predicted.len());
    for (row, given) in predicted.iter().enumerate() {
        if by_sample.insert(given.sample.as_str(), (row, given)).is_some() {
            let row = format!("sample {}", given.sample);
            return Err(Error::row("prediction", row, "occurs twice; samples must be unique"));
        }
        let (boxes, max) = (given.boxes.len(), protocol.max_boxes_per_sample);
        if boxes > max {
            return Err(Error::TooManyBoxes { sample: given.sample.clone(), boxes, max });
        }
        check_boxes("prediction", &given.sample, &given.boxes, protocol)?;
    }
    let mut pairs = Vec::with_capacity(truth.len());
    for (row, sample) in truth.iter().enumerate() {
        check_boxes("truth", &sample.sample, &sample.boxes, protocol)?;
        // Removed, so that a second time it is unknown.
        let Some((_, given)) = by_sample.remove(sample.sample.as_str()) else {
            return Err(Error::UnknownSample {
                side: "prediction",
                sample: sample.sample.clone(),
                row: format!(
                    "truth {row} (or it occurs twice); one without objects needs an empty list"
                ),
            });
        };
        pairs.push((sample, given));
    }
    match by_sample.into_values().min_by_key(|(row, _)| *row) {
        Some((row, given)) => Err(Error::UnknownSample {
            side: "truth",
            sample: given.sample.clone(),
            row: format!("prediction {row}"),
        }),
        None => Ok(pairs),
    }
}

fn check_boxes(
    side: &'static str,
    sample: &str,
    boxes: &[TrackedBox],
    protocol: &AmotaProtocol,
) -> Result<(), Error> {
    let mut tracks = HashSet::with_capacity(boxes.len());
    for (row, given) in boxes.iter().enumerate() {
        let wrong = if usize::from(given.class) >= protocol.classes.len() {
            format!("class {} is none of the protocol's", given.class)
        } else if !given.center_m.iter().all(|x| x.is_finite()) {
            "the centre must be finite numbers".to_owned()
        } else if !given.score.is_finite() {
            format!("the score is {}, not a finite number", given.score)
        } else if !tracks.insert(given.track) {
            "its identity occurs before in this sample; each may occur once".to_owned()
        } else {
            continue;
        };
        return Err(Error::row(side, format!("{row} of sample {sample}"), wrong));
    }
    Ok(())
}
