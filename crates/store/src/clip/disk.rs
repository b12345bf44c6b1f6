//! The clip's exact header and frame table, as JSON attachments of the MCAP file. Version 1.
//!
//! Separate from `scene`'s types so that those can change without breaking files.

use ommatidia_geometry::{Intrinsics, Pose, Timestamp};
use ommatidia_scene::{
    CameraSensor, Clip, CloudRef, ContentHash, Frame, ImageEncoding, ImageRef, ImuSensor,
    LidarSensor, Payload, PoseSample, PoseSource, Provenance, Rig, Scale, Shutter, Trajectory,
};
use serde::{Deserialize, Serialize};

use super::ClipHeader;
use crate::pose_record::PoseRecord;

/// The version that this program writes and reads.
pub(super) const VERSION: u32 = 1;
/// Name of the header's attachment.
pub(super) const HEADER: &str = "ommatidia/clip.json";
/// Name of the frame table's attachment.
pub(super) const FRAMES: &str = "ommatidia/frames.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderRecord {
    pub(super) version: u32,
    id: String,
    format: String,
    taxonomy: String,
    pose_source: Option<PoseSource>,
    pose_scale: Option<Scale>,
    cameras: Vec<CameraRecord>,
    lidars: Vec<MountRecord>,
    imu: Option<MountRecord>,
    provenance: Provenance,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraRecord {
    name: String,
    width: u32,
    height: u32,
    intrinsics: Intrinsics,
    ego_from_camera: PoseRecord,
    shutter: Shutter,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MountRecord {
    name: String,
    ego_from_sensor: PoseRecord,
}

/// Times and payloads of all frames.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrameTable {
    pub(super) version: u32,
    pub(super) frames: Vec<FrameRecord>,
    pub(super) poses: Vec<(i64, PoseRecord)>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrameRecord {
    pub(super) timestamp_ns: i64,
    pub(super) images: Vec<Option<PayloadRecord>>,
    pub(super) clouds: Vec<Option<PayloadRecord>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) motion: Option<PayloadRecord>,
}

/// One payload: the only message of its own chunk.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PayloadRecord {
    pub(super) timestamp_ns: i64,
    /// Index among the file's chunks.
    pub(super) chunk: u64,
    /// Of the encoded message.
    pub(super) blake3: ContentHash,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) encoding: Option<ImageEncoding>,
}

impl HeaderRecord {
    pub(super) fn new(header: &ClipHeader) -> Self {
        let camera = |camera: &CameraSensor| CameraRecord {
            name: camera.name.clone(),
            width: camera.width,
            height: camera.height,
            intrinsics: camera.intrinsics,
            ego_from_camera: PoseRecord::new(&camera.ego_from_camera),
            shutter: camera.shutter,
        };
        let rig = &header.rig;
        Self {
            version: VERSION,
            id: header.id.clone(),
            format: header.format.clone(),
            taxonomy: header.taxonomy.clone(),
            pose_source: header.trajectory.map(|(source, _)| source),
            pose_scale: header.trajectory.map(|(_, scale)| scale),
            cameras: rig.cameras.iter().map(camera).collect(),
            lidars: rig
                .lidars
                .iter()
                .map(|lidar| MountRecord::new(&lidar.name, &lidar.ego_from_lidar))
                .collect(),
            imu: rig.imu.as_ref().map(|imu| MountRecord::new(&imu.name, &imu.ego_from_imu)),
            provenance: header.provenance.clone(),
        }
    }

