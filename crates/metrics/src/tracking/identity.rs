//! IDF1: how long the right identity is kept, under the best one-to-one pairing of whole tracks.
//!
//! Ristani et al., Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking, 2016; TrackEval's
//! `metrics/identity.py`, number for number.

use std::collections::BTreeMap;

use serde::Serialize;

use super::frames::DenseSequence;
use crate::assignment::assign;

/// Identity figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IdentityReport {
    /// Harmonic mean of the next two.
    pub idf1: f64,
    /// Share of the true boxes with the right identity.
    pub idr: f64,
    /// Share of the predictions with the right identity.
    pub idp: f64,
    /// Boxes with the right identity.
    pub idtp: u64,
    /// True boxes without.
    pub idfn: u64,
    /// Predictions without.
    pub idfp: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct IdentityCounts {
    idtp: u64,
    idfn: u64,
    idfp: u64,
}

pub(super) fn of_sequence(sequence: &DenseSequence<'_>, threshold: f64) -> IdentityCounts {
    // Of each pair of tracks: the frames in which they are similar.
    let mut shared: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for frame in &sequence.frames {
        for (row, &truth) in frame.truth.iter().enumerate() {
            for (column, &predicted) in frame.predicted.iter().enumerate() {
                if frame.similarity(row, column) >= threshold {
                    *shared.entry((truth, predicted)).or_default() += 1;
                }
            }
        }
    }
    let idtp = most_shared(&shared, sequence.truth_count.len(), sequence.predicted_count.len());
    IdentityCounts { idtp, idfn: sequence.truths() - idtp, idfp: sequence.predictions() - idtp }
}

/// A true and a predicted track, and the number of frames in which they are similar.
type Shared = ((u32, u32), u64);

/// The largest sum over a one-to-one pairing. Tracks that share nothing, not even through others, are paired apart,
/// so that the cost grows with the number of groups and not with its cube.
fn most_shared(shared: &BTreeMap<(u32, u32), u64>, truths: usize, predictions: usize) -> u64 {
    let mut group: Vec<usize> = (0..truths + predictions).collect();
    for &(truth, predicted) in shared.keys() {
        let a = root(&mut group, truth as usize);
        let b = root(&mut group, truths + predicted as usize);
        group[a.max(b)] = a.min(b);
    }
    let mut groups: BTreeMap<usize, Vec<Shared>> = BTreeMap::new();
    for (&pair, &count) in shared {
        let root = root(&mut group, pair.0 as usize);
        groups.entry(root).or_default().push((pair, count));
    }
    groups.values().map(|pairs| most_of_group(pairs)).sum()
}

fn root(group: &mut [usize], mut at: usize) -> usize {
    while group[at] != at {
        group[at] = group[group[at]];
        at = group[at];
    }
    at
}

fn most_of_group(pairs: &[Shared]) -> u64 {
    let mut rows: Vec<u32> = pairs.iter().map(|((truth, _), _)| *truth).collect();
    let mut columns: Vec<u32> = pairs.iter().map(|((_, predicted), _)| *predicted).collect();
    for ids in [&mut rows, &mut columns] {
        ids.sort_unstable();
        ids.dedup();
    }
    let mut cost = vec![0.0; rows.len() * columns.len()];
    for ((truth, predicted), count) in pairs {
        let (row, column) =
            (rows.partition_point(|id| id < truth), columns.partition_point(|id| id < predicted));
        cost[row * columns.len() + column] = -(*count as f64);
    }
    let pairs = assign(&cost, rows.len(), columns.len());
    let total: f64 = pairs.iter().map(|(row, column)| -cost[row * columns.len() + column]).sum();
    total as u64
}

pub(super) fn combine<'a>(sequences: impl Iterator<Item = &'a IdentityCounts>) -> IdentityCounts {
    sequences.fold(IdentityCounts::default(), |a, b| IdentityCounts {
        idtp: a.idtp + b.idtp,
        idfn: a.idfn + b.idfn,
        idfp: a.idfp + b.idfp,
    })
}

pub(super) fn report(counts: &IdentityCounts) -> IdentityReport {
    let [tp, misses, extra] = [counts.idtp, counts.idfn, counts.idfp].map(|n| n as f64);
    IdentityReport {
        idf1: tp / (tp + 0.5 * extra + 0.5 * misses).max(1.0),
        idr: tp / (tp + misses).max(1.0),
        idp: tp / (tp + extra).max(1.0),
        idtp: counts.idtp,
        idfn: counts.idfn,
        idfp: counts.idfp,
    }
}
