//! A clip is one MCAP file with Foxglove's schemas.
//!
//! Topics: `/camera/NAME/image`, `/camera/NAME/calibration`, `/lidar/NAME/points`, `/motion`, `/tf` (frames
//! `world`, `ego` and one per sensor). Viewers open it as it is. What Foxglove's messages cannot say exactly is in
//! two JSON attachments, `ommatidia/clip.json` and `ommatidia/frames.json`; each payload is a chunk of its
//! own, which the frame table names, so that one read fetches it.

mod container;
mod convert;
mod disk;
mod foxglove;
mod motion;
mod reader;
mod sink;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::ClipReader;
pub use writer::{ClipSummary, ClipWriter};

use std::path::Path;

use bytes::Bytes;
use ommatidia_geometry::Timestamp;
use ommatidia_scene::{
    ImageEncoding, MotionReadings, PointCloud, PoseSample, PoseSource, Provenance, Rig, Scale,
    VectorSpace,
};

use crate::Error;

/// What is known of a clip before its frames.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipHeader {
    /// Identity: the data set's own name for the drive, or the source's file name.
    pub id: String,
    /// The format it is imported from.
    pub format: String,
    /// Sensors.
    pub rig: Rig,
    /// Name of the taxonomy that annotated classes refer to.
    pub taxonomy: String,
    /// Who gives the frames' poses and what fixes their scale; `None` if no frame has any.
    pub trajectory: Option<(PoseSource, Scale)>,
    /// Origin: the files read before the frames, the code, the import options.
    pub provenance: Provenance,
}

/// An image as its source compressed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedImage {
    /// How.
    pub encoding: ImageEncoding,
    /// The file's bytes.
    pub bytes: Bytes,
    /// What to call it in errors: its file, or its clip, topic and time.
    pub origin: String,
}

impl EncodedImage {
    /// Reads a file and tells its encoding by its first bytes.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Image`] if it is neither JPEG nor PNG.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|cause| Error::read(path, cause))?;
        Self::sniff(bytes.into(), path.display().to_string())
    }

    /// From bytes; tells the encoding by the first of them.
    ///
    /// # Errors
    /// [`Error::Image`] if it is neither JPEG nor PNG.
    pub fn sniff(bytes: Bytes, origin: String) -> Result<Self, Error> {
        let encoding = match &bytes[..] {
            [0xff, 0xd8, 0xff, ..] => ImageEncoding::Jpeg,
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => ImageEncoding::Png,
            _ => {
                let what = "starts like neither JPEG nor PNG; convert it to one of them";
                return Err(Error::Image { origin, what: what.to_owned() });
            }
        };
        Ok(Self { encoding, bytes, origin })
    }
}

/// Everything that belongs to one frame of a clip on its way in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrameData {
    /// The moment that labels refer to. Strictly ascending over a clip.
    pub timestamp: Timestamp,
    /// One entry per camera of the rig, with the middle of its exposure; `None` where it delivered nothing.
    pub images: Vec<Option<(Timestamp, EncodedImage)>>,
    /// One entry per lidar of the rig.
    pub clouds: Vec<Option<(Timestamp, PointCloud)>>,
    /// Given poses, at the sensors' own times where the source has them. Strictly ascending over the
    /// clip: all of this frame's come after all of the frame's before.
    pub poses: Vec<PoseSample>,
    /// Readings of motion sensors since the frame before.
    pub motion: MotionReadings,
    /// What the source's annotators or simulator say is there. Goes into labels, not into the clip.
    pub truth: Option<VectorSpace>,
}
