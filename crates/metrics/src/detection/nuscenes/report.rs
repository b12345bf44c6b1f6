//! From curves to mAP, mean errors and NDS; `DetectionMetrics` of the devkit.

use std::collections::BTreeMap;

use serde::Serialize;

use super::curve::Curve;
use super::filter::Uncounted;
use super::parts::SampleParts;
use super::protocol::{DetectionProtocol, TruePositiveError};
use crate::numeric::{mean, nan_mean};

/// nuScenes detection figures. NaN, which is `null` in JSON, where an error has no meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectionReport {
    /// Mean average precision over classes and matching distances.
    pub map: f64,
    /// nuScenes detection score.
    pub nds: f64,
    /// Mean translation error over classes, metres.
    pub mate: f64,
    /// Mean scale error, 1 - IoU.
    pub mase: f64,
    /// Mean orientation error, radians.
    pub maoe: f64,
    /// Mean velocity error, m/s.
    pub mave: f64,
    /// Mean attribute error, 1 - accuracy.
    pub maae: f64,
    /// The figures of each class.
    pub per_class: BTreeMap<String, ClassReport>,
    /// True boxes that did not count.
    pub truth: Uncounted,
    /// Predictions that did not count.
    pub predictions: Uncounted,
    /// What each sample has in it, in the order of the predictions; for comparing runs.
    #[serde(skip)]
    pub per_sample: Vec<SampleCounts>,
    /// The same for mAP and NDS.
    #[serde(skip)]
    pub parts: Vec<SampleParts>,
}

/// Boxes of one sample that count, of all classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleCounts {
    /// True boxes.
    pub truths: u64,
    /// Predictions.
    pub predictions: u64,
    /// Predictions that matched at the distance for errors.
    pub matched: u64,
}

/// The figures of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassReport {
    /// Mean of the average precisions.
    pub ap: f64,
    /// Average precision by matching distance, as in `"0.5"`.
    pub ap_at_m: BTreeMap<String, f64>,
    /// Translation error, metres.
    pub ate: f64,
    /// Scale error.
    pub ase: f64,
    /// Orientation error, radians.
    pub aoe: f64,
    /// Velocity error, m/s.
    pub ave: f64,
    /// Attribute error.
    pub aae: f64,
    /// True boxes that counted.
    pub truths: u64,
    /// Predictions that counted.
    pub predictions: u64,
}

/// Curves and counts of one class.
pub(super) struct ClassCurves {
    /// One for each matching distance.
    pub(super) curves: Vec<Curve>,
    pub(super) truths: u64,
    pub(super) predictions: u64,
}

impl ClassCurves {
    fn report(&self, class: usize, protocol: &DetectionProtocol) -> ClassReport {
        let distances_m = &protocol.matching_distances_m;
        let aps: Vec<f64> = self.curves.iter().map(|c| c.average_precision(protocol)).collect();
        // Validated with the protocol: the distance for errors is among them.
        let at = distances_m.iter().position(|&d| d == protocol.error_matching_distance_m);
        let [ate, ase, aoe, ave, aae] = TruePositiveError::ALL.map(|kind| {
            let undefined = protocol.classes[class].undefined_errors.contains(&kind);
            match at.filter(|_| !undefined) {
                Some(at) => self.curves[at].mean_error(kind as usize, protocol),
                None => f64::NAN,
            }
        });
        let ap_at_m = distances_m.iter().map(|d| format!("{d:?}")).zip(aps.iter().copied());
        ClassReport {
            ap: mean(&aps),
            ap_at_m: ap_at_m.collect(),
            ate,
            ase,
            aoe,
            ave,
            aae,
            truths: self.truths,
            predictions: self.predictions,
        }
    }
}

pub(super) fn summarise(
    classes: &[ClassCurves],
    truth: Uncounted,
    predictions: Uncounted,
    protocol: &DetectionProtocol,
) -> DetectionReport {
    let reports: Vec<ClassReport> =
        classes.iter().enumerate().map(|(i, class)| class.report(i, protocol)).collect();
    let map = mean(&reports.iter().map(|report| report.ap).collect::<Vec<_>>());
    let over = |error: fn(&ClassReport) -> f64| nan_mean(reports.iter().map(error));
    let errors = [
        over(|report| report.ate),
        over(|report| report.ase),
        over(|report| report.aoe),
        over(|report| report.ave),
        over(|report| report.aae),
    ];
    // An error that no class has scores 0, as `max(0, NaN)` of the devkit.
    let scores: f64 = errors.iter().map(|error| (1.0 - error).max(0.0)).sum();
    let weight = protocol.mean_ap_weight;
    let [mate, mase, maoe, mave, maae] = errors;
    let names = protocol.classes.iter().map(|class| class.name.clone());
    DetectionReport {
        map,
        nds: (weight * map + scores) / (weight + errors.len() as f64),
        mate,
        mase,
        maoe,
        mave,
        maae,
        per_class: names.zip(reports).collect(),
        truth,
        predictions,
        per_sample: Vec::new(),
        parts: Vec::new(),
    }
}
