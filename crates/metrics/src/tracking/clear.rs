//! CLEAR MOT: MOTA, MOTP, identity switches, mostly tracked and lost, fragmentations.
//!
//! Bernardin and Stiefelhagen 2008; TrackEval's `metrics/clear.py`, number for number.

use serde::Serialize;

use super::frames::{Dense, DenseSequence};
use crate::assignment::assign;

/// CLEAR MOT figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClearReport {
    /// 1 - (misses + false positives + switches) / true boxes.
    pub mota: f64,
    /// Mean similarity of matches.
    pub motp: f64,
    /// As MOTA without switches.
    pub moda: f64,
    /// As MOTA, matches weighted by similarity.
    pub smota: f64,
    /// As MOTA with the logarithm of the switches.
    pub motal: f64,
    /// Matches over true boxes.
    pub recall: f64,
    /// Matches over predictions.
    pub precision: f64,
    /// Their harmonic mean.
    pub f1: f64,
    /// False positives a frame.
    pub fp_per_frame: f64,
    /// Share of tracks matched in more than 80 % of their frames.
    pub mtr: f64,
    /// Share of tracks between.
    pub ptr: f64,
    /// Share of tracks matched in less than 20 % of their frames.
    pub mlr: f64,
    /// Matches.
    pub tp: u64,
    /// Misses.
    #[serde(rename = "fn")]
    pub fn_: u64,
    /// False positives.
    pub fp: u64,
    /// Identity switches.
    pub idsw: u64,
    /// Mostly tracked, partly tracked and mostly lost tracks.
    pub mt: u64,
    /// Partly tracked.
    pub pt: u64,
    /// Mostly lost.
    pub ml: u64,
    /// Times that a track was lost and found again.
    pub frag: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct ClearCounts {
    pub(super) tp: u64,
    pub(super) fn_: u64,
    pub(super) fp: u64,
    pub(super) idsw: u64,
    mt: u64,
    pt: u64,
    ml: u64,
    frag: u64,
    frames: u64,
    similarity: f64,
}

/// What is known of each true track while the sequence runs.
struct Tracks {
    /// The last prediction it was matched with.
    last: Vec<Option<u32>>,
    /// That of the frame before.
    before: Vec<Option<u32>>,
    matched: Vec<u64>,
    found: Vec<u64>,
}

/// `on_match` hears of each match: frame, row and column.
pub(super) fn of_sequence(
    sequence: &DenseSequence<'_>,
    threshold: f64,
    mut on_match: impl FnMut(usize, usize, usize),
) -> ClearCounts {
    let (truths, predictions) = (sequence.truths(), sequence.predictions());
    let tracks = sequence.truth_count.len();
    if predictions == 0 {
        return ClearCounts { fn_: truths, ml: tracks as u64, ..ClearCounts::default() };
    }
    if truths == 0 {
        return ClearCounts { fp: predictions, ..ClearCounts::default() };
    }
    let mut counts = ClearCounts { frames: sequence.frames.len() as u64, ..ClearCounts::default() };
    let mut state = Tracks {
        last: vec![None; tracks],
        before: vec![None; tracks],
        matched: vec![0; tracks],
        found: vec![0; tracks],
    };
    for (index, frame) in sequence.frames.iter().enumerate() {
        if frame.truth.is_empty() || frame.predicted.is_empty() {
            // The frame before stays the one before: TrackEval skips such frames altogether.
            counts.fp += frame.predicted.len() as u64;
            counts.fn_ += frame.truth.len() as u64;
            continue;
        }
        let matched = step(frame, threshold, &mut state, &mut counts);
        matched.into_iter().for_each(|(row, column)| on_match(index, row, column));
    }
    for (&matched, &count) in state.matched.iter().zip(&sequence.truth_count) {
        let share = matched as f64 / count as f64;
        counts.mt += u64::from(share > 0.8);
        counts.pt += u64::from((0.2..=0.8).contains(&share));
        counts.ml += u64::from(share < 0.2);
    }
    counts.frag = state.found.iter().map(|found| found.saturating_sub(1)).sum();
    counts
}

