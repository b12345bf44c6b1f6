//! nuScenes detection; rows of boxes as in a submission, with what the devkit reads from the tables beside them.

use std::collections::BTreeMap;

use ommatidia_metrics::Protocol;
use ommatidia_metrics::detection::nuscenes::{
    DetectionBox, DetectionProtocol, OrientedBox, SamplePredictions, SampleTruth, evaluate, yaw_of,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, Number, parse};

#[derive(Deserialize)]
struct Input {
    samples: Vec<Sample>,
    predictions: Vec<Predicted>,
}

#[derive(Deserialize)]
struct Sample {
    sample: String,
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
    size: [f64; 3],
    rotation: [f64; 4],
    velocity: [Number; 2],
    num_pts: i64,
    detection_name: String,
    detection_score: f64,
    attribute_name: String,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let protocol = DetectionProtocol::named("detection_cvpr_2019").map_err(|e| e.to_string())?;
    let boxes = |boxes: &[Box]| -> Result<Vec<_>, String> {
        boxes.iter().map(|given| detection(given, &protocol)).collect()
    };
    let mut truth = Vec::new();
    for sample in &input.samples {
        let racks = sample.racks.iter().map(|rack| OrientedBox {
            center_m: rack.translation,
            size_m: rack.size,
            wxyz: rack.rotation,
        });
        truth.push(SampleTruth {
            sample: sample.sample.clone(),
            ego_m: sample.ego,
            boxes: boxes(&sample.boxes)?,
            bicycle_racks: racks.collect(),
        });
    }
    let mut predicted = Vec::new();
    for given in &input.predictions {
        let boxes = boxes(&given.boxes)?;
        predicted.push(SamplePredictions { sample: given.sample.clone(), boxes });
    }
    let report = evaluate(&truth, &predicted, &protocol).map_err(|cause| cause.to_string())?;
    let mut figures = BTreeMap::from([
        ("mAP".to_owned(), report.map),
        ("NDS".to_owned(), report.nds),
        ("mATE".to_owned(), report.mate),
        ("mASE".to_owned(), report.mase),
        ("mAOE".to_owned(), report.maoe),
        ("mAVE".to_owned(), report.mave),
        ("mAAE".to_owned(), report.maae),
    ]);
    for (name, class) in &report.per_class {
        let errors = [class.ate, class.ase, class.aoe, class.ave, class.aae];
        for (kind, error) in ["ATE", "ASE", "AOE", "AVE", "AAE"].iter().zip(errors) {
            figures.insert(format!("{name} {kind}"), error);
        }
        for (distance, ap) in &class.ap_at_m {
            figures.insert(format!("{name} AP@{distance}m"), *ap);
        }
    }
    Ok(figures)
}

fn detection(given: &Box, protocol: &DetectionProtocol) -> Result<DetectionBox, String> {
    let class = protocol.classes.iter().position(|class| class.name == given.detection_name);
    let attribute = protocol.attributes.iter().position(|name| *name == given.attribute_name);
    Ok(DetectionBox {
        class: class.ok_or_else(|| format!("no class {}", given.detection_name))? as u16,
        attribute: attribute.map(|i| i as u16),
        points: u32::try_from(given.num_pts).ok(),
        center_m: given.translation,
        size_m: given.size,
        yaw_rad: yaw_of(given.rotation),
        velocity_m_s: given.velocity.map(|Number(x)| x),
        score: given.detection_score,
    })
}
