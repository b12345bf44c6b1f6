//! OpenLane-V2's score of lanes, traffic elements and how they belong together.
//!
//! Definitions are those of the tool `openlanev2` 1.1 (`openlanev2/evaluation/evaluate.py`), which counts in
//! 32-bit floats: whether a recall of 7/10 reaches the threshold 0.7 depends on that, so it is kept.

use serde::{Deserialize, Serialize};

use super::curve::{chamfer, frechet};
use super::openlane_topology::{lane_element, lane_lane};
use crate::Error;

/// Thresholds of Fréchet distances, metres.
pub(super) const FRECHET_M: [f64; 3] = [1.0, 2.0, 3.0];
/// Threshold of `1 - IoU` of traffic elements.
pub(super) const IOU_DISTANCE: f64 = 0.75;
/// What pairs have that are too far apart to be measured.
const FAR: f64 = 1024.0;

/// Attributes of traffic elements by number.
pub const TRAFFIC_ATTRIBUTES: [&str; 13] = [
    "unknown",
    "red",
    "green",
    "yellow",
    "go_straight",
    "turn_left",
    "turn_right",
    "no_left_turn",
    "no_right_turn",
    "u_turn",
    "no_u_turn",
    "slight_left",
    "slight_right",
];

/// A lane's driving line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Centreline {
    /// Points in driving direction in the ego frame, metres; at least one.
    pub points_m: Vec<[f64; 3]>,
    /// Confidence; not used in truth.
    #[serde(default)]
    pub confidence: f64,
}

/// A traffic light or sign in the front image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrafficElement {
    /// Upper left and lower right corner, pixels.
    pub corners_px: [[f64; 2]; 2],
    /// Index into [`TRAFFIC_ATTRIBUTES`].
    pub attribute: usize,
    /// Confidence; not used in truth.
    #[serde(default)]
    pub confidence: f64,
}

/// One frame, annotated or predicted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LaneFrame {
    /// Lanes.
    pub lanes: Vec<Centreline>,
    /// Traffic elements.
    pub elements: Vec<TrafficElement>,
    /// `[from][to]`: lane `from` leads into lane `to`; 0 or 1 in truth, a confidence in predictions.
    pub lane_lane: Vec<Vec<f64>>,
    /// `[lane][element]`: the element is about the lane.
    pub lane_element: Vec<Vec<f64>>,
}

/// OpenLane-V2's figures, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenLaneReport {
    /// Detection of lanes by Fréchet distance.
    pub det_l: f64,
    /// The same by threshold, 1, 2 and 3 m.
    pub det_l_by_threshold: [f64; 3],
    /// Detection of traffic elements by IoU, mean over attributes.
    pub det_t: f64,
    /// Topology among lanes.
    pub top_ll: f64,
    /// Topology between lanes and traffic elements.
    pub top_lt: f64,
    /// Overall: mean of `det_l`, `det_t` and the roots of `top_ll` and `top_lt`.
    pub ols: f64,
}

/// Which true one each prediction of a frame is, by threshold.
pub(super) struct FrameMatches {
    pub(super) lanes: [Vec<Option<usize>>; 3],
    pub(super) elements: Vec<Option<usize>>,
}

