//! MapTR's mean average precision of map lines by chamfer distance.
//!
//! Definitions are those of MapTR's `map_utils` (`tpfp.py`, `tpfp_chamfer.py`, `mean_ap.py`).

use serde::{Deserialize, Serialize};

use super::buffer::buffers_meet;
use super::curve::{chamfer, resample};
use super::openlane::by_confidence;
use crate::Error;

/// Settings of the evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChamferMapProtocol {
    /// Names of the classes, by number.
    pub classes: Vec<String>,
    /// Distances up to which a prediction is right, metres.
    pub thresholds_m: Vec<f64>,
    /// Points that each line is resampled to.
    pub samples: usize,
    /// Lines are only compared where bands of this half width around them meet, metres.
    pub half_width_m: f64,
    /// Predictions are resampled like the truth; MapTR's `eval_use_same_gt_sample_num_flag`.
    pub resample_predictions: bool,
}

impl Default for ChamferMapProtocol {
    /// MapTR on nuScenes: `nuscenes_map_dataset.py` and the configurations of the paper.
    fn default() -> Self {
        Self {
            classes: ["divider", "ped_crossing", "boundary"].map(str::to_owned).to_vec(),
            thresholds_m: vec![0.5, 1.0, 1.5],
            samples: 100,
            half_width_m: 2.0,
            resample_predictions: true,
        }
    }
}

/// A line of a map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MapLine {
    /// Index into the protocol's classes.
    pub class: usize,
    /// Points, metres. Predictions with one point or none are left out, as in the tool.
    pub points_m: Vec<[f64; 2]>,
    /// Confidence; not used in truth.
    #[serde(default)]
    pub confidence: f64,
}

/// Lines of one frame.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MapFrame {
    /// Annotated lines.
    pub truth: Vec<MapLine>,
    /// Predicted lines.
    pub predicted: Vec<MapLine>,
}

/// Average precisions, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChamferMapReport {
    /// Mean over classes and thresholds; a class without truth counts as 0, as in the tool.
    pub map: f64,
    /// Mean over thresholds, by class.
    pub per_class: Vec<f64>,
    /// `[class][threshold]`.
    pub per_threshold: Vec<Vec<f64>>,
    /// Lines of the truth, by class.
    pub truths: Vec<usize>,
    /// Predictions left out because they have fewer than two points.
    pub skipped_predictions: usize,
}

