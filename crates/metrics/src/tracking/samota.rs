//! sAMOTA: MOTA over recalls, scaled so that each can reach 1; also AMOTA and AMOTP.
//!
//! Weng et al., 3D Multi-Object Tracking: A Baseline and New Evaluation Metrics, IROS 2020, equations (2) to (5), with
//! the recalls and scores of AB3DMOT's KITTI-3D evaluation: 40 recalls, at each only predictions of tracks whose mean
//! score reaches the one found there. Boxes match as in [CLEAR MOT](super::ClearReport), by whatever similarity the
//! caller gives (3D IoU for KITTI); KITTI's regions and neighbouring classes are the caller's to take out.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

use super::clear::{self, ClearCounts};
use super::frames::{DenseSequence, Frame, Sequence};
use crate::Error;

/// Recalls over which the means go.
const RECALLS: usize = 40;

/// A sequence whose predictions have scores.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoredSequence {
    /// Identities and similarities.
    pub sequence: Sequence,
    /// For each frame, the score of each prediction.
    pub scores: Vec<Vec<f64>>,
}

/// Means over recalls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SamotaReport {
    /// Mean of MOTA scaled by recall, each within 0 to 1.
    pub samota: f64,
    /// Mean of MOTA.
    pub amota: f64,
    /// Mean similarity of matches.
    pub amotp: f64,
    /// The best MOTA of any score.
    pub best_mota: f64,
}

/// Means over 40 recalls. `threshold`: least similarity of a match.
///
/// # Errors
/// As [`super::evaluate`]; frames and scores that do not belong together; a score that is not finite.
pub fn evaluate(sequences: &[ScoredSequence], threshold: f64) -> Result<SamotaReport, Error> {
    sequences.iter().try_for_each(check)?;
    let means: Vec<HashMap<u64, f64>> = sequences.iter().map(mean_scores).collect();
    let mut scores = Vec::new();
    let mut truths = 0;
    for (given, means) in sequences.iter().zip(&means) {
        let dense = DenseSequence::new(&given.sequence)?;
        truths += dense.truths();
        clear::of_sequence(&dense, threshold, |frame, _, column| {
            scores.push(means[&given.sequence.frames[frame].predicted[column]]);
        });
    }
    let (scores, recalls) = thresholds(scores, truths);
    let counts: Vec<ClearCounts> = scores
        .par_iter()
        .map(|&least| {
            let parts: Vec<ClearCounts> = sequences
                .iter()
                .zip(&means)
                .map(|(given, means)| counts_from(given, means, least, threshold))
                .collect::<Result<_, Error>>()?;
            Ok(clear::combine(parts.iter()))
        })
        .collect::<Result<_, Error>>()?;
    Ok(summarise(&counts, &recalls, truths))
}

fn check(given: &ScoredSequence) -> Result<(), Error> {
    let frames = &given.sequence.frames;
    let name = &given.sequence.name;
    if frames.len() != given.scores.len() {
        let what = format!("{} frames have scores, of {}", given.scores.len(), frames.len());
        return Err(Error::row("prediction", format!("sequence {name}"), what));
    }
    for (i, (frame, scores)) in frames.iter().zip(&given.scores).enumerate() {
        let whole = scores.len() == frame.predicted.len() && scores.iter().all(|s| s.is_finite());
        if !whole {
            let what = "each prediction needs a finite score";
            return Err(Error::row("prediction", format!("frame {i} of {name}"), what));
        }
    }
    Ok(())
}

/// The mean score of each track.
fn mean_scores(given: &ScoredSequence) -> HashMap<u64, f64> {
    let mut sums: HashMap<u64, (f64, u64)> = HashMap::new();
    for (frame, scores) in given.sequence.frames.iter().zip(&given.scores) {
        for (&id, score) in frame.predicted.iter().zip(scores) {
            let sum = sums.entry(id).or_default();
            *sum = (sum.0 + score, sum.1 + 1);
        }
    }
    sums.into_iter().map(|(id, (sum, count))| (id, sum / count as f64)).collect()
}

