//! One scene out of the tables.

use std::collections::BTreeMap;
use std::path::Path;

use nalgebra::Vector3;
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Ego, Intrinsics, Pose, Timestamp, World};
use ommatidia_scene::{
    CameraSensor, LidarSensor, PoseSample, PoseSource, Provenance, Rig, Scale, Shutter, Trajectory,
};

use super::tables::{
    CalibratedSensor, EgoPose, Index, Log, Named, Sample, SampleData, Scene, Sensor, Tables,
};
use super::truth::{Annotations, Truth};
use super::{File, Keyframe};
use crate::formats::ImportOptions;
use crate::formats::common::inputs::{Inputs, inside};
use crate::formats::common::poses::PoseQueue;
use crate::formats::common::skips::Skips;
use crate::formats::common::{PIXEL_CENTRE_PX, TAXONOMY, resolved_config, sanity};
use crate::{ClipHeader, Error};

const MICROSECOND_NS: i64 = 1000;

/// What a scene's tables say.
pub(super) struct SceneData {
    scene: Scene,
    log: Option<Log>,
    rig: Rig,
    pub(super) keyframes: Vec<Keyframe>,
    pub(super) trajectory: Trajectory,
    /// Our world's origin in the data set's global frame, metres.
    origin_m: Vector3<f64>,
}

impl SceneData {
    pub(super) fn header(&self, inputs: Inputs, options: &ImportOptions) -> ClipHeader {
        let mut config = resolved_config(options);
        config["scene_token"] = self.scene.token.clone().into();
        config["world_origin_in_global_m"] = self.origin_m.as_slice().into();
        if let Some(log) = &self.log {
            config["location"] = log.location.clone().into();
            config["vehicle"] = log.vehicle.clone().into();
        }
        ClipHeader {
            id: self.scene.name.clone(),
            format: "nuscenes".to_owned(),
            rig: self.rig.clone(),
            taxonomy: TAXONOMY.to_owned(),
            trajectory: Some((PoseSource::Dataset, Scale::Metric)),
            provenance: Provenance::new(inputs.into_read(), config),
        }
    }
}

/// Reads all tables, keeping what belongs to the scene.
pub(super) fn read(
    version: &Path,
    root: &Path,
    scene: Scene,
    inputs: &mut Inputs,
    skips: &mut Skips,
) -> Result<SceneData, Error> {
    let mut tables = Tables::new(version, inputs);
    // For the provenance: choosing the scene read it without noting.
    tables.rows("scene", |_: Scene| None::<()>)?;
    let samples = read_samples(&mut tables, &scene, skips)?;
    let sample_index = Index::new(tables.path("sample"), samples.clone(), |row| &row.token)?;
    let data = tables.rows("sample_data", |row: SampleData| {
        sample_index.has(&row.sample_token).then_some(row)
    })?;
    let sensors = Sensors::read(&mut tables, &data, skips)?;
    let (mut poses, origin_m) = read_poses(&mut tables, &data, &samples)?;
    let trajectory =
        Trajectory::new(PoseSource::Dataset, Scale::Metric, poses.until(Timestamp(i64::MAX)))
            .map_err(|cause| Error::Trajectory { path: tables.path("ego_pose"), cause })?;
    let annotations = Annotations::read(&mut tables, sample_index, origin_m, skips)?;
    let mut keyframes = sensors.keyframes(&tables, root, &data, &samples, skips)?;
    for (keyframe, sample) in keyframes.iter_mut().zip(&samples) {
        keyframe.truth = annotations.of(&sample.token)?;
    }
    let logs =
        tables.optional("log", skips, |row: Log| (row.token == scene.log_token).then_some(row))?;
    let maps = tables.optional("map", skips, Some::<Named>)?;
    skips.add("map images", "lanes are in nuScenes' map expansion, not in them", maps.len());
    let log = logs.into_iter().next();
    Ok(SceneData { scene, log, rig: sensors.rig, keyframes, trajectory, origin_m })
}

/// The scene's samples in ascending time.
fn read_samples(
    tables: &mut Tables<'_>,
    scene: &Scene,
    skips: &mut Skips,
) -> Result<Vec<Sample>, Error> {
    let path = tables.path("sample");
    let mut samples =
        tables.rows("sample", |row: Sample| (row.scene_token == scene.token).then_some(row))?;
    if samples.is_empty() {
        let what = format!("no sample belongs to scene {} ({})", scene.name, scene.token);
        return Err(Error::source(&path, what));
    }
    samples.sort_by(|a, b| (a.timestamp, &a.token).cmp(&(b.timestamp, &b.token)));
    let mut times = Vec::with_capacity(samples.len());
    for sample in &samples {
        times.push(stamp(sample.timestamp, &path, &sample.token)?);
    }
    sanity::ascending(&times, &path, |i| format!("sample {}", samples[i].token))?;
    let promised = usize::try_from(scene.nbr_samples).unwrap_or(usize::MAX);
    let absent = promised.saturating_sub(samples.len());
    skips.add("samples", "scene.json counts them and sample.json lacks them", absent);
    Ok(samples)
}

