//! Refinement with hindsight, in long overlapping runs of keyframes, so that memory stays bounded.

use super::account::Reason;
use super::adjust::Adjuster;
use super::state::{State, Track};

/// Linearisations of a run.
const ITERATIONS: usize = 12;

/// Smooths if enough keyframes have come together since the last time.
pub(super) fn smooth_if_due(adjuster: &Adjuster<'_>, state: &mut State) {
    let due = state.smoothed as usize + adjuster.config.smoothing_window;
    if state.keyframes.len() >= due {
        smooth(adjuster, state);
        // The newest half stays open, for what is still to be seen of it.
        let open = adjuster.config.smoothing_window / 2;
        state.smoothed = (state.keyframes.len() - open) as u32;
        let start = state.smoothed;
        state.archive.retain(|track| track.sightings.last().is_some_and(|s| s.keyframe >= start));
    }
}

/// Adjusts all keyframes from the first that is not final, two before it held.
pub(super) fn smooth(adjuster: &Adjuster<'_>, state: &mut State) {
    let smoothed = state.smoothed as usize;
    let start = smoothed.saturating_sub(2);
    let held = if start == 0 { 1.max(smoothed) } else { 2 };
    let end = state.keyframes.len();
    if end - start < 3 {
        return;
    }
    let State { archive, ended, tracks, keyframes, .. } = state;
    let mut all: Vec<&mut Track> = archive.iter_mut().chain(ended).chain(tracks).collect();
    let report = adjuster.adjust(keyframes, start..end, held, &mut all, ITERATIONS);
    let improved = report.is_some_and(|report| report.final_cost <= report.initial_cost);
    if !improved {
        state.account.add(Reason::SmoothingFailed);
    }
}
