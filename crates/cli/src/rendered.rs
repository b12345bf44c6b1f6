//! A rendered drive in the place of a recorded one.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{
    MotionReadings, PoseSample, PoseSource, Provenance, Rig, Scale, Skipped, Taxonomy,
};
use ommatidia_store::formats::Drive as Source;
use ommatidia_store::{ClipHeader, Error, FrameData, image};
use ommatidia_world::rig::{self, CalibrationDrift};
use ommatidia_world::roads::Network;
use ommatidia_world::scenario::Scenario;
use ommatidia_world::sensors::{MotionSensors, between};
use ommatidia_world::{Drive, DriveFrame, DriveOptions, Site};
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

/// What is driven through, and how it is filmed.
pub(crate) struct Shoot<'a> {
    pub(crate) scenario: &'a Scenario,
    /// Roads from elsewhere, in the place of the scenario's.
    pub(crate) roads: Option<&'a Network>,
    /// As calibrated.
    pub(crate) rig: &'a Rig,
    /// The sensors sit a little off their calibration.
    pub(crate) drift: bool,
    /// Its seed is that of the world too.
    pub(crate) options: DriveOptions,
}

impl Rendered {
    /// Builds the world and starts to render. `config` is everything that the drive depends on.
    pub(crate) fn start(
        shoot: &Shoot<'_>,
        (id, config): (String, Value),
    ) -> Result<Self, ommatidia_world::Error> {
        let (seed, nominal) = (shoot.options.seed, shoot.rig.clone());
        let site = match shoot.roads {
            Some(roads) => Site::build_on(roads, shoot.scenario, seed)?,
            None => Site::build(shoot.scenario, seed)?,
        };
        let true_rig = match shoot.drift {
            true => rig::drifted(&nominal, &CalibrationDrift::default(), seed),
            false => nominal.clone(),
        };
        let drive = Drive::new(site, true_rig.clone(), shoot.options)?;
        let motion = drive
            .motion(&MotionSensors::default())
            .expect("the sensors' own defaults are within their bounds");
        let header = ClipHeader {
            id,
            format: "world".to_owned(),
            rig: nominal,
            taxonomy: Taxonomy::driving().name,
            trajectory: Some((PoseSource::Simulation, Scale::Metric)),
            provenance: Provenance::new(Vec::new(), config),
        };
        let frames = drive.options.frames;
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
        Ok(Self { header, true_rig, frames, receiver: Some(receiver), renderer })
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
