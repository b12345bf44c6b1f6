//! Panoptic quality by `torchmetrics`' and by COCO's rules.

use std::collections::BTreeSet;

use ommatidia_metrics::panoptic::{
    PanopticCounts, PanopticProtocol, Segments, Unlabelled, compare_segments,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    things: BTreeSet<u8>,
    stuff: BTreeSet<u8>,
    void: u8,
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    truth: [Vec<u32>; 2],
    predicted: [Vec<u32>; 2],
    crowds: BTreeSet<(u8, u32)>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let mut figures = Figures::new();
    for (name, unlabelled) in [("coco", Unlabelled::Missed), ("torchmetrics", Unlabelled::Excluded)]
    {
        let protocol = PanopticProtocol {
            things: input.things.clone(),
            stuff: input.stuff.clone(),
            void: [input.void].into(),
            unlabelled,
            min_elements: 0,
        };
        let mut sums = PanopticCounts::default();
        for frame in &input.frames {
            let classes =
                |side: &[Vec<u32>; 2]| -> Vec<u8> { side[0].iter().map(|&c| c as u8).collect() };
            let (t, p) = (classes(&frame.truth), classes(&frame.predicted));
            let truth = Segments { classes: &t, instances: &frame.truth[1] };
            let predicted = Segments { classes: &p, instances: &frame.predicted[1] };
            let crowds = match unlabelled {
                Unlabelled::Missed => frame.crowds.clone(),
                Unlabelled::Excluded => BTreeSet::new(),
            };
            let counts = compare_segments(truth, predicted, &crowds, &protocol);
            sums.add(&counts.map_err(|cause| cause.to_string())?);
        }
        let quality = sums.quality(|_| true);
        let mut add = |figure: &str, value: Option<f64>| {
            figures.insert(format!("{name} {figure}"), value.unwrap_or(f64::NAN));
        };
        add("pq", quality.map(|q| q.pq));
        add("sq", quality.map(|q| q.sq));
        add("rq", quality.map(|q| q.rq));
        for class in input.things.iter().chain(&input.stuff) {
            let quality = sums.classes.get(class).copied().unwrap_or_default();
            add(&format!("pq of {class}"), Some(quality.pq().unwrap_or(0.0)));
        }
    }
    Ok(figures)
}
