//! Waymo detection: average precision by volume overlap, also weighted by heading, on two levels of difficulty.
//!
//! Sun et al. 2020, section 4.1: AP is the area under the precision that is the best at this recall or a higher one;
//! for APH each true positive weighs 1 - |heading error| / pi. Predictions match one by one, surest first, the true box
//! that overlaps most (`TYPE_SCORE_FIRST` of the matchers in Waymo's own code). On LEVEL_1 boxes that are of LEVEL_2
//! alone are neither right nor wrong.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::rotated::UprightBox;
use crate::{Error, Protocol};

/// Settings; [`Protocol::named`] has `waymo_detection`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaymoProtocol {
    /// A box of LEVEL_1 holds at least this many lidar returns.
    pub level_1_min_points: u32,
    /// One of LEVEL_2 at least this many.
    pub level_2_min_points: u32,
    /// Classes.
    pub classes: Vec<WaymoClass>,
}

/// Settings of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaymoClass {
    /// Its name.
    pub name: String,
    /// A match overlaps at least this much.
    pub min_iou: f64,
}

impl Protocol for WaymoProtocol {
    const KIND: &'static str = "Waymo detection";
    const NAMED: &'static [(&'static str, &'static str)] =
        &[("waymo_detection", include_str!("../../protocols/waymo_detection.toml"))];

    fn check(&self) -> Result<(), String> {
        match self.classes.iter().find(|class| !(class.min_iou > 0.0 && class.min_iou <= 1.0)) {
            Some(class) => Err(format!("class {:?}: min_iou must be in (0, 1]", class.name)),
            None if self.classes.is_empty() => Err("needs at least one class".to_owned()),
            None => Ok(()),
        }
    }
}

/// A true or predicted box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WaymoBox {
    /// Position among the protocol's classes.
    pub class: u16,
    /// Place, size and heading.
    pub upright: UprightBox,
    /// Confidence of a prediction.
    pub score: f64,
    /// Lidar returns inside a true box.
    pub points: u32,
    /// Said by the annotator to be of LEVEL_2 whatever its points.
    pub hard: bool,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WaymoFrame {
    /// Its name.
    pub name: String,
    /// True boxes.
    pub truth: Vec<WaymoBox>,
    /// Predictions.
    pub predicted: Vec<WaymoBox>,
}

/// Figures of one class on one level, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WaymoFigures {
    /// Average precision.
    pub ap: f64,
    /// Average precision weighted by heading.
    pub aph: f64,
}

/// Figures by class, LEVEL_1 first.
pub type WaymoReport = BTreeMap<String, [WaymoFigures; 2]>;

/// Figures of all frames.
///
/// # Errors
/// A frame that occurs twice, a class that the protocol does not have, a number that is not finite.
pub fn evaluate(frames: &[WaymoFrame], protocol: &WaymoProtocol) -> Result<WaymoReport, Error> {
    let mut names: Vec<&str> = frames.iter().map(|frame| frame.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let row = format!("frame {}", pair[0]);
        return Err(Error::row("truth", row, "occurs twice; frames must be unique"));
    }
    for frame in frames {
        check("truth", frame, &frame.truth, protocol)?;
        check("prediction", frame, &frame.predicted, protocol)?;
    }
    let of_class = |(i, class): (usize, &WaymoClass)| {
        let levels = [1, 2].map(|level| of_level(frames, i as u16, level, protocol));
        (class.name.clone(), levels)
    };
    Ok(protocol.classes.par_iter().enumerate().map(of_class).collect())
}

fn check(
    side: &'static str,
    frame: &WaymoFrame,
    boxes: &[WaymoBox],
    protocol: &WaymoProtocol,
) -> Result<(), Error> {
    for (row, given) in boxes.iter().enumerate() {
        let UprightBox { center_m, size_m, yaw_rad, vertical_m } = given.upright;
        let numbers = [center_m, size_m, vertical_m, [yaw_rad, given.score]];
        let what = if !numbers.iter().flatten().all(|x| x.is_finite()) {
            "holds a number that is not finite".to_owned()
        } else if usize::from(given.class) >= protocol.classes.len() {
            format!("class {} is none of the protocol's", given.class)
        } else {
            continue;
        };
        return Err(Error::row(side, format!("{row} of frame {}", frame.name), what));
    }
    Ok(())
}

