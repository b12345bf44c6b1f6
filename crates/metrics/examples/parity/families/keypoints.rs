//! OKS average precision on COCO's files; joints in space.

use ommatidia_metrics::keypoints::{
    JointReport, OksProtocol, PckPerson, PredictedPerson, TruePerson, evaluate_oks, evaluate_pck,
    joint_errors,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, Number, parse};

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Oks { images: Vec<u64>, truth: Vec<Annotation>, predicted: Vec<Detection> },
    Joints { truth: Vec<Vec<[f64; 3]>>, predicted: Vec<Vec<[f64; 3]>> },
    Pck { people: Vec<Person>, alpha: f64 },
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    keypoints: Vec<f64>,
    area: f64,
    bbox: [f64; 4],
    iscrowd: u8,
    num_keypoints: usize,
}

#[derive(Deserialize)]
struct Detection {
    image_id: u64,
    category_id: u64,
    keypoints: Vec<f64>,
    score: Number,
}

#[derive(Deserialize)]
struct Person {
    truth: Vec<[f64; 3]>,
    predicted: Vec<[f64; 2]>,
    reference: f64,
}

fn triples(flat: &[f64]) -> Vec<[f64; 3]> {
    flat.chunks_exact(3).map(|k| [k[0], k[1], k[2]]).collect()
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    match parse(input)? {
        Input::Oks { images, truth, predicted } => average_precision(&images, &truth, &predicted),
        Input::Joints { truth, predicted } => joints(&truth, &predicted),
        Input::Pck { people, alpha } => pck(&people, alpha),
    }
}

fn average_precision(
    images: &[u64],
    truth: &[Annotation],
    predicted: &[Detection],
) -> Result<Figures, String> {
    let truth: Vec<TruePerson> = truth
        .iter()
        .map(|a| TruePerson {
            image: a.image_id,
            category: a.category_id,
            keypoints: triples(&a.keypoints),
            area_px2: a.area,
            box_px: a.bbox,
            crowd: a.iscrowd != 0,
            labelled: a.num_keypoints,
        })
        .collect();
    let predicted: Vec<PredictedPerson> = predicted
        .iter()
        .map(|d| PredictedPerson {
            image: d.image_id,
            category: d.category_id,
            keypoints: triples(&d.keypoints),
            score: d.score.0,
        })
        .collect();
    let (r, _) = evaluate_oks(images, &truth, &predicted, &OksProtocol::default())
        .map_err(|cause| cause.to_string())?;
    let figures = [
        ("AP", r.ap),
        ("AP50", r.ap50),
        ("AP75", r.ap75),
        ("AP_medium", r.ap_medium),
        ("AP_large", r.ap_large),
        ("AR", r.ar),
        ("AR50", r.ar50),
        ("AR75", r.ar75),
        ("AR_medium", r.ar_medium),
        ("AR_large", r.ar_large),
    ];
    // The tool writes -1 where there is no truth.
    Ok(figures.map(|(name, value)| (name.to_owned(), value.unwrap_or(-1.0))).into())
}

fn joints(truth: &[Vec<[f64; 3]>], predicted: &[Vec<[f64; 3]>]) -> Result<Figures, String> {
    let errors: Result<Vec<_>, _> =
        truth.iter().zip(predicted).map(|(t, p)| joint_errors(t, p, Some(0))).collect();
    let report = JointReport::of(&errors.map_err(|cause| cause.to_string())?).ok_or("no poses")?;
    let figures = [
        ("MPJPE", report.mpjpe_m),
        ("MPJPE_root", report.root_aligned_mpjpe_m),
        ("PA-MPJPE", report.pa_mpjpe_m),
    ];
    Ok(figures.map(|(name, value)| (name.to_owned(), value)).into())
}

fn pck(people: &[Person], alpha: f64) -> Result<Figures, String> {
    let people: Vec<PckPerson<'_>> = people
        .iter()
        .map(|p| PckPerson { truth: &p.truth, predicted: &p.predicted, reference_px: p.reference })
        .collect();
    let report = evaluate_pck(&people, alpha).map_err(|cause| cause.to_string())?;
    let figures = [("PCK_mean", report.mean), ("PCK_overall", report.overall)];
    Ok(figures.map(|(name, value)| (name.to_owned(), value.unwrap_or(f64::NAN))).into())
}