fn stamp(microseconds: i64, path: &Path, token: &str) -> Result<Timestamp, Error> {
    sanity::ticks(microseconds, MICROSECOND_NS, path, &format!("row {token}"))
}

/// One pose for each measurement of the scene, sweeps and radars included, and the world's origin: the
/// position at the measurement closest to the first sample.
fn read_poses(
    tables: &mut Tables<'_>,
    data: &[SampleData],
    samples: &[Sample],
) -> Result<(PoseQueue, Vector3<f64>), Error> {
    let path = tables.path("ego_pose");
    let wanted: std::collections::HashSet<&str> =
        data.iter().map(|row| row.ego_pose_token.as_str()).collect();
    let rows = tables
        .rows("ego_pose", |row: EgoPose| wanted.contains(row.token.as_str()).then_some(row))?;
    let index = Index::new(path.clone(), rows, |row| &row.token)?;
    let mut given: Vec<(Timestamp, Pose<World, Ego>)> = Vec::with_capacity(data.len());
    for row in data {
        let pose = index.get(&row.ego_pose_token, &format!("sample_data {}", row.token))?;
        let what = format!("row {}", pose.token);
        let global_from_ego = Pose::from_wxyz(pose.rotation, pose.translation);
        let pose = sanity::place(global_from_ego, &path, &what)?;
        given.push((stamp(row.timestamp, &tables.path("sample_data"), &row.token)?, pose));
    }
    let start = stamp(samples[0].timestamp, &path, &samples[0].token)?;
    let first = given.iter().min_by_key(|(timestamp, _)| ((*timestamp - start).abs(), *timestamp));
    let Some(&(_, first)) = first else {
        let what = format!("no measurement belongs to sample {}", samples[0].token);
        return Err(Error::source(&tables.path("sample_data"), what));
    };
    let origin_m = first.translation;
    let sample = |(timestamp, pose): (Timestamp, Pose<World, Ego>)| PoseSample {
        timestamp,
        world_from_ego: Pose::new(pose.rotation, pose.translation - origin_m),
    };
    Ok((PoseQueue::new(given.into_iter().map(sample).collect()), origin_m))
}

/// Where a channel's data goes.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Camera(usize),
    Lidar(usize),
}

/// The sensors that the scene uses.
struct Sensors {
    rig: Rig,
    /// By token of the calibrated sensor.
    slots: BTreeMap<String, Slot>,
}

impl Sensors {
    /// Cameras and lidars in the order of `sensor.json`; radars are counted as skipped.
    fn read(
        tables: &mut Tables<'_>,
        data: &[SampleData],
        skips: &mut Skips,
    ) -> Result<Self, Error> {
        let order = tables.rows("sensor", Some::<Sensor>)?;
        let calibrated = tables.rows("calibrated_sensor", Some::<CalibratedSensor>)?;
        let path = tables.path("calibrated_sensor");
        let calibrated = Index::new(path.clone(), calibrated, |row| &row.token)?;
        let sensors = Index::new(tables.path("sensor"), order.clone(), |row| &row.token)?;
        let mut used: BTreeMap<String, (CalibratedSensor, u32, u32)> = BTreeMap::new();
        for row in data {
            let from = format!("sample_data {}", row.token);
            let calibration = calibrated.get(&row.calibrated_sensor_token, &from)?;
            let from = format!("calibrated_sensor {}", calibration.token);
            let sensor = sensors.get(&calibration.sensor_token, &from)?;
            let entry = || (calibration.clone(), row.width, row.height);
            let known = used.entry(sensor.token.clone()).or_insert_with(entry);
            if known.0.token != calibration.token {
                let what = format!(
                    "{} has two calibrations within the scene, {} and {}; a clip has one",
                    sensor.channel, known.0.token, calibration.token
                );
                return Err(Error::source(&path, what));
            }
        }
        let mut result = Self { rig: Rig::default(), slots: BTreeMap::new() };
        for sensor in &order {
            let Some((calibration, width, height)) = used.get(&sensor.token) else { continue };
            result.add(sensor, calibration, (*width, *height), &path, skips)?;
        }
        result.rig.check().map_err(|cause| Error::Rig { path, cause })?;
        Ok(result)
    }