/// A prediction that is right or wrong: its score, and what a right one weighs for APH.
struct Scored {
    score: f64,
    right: Option<f64>,
}

fn of_level(
    frames: &[WaymoFrame],
    class: u16,
    level: u8,
    protocol: &WaymoProtocol,
) -> WaymoFigures {
    let mut scored = Vec::new();
    let mut truths = 0;
    for frame in frames {
        truths += match_frame(frame, class, level, protocol, &mut scored);
    }
    scored.sort_by(|a, b| b.score.total_cmp(&a.score));
    figures(&scored, truths)
}

/// How a true box takes part: `Some(true)` counts, `Some(false)` is neither right nor wrong.
fn part(given: &WaymoBox, level: u8, protocol: &WaymoProtocol) -> Option<bool> {
    if given.points < protocol.level_2_min_points {
        return None;
    }
    Some(level == 2 || (given.points >= protocol.level_1_min_points && !given.hard))
}

fn match_frame(
    frame: &WaymoFrame,
    class: u16,
    level: u8,
    protocol: &WaymoProtocol,
    scored: &mut Vec<Scored>,
) -> usize {
    let min_iou = protocol.classes[usize::from(class)].min_iou;
    let truths: Vec<(&WaymoBox, bool)> = frame
        .truth
        .iter()
        .filter(|given| given.class == class)
        .filter_map(|given| Some((given, part(given, level, protocol)?)))
        .collect();
    let mut predicted: Vec<&WaymoBox> =
        frame.predicted.iter().filter(|given| given.class == class).collect();
    predicted.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut taken = vec![false; truths.len()];
    for given in predicted {
        let mut best: Option<(usize, f64)> = None;
        for (i, (truth, _)) in truths.iter().enumerate().filter(|(i, _)| !taken[*i]) {
            let iou = given.upright.volume_iou(&truth.upright);
            if iou >= min_iou && best.is_none_or(|(_, most)| iou > most) {
                best = Some((i, iou));
            }
        }
        let Some((i, _)) = best else {
            scored.push(Scored { score: given.score, right: None });
            continue;
        };
        taken[i] = true;
        let (truth, counts) = truths[i];
        if counts {
            let turn_rad = (given.upright.yaw_rad - truth.upright.yaw_rad).rem_euclid(2.0 * PI);
            let off_rad = turn_rad.min(2.0 * PI - turn_rad);
            scored.push(Scored { score: given.score, right: Some(1.0 - off_rad / PI) });
        }
    }
    truths.iter().filter(|(_, counts)| *counts).count()
}

