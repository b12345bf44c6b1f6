//! Argoverse 2 sensor logs: ring and stereo cameras, lidar sweeps, boxes, vector map.
//!
//! Wilson et al.: *Argoverse 2: next generation datasets for self-driving perception and forecasting*,
//! NeurIPS datasets 2021; layout as in the user guide of argoverse/av2-api. A log is a clip, a lidar sweep
//! a frame; each camera gives the image closest in time.
//!
//! Sweeps and boxes are in the data set's vehicle frame, x forward, y left, z up, with its origin at the
//! middle of the rear axle, so ours lies [`REAR_AXLE_HEIGHT_M`] below. Images are published without lens
//! distortion: the user guide projects with the camera matrix alone.

mod annotations;
mod calibration;
mod map;
mod timeline;

use std::path::{Path, PathBuf};

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_scene::{
    PointCloud, PoseSample, PoseSource, Provenance, Scale, Skipped, VectorSpace,
};

use super::common::feather::Table;
use super::common::image_file::read_image;
use super::common::inputs::Inputs;
use super::common::poses::PoseQueue;
use super::common::search::{Found, drives};
use super::common::skips::Skips;
use super::common::thinning::Thinning;
use super::common::{TAXONOMY, choose_drive, resolved_config, sanity};
use super::{Drive, Format, ImportOptions};
use crate::{ClipHeader, Error, FrameData};
use annotations::Annotations;
use map::Map;
use timeline::Moment;

/// Argoverse 2 sensor logs.
pub(super) struct Argoverse2;

/// `root/sensor/split/log`.
const SEARCH_DEPTH: usize = 4;
/// Height of the vehicle frame's origin over the ground, metres. User guide of av2-api, "Coordinate
/// frames": the origin is the rear axle's centre, a wheel's radius above the road.
const REAR_AXLE_HEIGHT_M: f64 = 0.33;

impl Format for Argoverse2 {
    fn name(&self) -> &'static str {
        "argoverse2"
    }

    fn looks_for(&self) -> &'static str {
        "city_SE3_egovehicle.feather beside calibration/, at most four levels down"
    }

    fn detect(&self, source: &Path) -> bool {
        !find_logs(source).is_empty()
    }

    fn open(&self, source: &Path, options: &ImportOptions) -> Result<Box<dyn Drive>, Error> {
        Ok(Box::new(Argoverse2Drive::open(source, options)?))
    }
}

fn find_logs(source: &Path) -> Vec<Found> {
    let is_log = |dir: &Path| {
        dir.join("city_SE3_egovehicle.feather").is_file() && dir.join("calibration").is_dir()
    };
    drives(source, SEARCH_DEPTH, is_log)
}

/// The data set's vehicle frame.
enum AxleFrame {}

/// Ours from the data set's: the same axes, origin on the ground instead of at the axle's height.
fn ego_from_axle() -> Pose<Ego, AxleFrame> {
    Pose::new(UnitQuaternion::identity(), Vector3::new(0.0, 0.0, REAR_AXLE_HEIGHT_M))
}

/// Rows of a table's pose columns.
struct PoseColumns {
    path: PathBuf,
    columns: Vec<Vec<f64>>,
}

/// Quaternion and translation.
const POSE_COLUMNS: [&str; 7] = ["qw", "qx", "qy", "qz", "tx_m", "ty_m", "tz_m"];

impl PoseColumns {
    fn of(table: &Table) -> Result<Self, Error> {
        let columns = POSE_COLUMNS.iter().map(|name| table.floats(name));
        Ok(Self { path: table.path().to_owned(), columns: columns.collect::<Result<_, _>>()? })
    }

    /// The transform of a row, checked by `check`.
    fn row<A, B>(
        &self,
        row: usize,
        check: impl Fn(Option<Pose<A, B>>, &Path, &str) -> Result<Pose<A, B>, Error>,
    ) -> Result<Pose<A, B>, Error> {
        let [w, x, y, z, tx, ty, tz] = std::array::from_fn(|i| self.columns[i][row]);
        let what = format!("row {row}");
        sanity::unit([w, x, y, z], &self.path, &what)?;
        check(Pose::from_wxyz([w, x, y, z], [tx, ty, tz]), &self.path, &what)
    }
}

struct Argoverse2Drive {
    header: ClipHeader,
    moments: std::vec::IntoIter<Moment>,
    poses: PoseQueue,
    annotations: Option<Annotations>,
    map: Option<Map>,
    thinning: Thinning,
    skips: Skips,
}

impl Argoverse2Drive {
    fn open(source: &Path, options: &ImportOptions) -> Result<Self, Error> {
        let thinning = Thinning::new(options, source)?;
        let found = find_logs(source);
        let chosen = choose_drive(source, "log", &found, options.sequence.as_deref())?;
        let Found { dir, name } = &found[chosen];
        let mut inputs = Inputs::new(dir);
        let mut skips = Skips::default();
        let rig = calibration::read(dir, &mut inputs)?;
        let moments = timeline::read(dir, &rig, &mut skips)?;
        let (poses, origin_m) = read_poses(dir, moments[0].timestamp, &mut inputs)?;
        let annotations = Annotations::read(dir, &mut inputs, &mut skips)?;
        let map = Map::read(dir, origin_m, &mut inputs, &mut skips)?;
        for unread in ["flow_labels.feather", "ego_motion.npz"] {
            skips.add(unread, "it is not read", usize::from(dir.join(unread).exists()));
        }
        let mut config = resolved_config(options);
        config["world_origin_in_city_m"] = origin_m.as_slice().into();
        let id = name.rsplit('/').next().unwrap_or(name).to_owned();
        let header = ClipHeader {
            id,
            format: "argoverse2".to_owned(),
            rig,
            taxonomy: TAXONOMY.to_owned(),
            trajectory: Some((PoseSource::Dataset, Scale::Metric)),
            provenance: Provenance::new(inputs.into_read(), config),
        };
        let poses = PoseQueue::new(poses);
        let moments = moments.into_iter();
        Ok(Self { header, moments, poses, annotations, map, thinning, skips })
    }
}

