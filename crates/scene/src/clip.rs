//! A recording: the rig, and frames whose payloads stay on disk until asked for.

use ommatidia_geometry::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Provenance, Rig, Trajectory};

/// How an image's bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageEncoding {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

impl ImageEncoding {
    /// `jpeg` or `png`, as Foxglove's `CompressedImage` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
        }
    }
}

/// A handle that the store which made the clip resolves to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payload(pub u64);

/// One image of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageRef {
    /// Middle of the exposure.
    pub timestamp: Timestamp,
    /// How it is compressed.
    pub encoding: ImageEncoding,
    /// Where its bytes are.
    pub payload: Payload,
}

/// One lidar sweep of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloudRef {
    /// The time that the points are given at, or that their offsets count from.
    pub timestamp: Timestamp,
    /// Where its bytes are.
    pub payload: Payload,
}

/// What the sensors delivered around one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The moment that labels refer to. Strictly ascending over a clip.
    pub timestamp: Timestamp,
    /// One entry per camera of the rig; `None` where it delivered nothing.
    pub images: Vec<Option<ImageRef>>,
    /// One entry per lidar of the rig.
    pub clouds: Vec<Option<CloudRef>>,
    /// Where the readings of motion sensors since the frame before are; `None` where there are none.
    pub motion: Option<Payload>,
}

/// Something that was left out, counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Skipped {
    /// What was left out.
    pub what: String,
    /// Why.
    pub why: String,
    /// How often.
    pub count: u64,
}

/// A recording of one drive.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    /// Identity: the data set's own name for the drive, or the source's file name.
    pub id: String,
    /// The format it was imported from.
    pub format: String,
    /// Sensors.
    pub rig: Rig,
    /// In ascending time.
    pub frames: Vec<Frame>,
    /// Given poses, at the sensors' own times where the source has them.
    pub trajectory: Option<Trajectory>,
    /// Name of the taxonomy that annotated classes refer to.
    pub taxonomy: String,
    /// Origin.
    pub provenance: Provenance,
}

impl Clip {
    /// From the first to the last frame, seconds.
    pub fn duration_s(&self) -> f64 {
        match (self.frames.first(), self.frames.last()) {
            (Some(first), Some(last)) => (last.timestamp - first.timestamp).as_secs_f64(),
            _ => 0.0,
        }
    }
}