fn figures(scored: &[Scored], truths: usize) -> WaymoFigures {
    if truths == 0 {
        return WaymoFigures { ap: 0.0, aph: 0.0 };
    }
    // Recall, precision and weighted precision behind each group of equal scores.
    let mut points: Vec<[f64; 3]> = Vec::new();
    let (mut right, mut weight) = (0.0, 0.0);
    for (i, given) in scored.iter().enumerate() {
        right += f64::from(u8::from(given.right.is_some()));
        weight += given.right.unwrap_or(0.0);
        if scored.get(i + 1).is_none_or(|next| next.score != given.score) {
            let all = (i + 1) as f64;
            points.push([right / truths as f64, right / all, weight / all]);
        }
    }
    let area = |which: usize| {
        let (mut best, mut sum) = (0.0, 0.0);
        for i in (0..points.len()).rev() {
            best = f64::max(best, points[i][which]);
            let before = if i == 0 { 0.0 } else { points[i - 1][0] };
            sum += best * (points[i][0] - before);
        }
        sum
    };
    WaymoFigures { ap: area(1), aph: area(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protocol() -> WaymoProtocol {
        WaymoProtocol::named("waymo_detection").unwrap()
    }

    fn vehicle(x: f64, score: f64, yaw_rad: f64, points: u32) -> WaymoBox {
        let upright =
            UprightBox { center_m: [x, 0.0], size_m: [4.0, 2.0], yaw_rad, vertical_m: [0.0, 1.5] };
        WaymoBox { class: 0, upright, score, points, hard: false }
    }

    fn frame(truth: Vec<WaymoBox>, predicted: Vec<WaymoBox>) -> [WaymoFrame; 1] {
        [WaymoFrame { name: "f".to_owned(), truth, predicted }]
    }

    #[test]
    fn named_protocols_are_valid() {
        crate::protocol::check_named::<WaymoProtocol>();
    }

    /// Four true boxes; predictions in order of score: right, wrong, right and turned half way round, right.
    /// Precision 1, 1/2, 2/3, 3/4 at recalls 1/4, 1/4, 1/2, 3/4: AP = (1 + 3/4 + 3/4) / 4.
    /// Weighted: 1, 1/2, 1/3, 1/2: APH = (1 + 1/2 + 1/2) / 4.
    #[test]
    fn worked_example() {
        let truth: Vec<WaymoBox> =
            (0..4).map(|i| vehicle(10.0 * f64::from(i), 0.0, 0.0, 10)).collect();
        let predicted = vec![
            vehicle(0.0, 0.9, 0.0, 0),
            vehicle(99.0, 0.8, 0.0, 0),
            vehicle(10.0, 0.7, PI, 0),
            vehicle(20.0, 0.6, 0.0, 0),
        ];
        let report = evaluate(&frame(truth, predicted), &protocol()).unwrap();
        for figures in report["VEHICLE"] {
            assert!((figures.ap - 2.5 / 4.0).abs() < 1e-12, "{figures:?}");
            assert!((figures.aph - 0.5).abs() < 1e-12, "{figures:?}");
        }
    }

    #[test]
    fn what_only_level_2_has_is_neither_right_nor_wrong_on_level_1() {
        let truth = vec![
            vehicle(0.0, 0.0, 0.0, 10),
            vehicle(10.0, 0.0, 0.0, 3),
            vehicle(20.0, 0.0, 0.0, 0),
        ];
        let predicted =
            vec![vehicle(10.0, 0.9, 0.0, 0), vehicle(0.0, 0.8, 0.0, 0), vehicle(20.0, 0.7, 0.0, 0)];
        let report = evaluate(&frame(truth, predicted), &protocol()).unwrap();
        let [first, second] = report["VEHICLE"];
        assert_eq!((first.ap, second.ap), (1.0, 1.0));
    }

    #[test]
    fn a_false_positive_never_helps() {
        let truth = vec![vehicle(0.0, 0.0, 0.0, 10), vehicle(10.0, 0.0, 0.0, 10)];
        let mut predicted = vec![vehicle(0.0, 0.5, 0.0, 0), vehicle(10.0, 0.4, 0.0, 0)];
        let before = evaluate(&frame(truth.clone(), predicted.clone()), &protocol()).unwrap();
        for score in [0.45, 0.6, 0.1] {
            predicted.push(vehicle(-50.0, score, 0.0, 0));
            let after = evaluate(&frame(truth.clone(), predicted.clone()), &protocol()).unwrap();
            assert!(after["VEHICLE"][0].ap <= before["VEHICLE"][0].ap);
        }
    }

    #[test]
    fn bad_rows_are_named() {
        let check = |given: WaymoBox, expected: &str| {
            let why = evaluate(&frame(Vec::new(), vec![given]), &protocol()).unwrap_err();
            assert!(why.to_string().contains(expected), "{why}");
        };
        check(vehicle(f64::NAN, 0.5, 0.0, 1), "prediction 0 of frame f: holds a number");
        check(WaymoBox { class: 9, ..vehicle(0.0, 0.5, 0.0, 1) }, "class 9");
    }
}
