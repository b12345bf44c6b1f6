//! Identity over time from velocity: detections of one moment joined with those before.
//!
//! Yin, Zhou & Krähenbühl 2021 (CenterPoint), section 4.2: each detection is moved back by its velocity and
//! takes the nearest track of its class, the surest detection first. No weights: a state beside the
//! network, fed with what [`super::detection`] decodes.

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Duration, Ego, Pose, Timestamp, World};
use ommatidia_metrics::{
    Protocol as _,
    tracking::{
        Frame, Sequence, TrackingProtocol, evaluate,
        similarity::{by_center, table},
    },
};
use ommatidia_scene::{ClassId, Object, TrackId, VectorSpace};
use serde::{Deserialize, Serialize};

/// Settings of [`Tracker`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrackingSettings {
    /// A detection joins a track at most this far from where its velocity says that it was, metres.
    pub max_distance_m: f64,
    /// A track ends that was not seen for longer.
    pub max_gap: Duration,
    /// Fainter detections start no track and have none; they may carry one on.
    pub min_score: f32,
}

impl Default for TrackingSettings {
    /// A gap of 1.5 s is three frames at nuScenes' 2 Hz, as CenterPoint's; its distances, 0.4 m to 5 m by
    /// class, in one.
    fn default() -> Self {
        Self { max_distance_m: 2.0, max_gap: Duration::from_secs_f64(1.5), min_score: 0.2 }
    }
}

/// The tracks of one drive.
#[derive(Debug, Clone)]
pub struct Tracker {
    settings: TrackingSettings,
    tracks: Vec<Track>,
    next: u64,
}

/// One track as it was last seen.
#[derive(Debug, Clone)]
struct Track {
    id: TrackId,
    class: ClassId,
    p_in_world: Point3<f64>,
    seen: Timestamp,
}

impl Tracker {
    /// No tracks yet; their numbers start at 1.
    pub fn new(settings: TrackingSettings) -> Self {
        Self { settings, tracks: Vec::new(), next: 1 }
    }

    /// Names the objects of the next moment. Moments come in ascending time; those without a pose cannot
    /// be joined with others.
    pub fn step(
        &mut self,
        timestamp: Timestamp,
        world_from_ego: &Pose<World, Ego>,
        objects: &mut [Object],
    ) {
        let max_gap = self.settings.max_gap;
        self.tracks.retain(|track| timestamp - track.seen <= max_gap);
        let mut order: Vec<usize> = (0..objects.len()).collect();
        order.sort_by(|&a, &b| {
            objects[b].confidence.total_cmp(&objects[a].confidence).then(a.cmp(&b))
        });
        let mut taken = vec![false; self.tracks.len()];
        for index in order {
            let object = &mut objects[index];
            let p_in_world = *world_from_ego * Point3::from(object.ego_from_object.translation);
            let velocity = Vector3::from(object.velocity_m_s.unwrap_or_default());
            let velocity_in_world = world_from_ego.rotation * velocity;
            let at = |track: &Track| {
                let gap_s = (timestamp - track.seen).as_secs_f64();
                (p_in_world - velocity_in_world * gap_s - track.p_in_world).xy().norm()
            };
            let free = self
                .tracks
                .iter()
                .enumerate()
                .filter(|(i, _)| !taken.get(*i).copied().unwrap_or(true));
            let near = free
                .filter(|(_, track)| track.class == object.class)
                .map(|(i, track)| (i, at(track)))
                .filter(|&(_, distance_m)| distance_m <= self.settings.max_distance_m)
                .min_by(|a, b| a.1.total_cmp(&b.1));
            object.track = match near {
                Some((i, _)) => {
                    taken[i] = true;
                    self.tracks[i].p_in_world = p_in_world;
                    self.tracks[i].seen = timestamp;
                    Some(self.tracks[i].id)
                }
                None if object.confidence < self.settings.min_score => None,
                None => Some(self.start(object.class, p_in_world, timestamp)),
            };
        }
    }

    /// Tracks that were begun.
    pub fn started(&self) -> u64 {
        self.next - 1
    }

    fn start(&mut self, class: ClassId, p_in_world: Point3<f64>, seen: Timestamp) -> TrackId {
        let id = TrackId(self.next);
        self.next += 1;
        self.tracks.push(Track { id, class, p_in_world, seen });
        id
    }
}

