//! CLEAR MOT of one class at one score: `MOTAccumulator` of motmetrics, with the devkit's sums over its events.

use std::collections::HashMap;

use super::tracks::{Scene, Spot};
use crate::assignment::assign;

/// What happened to one true track.
#[derive(Debug, Default, Clone)]
struct Life {
    /// Frames in which it is, and whether it was found.
    frames: Vec<(u32, bool)>,
}

/// Sums over all scenes.
#[derive(Debug, Default, Clone)]
pub(super) struct Sums {
    pub(super) frames: u64,
    pub(super) matches: u64,
    pub(super) switches: u64,
    pub(super) misses: u64,
    pub(super) false_positives: u64,
    pub(super) distance_m: f64,
    pub(super) mostly_tracked: u64,
    pub(super) mostly_lost: u64,
    pub(super) fragments: u64,
    /// Frames until the first match, and of the longest gap, summed over tracks that were found.
    pub(super) until_found: u64,
    pub(super) longest_gaps: u64,
    pub(super) found_tracks: u64,
    /// Scores of predictions that kept or began an identity; only without a least score.
    pub(super) scores: Vec<f64>,
}

/// Runs all scenes. `least_score`: predictions below do not count; `None` counts all and collects scores.
pub(super) fn run(scenes: &[Scene], class: u16, distance_m: f64, least_score: Option<f64>) -> Sums {
    let mut sums = Sums::default();
    for scene in scenes {
        let mut state = State::default();
        for (truth, predicted) in scene.truth.iter().zip(&scene.predicted) {
            let truth: Vec<&Spot> = truth.iter().filter(|spot| spot.class == class).collect();
            let counted = |spot: &&Spot| {
                spot.class == class && least_score.is_none_or(|least| spot.score >= least)
            };
            let predicted: Vec<&Spot> = predicted.iter().filter(counted).collect();
            if truth.is_empty() && predicted.is_empty() {
                continue;
            }
            state.step(&truth, &predicted, distance_m, &mut sums, least_score.is_none());
            state.frame += 1;
            sums.frames += 1;
        }
        for track in &state.order {
            sums.add_life(&state.lives[track]);
        }
    }
    sums
}

#[derive(Default)]
struct State {
    frame: u32,
    /// The prediction that each true track was last matched with.
    last: HashMap<u64, u64>,
    order: Vec<u64>,
    lives: HashMap<u64, Life>,
}

impl State {
    fn step(
        &mut self,
        truth: &[&Spot],
        predicted: &[&Spot],
        limit_m: f64,
        sums: &mut Sums,
        collect: bool,
    ) {
        let distance = |row: usize, column: usize| {
            let [a, b] = [truth[row].place_m, predicted[column].place_m];
            let [dx, dy] = [a[0] - b[0], a[1] - b[1]];
            Some((dx * dx + dy * dy).sqrt()).filter(|&distance_m| distance_m < limit_m)
        };
        let mut found = vec![false; truth.len()];
        let mut used = vec![false; predicted.len()];
        // Pairs that were together stay together where they are still near.
        for (row, spot) in truth.iter().enumerate() {
            let Some(last) = self.last.get(&spot.track) else { continue };
            let same = |(column, p): (usize, &&Spot)| !used[column] && p.track == *last;
            let Some(column) = predicted.iter().enumerate().position(same) else { continue };
            if let Some(distance_m) = distance(row, column) {
                (found[row], used[column]) = (true, true);
                sums.matched(distance_m, predicted[column], collect);
            }
        }
        for (row, column) in nearest_pairs(&found, &used, &distance) {
            let Some(distance_m) = distance(row, column) else { continue };
            let (track, by) = (truth[row].track, predicted[column].track);
            if self.last.insert(track, by).is_some_and(|last| last != by) {
                sums.switches += 1;
                sums.distance_m += distance_m;
            } else {
                sums.matched(distance_m, predicted[column], collect);
            }
            (found[row], used[column]) = (true, true);
        }
        for (spot, &found) in truth.iter().zip(&found) {
            sums.misses += u64::from(!found);
            let life = self.lives.entry(spot.track).or_insert_with(|| {
                self.order.push(spot.track);
                Life::default()
            });
            life.frames.push((self.frame, found));
        }
        sums.false_positives += used.iter().filter(|&&used| !used).count() as u64;
    }
}

/// Pairs of least total distance among what is free; `None` of a distance: too far.
fn nearest_pairs(
    found: &[bool],
    used: &[bool],
    distance: &impl Fn(usize, usize) -> Option<f64>,
) -> Vec<(usize, usize)> {
    let (rows, columns) = (found.len(), used.len());
    let mut distances_m = Vec::with_capacity(rows * columns);
    let mut largest_m: Option<f64> = None;
    for row in 0..rows {
        for column in 0..columns {
            let near = if found[row] || used[column] { None } else { distance(row, column) };
            largest_m = near.map(|d| d.max(largest_m.unwrap_or(0.0))).or(largest_m);
            distances_m.push(near);
        }
    }
    let Some(largest_m) = largest_m else { return Vec::new() };
    // Dearer than any assignment of near pairs; motmetrics' constant, as ties depend on it.
    let dear = 2.0 * rows.min(columns) as f64 * (largest_m + 1.0) + 1.0;
    let cost: Vec<f64> = distances_m.iter().map(|near| near.unwrap_or(dear)).collect();
    let mut pairs = assign(&cost, rows, columns);
    pairs.retain(|&(row, column)| distances_m[row * columns + column].is_some());
    pairs
}

impl Sums {
    fn matched(&mut self, distance_m: f64, by: &Spot, collect: bool) {
        self.matches += 1;
        self.distance_m += distance_m;
        if collect {
            self.scores.push(by.score);
        }
    }

    fn add_life(&mut self, life: &Life) {
        let found = life.frames.iter().filter(|(_, found)| *found).count();
        let share = found as f64 / life.frames.len() as f64;
        self.mostly_tracked += u64::from(share >= 0.8);
        self.mostly_lost += u64::from(share < 0.2);
        let is_found = |(_, found): &(u32, bool)| *found;
        let (Some(first), Some(last)) =
            (life.frames.iter().position(is_found), life.frames.iter().rposition(is_found))
        else {
            return;
        };
        let begin = life.frames[0].0;
        let end = life.frames[life.frames.len() - 1].0;
        self.found_tracks += 1;
        self.until_found += u64::from(life.frames[first].0 - begin);
        let inner = &life.frames[first..=last];
        self.fragments += inner.windows(2).filter(|pair| pair[0].1 && !pair[1].1).count() as u64;
        let mut gap_from = begin;
        let mut longest = 0;
        for (frame, _) in life.frames.iter().filter(|frame| is_found(frame)) {
            longest = longest.max(frame - gap_from);
            gap_from = frame + 1;
        }
        self.longest_gaps += u64::from(longest.max(end + 1 - gap_from));
    }
}
