//! Writes clips.

use std::path::{Path, PathBuf};

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{ContentHash, ImageEncoding, PointCloud, PoseSample};
use prost::Message;
use rayon::prelude::*;

use super::disk::{FRAMES, FrameRecord, FrameTable, HEADER, HeaderRecord, PayloadRecord, VERSION};
use super::foxglove;
use super::sink::{Channels, Sink};
use super::{ClipHeader, EncodedImage, FrameData, convert, motion, reader};
use crate::pose_record::PoseRecord;
use crate::{Error, hash, image};

/// Names of coordinate frames that no sensor may take.
const WORLD: &str = "world";
const EGO: &str = "ego";

/// Writes one clip. Dropped before [`ClipWriter::finish`], it leaves nothing.
///
/// Memory holds one frame, the frame table and the poses. The same input gives the same bytes.
pub struct ClipWriter {
    path: PathBuf,
    sink: Sink,
    header: ClipHeader,
    channels: Channels,
    table: FrameTable,
}

/// What a finished clip is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipSummary {
    /// As [`super::ClipReader::content_hash`].
    pub content_hash: ContentHash,
    /// Number of frames.
    pub frames: usize,
    /// Size of the file.
    pub bytes: u64,
}

impl ClipWriter {
    /// Starts a clip that will replace `path`.
    ///
    /// # Errors
    /// [`Error::Rig`] if the rig cannot be used; [`Error::Write`], [`Error::DiskFull`].
    pub fn create(path: &Path, header: &ClipHeader) -> Result<Self, Error> {
        check_rig(path, header)?;
        let mut sink = Sink::create(path)?;
        let channels = sink.declare(header)?;
        let table = FrameTable { version: VERSION, ..Default::default() };
        Ok(Self { path: path.to_owned(), sink, header: header.clone(), channels, table })
    }

    /// Appends a frame. `truth` is not written: it belongs in labels.
    ///
    /// # Errors
    /// [`Error::Frame`] if times do not ascend, poses are not finite or not ascending, or a sensor's data
    /// does not fit the rig; [`Error::Image`] if an image is cut short, damaged or not of its
    /// calibration's size; [`Error::Write`], [`Error::DiskFull`]. The clip cannot be continued after one.
    pub fn write(&mut self, frame: &FrameData) -> Result<(), Error> {
        self.check(frame)?;
        self.check_images(frame)?;
        let mut record = FrameRecord {
            timestamp_ns: frame.timestamp.0,
            images: Vec::with_capacity(frame.images.len()),
            clouds: Vec::with_capacity(frame.clouds.len()),
            motion: None,
        };
        if self.table.frames.is_empty() {
            self.write_calibrations(frame)?;
        }
        self.write_transforms(frame)?;
        for (camera, entry) in frame.images.iter().enumerate() {
            let write = |(time, image): &(Timestamp, _)| self.write_image(camera, *time, image);
            record.images.push(entry.as_ref().map(write).transpose()?);
        }
        for (lidar, entry) in frame.clouds.iter().enumerate() {
            let write = |(time, cloud): &(Timestamp, _)| self.write_cloud(lidar, *time, cloud);
            record.clouds.push(entry.as_ref().map(write).transpose()?);
        }
        record.motion = self.write_motion(frame)?;
        let poses = frame.poses.iter().map(|p| (p.timestamp.0, PoseRecord::new(&p.world_from_ego)));
        self.table.poses.extend(poses);
        self.table.frames.push(record);
        Ok(())
    }

