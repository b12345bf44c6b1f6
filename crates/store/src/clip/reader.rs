//! Reads clips.

use std::path::Path;

use bytes::Bytes;
use ommatidia_scene::{
    Clip, CloudRef, ContentHash, Frame, GrayImage, ImageRef, MotionReadings, Payload, PointCloud,
    RgbImage,
};
use prost::Message;
use serde::de::DeserializeOwned;

use super::container::Container;
use super::disk::{FRAMES, FrameTable, HEADER, HeaderRecord, VERSION};
use super::{EncodedImage, convert, foxglove, motion};
use crate::{Error, hash, image};

/// An open clip: header and frame table in memory, payloads on disk.
#[derive(Debug)]
pub struct ClipReader {
    container: Container,
    clip: Clip,
    hashes: Vec<(u64, ContentHash)>,
    content_hash: ContentHash,
}

impl ClipReader {
    /// Opens a clip. Reads its summary, header and frame table, no payloads.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Clip`] if it is cut short, damaged or no clip.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let container = Container::open(path)?;
        let attachment = |name| {
            let what = || {
                format!(
                    "is an MCAP file without {name}: not one of ours; import its source instead"
                )
            };
            container.attachment(name)?.ok_or_else(|| container.error(what()))
        };
        let (header, frames) = (attachment(HEADER)?, attachment(FRAMES)?);
        let content_hash = content_hash(&header, &frames);
        let wrong = |what: String| container.damaged(&what);
        let header: HeaderRecord = parse(&header).map_err(wrong)?;
        let frames: FrameTable = parse(&frames).map_err(wrong)?;
        let header = header.into_header().map_err(wrong)?;
        let (clip, hashes) = frames.into_clip(header).map_err(wrong)?;
        if hashes.last().is_some_and(|last| last.0 >= container.chunk_count()) {
            return Err(container.damaged("its frame table names chunks that are not there"));
        }
        Ok(Self { container, clip, hashes, content_hash })
    }

    /// Header and frames; payloads by reference.
    pub fn clip(&self) -> &Clip {
        &self.clip
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.container.path()
    }

    /// BLAKE3 of the header and the frame table, which holds the BLAKE3 of every payload: known without
    /// reading the payloads, which are compared with it whenever they are read.
    pub fn content_hash(&self) -> ContentHash {
        self.content_hash
    }

    /// An image as it was compressed.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Clip`] if the payload is damaged.
    pub fn encoded_image(&self, image: &ImageRef) -> Result<EncodedImage, Error> {
        let bytes = self.payload(image.payload)?;
        let message = foxglove::CompressedImage::decode(bytes)
            .map_err(|cause| self.container.damaged(&format!("an image message: {cause}")))?;
        let path = self.path().display();
        let origin = format!("{path} at {} s of {}", image.timestamp, message.frame_id);
        Ok(EncodedImage { encoding: image.encoding, bytes: message.data, origin })
    }

    /// Luminance of an image.
    ///
    /// # Errors
    /// As [`Self::encoded_image`]; [`Error::Image`].
    pub fn gray(&self, image: &ImageRef) -> Result<GrayImage, Error> {
        image::gray(&self.encoded_image(image)?)
    }

    /// Colour of an image.
    ///
    /// # Errors
    /// As [`Self::encoded_image`]; [`Error::Image`].
    pub fn rgb(&self, image: &ImageRef) -> Result<RgbImage, Error> {
        image::rgb(&self.encoded_image(image)?)
    }

    /// A lidar sweep.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Clip`] if the payload is damaged.
    pub fn cloud(&self, cloud: &CloudRef) -> Result<PointCloud, Error> {
        let bytes = self.payload(cloud.payload)?;
        let message = foxglove::PointCloud::decode(bytes).map_err(|cause| cause.to_string());
        message
            .and_then(|message| convert::from_foxglove(&message))
            .map_err(|what| self.container.damaged(&format!("a point cloud: {what}")))
    }

    /// What sensors of motion reported since the frame before; nothing where there are none.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Clip`] if the payload is damaged.
    pub fn motion(&self, frame: &Frame) -> Result<MotionReadings, Error> {
        let Some(payload) = frame.motion else { return Ok(MotionReadings::default()) };
        let readings = motion::decode(&self.payload(payload)?);
        readings.map_err(|what| self.container.damaged(&format!("motion readings: {what}")))
    }

    /// Reads every payload and compares it with the frame table.
    ///
    /// # Errors
    /// The first payload that cannot be read or is damaged.
    pub fn verify(&self) -> Result<(), Error> {
        self.hashes.iter().try_for_each(|&(chunk, _)| self.payload(Payload(chunk)).map(drop))
    }

    fn payload(&self, payload: Payload) -> Result<Bytes, Error> {
        let place = self.hashes.binary_search_by_key(&payload.0, |&(chunk, _)| chunk);
        let Ok(place) = place else {
            let what = format!("payload {} belongs to another clip", payload.0);
            return Err(self.container.error(what));
        };
        let bytes = self.container.message(payload.0)?;
        if hash::of_bytes(&bytes) != self.hashes[place].1 {
            return Err(self.container.damaged(&format!("payload {} has changed", payload.0)));
        }
        Ok(bytes)
    }
}

/// What identifies a clip's content.
pub(super) fn content_hash(header: &[u8], frames: &[u8]) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    // The header's length keeps the two apart.
    hasher.update(&(header.len() as u64).to_le_bytes()).update(header).update(frames);
    ContentHash(*hasher.finalize().as_bytes())
}

fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    #[derive(serde::Deserialize)]
    struct Versioned {
        version: u32,
    }
    let found: Versioned = serde_json::from_slice(json).map_err(|cause| cause.to_string())?;
    if found.version != VERSION {
        let version = found.version;
        return Err(format!(
            "was written as version {version}, this program reads {VERSION}; use the program that wrote it"
        ));
    }
    serde_json::from_slice(json).map_err(|cause| cause.to_string())
}
