//! nuScenes tracking; rows of boxes as in a submission, with what the devkit reads from the tables beside them.

use std::collections::HashMap;

use ommatidia_metrics::Protocol;
use ommatidia_metrics::detection::nuscenes::OrientedBox;
use ommatidia_metrics::tracking::nuscenes::{
    AmotaProtocol, ClassAmota, PredictedTracks, TrackedBox, TrackedSample, evaluate,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    samples: Vec<Sample>,
    predictions: Vec<Predicted>,
}

#[derive(Deserialize)]
struct Sample {
    sample: String,
    scene: String,
    timestamp: i64,
    ego: [f64; 3],
    racks: Vec<Rack>,
    boxes: Vec<Box>,
}

#[derive(Deserialize)]
struct Predicted {
    sample: String,
    boxes: Vec<Box>,
}

#[derive(Deserialize)]
struct Rack {
    translation: [f64; 3],
    size: [f64; 3],
    rotation: [f64; 4],
}

#[derive(Deserialize)]
struct Box {
    translation: [f64; 3],
    num_pts: i64,
    tracking_id: String,
    tracking_name: String,
    tracking_score: f64,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let protocol = AmotaProtocol::named("tracking_nips_2019").map_err(|e| e.to_string())?;
    let mut ids = HashMap::new();
    let mut boxes = |given: Vec<Box>| -> Result<Vec<TrackedBox>, String> {
        given.into_iter().map(|given| tracked(given, &protocol, &mut ids)).collect()
    };
    let mut truth = Vec::new();
    for sample in input.samples {
        let racks = sample.racks.iter().map(|rack| OrientedBox {
            center_m: rack.translation,
            size_m: rack.size,
            wxyz: rack.rotation,
        });
        truth.push(TrackedSample {
            bicycle_racks: racks.collect(),
            sample: sample.sample,
            scene: sample.scene,
            timestamp_us: sample.timestamp,
            ego_m: sample.ego,
            boxes: boxes(sample.boxes)?,
        });
    }
    let mut predicted = Vec::new();
    for given in input.predictions {
        predicted.push(PredictedTracks { boxes: boxes(given.boxes)?, sample: given.sample });
    }
    let report = evaluate(&truth, &predicted, &protocol).map_err(|cause| cause.to_string())?;
    let mut figures = Figures::new();
    add("all", &report.all, &mut figures);
    for (name, class) in &report.per_class {
        add(name, class, &mut figures);
    }
    Ok(figures)
}

fn tracked(
    given: Box,
    protocol: &AmotaProtocol,
    ids: &mut HashMap<String, u64>,
) -> Result<TrackedBox, String> {
    let class = protocol.classes.iter().position(|class| class.name == given.tracking_name);
    let next = ids.len() as u64;
    Ok(TrackedBox {
        class: class.ok_or_else(|| format!("no class {}", given.tracking_name))? as u16,
        track: *ids.entry(given.tracking_id).or_insert(next),
        points: u32::try_from(given.num_pts).ok(),
        center_m: given.translation,
        score: given.tracking_score,
    })
}

fn add(of: &str, found: &ClassAmota, figures: &mut Figures) {
    let rows = [
        ("amota", found.amota),
        ("amotp", found.amotp),
        ("recall", found.recall),
        ("motar", found.motar),
        ("gt", found.gt),
        ("mota", found.mota),
        ("motp", found.motp),
        ("mt", found.mt),
        ("ml", found.ml),
        ("faf", found.faf),
        ("tp", found.tp),
        ("fp", found.fp),
        ("fn", found.fn_),
        ("ids", found.ids),
        ("frag", found.frag),
        ("tid", found.tid),
        ("lgd", found.lgd),
    ];
    figures.extend(rows.map(|(name, value)| (format!("{of} {name}"), value)));
}