/// Evaluates frames that pair by position. Predictions with equal confidence keep their order (the tool's
/// `argsort` leaves it open); NaN ranks last.
///
/// # Errors
/// Sides of different length, a lane without points, an attribute that is not known, a topology of another
/// size than the frame's lanes and elements.
pub fn evaluate_openlane(
    truth: &[LaneFrame],
    predicted: &[LaneFrame],
) -> Result<OpenLaneReport, Error> {
    if truth.len() != predicted.len() {
        let what = format!("{} frames; the truth has {}", predicted.len(), truth.len());
        return Err(Error::row("prediction", "run", what));
    }
    for (side, frames) in [("truth", truth), ("prediction", predicted)] {
        frames.iter().enumerate().try_for_each(|(row, frame)| check(side, row, frame))?;
    }
    let lanes: Vec<Table> =
        truth.iter().zip(predicted).map(|(t, p)| lane_distances(t, p)).collect();
    let elements: Vec<Table> =
        truth.iter().zip(predicted).map(|(t, p)| element_distances(t, p)).collect();
    let lane_runs = FRECHET_M.map(|threshold| {
        let frames = lanes.iter().zip(truth).zip(predicted).map(|((table, t), p)| {
            let scores: Vec<f64> = p.lanes.iter().map(|lane| lane.confidence).collect();
            match_frame(table, t.lanes.len(), &scores, threshold)
        });
        frames.collect::<Vec<FrameRun>>()
    });
    let element_runs = |attribute: Option<usize>| -> Vec<FrameRun> {
        let frames = elements.iter().zip(truth).zip(predicted);
        frames.map(|((table, t), p)| match_elements(table, t, p, attribute)).collect()
    };
    let det_l_by_threshold = [0, 1, 2].map(|k| average_precision(&lane_runs[k]));
    let of_attribute = |attribute| average_precision(&element_runs(Some(attribute)));
    let attributes = TRAFFIC_ATTRIBUTES.len();
    let det_l = det_l_by_threshold.iter().sum::<f64>() / 3.0;
    let det_t = (0..attributes).map(of_attribute).sum::<f64>() / attributes as f64;
    let all_elements = element_runs(None);
    let matches: Vec<FrameMatches> = (0..truth.len())
        .map(|i| FrameMatches {
            lanes: [0, 1, 2].map(|k| lane_runs[k][i].matched.clone()),
            elements: all_elements[i].matched.clone(),
        })
        .collect();
    let top_ll = lane_lane(truth, predicted, &matches);
    let top_lt = lane_element(truth, predicted, &matches);
    let ols = (det_l + det_t + top_ll.sqrt() + top_lt.sqrt()) / 4.0;
    Ok(OpenLaneReport { det_l, det_l_by_threshold, det_t, top_ll, top_lt, ols })
}

fn check(side: &'static str, row: usize, frame: &LaneFrame) -> Result<(), Error> {
    let complain = |what: String| Err(Error::row(side, format!("frame {row}"), what));
    if let Some(lane) = frame.lanes.iter().position(|lane| lane.points_m.is_empty()) {
        return complain(format!("lane {lane} has no points"));
    }
    let known = TRAFFIC_ATTRIBUTES.len();
    if let Some(i) = frame.elements.iter().position(|element| element.attribute >= known) {
        let attribute = frame.elements[i].attribute;
        return complain(format!("element {i} has attribute {attribute}; there are {known}"));
    }
    let (lanes, elements) = (frame.lanes.len(), frame.elements.len());
    for (name, table, columns) in
        [("lane_lane", &frame.lane_lane, lanes), ("lane_element", &frame.lane_element, elements)]
    {
        if table.len() != lanes || table.iter().any(|row| row.len() != columns) {
            return complain(format!("{name} must have {lanes} rows of {columns}"));
        }
    }
    Ok(())
}

/// `[true][predicted]`.
type Table = Vec<Vec<f64>>;

/// Fréchet distances of lanes that are near each other, relaxed with distance from the vehicle.
fn lane_distances(truth: &LaneFrame, predicted: &LaneFrame) -> Table {
    let row = |lane: &Centreline| {
        let from_ego = |p: &[f64; 3]| p.iter().map(|x| x * x).sum::<f64>().sqrt();
        let nearest_m = lane.points_m.iter().map(from_ego).fold(f64::INFINITY, f64::min);
        let relaxed = (1.0 - 5e-3 * nearest_m).max(0.5);
        let of = |other: &Centreline| {
            let near = chamfer(&lane.points_m, &other.points_m) * relaxed < FRECHET_M[2];
            if near { frechet(&other.points_m, &lane.points_m) * relaxed } else { FAR }
        };
        predicted.lanes.iter().map(of).collect()
    };
    truth.lanes.iter().map(row).collect()
}

fn element_distances(truth: &LaneFrame, predicted: &LaneFrame) -> Table {
    let area = |c: &[[f64; 2]; 2]| (c[1][0] - c[0][0]) * (c[1][1] - c[0][1]);
    let of = |t: &TrafficElement, p: &TrafficElement| {
        let (t, p) = (&t.corners_px, &p.corners_px);
        let side = |axis: usize| (p[1][axis].min(t[1][axis]) - p[0][axis].max(t[0][axis])).max(0.0);
        let both = side(0) * side(1);
        1.0 - both / (area(p) + area(t) - both)
    };
    truth.elements.iter().map(|t| predicted.elements.iter().map(|p| of(t, p)).collect()).collect()
}

