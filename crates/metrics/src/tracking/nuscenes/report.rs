//! From sums at each score to AMOTA, AMOTP and the figures at the best score.

use std::collections::{BTreeMap, HashSet};

use rayon::prelude::*;
use serde::Serialize;

use super::matching::{Sums, run};
use super::protocol::AmotaProtocol;
use super::tracks::Scene;
use crate::detection::nuscenes::Uncounted;
use crate::numeric::{interpolate, mean, nan_mean};

/// Time from keyframe to keyframe, seconds.
const PERIOD_S: f64 = 0.5;

/// nuScenes tracking figures. NaN, which is `null` in JSON, where there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AmotaReport {
    /// All classes as one: means, and sums of counts.
    #[serde(flatten)]
    pub all: ClassAmota,
    /// The figures of each class.
    pub per_class: BTreeMap<String, ClassAmota>,
    /// True boxes that did not count.
    pub truth: Uncounted,
    /// Predictions that did not count.
    pub predictions: Uncounted,
}

/// Figures of one class; all but the first two at the score that is best for MOTA.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassAmota {
    /// Mean over recalls of MOTA, scaled by recall.
    pub amota: f64,
    /// Mean over recalls of the distance of matches, metres.
    pub amotp: f64,
    /// Found true boxes over all.
    pub recall: f64,
    /// MOTA scaled by recall, not below 0.
    pub motar: f64,
    /// True boxes.
    pub gt: f64,
    /// MOTA, not below 0.
    pub mota: f64,
    /// Mean distance of matches, metres.
    pub motp: f64,
    /// Tracks found in at least 80 % of their frames.
    pub mt: f64,
    /// Tracks found in less than 20 %.
    pub ml: f64,
    /// False alarms per hundred frames.
    pub faf: f64,
    /// Matches, without switches.
    pub tp: f64,
    /// False positives.
    pub fp: f64,
    /// Misses.
    #[serde(rename = "fn")]
    pub fn_: f64,
    /// Identity switches.
    pub ids: f64,
    /// Times that a track was lost and found again.
    pub frag: f64,
    /// Mean time until a track is found, seconds.
    pub tid: f64,
    /// Mean longest gap of a track, seconds.
    pub lgd: f64,
}

const NOTHING: ClassAmota = ClassAmota {
    amota: f64::NAN,
    amotp: f64::NAN,
    recall: f64::NAN,
    motar: f64::NAN,
    gt: f64::NAN,
    mota: f64::NAN,
    motp: f64::NAN,
    mt: f64::NAN,
    ml: f64::NAN,
    faf: f64::NAN,
    tp: f64::NAN,
    fp: f64::NAN,
    fn_: f64::NAN,
    ids: f64::NAN,
    frag: f64::NAN,
    tid: f64::NAN,
    lgd: f64::NAN,
};

pub(super) fn of_class(scenes: &[Scene], class: u16, protocol: &AmotaProtocol) -> ClassAmota {
    let truths = scenes.iter().flat_map(|scene| scene.truth.iter().flatten());
    let truths: Vec<u64> = truths.filter(|t| t.class == class).map(|t| t.track).collect();
    if truths.is_empty() {
        return NOTHING;
    }
    let all = run(scenes, class, protocol.matching_distance_m, None);
    if all.scores.is_empty() {
        let tracks: HashSet<u64> = truths.iter().copied().collect();
        return unfound(truths.len() as f64, tracks.len() as f64, protocol);
    }
    let scores = least_scores(all.scores, truths.len(), protocol);
    let mut distinct: Vec<f64> = scores.iter().copied().flatten().collect();
    distinct.dedup();
    let at: Vec<ClassAmota> = distinct
        .par_iter()
        .map(|&score| figures(&run(scenes, class, protocol.matching_distance_m, Some(score))))
        .collect();
    let each: Vec<Option<&ClassAmota>> = scores
        .iter()
        .map(|score| score.and_then(|score| at.get(distinct.iter().position(|&d| d == score)?)))
        .collect();
    let over = |of: fn(&ClassAmota) -> f64, worst: f64| {
        let value = |found: &Option<&ClassAmota>| found.map_or(f64::NAN, of);
        let values = each.iter().map(value).map(|v| if v.is_nan() { worst } else { v });
        mean(&values.collect::<Vec<_>>())
    };
    let mut best = NOTHING;
    for found in each.iter().copied().flatten() {
        if best.mota.is_nan() || found.mota > best.mota {
            best = *found;
        }
    }
    ClassAmota {
        amota: over(|found| found.motar, protocol.worst_amota),
        amotp: over(|found| found.motp, protocol.worst_amotp_m),
        ..best
    }
}