fn step(
    frame: &Dense<'_>,
    threshold: f64,
    state: &mut Tracks,
    counts: &mut ClearCounts,
) -> Vec<(usize, usize)> {
    let matched = match_frame(frame, threshold, &state.before);
    let mut now = vec![None; state.before.len()];
    for &(row, column) in &matched {
        let (truth, predicted) = (frame.truth[row] as usize, frame.predicted[column]);
        counts.idsw += u64::from(state.last[truth].is_some_and(|last| last != predicted));
        state.found[truth] += u64::from(state.before[truth].is_none());
        state.matched[truth] += 1;
        state.last[truth] = Some(predicted);
        now[truth] = Some(predicted);
    }
    state.before = now;
    let similarity: f64 = matched.iter().map(|&(r, c)| frame.similarity(r, c)).sum();
    counts.similarity += similarity;
    counts.tp += matched.len() as u64;
    counts.fn_ += (frame.truth.len() - matched.len()) as u64;
    counts.fp += (frame.predicted.len() - matched.len()) as u64;
    matched
}

/// Keeps the pairs of the frame before where they are still similar, then maximises similarity.
fn match_frame(frame: &Dense<'_>, threshold: f64, before: &[Option<u32>]) -> Vec<(usize, usize)> {
    let mut score = Vec::with_capacity(frame.similarity.len());
    for (row, &truth) in frame.truth.iter().enumerate() {
        for (column, &predicted) in frame.predicted.iter().enumerate() {
            let similarity = frame.similarity(row, column);
            let same = before[truth as usize] == Some(predicted);
            let value = if same { 1000.0 + similarity } else { similarity };
            score.push(if similarity < threshold - f64::EPSILON { 0.0 } else { value });
        }
    }
    let cost: Vec<f64> = score.iter().map(|score| -score).collect();
    let mut pairs = assign(&cost, frame.truth.len(), frame.predicted.len());
    pairs.retain(|&(row, column)| score[row * frame.predicted.len() + column] > f64::EPSILON);
    pairs
}

pub(super) fn combine<'a>(sequences: impl Iterator<Item = &'a ClearCounts>) -> ClearCounts {
    sequences.fold(ClearCounts::default(), |a, b| ClearCounts {
        tp: a.tp + b.tp,
        fn_: a.fn_ + b.fn_,
        fp: a.fp + b.fp,
        idsw: a.idsw + b.idsw,
        mt: a.mt + b.mt,
        pt: a.pt + b.pt,
        ml: a.ml + b.ml,
        frag: a.frag + b.frag,
        frames: a.frames + b.frames,
        similarity: a.similarity + b.similarity,
    })
}

/// Figures of one sequence. TrackEval leaves the accuracies of one with an empty side at 0.
pub(super) fn report_alone(counts: &ClearCounts) -> ClearReport {
    let found = report(counts);
    if counts.frames > 0 {
        return found;
    }
    ClearReport {
        mota: 0.0,
        moda: 0.0,
        smota: 0.0,
        motal: 0.0,
        fp_per_frame: 0.0,
        mlr: 1.0,
        ..found
    }
}

pub(super) fn report(counts: &ClearCounts) -> ClearReport {
    let [tp, fn_, fp, idsw] = [counts.tp, counts.fn_, counts.fp, counts.idsw].map(|n| n as f64);
    let truths = (tp + fn_).max(1.0);
    let tracks = ((counts.mt + counts.pt + counts.ml) as f64).max(1.0);
    let log_idsw = if counts.idsw > 0 { idsw.log10() } else { 0.0 };
    ClearReport {
        mota: (tp - fp - idsw) / truths,
        motp: counts.similarity / tp.max(1.0),
        moda: (tp - fp) / truths,
        smota: (counts.similarity - fp - idsw) / truths,
        motal: (tp - fp - log_idsw) / truths,
        recall: tp / truths,
        precision: tp / (tp + fp).max(1.0),
        f1: tp / (tp + 0.5 * fn_ + 0.5 * fp).max(1.0),
        fp_per_frame: fp / (counts.frames as f64).max(1.0),
        mtr: counts.mt as f64 / tracks,
        ptr: counts.pt as f64 / tracks,
        mlr: counts.ml as f64 / tracks,
        tp: counts.tp,
        fn_: counts.fn_,
        fp: counts.fp,
        idsw: counts.idsw,
        mt: counts.mt,
        pt: counts.pt,
        ml: counts.ml,
        frag: counts.frag,
    }
}
