//! OpenLane-V2's score, of its files as JSON or of labels.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ommatidia_metrics::lanes::{Centreline, LaneFrame, evaluate_openlane};
use ommatidia_metrics::statistics::{MetricRule, Record, Run, Share};
use ommatidia_scene::LaneGraph;
use ommatidia_store::results::json;

use super::super::runs::Evaluated;
use super::super::{Truth, all_frames, open_labels, open_truth};
use super::describe;
use crate::failure::Failure;

const RULES: &[(&str, MetricRule)] = &[
    ("det_l", MetricRule::SCORE),
    ("det_t", MetricRule::SCORE),
    ("top_ll", MetricRule::SCORE),
    ("top_lt", MetricRule::SCORE),
];

/// Files that hold a frame per token.
pub(super) fn files(truth: &Path, predictions: &Path) -> Result<Evaluated, Failure> {
    let truth_frames: BTreeMap<String, LaneFrame> = json::read(truth)?;
    let mut predicted: BTreeMap<String, LaneFrame> = json::read(predictions)?;
    let at = |what: String| Failure::input(format!("{}: {what}", predictions.display()));
    let mut names = Vec::new();
    let mut sides = (Vec::new(), Vec::new());
    for (token, frame) in truth_frames {
        let own = predicted
            .remove(&token)
            .ok_or_else(|| at(format!("frame {token} of the truth is missing")))?;
        sides.0.push(frame);
        sides.1.push(own);
        // `split/segment/timestamp`, as OpenLane-V2 names frames.
        let (scene, frame) = token.rsplit_once(['/', '-']).unwrap_or((&token, ""));
        names.push((scene.to_owned(), frame.to_owned()));
    }
    if let Some(token) = predicted.keys().next() {
        return Err(at(format!("frame {token} is none of the truth's")));
    }
    evaluated(&names, &sides.0, &sides.1).map_err(|cause| at(cause.to_string()))
}

/// Labels, within so many metres along x and y: lanes have no confidence, and traffic elements are not labelled.
pub(super) fn labels(
    truth: &Path,
    predictions: &Path,
    half_m: [f64; 2],
) -> Result<Evaluated, Failure> {
    let labels = open_labels(predictions)?;
    let Truth::Labels(truth) = open_truth(truth, &labels)? else {
        return Err(Failure::input(
            "a clip holds no lanes to compare with; give a labels directory as --truth",
        ));
    };
    let drive = labels.manifest().clip.id.to_string();
    let (mut names, mut sides) = (Vec::new(), (Vec::new(), Vec::new()));
    let mut skipped = 0;
    for timestamp in all_frames(&labels, &truth) {
        let (own, true_lanes) = match (labels.lanes(timestamp)?, truth.lanes(timestamp)?) {
            (Some(own), Some(true_lanes)) => (own, true_lanes),
            (None, None) => continue,
            _ => {
                skipped += 1;
                continue;
            }
        };
        sides.0.push(frame(&true_lanes).within(half_m));
        sides.1.push(frame(&own).within(half_m));
        names.push((drive.clone(), format!("{:019}", timestamp.0)));
    }
    if names.is_empty() {
        return Err(Failure::input("no frame has lanes on both sides"));
    }
    let mut found = evaluated(&names, &sides.0, &sides.1).map_err(Failure::input)?;
    for of_elements in ["det_t", "top_lt", "ols"] {
        found.result[of_elements] = serde_json::Value::Null;
    }
    found.result["skipped_frames"] = skipped.into();
    found.result["range_m"] = half_m.to_vec().into();
    found.text = describe(&found.result, &["det_l", "top_ll"]);
    Ok(found)
}

fn frame(graph: &LaneGraph) -> LaneFrame {
    let known: Vec<_> = graph.lanes.iter().filter(|lane| !lane.centreline_m.is_empty()).collect();
    let place: HashMap<u64, usize> =
        known.iter().enumerate().map(|(i, lane)| (lane.id, i)).collect();
    let mut lane_lane = vec![vec![0.0; known.len()]; known.len()];
    for (from, lane) in known.iter().enumerate() {
        for to in lane.successors.iter().filter_map(|id| place.get(id)) {
            lane_lane[from][*to] = 1.0;
        }
    }
    let line = |points: &[[f32; 3]]| points.iter().map(|p| p.map(f64::from)).collect();
    LaneFrame {
        lanes: known
            .iter()
            .map(|lane| Centreline { points_m: line(&lane.centreline_m), confidence: 1.0 })
            .collect(),
        elements: Vec::new(),
        lane_element: vec![Vec::new(); known.len()],
        lane_lane,
    }
}

fn evaluated(
    names: &[(String, String)],
    truth: &[LaneFrame],
    predicted: &[LaneFrame],
) -> Result<Evaluated, ommatidia_metrics::Error> {
    let report = evaluate_openlane(truth, predicted)?;
    let mut run = Run::new("lanes", RULES);
    for (i, (scene, frame)) in names.iter().enumerate() {
        let alone = evaluate_openlane(&truth[i..=i], &predicted[i..=i])?;
        let has = |any: bool, value: f64| Share::of(any.then_some(value));
        let (lanes, elements) = (!truth[i].lanes.is_empty(), !truth[i].elements.is_empty());
        run.records.push(
            Record::new(scene.clone(), frame.clone())
                .with("det_l", has(lanes, alone.det_l))
                .with("det_t", has(elements, alone.det_t))
                .with("top_ll", has(lanes, alone.top_ll))
                .with("top_lt", has(lanes && elements, alone.top_lt)),
        );
    }
    let mut result = serde_json::json!(report);
    result["frames"] = names.len().into();
    let text = describe(&result, &["det_l", "det_t", "top_ll", "top_lt", "ols"]);
    Ok(Evaluated { result, text, run })
}