    /// Completes the file and puts it in place.
    ///
    /// # Errors
    /// [`Error::Clip`] if there is no frame; [`Error::Write`], [`Error::DiskFull`].
    pub fn finish(mut self) -> Result<ClipSummary, Error> {
        if self.table.frames.is_empty() {
            let what = "would have no frame; check the source and the sequence".to_owned();
            return Err(Error::Clip { path: self.path, what });
        }
        let json = |value: serde_json::Result<Vec<u8>>| {
            value.map_err(|cause| Error::write(&self.path, 0, std::io::Error::other(cause)))
        };
        let header = json(serde_json::to_vec(&HeaderRecord::new(&self.header)))?;
        let frames = json(serde_json::to_vec(&self.table))?;
        let content_hash = reader::content_hash(&header, &frames);
        self.sink.attach(HEADER, &header)?;
        self.sink.attach(FRAMES, &frames)?;
        let bytes = self.sink.finish()?;
        Ok(ClipSummary { content_hash, frames: self.table.frames.len(), bytes })
    }

    fn frame_error(&self, what: String) -> Error {
        Error::Frame { path: self.path.clone(), frame: self.table.frames.len(), what }
    }

    fn check(&self, frame: &FrameData) -> Result<(), Error> {
        let fail = |what: String| Err(self.frame_error(what));
        let rig = &self.header.rig;
        let (cameras, lidars) = (rig.cameras.len(), rig.lidars.len());
        if (frame.images.len(), frame.clouds.len()) != (cameras, lidars) {
            let (images, clouds) = (frame.images.len(), frame.clouds.len());
            return fail(format!(
                "{images} image and {clouds} cloud entries for {cameras} cameras and {lidars} lidars"
            ));
        }
        let earlier = self.table.frames.last().map(|last| Timestamp(last.timestamp_ns));
        if let Some(earlier) = earlier.filter(|&earlier| earlier >= frame.timestamp) {
            return fail(format!(
                "its time {} s is not after the frame before it at {earlier} s; sort the frames by time and drop repeats",
                frame.timestamp
            ));
        }
        self.check_poses(&frame.poses).or_else(fail)?;
        for (lidar, entry) in rig.lidars.iter().zip(&frame.clouds) {
            if let Some((_, cloud)) = entry {
                check_cloud(cloud).or_else(|what| fail(format!("lidar {}: {what}", lidar.name)))?;
            }
        }
        Ok(())
    }

    fn check_poses(&self, poses: &[PoseSample]) -> Result<(), String> {
        if !poses.is_empty() && self.header.trajectory.is_none() {
            return Err("it has poses, the clip's header names no source of poses".to_owned());
        }
        let mut earlier = self.table.poses.last().map(|&(time, _)| Timestamp(time));
        for pose in poses {
            let time = pose.timestamp;
            PoseRecord::new(&pose.world_from_ego)
                .pose::<(), ()>(&format!("the vehicle at {time} s"))
                .map_err(|what| format!("{what}: it holds a number that is not finite, or a quaternion that is not of unit length"))?;
            if earlier.is_some_and(|earlier| earlier >= time) {
                return Err(format!(
                    "the pose at {time} s is not after the one before it; sort the poses by time and drop repeats"
                ));
            }
            earlier = Some(time);
        }
        Ok(())
    }

    fn check_images(&self, frame: &FrameData) -> Result<(), Error> {
        let pairs: Vec<_> = self.header.rig.cameras.iter().zip(&frame.images).collect();
        let verdicts: Vec<Result<(), Error>> = pairs
            .par_iter()
            .map(|(camera, entry)| match entry {
                Some((_, encoded)) => image::verify(encoded, camera.width, camera.height),
                None => Ok(()),
            })
            .collect();
        // The first by camera, whichever thread came first.
        verdicts.into_iter().collect()
    }

    fn write_calibrations(&mut self, first: &FrameData) -> Result<(), Error> {
        // Not after the first image: viewers look up the last calibration before it.
        let times = first.images.iter().flatten().map(|(time, _)| *time);
        let time = times.fold(first.timestamp, Timestamp::min);
        for (camera, &channel) in self.header.rig.cameras.iter().zip(&self.channels.calibrations) {
            let message = convert::calibration(camera, time);
            self.sink.append(channel, time, &message.encode_to_vec())?;
        }
        Ok(())
    }