/// A frame at one threshold.
struct FrameRun {
    /// Confidence and whether it is right, in the frame's order.
    outcomes: Vec<(f64, bool)>,
    matched: Vec<Option<usize>>,
    truths: usize,
}

/// Best first; a prediction may only be the true one that is nearest to it.
fn match_frame(table: &Table, truths: usize, scores: &[f64], threshold: f64) -> FrameRun {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| by_confidence(scores[a], scores[b]));
    let mut taken = vec![false; truths];
    let mut matched = vec![None; scores.len()];
    for p in order {
        // NaN wins as in NumPy's `min`, and is below no threshold.
        let nearest = (0..truths).reduce(|best, t| {
            let (b, d) = (table[best][p], table[t][p]);
            if b.is_nan() || b <= d { best } else { t }
        });
        let near = nearest.filter(|&t| table[t][p] < threshold && !taken[t]);
        near.inspect(|&t| taken[t] = true);
        matched[p] = near;
    }
    let outcomes = scores.iter().zip(&matched).map(|(&score, m)| (score, m.is_some())).collect();
    FrameRun { outcomes, matched, truths }
}

/// Descending; NaN last.
pub(super) fn by_confidence(a: f64, b: f64) -> std::cmp::Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn match_elements(
    table: &Table,
    truth: &LaneFrame,
    predicted: &LaneFrame,
    attribute: Option<usize>,
) -> FrameRun {
    let chosen = |elements: &[TrafficElement]| -> Vec<usize> {
        let fits = |&i: &usize| attribute.is_none_or(|wanted| elements[i].attribute == wanted);
        (0..elements.len()).filter(fits).collect()
    };
    let (truths, predictions) = (chosen(&truth.elements), chosen(&predicted.elements));
    let part: Table =
        truths.iter().map(|&t| predictions.iter().map(|&p| table[t][p]).collect()).collect();
    let scores: Vec<f64> = predictions.iter().map(|&p| predicted.elements[p].confidence).collect();
    match_frame(&part, truths.len(), &scores, IOU_DISTANCE)
}