/// HOTA, MOTA and IDF1 of drives with tracked objects, moments in ascending time. Similarity falls from 1 to
/// 0 over 4 m between centres, so that half of it is nuScenes' 2 m. Nothing without true tracks.
pub fn scores(drives: &[(&[VectorSpace], &[VectorSpace])]) -> Vec<(String, f64)> {
    const ZERO_DISTANCE_M: f64 = 4.0;
    let tracked = |space: &VectorSpace| -> Vec<(u64, [f64; 3], ClassId)> {
        let objects = space.objects.iter().flatten();
        let entry = |object: &Object| {
            let p = object.ego_from_object.translation;
            Some((object.track?.0, [p.x, p.y, p.z], object.class))
        };
        objects.filter_map(entry).collect()
    };
    let frame = |(predicted, truth): (&VectorSpace, &VectorSpace)| {
        let (truth, predicted) = (tracked(truth), tracked(predicted));
        let similarity = |a: &(u64, [f64; 3], ClassId), b: &(u64, [f64; 3], ClassId)| {
            if a.2 == b.2 { by_center(&a.1, &b.1, ZERO_DISTANCE_M) } else { 0.0 }
        };
        Frame {
            similarity: table(&truth, &predicted, similarity),
            truth: truth.into_iter().map(|entry| entry.0).collect(),
            predicted: predicted.into_iter().map(|entry| entry.0).collect(),
        }
    };
    let sequence = |(i, (predicted, truth)): (usize, &(&[VectorSpace], &[VectorSpace]))| Sequence {
        name: i.to_string(),
        frames: predicted.iter().zip(*truth).map(frame).collect(),
    };
    let sequences: Vec<_> = drives.iter().enumerate().map(sequence).collect();
    if sequences.iter().flat_map(|s| &s.frames).all(|frame| frame.truth.is_empty()) {
        return Vec::new();
    }
    let protocol = TrackingProtocol {
        clear_threshold: 0.5,
        identity_threshold: 0.5,
        zero_distance_m: ZERO_DISTANCE_M,
        ..TrackingProtocol::named("mot_challenge").expect("a named protocol")
    };
    let figures =
        evaluate(&sequences, &protocol).expect("identities occur once in a moment").combined;
    vec![
        ("hota".to_owned(), figures.hota.hota),
        ("mota".to_owned(), figures.clear.mota),
        ("idf1".to_owned(), figures.identity.idf1),
    ]
}

#[cfg(test)]
mod tests {
    use nalgebra::UnitQuaternion;

    use super::*;

    const STEP_S: f64 = 0.5;

    /// Two cars that pass one another within 2.5 m and a pedestrian, seen by a vehicle that turns.
    fn drive(frames: u64) -> Vec<(Pose<World, Ego>, VectorSpace)> {
        let moment = |frame: u64| {
            let t = STEP_S * frame as f64;
            let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), 0.1 * t);
            let world_from_ego: Pose<World, Ego> = Pose::new(turn, Vector3::new(3.0 * t, 0.1, 0.0));
            let ego_from_world = world_from_ego.inverse();
            let object = |id: u64, class: u8, p: [f64; 3], v: [f64; 3]| Object {
                track: Some(TrackId(id)),
                class: ClassId(class),
                ego_from_object: Pose::new(
                    UnitQuaternion::identity(),
                    (ego_from_world * Point3::from(p)).coords,
                ),
                size_m: [4.0, 2.0, 1.5],
                velocity_m_s: Some((ego_from_world.rotation * Vector3::from(v)).into()),
                keypoints: Vec::new(),
                confidence: 0.9,
                lidar_points: None,
            };
            let objects = vec![
                object(10, 18, [20.0 - 8.0 * t, 1.25, 0.7], [-8.0, 0.0, 0.0]),
                object(11, 18, [-10.0 + 8.0 * t, -1.25, 0.7], [8.0, 0.0, 0.0]),
                object(12, 27, [5.0, -1.0 + 1.2 * t, 0.9], [0.0, 1.2, 0.0]),
            ];
            let timestamp = Timestamp::from_secs_f64(t);
            (
                world_from_ego,
                VectorSpace { timestamp, objects: Some(objects), ..Default::default() },
            )
        };
        (0..frames).map(moment).collect()
    }

    fn tracked(
        drive: &[(Pose<World, Ego>, VectorSpace)],
        settings: TrackingSettings,
    ) -> Vec<VectorSpace> {
        let mut tracker = Tracker::new(settings);
        let step = |(world_from_ego, space): &(Pose<World, Ego>, VectorSpace)| {
            let mut space = space.clone();
            let objects = space.objects.as_mut().unwrap();
            objects.iter_mut().for_each(|object| object.track = None);
            tracker.step(space.timestamp, world_from_ego, objects);
            space
        };
        drive.iter().map(step).collect()
    }

    #[test]
    fn true_boxes_and_velocities_keep_their_identity() {
        let drive = drive(9);
        let truth: Vec<_> = drive.iter().map(|(_, space)| space.clone()).collect();
        let scores = scores(&[(&tracked(&drive, TrackingSettings::default()), &truth)]);
        assert!(scores.iter().all(|(_, score)| (score - 1.0).abs() < 1e-9), "{scores:?}");
    }

    #[test]
    fn a_gap_is_bridged_until_it_is_too_long() {
        let check = |missing: std::ops::Range<usize>, expected: usize| {
            let mut drive = drive(9);
            for (_, space) in &mut drive[missing] {
                space.objects.as_mut().unwrap().remove(0);
            }
            let tracked = tracked(&drive, TrackingSettings::default());
            let objects = tracked.iter().flat_map(|space| space.objects.iter().flatten());
            let mut ids: Vec<_> = objects.filter_map(|object| object.track).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), expected);
        };
        check(3..5, 3);
        check(2..6, 4);
    }

    #[test]
    fn faint_detections_start_nothing() {
        let mut drive = drive(2);
        for (_, space) in &mut drive {
            space.objects.as_mut().unwrap()[2].confidence = 0.1;
        }
        let tracked = tracked(&drive, TrackingSettings::default());
        let ids = |frame: usize| -> Vec<_> {
            tracked[frame].objects.iter().flatten().map(|object| object.track).collect()
        };
        assert_eq!(ids(0), [Some(TrackId(1)), Some(TrackId(2)), None]);
        assert_eq!(ids(1), ids(0));
    }

    #[test]
    fn without_true_tracks_there_is_no_score() {
        assert!(scores(&[(&[VectorSpace::default()], &[VectorSpace::default()])]).is_empty());
    }
}
