//! Objects as oriented boxes.

use ommatidia_geometry::{Ego, Pose, frames};
use serde::{Deserialize, Serialize};

use crate::ClassId;

/// Identity of one object through a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackId(pub u64);

/// A named point of an articulated object, in the order of COCO's 17 keypoints for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Keypoint {
    /// Position in the ego frame, metres.
    pub p_in_ego_m: [f32; 3],
    /// 0 unseen to 1 certain.
    pub confidence: f32,
}

/// Something that has an extent and may move.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// The same for the same thing in every frame, where tracked.
    pub track: Option<TrackId>,
    /// What it is.
    pub class: ClassId,
    /// Centre and orientation of the box.
    pub ego_from_object: Pose<Ego, frames::Object>,
    /// Length (x), width (y), height (z) of the box, metres.
    pub size_m: [f64; 3],
    /// Velocity over ground along the ego frame's axes, m/s; `None` where not known.
    pub velocity_m_s: Option<[f64; 3]>,
    /// Keypoints of people; empty otherwise.
    pub keypoints: Vec<Keypoint>,
    /// 0 to 1; 1 for human annotation.
    pub confidence: f32,
    /// Lidar returns inside the box, where counted.
    pub lidar_points: Option<u32>,
}