/// Precision at recalls 0, 0.1 … 1, over all frames.
fn average_precision(frames: &[FrameRun]) -> f64 {
    let mut outcomes: Vec<(f64, bool)> =
        frames.iter().flat_map(|frame| frame.outcomes.iter().copied()).collect();
    let truths: usize = frames.iter().map(|frame| frame.truths).sum();
    if outcomes.is_empty() && truths == 0 {
        return 1.0;
    }
    outcomes.sort_by(|a, b| by_confidence(a.0, b.0));
    let (mut right, mut points) = (0.0f32, Vec::with_capacity(outcomes.len()));
    let most = (truths as f32).max(f32::EPSILON);
    for (i, &(_, is_right)) in outcomes.iter().enumerate() {
        right += f32::from(u8::from(is_right));
        points.push((right / most, right / (i + 1) as f32));
    }
    let best_from = |recall: f64| {
        let reached = points.iter().filter(|(r, _)| f64::from(*r) >= recall);
        f64::from(reached.map(|(_, precision)| *precision).fold(0.0, f32::max))
    };
    // `numpy.arange(0, 1 + 1e-3, 0.1)`.
    (0..11).map(|k| best_from(f64::from(k) * 0.1)).sum::<f64>() / 11.0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ommatidia_geometry::ransac::Random;
    use proptest::prelude::*;

    /// A frame of parallel lanes, each leading into the next, with a light each.
    pub(crate) fn frame(random: &mut Random, lanes: usize) -> LaneFrame {
        let lane = |i: usize, random: &mut Random| Centreline {
            points_m: (0..11).map(|k| [5.0 * k as f64, 4.0 * i as f64, random.uniform()]).collect(),
            confidence: random.uniform(),
        };
        let element = |i: usize, random: &mut Random| {
            let x = 100.0 * i as f64;
            TrafficElement {
                corners_px: [[x, 10.0], [x + 20.0, 50.0]],
                attribute: random.below(13),
                confidence: random.uniform(),
            }
        };
        let table = |f: &dyn Fn(usize, usize) -> bool| -> Vec<Vec<f64>> {
            (0..lanes).map(|a| (0..lanes).map(|b| f64::from(u8::from(f(a, b)))).collect()).collect()
        };
        LaneFrame {
            lanes: (0..lanes).map(|i| lane(i, random)).collect(),
            elements: (0..lanes).map(|i| element(i, random)).collect(),
            lane_lane: table(&|a, b| b == a + 1),
            lane_element: table(&|a, b| a == b),
        }
    }

    proptest! {
        #[test]
        fn the_truth_scores_1_and_a_false_lane_never_helps(seed in 0u64..40, lanes in 1usize..6) {
            let mut random = Random::new(seed);
            let truth = vec![frame(&mut random, lanes), frame(&mut random, lanes)];
            let report = evaluate_openlane(&truth, &truth).unwrap();
            prop_assert!((report.ols - 1.0).abs() < 1e-6, "{:?}", report);
            let mut more = truth.clone();
            more[0].lanes.push(Centreline {
                points_m: vec![[500.0, 0.0, 0.0]],
                confidence: random.uniform(),
            });
            more[0].lane_lane.iter_mut().for_each(|row| row.push(0.0));
            more[0].lane_lane.push(vec![0.0; lanes + 1]);
            more[0].lane_element.push(vec![0.0; lanes]);
            let with_false = evaluate_openlane(&truth, &more).unwrap();
            prop_assert!(with_false.det_l <= report.det_l + 1e-12);
        }
    }

    /// The same frame with its lanes and elements in the opposite order.
    fn reversed(frame: &LaneFrame) -> LaneFrame {
        let mut turned = frame.clone();
        turned.lanes.reverse();
        turned.elements.reverse();
        for table in [&mut turned.lane_lane, &mut turned.lane_element] {
            table.reverse();
            table.iter_mut().for_each(|row| row.reverse());
        }
        turned
    }

    #[test]
    fn order_of_lanes_and_frames_does_not_matter() {
        let mut random = Random::new(9);
        let truth: Vec<LaneFrame> = (2..6).map(|lanes| frame(&mut random, lanes)).collect();
        let mut predicted = truth.clone();
        for lane in predicted.iter_mut().flat_map(|frame| &mut frame.lanes) {
            let off = 3.0 * random.uniform();
            lane.points_m.iter_mut().for_each(|p| p[1] += off);
        }
        let before = evaluate_openlane(&truth, &predicted).unwrap();
        assert!(before.det_l > 0.1 && before.det_l < 0.9, "{before:?}");
        let turn = |frames: &[LaneFrame]| frames.iter().rev().map(reversed).collect::<Vec<_>>();
        let after = evaluate_openlane(&turn(&truth), &turn(&predicted)).unwrap();
        for (a, b) in
            [(before.det_l, after.det_l), (before.top_ll, after.top_ll), (before.ols, after.ols)]
        {
            assert!((a - b).abs() < 1e-9, "{before:?} {after:?}");
        }
    }

    #[test]
    fn nothing_anywhere_is_right_and_nothing_found_is_wrong() {
        let empty = vec![LaneFrame::default()];
        let report = evaluate_openlane(&empty, &empty).unwrap();
        assert_eq!((report.det_l, report.det_t), (1.0, 1.0));
        let truth = vec![frame(&mut Random::new(1), 3)];
        let report = evaluate_openlane(&truth, &empty).unwrap();
        assert_eq!((report.det_l, report.top_ll, report.top_lt), (0.0, 0.0, 0.0));
    }

    #[test]
    fn frames_that_do_not_fit_are_named() {
        let good = frame(&mut Random::new(1), 2);
        let check = |change: &dyn Fn(&mut LaneFrame), words: &str| {
            let mut bad = good.clone();
            change(&mut bad);
            let message =
                evaluate_openlane(std::slice::from_ref(&good), &[bad]).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        };
        check(&|f| f.lanes[1].points_m.clear(), "frame 0: lane 1 has no points");
        check(&|f| f.elements[0].attribute = 13, "attribute 13");
        check(&|f| f.lane_lane[1].push(0.0), "lane_lane must have 2 rows of 2");
        check(&|f| f.lane_element.clear(), "lane_element");
        assert!(evaluate_openlane(&[good], &[]).is_err());
    }
}