fn counts_from(
    given: &ScoredSequence,
    means: &HashMap<u64, f64>,
    least: f64,
    threshold: f64,
) -> Result<ClearCounts, Error> {
    let frames = given.sequence.frames.iter().map(|frame| {
        let kept: Vec<usize> =
            (0..frame.predicted.len()).filter(|&i| means[&frame.predicted[i]] >= least).collect();
        let columns = frame.predicted.len();
        let rows = 0..frame.truth.len();
        Frame {
            truth: frame.truth.clone(),
            predicted: kept.iter().map(|&i| frame.predicted[i]).collect(),
            similarity: rows
                .flat_map(|row| kept.iter().map(move |&i| frame.similarity[row * columns + i]))
                .collect(),
        }
    });
    let sequence = Sequence { name: given.sequence.name.clone(), frames: frames.collect() };
    Ok(clear::of_sequence(&DenseSequence::new(&sequence)?, threshold, |_, _, _| ()))
}

/// Scores at which the recall is nearest to each of the 40 steps, and these recalls; `getThresholds` of AB3DMOT.
fn thresholds(mut scores: Vec<f64>, truths: u64) -> (Vec<f64>, Vec<f64>) {
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut found, mut recalls) = (Vec::new(), Vec::new());
    let mut recall = 0.0;
    for (i, &score) in scores.iter().enumerate() {
        let last = i + 1 == scores.len();
        let left = (i + 1) as f64 / truths as f64;
        let right = if last { left } else { (i + 2) as f64 / truths as f64 };
        if right - recall < recall - left && !last {
            continue;
        }
        found.push(score);
        recalls.push(recall);
        recall += 1.0 / RECALLS as f64;
    }
    // The first is of recall 0.
    let skip = found.len().min(1);
    (found.split_off(skip), recalls.split_off(skip))
}

fn summarise(counts: &[ClearCounts], recalls: &[f64], truths: u64) -> SamotaReport {
    let truths = (truths as f64).max(1.0);
    let mut report = SamotaReport { samota: 0.0, amota: 0.0, amotp: 0.0, best_mota: 0.0 };
    for (counts, recall) in counts.iter().zip(recalls) {
        let wrong = (counts.fp + counts.fn_ + counts.idsw) as f64;
        let mota = 1.0 - wrong / truths;
        // Equation (5).
        let scaled = 1.0 - (wrong - (1.0 - recall) * truths) / (recall * truths);
        report.samota += scaled.clamp(0.0, 1.0) / RECALLS as f64;
        report.amota += mota / RECALLS as f64;
        report.amotp += clear::report(counts).motp / RECALLS as f64;
        report.best_mota = report.best_mota.max(mota);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(score: f64, frames: usize) -> ScoredSequence {
        let frame = Frame {
            truth: vec![1, 2],
            predicted: vec![7, 8],
            similarity: vec![1.0, 0.0, 0.0, 1.0],
        };
        let sequence = Sequence { name: "s".to_owned(), frames: vec![frame; frames] };
        ScoredSequence { sequence, scores: vec![vec![score, score]; frames] }
    }

    #[test]
    fn all_found_with_one_score_is_perfect() {
        let report = evaluate(&[scored(0.5, 40)], 0.5).unwrap();
        assert!((report.samota - 1.0).abs() < 1e-9, "{report:?}");
        assert!((report.amota - 1.0).abs() < 1e-9 && (report.amotp - 1.0).abs() < 1e-9);
        assert_eq!(report.best_mota, 1.0);
    }

    #[test]
    fn a_false_positive_never_helps() {
        let mut given = scored(0.5, 40);
        let before = evaluate(std::slice::from_ref(&given), 0.5).unwrap();
        let frame = &mut given.sequence.frames[3];
        frame.predicted.push(99);
        frame.similarity = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        given.scores[3].push(0.9);
        let after = evaluate(&[given], 0.5).unwrap();
        assert!(after.samota < before.samota && after.amota < before.amota);
    }

    #[test]
    fn bad_rows_are_named() {
        let mut given = scored(0.5, 2);
        given.scores[1][0] = f64::NAN;
        let why = evaluate(&[given.clone()], 0.5).unwrap_err().to_string();
        assert!(why.contains("frame 1 of s"), "{why}");
        given.scores.pop();
        assert!(evaluate(&[given], 0.5).unwrap_err().to_string().contains("1 frames have scores"));
    }
}