/// Least score for each recall, from the highest recall down; `None` where it is not reached.
fn least_scores(mut scores: Vec<f64>, truths: usize, protocol: &AmotaProtocol) -> Vec<Option<f64>> {
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    let reached: Vec<f64> = (1..=scores.len()).map(|i| i as f64 / truths as f64).collect();
    let steps = protocol.thresholds - 1;
    let step = (1.0 - protocol.min_recall) / steps as f64;
    let mut least = Vec::with_capacity(protocol.thresholds);
    for i in (0..protocol.thresholds).rev() {
        let recall = if i == steps { 1.0 } else { i as f64 * step + protocol.min_recall };
        // The devkit rounds to 12 digits.
        let recall = (recall * 1e12).round_ties_even() / 1e12;
        let score = interpolate(recall, &reached, &scores, scores[0], 0.0);
        least.push((recall <= reached[reached.len() - 1]).then_some(score));
    }
    least
}

/// No prediction matches anything.
fn unfound(truths: f64, tracks: f64, protocol: &AmotaProtocol) -> ClassAmota {
    ClassAmota {
        amota: protocol.worst_amota,
        amotp: protocol.worst_amotp_m,
        recall: 0.0,
        motar: protocol.worst_amota,
        gt: truths,
        mota: 0.0,
        motp: protocol.worst_amotp_m,
        mt: 0.0,
        ml: tracks,
        faf: protocol.worst_false_alarms,
        tp: 0.0,
        fn_: truths,
        tid: protocol.worst_duration_s,
        lgd: protocol.worst_duration_s,
        ..NOTHING
    }
}

fn figures(sums: &Sums) -> ClassAmota {
    let [matches, switches, misses, extra] =
        [sums.matches, sums.switches, sums.misses, sums.false_positives].map(|n| n as f64);
    let truths = matches + switches + misses;
    let recall = matches / truths;
    let wrong = misses + switches + extra;
    let scaled = 1.0 - (wrong - (1.0 - recall) * truths) / (recall * truths);
    let seconds = |frames: u64| match sums.found_tracks {
        0 => f64::NAN,
        tracks => frames as f64 * PERIOD_S / tracks as f64,
    };
    let found = matches + switches;
    ClassAmota {
        recall: found / truths,
        motar: if matches == 0.0 { f64::NAN } else { scaled.max(0.0) },
        gt: truths,
        mota: (1.0 - wrong / truths).max(0.0),
        motp: if found == 0.0 { f64::NAN } else { sums.distance_m / found },
        mt: sums.mostly_tracked as f64,
        ml: sums.mostly_lost as f64,
        faf: extra / sums.frames as f64 * 100.0,
        tp: matches,
        fp: extra,
        fn_: misses,
        ids: switches,
        frag: sums.fragments as f64,
        tid: seconds(sums.until_found),
        lgd: seconds(sums.longest_gaps),
        ..NOTHING
    }
}

pub(super) fn summarise(
    classes: Vec<(String, ClassAmota)>,
    truth: Uncounted,
    predictions: Uncounted,
) -> AmotaReport {
    let average = |of: fn(&ClassAmota) -> f64| nan_mean(classes.iter().map(|(_, class)| of(class)));
    let total = |of: fn(&ClassAmota) -> f64| -> f64 {
        classes.iter().map(|(_, class)| of(class)).filter(|value| !value.is_nan()).sum()
    };
    let all = ClassAmota {
        amota: average(|c| c.amota),
        amotp: average(|c| c.amotp),
        recall: average(|c| c.recall),
        motar: average(|c| c.motar),
        gt: average(|c| c.gt),
        mota: average(|c| c.mota),
        motp: average(|c| c.motp),
        mt: total(|c| c.mt),
        ml: total(|c| c.ml),
        faf: average(|c| c.faf),
        tp: total(|c| c.tp),
        fp: total(|c| c.fp),
        fn_: total(|c| c.fn_),
        ids: total(|c| c.ids),
        frag: total(|c| c.frag),
        tid: average(|c| c.tid),
        lgd: average(|c| c.lgd),
    };
    AmotaReport { all, per_class: classes.into_iter().collect(), truth, predictions }
}