    fn write_transforms(&mut self, frame: &FrameData) -> Result<(), Error> {
        let time = frame.timestamp;
        let rig = &self.header.rig;
        // Mountings are repeated with every frame: a viewer that jumps to a time sees only the topic's last message.
        let mut transforms: Vec<_> = rig
            .cameras
            .iter()
            .map(|c| foxglove::transform(time, [EGO, &c.name], &c.ego_from_camera))
            .collect();
        let lidar = |l: &ommatidia_scene::LidarSensor| {
            foxglove::transform(time, [EGO, &l.name], &l.ego_from_lidar)
        };
        transforms.extend(rig.lidars.iter().map(lidar));
        let imu = |i: &ommatidia_scene::ImuSensor| {
            foxglove::transform(time, [EGO, &i.name], &i.ego_from_imu)
        };
        transforms.extend(rig.imu.iter().map(imu));
        let pose = |pose: &PoseSample| {
            foxglove::transform(pose.timestamp, [WORLD, EGO], &pose.world_from_ego)
        };
        transforms.extend(frame.poses.iter().map(pose));
        let message = foxglove::FrameTransforms { transforms };
        self.sink.message(self.channels.transforms, time, &message.encode_to_vec()).map(drop)
    }

    fn write_image(
        &mut self,
        camera: usize,
        time: Timestamp,
        image: &EncodedImage,
    ) -> Result<PayloadRecord, Error> {
        let message = foxglove::CompressedImage {
            timestamp: foxglove::timestamp(time),
            frame_id: self.header.rig.cameras[camera].name.clone(),
            data: image.bytes.clone(),
            format: image.encoding.name().to_owned(),
        };
        let channel = self.channels.images[camera];
        self.write_payload(channel, time, &message.encode_to_vec(), Some(image.encoding))
    }

    fn write_cloud(
        &mut self,
        lidar: usize,
        time: Timestamp,
        cloud: &PointCloud,
    ) -> Result<PayloadRecord, Error> {
        let message = convert::cloud(cloud, &self.header.rig.lidars[lidar].name, time);
        self.write_payload(self.channels.clouds[lidar], time, &message.encode_to_vec(), None)
    }

    fn write_motion(&mut self, frame: &FrameData) -> Result<Option<PayloadRecord>, Error> {
        if frame.motion.is_empty() {
            return Ok(None);
        }
        let message = motion::encode(&frame.motion).map_err(|what| self.frame_error(what))?;
        self.write_payload(self.channels.motion, frame.timestamp, &message, None).map(Some)
    }

    fn write_payload(
        &mut self,
        channel: u16,
        time: Timestamp,
        message: &[u8],
        encoding: Option<ImageEncoding>,
    ) -> Result<PayloadRecord, Error> {
        let chunk = self.sink.message(channel, time, message)?;
        Ok(PayloadRecord { timestamp_ns: time.0, chunk, blake3: hash::of_bytes(message), encoding })
    }
}

fn check_rig(path: &Path, header: &ClipHeader) -> Result<(), Error> {
    let rig_error = |cause| Error::Rig { path: path.to_owned(), cause };
    let rig = &header.rig;
    rig.check().map_err(rig_error)?;
    let mut names = rig.cameras.iter().map(|c| &c.name).chain(rig.lidars.iter().map(|l| &l.name));
    let taken = names.find(|name| [WORLD, EGO].contains(&name.as_str()));
    if let Some(sensor) = taken {
        let what = "its name is that of a coordinate frame; give it another".to_owned();
        let sensor = sensor.clone();
        return Err(rig_error(ommatidia_scene::RigError::Calibration { sensor, what }));
    }
    Ok(())
}

fn check_cloud(cloud: &PointCloud) -> Result<(), String> {
    if !cloud.is_consistent() {
        return Err("its columns differ in length".to_owned());
    }
    match cloud.xyz_m.iter().position(|p| p.iter().any(|x| !x.is_finite())) {
        Some(point) => Err(format!("point {point} is not finite; leave such returns out")),
        None => Ok(()),
    }
}