/// Evaluates frames. Predictions with equal confidence keep their order (the tool's `argsort` leaves it open).
///
/// # Errors
/// A class that is not the protocol's, or an annotated line with fewer than two points.
pub fn evaluate_chamfer_map(
    frames: &[MapFrame],
    protocol: &ChamferMapProtocol,
) -> Result<ChamferMapReport, Error> {
    check(frames, protocol)?;
    let mut per_threshold = Vec::new();
    let mut truths = Vec::new();
    for class in 0..protocol.classes.len() {
        let prepared: Vec<Prepared> =
            frames.iter().map(|frame| prepare(frame, class, protocol)).collect();
        let curve = |&threshold: &f64| average_precision(&prepared, threshold);
        per_threshold.push(protocol.thresholds_m.iter().map(curve).collect::<Vec<f64>>());
        truths.push(prepared.iter().map(|frame| frame.truths).sum());
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let per_class: Vec<f64> = per_threshold.iter().map(|values| mean(values)).collect();
    let predictions = frames.iter().flat_map(|frame| &frame.predicted);
    Ok(ChamferMapReport {
        map: mean(&per_class),
        skipped_predictions: predictions.filter(|line| line.points_m.len() < 2).count(),
        per_class,
        per_threshold,
        truths,
    })
}

fn check(frames: &[MapFrame], protocol: &ChamferMapProtocol) -> Result<(), Error> {
    if protocol.classes.is_empty() || protocol.thresholds_m.is_empty() || protocol.samples < 2 {
        let what = "needs classes, thresholds and at least two samples".to_owned();
        return Err(Error::Protocol { name: "chamfer map".to_owned(), what });
    }
    for (f, frame) in frames.iter().enumerate() {
        for (side, lines) in [("truth", &frame.truth), ("prediction", &frame.predicted)] {
            for (i, line) in lines.iter().enumerate() {
                let row = || format!("line {i} of frame {f}");
                if line.class >= protocol.classes.len() {
                    let what = format!("class {}; there are {:?}", line.class, protocol.classes);
                    return Err(Error::row(side, row(), what));
                }
                if side == "truth" && line.points_m.len() < 2 {
                    let what = format!("{} points; a line has two or more", line.points_m.len());
                    return Err(Error::row(side, row(), what));
                }
                if line.points_m.iter().flatten().any(|x| !x.is_finite()) {
                    return Err(Error::row(side, row(), "a point is not finite"));
                }
            }
        }
    }
    Ok(())
}

/// One class of a frame.
struct Prepared {
    truths: usize,
    confidences: Vec<f64>,
    /// Nearest true line of each prediction and its distance; infinite where none is comparable.
    nearest: Vec<(usize, f64)>,
}

/// What the tool gives lines whose bands do not meet, metres.
const APART_M: f64 = 100.0;

fn prepare(frame: &MapFrame, class: usize, protocol: &ChamferMapProtocol) -> Prepared {
    let of = |lines: &[MapLine], resampled: bool| -> Vec<Vec<[f64; 2]>> {
        let chosen = lines.iter().filter(|line| line.class == class && line.points_m.len() >= 2);
        chosen
            .map(|line| {
                if resampled {
                    resample(&line.points_m, protocol.samples)
                } else {
                    line.points_m.clone()
                }
            })
            .collect()
    };
    let truth = of(&frame.truth, true);
    let predicted = of(&frame.predicted, protocol.resample_predictions);
    let largest = protocol.thresholds_m.iter().copied().fold(0.0, f64::max);
    let nearest = predicted.iter().map(|p| {
        let distance = |t: &Vec<[f64; 2]>| {
            let found = chamfer(p, t);
            // Bands only matter for lines that would count.
            let apart = found <= largest && !buffers_meet(p, t, protocol.half_width_m);
            if apart { APART_M } else { found }
        };
        let distances = truth.iter().map(distance).enumerate();
        distances.fold((0, f64::INFINITY), |best, (i, d)| if d < best.1 { (i, d) } else { best })
    });
    let chosen =
        frame.predicted.iter().filter(|line| line.class == class && line.points_m.len() >= 2);
    Prepared {
        truths: truth.len(),
        confidences: chosen.map(|line| line.confidence).collect(),
        nearest: nearest.collect(),
    }
}

fn average_precision(frames: &[Prepared], threshold: f64) -> f64 {
    let mut outcomes: Vec<(f64, bool)> = Vec::new();
    for frame in frames {
        let mut order: Vec<usize> = (0..frame.confidences.len()).collect();
        order.sort_by(|&a, &b| by_confidence(frame.confidences[a], frame.confidences[b]));
        let mut taken = vec![false; frame.truths];
        let mut right = vec![false; order.len()];
        for p in order {
            let (truth, distance) = frame.nearest[p];
            if distance <= threshold && !taken[truth] {
                taken[truth] = true;
                right[p] = true;
            }
        }
        outcomes.extend(frame.confidences.iter().copied().zip(right));
    }
    outcomes.sort_by(|a, b| by_confidence(a.0, b.0));
    area_under_curve(&outcomes, frames.iter().map(|frame| frame.truths).sum())
}

/// Area under the interpolated curve of precision over recall.
fn area_under_curve(outcomes: &[(f64, bool)], truths: usize) -> f64 {
    if truths == 0 {
        return 0.0;
    }
    let mut right = 0.0;
    let mut points = Vec::with_capacity(outcomes.len());
    for (i, &(_, is_right)) in outcomes.iter().enumerate() {
        right += f64::from(u8::from(is_right));
        points.push((right / truths as f64, right / (i + 1) as f64));
    }
    let (mut best, mut area) = (0.0f64, 0.0);
    for i in (0..points.len()).rev() {
        best = best.max(points[i].1);
        let before = if i == 0 { 0.0 } else { points[i - 1].0 };
        area += (points[i].0 - before) * best;
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::ransac::Random;
    use proptest::prelude::*;

    fn line(random: &mut Random, class: usize, y: f64) -> MapLine {
        let points_m = (0..8).map(|k| [4.0 * k as f64, y + random.uniform()]).collect();
        MapLine { class, points_m, confidence: random.uniform() }
    }

    fn map(frames: &[MapFrame]) -> f64 {
        evaluate_chamfer_map(frames, &ChamferMapProtocol::default()).unwrap().map
    }

    proptest! {
        #[test]
        fn the_truth_scores_1_whatever_its_order_and_a_false_line_never_helps(seed in 0u64..40) {
            let mut random = Random::new(seed);
            let truth: Vec<MapLine> =
                (0..9).map(|i| line(&mut random, i % 3, 5.0 * i as f64)).collect();
            let mut frame = MapFrame { truth: truth.clone(), predicted: truth };
            prop_assert!((map(std::slice::from_ref(&frame)) - 1.0).abs() < 1e-12);
            frame.predicted.reverse();
            prop_assert!((map(std::slice::from_ref(&frame)) - 1.0).abs() < 1e-12);
            frame.predicted.iter_mut().for_each(|l| l.points_m[0][1] += 3.0 * random.uniform());
            let before = map(std::slice::from_ref(&frame));
            frame.predicted.push(line(&mut random, 0, 1000.0));
            prop_assert!(map(&[frame]) <= before + 1e-12);
        }
    }

    #[test]
    fn lines_that_do_not_fit_are_named() {
        let mut random = Random::new(1);
        let good = line(&mut random, 0, 0.0);
        let check = |truth: &MapLine, predicted: &MapLine| {
            let frame = MapFrame { truth: vec![truth.clone()], predicted: vec![predicted.clone()] };
            evaluate_chamfer_map(&[frame], &ChamferMapProtocol::default())
        };
        let unknown = MapLine { class: 7, ..good.clone() };
        let message = check(&good, &unknown).unwrap_err().to_string();
        assert!(message.contains("prediction line 0 of frame 0: class 7"), "{message}");
        let point = MapLine { points_m: vec![[1.0, 1.0]], ..good.clone() };
        assert!(check(&point, &good).unwrap_err().to_string().contains("1 points"));
        assert_eq!(check(&good, &point).unwrap().skipped_predictions, 1);
    }
}
