//! From samples to tracks: filtering, scores of whole tracks, holes filled; `create_tracks` of the devkit.

use std::collections::HashMap;

use super::protocol::AmotaProtocol;
use crate::Error;
use crate::detection::nuscenes::filter::Filter;
use crate::detection::nuscenes::{OrientedBox, Uncounted};
use crate::numeric::pairwise_sum;

/// A true or predicted box of a track. Global frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackedBox {
    /// Position among the protocol's classes.
    pub class: u16,
    /// Identity, within its scene.
    pub track: u64,
    /// Lidar and radar returns inside; `None` where not counted. Boxes with none inside do not count.
    pub points: Option<u32>,
    /// Centre, metres.
    pub center_m: [f64; 3],
    /// Confidence of a prediction; without meaning for truth.
    pub score: f64,
}

/// The truth of one sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrackedSample {
    /// Its token.
    pub sample: String,
    /// Its scene.
    pub scene: String,
    /// When it was taken, microseconds.
    pub timestamp_us: i64,
    /// Where the vehicle was at the time of the lidar, global frame, metres.
    pub ego_m: [f64; 3],
    /// Annotated boxes of the protocol's classes.
    pub boxes: Vec<TrackedBox>,
    /// Bicycle racks.
    pub bicycle_racks: Vec<OrientedBox>,
}

/// The predictions for one sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PredictedTracks {
    /// Its token.
    pub sample: String,
    /// Predicted boxes.
    pub boxes: Vec<TrackedBox>,
}

/// A box as the matching sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) class: u16,
    pub(super) track: u64,
    pub(super) place_m: [f64; 2],
    pub(super) score: f64,
}

/// Boxes of one scene by time.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) truth: Vec<Vec<Spot>>,
    pub(super) predicted: Vec<Vec<Spot>>,
}

/// Scenes in order of their first sample, and what did not count on either side.
pub(super) struct Scenes {
    pub(super) scenes: Vec<Scene>,
    pub(super) truth: Uncounted,
    pub(super) predicted: Uncounted,
}

pub(super) fn scenes(
    pairs: &[(&TrackedSample, &PredictedTracks)],
    protocol: &AmotaProtocol,
) -> Result<Scenes, Error> {
    let mut order: HashMap<&str, usize> = HashMap::new();
    let mut by_scene: Vec<Vec<&(&TrackedSample, &PredictedTracks)>> = Vec::new();
    for pair in pairs {
        let place = *order.entry(pair.0.scene.as_str()).or_insert_with(|| {
            by_scene.push(Vec::new());
            by_scene.len() - 1
        });
        by_scene[place].push(pair);
    }
    let mut all =
        Scenes { scenes: Vec::new(), truth: Uncounted::default(), predicted: Uncounted::default() };
    for mut samples in by_scene {
        samples.sort_by_key(|(truth, _)| truth.timestamp_us);
        if let Some(pair) = samples.windows(2).find(|p| p[0].0.timestamp_us == p[1].0.timestamp_us)
        {
            let what = format!("is of the same time as sample {}", pair[0].0.sample);
            return Err(Error::row("truth", format!("sample {}", pair[1].0.sample), what));
        }
        let times: Vec<i64> = samples.iter().map(|(truth, _)| truth.timestamp_us).collect();
        let spots = |truth: &TrackedSample, boxes: &[TrackedBox], out: &mut Uncounted| {
            boxes.iter().filter(|given| keeps(given, truth, protocol, out)).map(spot).collect()
        };
        let mut scene = Scene::default();
        for (truth, predicted) in &samples {
            scene.truth.push(spots(truth, &truth.boxes, &mut all.truth));
            scene.predicted.push(spots(truth, &predicted.boxes, &mut all.predicted));
        }
        average_scores(&mut scene.predicted);
        fill_holes(&mut scene.truth, &times);
        fill_holes(&mut scene.predicted, &times);
        all.scenes.push(scene);
    }
    Ok(all)
}

fn keeps(
    given: &TrackedBox,
    sample: &TrackedSample,
    protocol: &AmotaProtocol,
    out: &mut Uncounted,
) -> bool {
    let class = &protocol.classes[usize::from(given.class)];
    let filter = Filter {
        range_m: class.range_m,
        not_in_bicycle_racks: class.not_in_bicycle_racks,
        ego_m: sample.ego_m,
        bicycle_racks: &sample.bicycle_racks,
    };
    filter.keeps(given.center_m, given.points, out)
}

fn spot(given: &TrackedBox) -> Spot {
    let [x, y, _] = given.center_m;
    Spot { class: given.class, track: given.track, place_m: [x, y], score: given.score }
}

/// Gives each box the mean score of its track.
fn average_scores(frames: &mut [Vec<Spot>]) {
    let mut scores: HashMap<u64, Vec<f64>> = HashMap::new();
    for spot in frames.iter().flatten() {
        scores.entry(spot.track).or_default().push(spot.score);
    }
    for spot in frames.iter_mut().flatten() {
        let scores = &scores[&spot.track];
        spot.score = pairwise_sum(scores) / scores.len() as f64;
    }
}

/// Adds the boxes of tracks in frames between their first and last, behind those that are there, in order of the
/// tracks' first appearance.
fn fill_holes(frames: &mut [Vec<Spot>], times: &[i64]) {
    let mut order: Vec<u64> = Vec::new();
    let mut tracks: HashMap<u64, Vec<(usize, Spot)>> = HashMap::new();
    for (frame, spots) in frames.iter().enumerate() {
        for &spot in spots {
            let track = tracks.entry(spot.track).or_insert_with(|| {
                order.push(spot.track);
                Vec::new()
            });
            track.push((frame, spot));
        }
    }
    for track in order.iter().map(|track| &tracks[track]) {
        for pair in track.windows(2) {
            let [(left_at, left), (right_at, right)] = [pair[0], pair[1]];
            for frame in left_at + 1..right_at {
                let span = (times[right_at] - times[left_at]) as f64;
                // The devkit weighs the later box by the time that is left until it.
                let weight = (times[right_at] - times[frame]) as f64 / span;
                let mix = |a: f64, b: f64| (1.0 - weight) * a + weight * b;
                frames[frame].push(Spot {
                    place_m: [0, 1].map(|i| mix(left.place_m[i], right.place_m[i])),
                    score: mix(left.score, right.score),
                    ..right
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_as_the_devkit_does() {
        let spot = |x: f64| Spot { class: 0, track: 3, place_m: [x, 0.0], score: 0.5 };
        let mut frames = vec![vec![spot(0.0)], Vec::new(), Vec::new(), vec![spot(8.0)], Vec::new()];
        fill_holes(&mut frames, &[0, 1, 2, 4, 5]);
        let places: Vec<Vec<f64>> =
            frames.iter().map(|f| f.iter().map(|spot| spot.place_m[0]).collect()).collect();
        assert_eq!(places, [vec![0.0], vec![6.0], vec![4.0], vec![8.0], vec![]]);
    }
}