    /// # Errors
    /// What is wrong, in words.
    pub(super) fn into_header(self) -> Result<ClipHeader, String> {
        let camera = |record: CameraRecord| {
            Ok::<_, String>(CameraSensor {
                ego_from_camera: record.ego_from_camera.pose(&record.name)?,
                name: record.name,
                width: record.width,
                height: record.height,
                intrinsics: record.intrinsics,
                shutter: record.shutter,
            })
        };
        let lidar = |record: MountRecord| {
            let (name, ego_from_lidar) = record.into_parts()?;
            Ok::<_, String>(LidarSensor { name, ego_from_lidar })
        };
        let imu = |record: MountRecord| {
            let (name, ego_from_imu) = record.into_parts()?;
            Ok::<_, String>(ImuSensor { name, ego_from_imu })
        };
        let rig = Rig {
            cameras: self.cameras.into_iter().map(camera).collect::<Result<_, _>>()?,
            lidars: self.lidars.into_iter().map(lidar).collect::<Result<_, _>>()?,
            imu: self.imu.map(imu).transpose()?,
        };
        rig.check().map_err(|cause| cause.to_string())?;
        Ok(ClipHeader {
            id: self.id,
            format: self.format,
            rig,
            taxonomy: self.taxonomy,
            trajectory: self.pose_source.zip(self.pose_scale),
            provenance: self.provenance,
        })
    }
}

impl MountRecord {
    fn new<A, B>(name: &str, ego_from_sensor: &Pose<A, B>) -> Self {
        Self { name: name.to_owned(), ego_from_sensor: PoseRecord::new(ego_from_sensor) }
    }

    fn into_parts<A, B>(self) -> Result<(String, Pose<A, B>), String> {
        let pose = self.ego_from_sensor.pose(&self.name)?;
        Ok((self.name, pose))
    }
}

impl FrameTable {
    /// The clip, and the hash of each payload by its chunk, ascending.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(super) fn into_clip(
        self,
        header: ClipHeader,
    ) -> Result<(Clip, Vec<(u64, ContentHash)>), String> {
        let mut hashes = Vec::new();
        let mut frames: Vec<Frame> = Vec::with_capacity(self.frames.len());
        let sensors = (header.rig.cameras.len(), header.rig.lidars.len());
        for (index, record) in self.frames.into_iter().enumerate() {
            if (record.images.len(), record.clouds.len()) != sensors {
                return Err(format!("frame {index} does not have an entry for each sensor"));
            }
            let timestamp = Timestamp(record.timestamp_ns);
            if frames.last().is_some_and(|last| last.timestamp >= timestamp) {
                return Err(format!("frame {index} is not after the one before it"));
            }
            for payload in
                record.images.iter().chain(&record.clouds).chain([&record.motion]).flatten()
            {
                hashes.push((payload.chunk, payload.blake3));
            }
            let image = |payload: PayloadRecord| {
                let encoding = payload
                    .encoding
                    .ok_or_else(|| format!("an image of frame {index} has no encoding"))?;
                let (timestamp, payload) =
                    (Timestamp(payload.timestamp_ns), Payload(payload.chunk));
                Ok::<_, String>(ImageRef { timestamp, encoding, payload })
            };
            let cloud = |payload: PayloadRecord| CloudRef {
                timestamp: Timestamp(payload.timestamp_ns),
                payload: Payload(payload.chunk),
            };
            let images = record.images.into_iter().map(|entry| entry.map(image).transpose());
            frames.push(Frame {
                timestamp,
                images: images.collect::<Result<_, _>>()?,
                clouds: record.clouds.into_iter().map(|entry| entry.map(cloud)).collect(),
                motion: record.motion.map(|payload| Payload(payload.chunk)),
            });
        }
        if hashes.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err("payloads are not in the order of their chunks".to_owned());
        }
        let trajectory = trajectory(header.trajectory, self.poses)?;
        let ClipHeader { id, format, rig, taxonomy, provenance, .. } = header;
        Ok((Clip { id, format, rig, frames, trajectory, taxonomy, provenance }, hashes))
    }
}

fn trajectory(
    origin: Option<(PoseSource, Scale)>,
    poses: Vec<(i64, PoseRecord)>,
) -> Result<Option<Trajectory>, String> {
    let sample = |(time, record): (i64, PoseRecord)| {
        let world_from_ego = record.pose("the trajectory")?;
        Ok::<_, String>(PoseSample { timestamp: Timestamp(time), world_from_ego })
    };
    let Some((source, scale)) = origin.filter(|_| !poses.is_empty()) else { return Ok(None) };
    let samples = poses.into_iter().map(sample).collect::<Result<_, _>>()?;
    Trajectory::new(source, scale, samples).map(Some).map_err(|cause| cause.to_string())
}
