//! What the odometry knows: points, keyframes, frames. All of it but the images can be saved.

use nalgebra::Point3;
use ommatidia_geometry::bundle::Landmark;
use ommatidia_geometry::{Camera, Ego, Pose, Timestamp, World};
use ommatidia_scene::{PoseSource, Scale};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::recalibrate::Evidence;

/// A point seen by one camera of one keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Sighting {
    /// Index into [`State::keyframes`].
    pub keyframe: u32,
    /// Which camera.
    pub camera: u16,
    /// Where, pixels.
    pub pixel: [f32; 2],
}

/// Where a point's distance comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Depth {
    /// Assumed; good for predicting where it moves, not for measuring.
    Guessed,
    /// Triangulated and accurate enough to measure with.
    Measured,
}

/// A point followed from keyframe to keyframe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    /// Camera that follows it.
    pub host: u16,
    /// Where it is in the host's image of the reference keyframe, pixels.
    pub pixel: [f32; 2],
    /// Estimate of its position.
    pub landmark: Landmark,
    /// How good that is.
    pub depth: Depth,
    /// In ascending keyframes; of one keyframe the host's first.
    pub sightings: Vec<Sighting>,
}

/// A frame that takes part in adjustment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Keyframe {
    pub frame: u32,
    pub timestamp: Timestamp,
    pub world_from_ego: Pose<World, Ego>,
    /// The cameras at their exposures, in the ego frame at `timestamp`. Empty where all are exposed
    /// at that time, so that the rig's mountings hold.
    pub mounts: Vec<Pose<Ego, Camera>>,
    /// Nothing connects it to the keyframe before: tracking started anew here.
    pub restarted: bool,
    /// Where the given trajectory has it.
    pub prior: Option<Pose<World, Ego>>,
    /// Where satellites have it, if the given trajectory is theirs.
    pub fix: Option<Fix>,
}

/// A position by satellites, around the time of a keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Fix {
    /// Mean of the positions since the keyframe before, metres.
    pub in_world: Point3<f64>,
    /// Where the vehicle was at their times, on the mean, in the ego frame of the keyframe.
    pub in_ego: Point3<f64>,
}

/// A frame's pose relative to a keyframe, so that it follows when that one is adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct FrameRecord {
    pub timestamp: Timestamp,
    pub keyframe: u32,
    pub keyframe_from_ego: Pose<Ego, Ego>,
    pub confidence: f32,
}

/// Everything that outlives a step, but for the images of the reference keyframe.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub keyframes: Vec<Keyframe>,
    pub frames: Vec<FrameRecord>,
    /// Points followed now.
    pub tracks: Vec<Track>,
    /// Points no longer followed whose keyframes are still being adjusted.
    pub ended: Vec<Track>,
    /// Points kept for smoothing.
    pub archive: Vec<Track>,
    /// Keyframes before this one are final but for the world they stand in.
    pub smoothed: u32,
    /// Body velocity: right tangent per second.
    pub velocity: Option<[f64; 6]>,
    /// Time since the motion was last measured, seconds.
    pub coasting_s: f64,
    /// Fingerprints of the last frame's images.
    pub fingerprints: Vec<Option<u64>>,
    pub account: Account,
    /// Source and scale of the given trajectory, if there is one.
    pub prior: Option<(PoseSource, Scale)>,
    /// Sightings by partner cameras so far: what fixes the scale.
    pub partnered: u64,
    /// What sightings by each camera say about its orientation.
    pub evidence: Vec<Evidence>,
    /// The cameras' mountings as corrected; empty while they are the rig's.
    pub mountings: Vec<Pose<Ego, Camera>>,
    /// Keyframes at which the ground was seen, counted only where nothing else fixes the scale.
    pub grounded: u64,
    /// Mean slope of the ground along x and y of the vehicle there.
    pub slope: [f64; 2],
    /// Satellites have set the world and the scale.
    pub anchored: bool,
}

/// Sightings by partner cameras per keyframe that fix the scale.
const METRIC_PARTNERED: u64 = 8;

impl State {
    /// Cameras that see the same points, or the given trajectory, fix the scale while driving.
    /// Satellites tell it only in the end: over short ways their noise is larger than the way.
    pub(super) fn scale_is_measured(&self) -> bool {
        let given = |(source, scale)| scale == Scale::Metric && source != PoseSource::Gnss;
        self.prior.is_some_and(given) || self.scale_is_seen()
    }

    /// Cameras that see the same points fix the scale.
    pub(super) fn scale_is_seen(&self) -> bool {
        let keyframes = self.keyframes.len() as u64;
        keyframes > 0 && self.partnered >= METRIC_PARTNERED * keyframes
    }

    /// What fixes the scale.
    pub(super) fn scale(&self) -> Scale {
        if self.anchored || self.scale_is_measured() {
            Scale::Metric
        } else if self.grounded > 0 && 2 * self.grounded >= self.keyframes.len() as u64 {
            Scale::CameraHeight
        } else {
            Scale::Unknown
        }
    }

    /// The pose of the latest frame.
    pub(super) fn last_pose(&self) -> Option<Pose<World, Ego>> {
        self.frames.last().map(|record| self.pose_of(record))
    }

    pub(super) fn pose_of(&self, record: &FrameRecord) -> Pose<World, Ego> {
        self.keyframes[record.keyframe as usize].world_from_ego * record.keyframe_from_ego
    }
}