    fn add(
        &mut self,
        sensor: &Sensor,
        calibration: &CalibratedSensor,
        (width, height): (u32, u32),
        path: &Path,
        skips: &mut Skips,
    ) -> Result<(), Error> {
        let name = sensor.channel.clone();
        let what = format!("row {} ({name})", calibration.token);
        let (rotation, translation) = (calibration.rotation, calibration.translation);
        sanity::unit(rotation, path, &what)?;
        let slot = match sensor.modality.as_str() {
            "camera" => {
                let ego_from_camera = Pose::from_wxyz(rotation, translation);
                self.rig.cameras.push(CameraSensor {
                    name,
                    width,
                    height,
                    intrinsics: intrinsics(&calibration.camera_intrinsic, path, &what)?,
                    ego_from_camera: sanity::mount(ego_from_camera, path, &what)?,
                    shutter: Shutter::Global,
                });
                Slot::Camera(self.rig.cameras.len() - 1)
            }
            "lidar" => {
                let ego_from_lidar = Pose::from_wxyz(rotation, translation);
                let ego_from_lidar = sanity::mount(ego_from_lidar, path, &what)?;
                self.rig.lidars.push(LidarSensor { name, ego_from_lidar });
                Slot::Lidar(self.rig.lidars.len() - 1)
            }
            modality => {
                skips.add(
                    format!("sensors of kind {modality}"),
                    "clips hold cameras and lidars",
                    1,
                );
                return Ok(());
            }
        };
        self.slots.insert(calibration.token.clone(), slot);
        Ok(())
    }

    /// The key measurements of each sample, sorted into the rig's order.
    fn keyframes(
        &self,
        tables: &Tables<'_>,
        root: &Path,
        data: &[SampleData],
        samples: &[Sample],
        skips: &mut Skips,
    ) -> Result<Vec<Keyframe>, Error> {
        let table = tables.path("sample_data");
        let mut keyframes = Vec::with_capacity(samples.len());
        let mut by_token = BTreeMap::new();
        for sample in samples {
            by_token.insert(sample.token.as_str(), keyframes.len());
            keyframes.push(Keyframe {
                timestamp: stamp(sample.timestamp, &tables.path("sample"), &sample.token)?,
                cameras: self.rig.cameras.iter().map(|_| None).collect(),
                lidars: self.rig.lidars.iter().map(|_| None).collect(),
                truth: Truth::default(),
            });
        }
        for row in data {
            let Some(slot) = self.slots.get(&row.calibrated_sensor_token) else { continue };
            if !row.is_key_frame {
                skips.add(
                    "sweeps between keyframes",
                    "frames are keyframes; their poses are kept",
                    1,
                );
                continue;
            }
            let Some(&index) = by_token.get(row.sample_token.as_str()) else { continue };
            let place = match slot {
                Slot::Camera(camera) => &mut keyframes[index].cameras[*camera],
                Slot::Lidar(lidar) => &mut keyframes[index].lidars[*lidar],
            };
            if place.is_some() {
                let what = format!(
                    "row {}: its sensor has another key measurement of that sample",
                    row.token
                );
                return Err(Error::source(&table, what));
            }
            *place = Some(File {
                timestamp: stamp(row.timestamp, &table, &row.token)?,
                path: inside(root, &row.filename, &table)?,
                row: format!("sample_data.json, row {}, refers to it", row.token),
            });
        }
        Ok(keyframes)
    }
}

/// A camera matrix. The data set counts pixels from the centre of the first one, we from its corner.
fn intrinsics(matrix: &[Vec<f64>], path: &Path, what: &str) -> Result<Intrinsics, Error> {
    let rows: Vec<&[f64]> = matrix.iter().map(Vec::as_slice).collect();
    let &[&[fx, skew, cx], &[shear, fy, cy], &[a, b, one]] = &rows[..] else {
        let what = format!("{what}: camera_intrinsic must be a 3 x 3 matrix");
        return Err(Error::source(path, what));
    };
    if [skew, shear, a, b, one - 1.0].iter().any(|x| x.abs() > 1e-6) {
        let what = format!("{what}: camera_intrinsic is not [fx 0 cx; 0 fy cy; 0 0 1]");
        return Err(Error::source(path, what));
    }
    sanity::intrinsics([fx, fy, cx, cy], path, what)?;
    let (cx, cy) = (cx + PIXEL_CENTRE_PX, cy + PIXEL_CENTRE_PX);
    Ok(Intrinsics::Pinhole(Pinhole { fx, fy, cx, cy }))
}