/// The vehicle's path, and our world's origin in the city frame: where the vehicle is at `start`.
fn read_poses(
    dir: &Path,
    start: Timestamp,
    inputs: &mut Inputs,
) -> Result<(Vec<PoseSample>, Vector3<f64>), Error> {
    let path = dir.join("city_SE3_egovehicle.feather");
    let mut wanted = vec!["timestamp_ns"];
    wanted.extend(POSE_COLUMNS);
    let table = Table::read(&path, &wanted, inputs, "it holds the vehicle's poses")?;
    let columns = PoseColumns::of(&table)?;
    let axle_from_ego = ego_from_axle().inverse();
    let mut poses = Vec::with_capacity(table.rows);
    for (row, &time) in table.integers("timestamp_ns")?.iter().enumerate() {
        let city_from_axle: Pose<World, AxleFrame> = columns.row(row, sanity::place)?;
        let world_from_ego = city_from_axle * axle_from_ego;
        poses.push(PoseSample { timestamp: Timestamp(time), world_from_ego });
    }
    let times: Vec<Timestamp> = poses.iter().map(|pose| pose.timestamp).collect();
    sanity::ascending(&times, &path, |row| format!("row {row}"))?;
    let queue = PoseQueue::new(poses);
    let Some(first) = queue.at(start) else {
        return Err(Error::source(&path, "has no rows; a log has poses"));
    };
    let origin_m = first.translation;
    let mut poses = queue.into_samples();
    poses.iter_mut().for_each(|pose| pose.world_from_ego.translation -= origin_m);
    Ok((poses, origin_m))
}

impl Drive for Argoverse2Drive {
    fn header(&self) -> &ClipHeader {
        &self.header
    }

    fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
        let thinning = &mut self.thinning;
        let Some(moment) = self.moments.find(|moment| thinning.keeps(moment.timestamp)) else {
            return Ok(None);
        };
        let timestamp = moment.timestamp;
        let mut images = Vec::with_capacity(moment.images.len());
        for file in &moment.images {
            let image = file.as_ref().map(|(time, path)| {
                read_image(path, "its folder lists it").map(|image| (*time, image))
            });
            images.push(image.transpose()?);
        }
        let mut clouds = Vec::new();
        if !self.header.rig.lidars.is_empty() {
            let cloud = moment.sweep.as_deref().map(read_sweep).transpose()?;
            clouds.push(cloud.map(|cloud| (timestamp, cloud)));
        }
        let objects = self.annotations.as_ref().map(|boxes| boxes.at(timestamp)).transpose()?;
        let lanes = self.map.as_ref().zip(self.poses.at(timestamp));
        let lanes = lanes.map(|(map, world_from_ego)| map.around(&world_from_ego));
        let truth = (objects.is_some() || lanes.is_some()).then(|| VectorSpace {
            timestamp,
            objects,
            lanes,
            ..VectorSpace::default()
        });
        let last = images.iter().flatten().map(|image| image.0).max();
        let end = match self.moments.as_slice() {
            [] => Timestamp(i64::MAX),
            _ => last.map_or(timestamp, |last| last.max(timestamp)),
        };
        let poses = self.poses.until(end);
        Ok(Some(FrameData { timestamp, images, clouds, poses, truth, ..FrameData::default() }))
    }

    fn skipped(&self) -> Vec<Skipped> {
        self.skips.list().into_iter().chain(self.thinning.skipped()).collect()
    }
}

/// A sweep of both lidars, motion-compensated to its timestamp by the data set.
fn read_sweep(path: &Path) -> Result<PointCloud, Error> {
    const COLUMNS: [&str; 6] = ["x", "y", "z", "intensity", "laser_number", "offset_ns"];
    let table = Table::read_payload(path, &COLUMNS, "its folder lists it")?;
    let [x, y, z, intensity] =
        [table.floats("x")?, table.floats("y")?, table.floats("z")?, table.floats("intensity")?];
    let (ring, offset_ns) = (table.integers("laser_number")?, table.integers("offset_ns")?);
    let mut cloud = PointCloud::default();
    for row in 0..table.rows {
        let p = [x[row], y[row], z[row], intensity[row]].map(|value| value as f32);
        let ring = u16::try_from(ring[row]);
        let offset = i32::try_from(offset_ns[row]);
        let (true, Ok(ring), Ok(offset)) = (p.iter().all(|v| v.is_finite()), ring, offset) else {
            let what = format!("row {row} is no return: a number is not finite or out of range");
            return Err(Error::source(path, what));
        };
        cloud.xyz_m.push([p[0], p[1], p[2]]);
        cloud.intensity.push(p[3]);
        cloud.ring.push(ring);
        cloud.offset_ns.push(offset);
    }
    Ok(cloud)
}
