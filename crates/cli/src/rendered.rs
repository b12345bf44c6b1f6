//! A rendered drive in the place of a recorded one.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{
    MotionReadings, PoseSample, PoseSource, Provenance, Rig, Scale, Skipped, Taxonomy,
};
use ommatidia_store::formats::Drive as Source;
use ommatidia_store::{ClipHeader, Error, FrameData, image};
use ommatidia_world::sensors::between;
use ommatidia_world::{Drive, DriveFrame};
use rayon::prelude::*;
use serde_json::Value;

/// What JPEG keeps of rendered pictures, as much as dash cameras and data sets do.
const JPEG_QUALITY: u8 = 92;

/// Frames that are rendered while the one before is written. A thread renders one frame ahead, so memory
/// holds three.
pub(crate) struct Rendered {
    header: ClipHeader,
    true_rig: Rig,
    frames: usize,
    receiver: Option<Receiver<Result<FrameData, Error>>>,
    renderer: Option<JoinHandle<()>>,
}

impl Rendered {
    /// Starts to render. `nominal` is the rig as it was calibrated, `motion` what motion sensors read,
    /// `config` everything that the drive depends on.
    pub(crate) fn new(
        drive: Drive,
        nominal: Rig,
        motion: MotionReadings,
        (id, config): (String, Value),
    ) -> Self {
        let header = ClipHeader {
            id,
            format: "world".to_owned(),
            rig: nominal,
            taxonomy: Taxonomy::driving().name,
            trajectory: Some((PoseSource::Simulation, Scale::Metric)),
            provenance: Provenance::new(Vec::new(), config),
        };
        let (true_rig, frames) = (drive.rig.clone(), drive.options.frames);
        let (sender, receiver) = sync_channel(1);
        let render = move || {
            for index in 0..frames {
                // Nobody listens any more: writing failed.
                if sender.send(record(&drive, &motion, index)).is_err() {
                    break;
                }
            }
        };
        let renderer = Some(thread::spawn(render));
        Self { header, true_rig, frames, receiver: Some(receiver), renderer }
    }

    /// How many there will be.
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }
}

/// A frame as a clip takes it: pictures compressed.
fn record(drive: &Drive, motion: &MotionReadings, index: usize) -> Result<FrameData, Error> {
    let DriveFrame { timestamp, images, clouds, truth } = drive.frame(index);
    let origin = format!("rendered frame {index}");
    let encode = |picture| {
        let encoded = image::encode_jpeg(picture, JPEG_QUALITY, &origin)?;
        Ok(Some((timestamp, encoded)))
    };
    let before = if index == 0 { Timestamp(i64::MIN) } else { drive.timestamp(index - 1) };
    Ok(FrameData {
        timestamp,
        images: images.par_iter().map(encode).collect::<Result<_, Error>>()?,
        clouds: clouds.into_iter().map(|cloud| Some((timestamp, cloud))).collect(),
        poses: vec![PoseSample { timestamp, world_from_ego: drive.world_from_ego(index) }],
        motion: between(motion, before, timestamp),
        truth: Some(truth),
    })
}

impl Source for Rendered {
    fn header(&self) -> &ClipHeader {
        &self.header
    }

    fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
        let Some(receiver) = &self.receiver else { return Ok(None) };
        if let Ok(frame) = receiver.recv() {
            return frame.map(Some);
        }
        self.receiver = None;
        if let Some(Err(panic)) = self.renderer.take().map(JoinHandle::join) {
            // A bug in the renderer ends the program as one in this thread would.
            std::panic::resume_unwind(panic);
        }
        Ok(None)
    }

    fn skipped(&self) -> Vec<Skipped> {
        Vec::new()
    }

    fn true_rig(&self) -> &Rig {
        &self.true_rig
    }
}
