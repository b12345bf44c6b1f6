//! An MCAP file under construction, in which each payload is a chunk of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mcap::records::MessageHeader;
use mcap::write::NoSeek;
use mcap::{Attachment, McapError, McapResult, WriteOptions};
use ommatidia_geometry::Timestamp;

use super::ClipHeader;
use super::foxglove::Schema;
use super::motion::SCHEMA;
use crate::Error;
use crate::atomic::AtomicFile;

/// Channel numbers of a clip.
pub(super) struct Channels {
    pub(super) transforms: u16,
    pub(super) images: Vec<u16>,
    pub(super) calibrations: Vec<u16>,
    pub(super) clouds: Vec<u16>,
    pub(super) motion: u16,
}

pub(super) struct Sink {
    writer: Option<mcap::Writer<NoSeek<AtomicFile>>>,
    path: PathBuf,
    written_bytes: Arc<AtomicU64>,
    sequences: BTreeMap<u16, u32>,
    chunks: u64,
}

impl Sink {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let file = AtomicFile::create(path)?;
        let written_bytes = file.counter();
        let options = WriteOptions::new()
            .library(concat!("omma ", env!("CARGO_PKG_VERSION")))
            .compression(Some(mcap::Compression::Zstd))
            .compression_level(1)
            .compression_threads(0)
            .chunk_size(None)
            .disable_seeking(true);
        let mut sink = Self {
            writer: None,
            path: path.to_owned(),
            written_bytes,
            sequences: BTreeMap::new(),
            chunks: 0,
        };
        sink.writer = Some(options.create(NoSeek::new(file)).map_err(|cause| sink.error(cause))?);
        Ok(sink)
    }

    /// Writes schemas and channels; they are part of the first chunk.
    pub(super) fn declare(&mut self, header: &ClipHeader) -> Result<Channels, Error> {
        let mut channel = |schema: Schema, topic: String| {
            self.with(|writer| {
                let id = writer.add_schema(schema.name(), "protobuf", &schema.descriptor())?;
                writer.add_channel(id, &topic, "protobuf", &BTreeMap::new())
            })
        };
        let transforms = channel(Schema::FrameTransforms, "/tf".to_owned())?;
        let (mut images, mut clouds, mut calibrations) = (Vec::new(), Vec::new(), Vec::new());
        for camera in &header.rig.cameras {
            let topic = |what: &str| format!("/camera/{}/{what}", camera.name);
            images.push(channel(Schema::CompressedImage, topic("image"))?);
            calibrations.push(channel(Schema::CameraCalibration, topic("calibration"))?);
        }
        for lidar in &header.rig.lidars {
            clouds.push(channel(Schema::PointCloud, format!("/lidar/{}/points", lidar.name))?);
        }
        let motion = self.with(|writer| {
            let id = writer.add_schema("ommatidia.Motion", "jsonschema", SCHEMA.as_bytes())?;
            writer.add_channel(id, "/motion", "json", &BTreeMap::new())
        })?;
        Ok(Channels { transforms, images, calibrations, clouds, motion })
    }

    /// Writes a message and ends the chunk after it; returns the chunk's index.
    pub(super) fn message(
        &mut self,
        channel: u16,
        time: Timestamp,
        data: &[u8],
    ) -> Result<u64, Error> {
        self.append(channel, time, data)?;
        self.with(mcap::Writer::flush)?;
        self.chunks += 1;
        Ok(self.chunks - 1)
    }

    /// Writes a message; the chunk goes on.
    pub(super) fn append(
        &mut self,
        channel_id: u16,
        time: Timestamp,
        data: &[u8],
    ) -> Result<(), Error> {
        let sequence = self.sequences.entry(channel_id).or_default();
        *sequence += 1;
        // MCAP has no times before its epoch; the frame table keeps them.
        let log_time = time.0.max(0) as u64;
        let header =
            MessageHeader { channel_id, sequence: *sequence, log_time, publish_time: log_time };
        self.with(|writer| writer.write_to_known_channel(&header, data))
    }

    pub(super) fn attach(&mut self, name: &str, json: &[u8]) -> Result<(), Error> {
        let attachment = Attachment {
            log_time: 0,
            create_time: 0,
            name: name.to_owned(),
            media_type: "application/json".to_owned(),
            data: json.into(),
        };
        self.with(|writer| writer.attach(&attachment))
    }

    /// Writes the summary, and puts the file in place. Returns its size.
    pub(super) fn finish(mut self) -> Result<u64, Error> {
        self.with(mcap::Writer::finish)?;
        let writer = self.writer.take().expect("a failed writer does not finish");
        writer.into_inner().into_inner().commit()?;
        Ok(self.written_bytes.load(Ordering::Relaxed))
    }

    fn with<T>(
        &mut self,
        write: impl FnOnce(&mut mcap::Writer<NoSeek<AtomicFile>>) -> McapResult<T>,
    ) -> Result<T, Error> {
        let writer = self.writer.as_mut().expect("the writer is there until finish or drop");
        write(writer).map_err(|cause| self.error(cause))
    }

    fn error(&self, cause: McapError) -> Error {
        let cause = match cause {
            McapError::Io(cause) => cause,
            other => std::io::Error::other(other),
        };
        Error::write(&self.path, self.written_bytes.load(Ordering::Relaxed), cause)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // The writer's own drop would finish the file; this one throws it away.
        if let Some(writer) = self.writer.take() {
            drop(writer.into_inner());
        }
    }
}
