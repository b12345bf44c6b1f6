//! sAMOTA of sequences given as identities, similarities and scores.

use ommatidia_metrics::tracking::samota::{ScoredSequence, evaluate};
use ommatidia_metrics::tracking::{Frame, Sequence};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
struct Input {
    sequences: Vec<Vec<Given>>,
}

#[derive(Deserialize)]
struct Given {
    truth: Vec<u64>,
    predicted: Vec<u64>,
    similarity: Vec<Vec<f64>>,
    scores: Vec<f64>,
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let input: Input = parse(input)?;
    let mut sequences = Vec::new();
    for (i, given) in input.sequences.into_iter().enumerate() {
        let scores = given.iter().map(|frame| frame.scores.clone()).collect();
        let frames = given.into_iter().map(|given| Frame {
            truth: given.truth,
            predicted: given.predicted,
            similarity: given.similarity.concat(),
        });
        let sequence = Sequence { name: i.to_string(), frames: frames.collect() };
        sequences.push(ScoredSequence { sequence, scores });
    }
    let report = evaluate(&sequences, 0.5).map_err(|cause| cause.to_string())?;
    let rows = [
        ("sAMOTA", report.samota),
        ("AMOTA", report.amota),
        ("AMOTP", report.amotp),
        ("best MOTA", report.best_mota),
    ];
    Ok(rows.map(|(name, value)| (name.to_owned(), value)).into())
}
