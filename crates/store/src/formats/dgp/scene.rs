//! A scene's index and calibration.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use nalgebra::Vector3;
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Ego, Intrinsics, Pose, Timestamp, World};
use ommatidia_scene::{
    CameraSensor, LidarSensor, PoseSample, PoseSource, Provenance, Rig, Scale, Shutter,
};

use super::boxes::Ontology;
use super::schema::{self, Calibration, Datum, Transform};
use super::{CloudFile, ImageFile, Sample};
use crate::formats::ImportOptions;
use crate::formats::common::inputs::{Inputs, inside};
use crate::formats::common::skips::Skips;
use crate::formats::common::{PIXEL_CENTRE_PX, TAXONOMY, resolved_config, rfc3339, sanity};
use crate::{ClipHeader, Error};

/// DGP's number for three-dimensional boxes. `dgp/proto/annotations.proto`, `AnnotationType`.
const BOUNDING_BOX_3D: &str = "1";
const DAY_NS: i128 = 86_400_000_000_000;

/// What a scene's files say.
pub(super) struct SceneData {
    id: String,
    log: String,
    rig: Rig,
    clock: Clock,
    origin_m: Vector3<f64>,
    pub(super) samples: Vec<Sample>,
    pub(super) poses: Vec<PoseSample>,
    pub(super) ontology: Ontology,
}

impl SceneData {
    pub(super) fn header(&self, dir: &Path, inputs: Inputs, options: &ImportOptions) -> ClipHeader {
        let mut config = resolved_config(options);
        config["log"] = self.log.clone().into();
        config["world_origin_in_data_set_m"] = self.origin_m.as_slice().into();
        config["clock_starts_days_after_1970"] = ((self.clock.start / DAY_NS) as i64).into();
        let folder = || dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ClipHeader {
            id: if self.id.is_empty() { folder() } else { self.id.clone() },
            format: "dgp".to_owned(),
            rig: self.rig.clone(),
            taxonomy: TAXONOMY.to_owned(),
            trajectory: (!self.poses.is_empty()).then_some((PoseSource::Dataset, Scale::Metric)),
            provenance: Provenance::new(inputs.into_read(), config),
        }
    }
}

/// Times count from 1970, or from the first sample's day where 64 bits do not reach so far (published
/// scenes carry shifted dates).
struct Clock {
    start: i128,
}

impl Clock {
    fn new(first: i128) -> Self {
        let fits = i64::try_from(first).is_ok();
        Self { start: if fits { 0 } else { first.div_euclid(DAY_NS) * DAY_NS } }
    }

    fn stamp(&self, text: &str, path: &Path, what: &str) -> Result<Timestamp, Error> {
        let since_1970 = instant(text, path, what)?;
        let out_of_range =
            |_| Error::source(path, format!("{what}: {text} is centuries from the first sample"));
        i64::try_from(since_1970 - self.start).map(Timestamp).map_err(out_of_range)
    }
}

fn instant(text: &str, path: &Path, what: &str) -> Result<i128, Error> {
    rfc3339::parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        let what = format!("{what}: {shown:?} is no time like 2019-06-27T14:17:25.002790Z");
        Error::source(path, what)
    })
}

/// Reads the scene's index, calibration and ontology.
pub(super) fn read(
    path: &Path,
    inputs: &mut Inputs,
    skips: &mut Skips,
) -> Result<SceneData, Error> {
    let dir = path.parent().unwrap_or(path);
    let scene: schema::Scene = inputs.json(path, "it is the scene's index")?;
    let Some(first) = scene.samples.first() else {
        return Err(Error::source(path, "has no samples"));
    };
    let clock = Clock::new(instant(&first.id.timestamp, path, "sample 0")?);
    let calibration = read_calibration(dir, path, &scene, inputs)?;
    let mut builder = Builder {
        dir,
        path,
        clock,
        rig: Rig::default(),
        mounts: calibration,
        poses: Vec::new(),
        skips,
    };
    builder.find_sensors(&scene)?;
    let by_key: HashMap<&str, &Datum> =
        scene.data.iter().map(|datum| (datum.key.as_str(), datum)).collect();
    let mut samples = Vec::with_capacity(scene.samples.len());
    for (index, sample) in scene.samples.iter().enumerate() {
        samples.push(builder.sample(index, sample, &by_key)?);
    }
    let times: Vec<Timestamp> = samples.iter().map(|sample| sample.timestamp).collect();
    sanity::ascending(&times, path, |i| format!("sample {i}"))?;
    let ontology = match scene.ontologies.get(BOUNDING_BOX_3D) {
        Some(key) => {
            Ontology::read(&inside(&dir.join("ontology"), &format!("{key}.json"), path)?, inputs)?
        }
        None => Ontology::default(),
    };
    let Builder { rig, clock, mut poses, .. } = builder;
    rig.check().map_err(|cause| Error::Rig { path: path.to_owned(), cause })?;
    let origin_m = move_to_first(&mut poses, times[0]);
    for cloud in samples.iter_mut().flat_map(|sample| sample.clouds.iter_mut().flatten()) {
        if let Some(pose) = &mut cloud.world_from_ego {
            pose.translation -= origin_m;
        }
    }
    let (id, log) = (scene.name, scene.log);
    Ok(SceneData { id, log, rig, clock, origin_m, samples, poses, ontology })
}

/// Shifts the world to the position closest in time to the first sample; its old coordinates.
fn move_to_first(poses: &mut [PoseSample], start: Timestamp) -> Vector3<f64> {
    let first = poses.iter().min_by_key(|pose| ((pose.timestamp - start).abs(), pose.timestamp));
    let origin_m = first.map_or_else(Vector3::zeros, |pose| pose.world_from_ego.translation);
    poses.iter_mut().for_each(|pose| pose.world_from_ego.translation -= origin_m);
    origin_m
}

/// A sensor's calibration.
struct Mount {
    intrinsics: schema::Intrinsics,
    ego_from_sensor: Transform,
}

/// The scene's calibrations; samples must share one.
struct Mounts {
    path: PathBuf,
    by_name: HashMap<String, Mount>,
}

fn read_calibration(
    dir: &Path,
    scene_path: &Path,
    scene: &schema::Scene,
    inputs: &mut Inputs,
) -> Result<Mounts, Error> {
    let key = &scene.samples[0].calibration_key;
    if let Some(other) = scene.samples.iter().position(|sample| sample.calibration_key != *key) {
        let what = format!("sample {other} has another calibration than the first; a clip has one");
        return Err(Error::source(scene_path, what));
    }
    let path = inside(&dir.join("calibration"), &format!("{key}.json"), scene_path)?;
    let calibration: Calibration = inputs.json(&path, "the scene's samples refer to it")?;
    let count = calibration.names.len();
    if calibration.intrinsics.len() != count || calibration.extrinsics.len() != count {
        let what = format!(
            "has {count} names, {} intrinsics and {} extrinsics; there must be one each per sensor",
            calibration.intrinsics.len(),
            calibration.extrinsics.len()
        );
        return Err(Error::source(&path, what));
    }
    let mounts = calibration.intrinsics.into_iter().zip(calibration.extrinsics);
    let mounts = mounts.map(|(intrinsics, ego_from_sensor)| Mount { intrinsics, ego_from_sensor });
    Ok(Mounts { path, by_name: calibration.names.into_iter().zip(mounts).collect() })
}

impl Mounts {
    fn get(&self, sensor: &str) -> Result<&Mount, Error> {
        self.by_name.get(sensor).ok_or_else(|| Error::MissingCalibration {
            path: self.path.clone(),
            sensor: sensor.to_owned(),
        })
    }
}

struct Builder<'a> {
    dir: &'a Path,
    path: &'a Path,
    clock: Clock,
    rig: Rig,
    mounts: Mounts,
    poses: Vec<PoseSample>,
    skips: &'a mut Skips,
}

impl Builder<'_> {
    /// Every sensor that delivered something, in the order of its first datum.
    fn find_sensors(&mut self, scene: &schema::Scene) -> Result<(), Error> {
        for datum in &scene.data {
            let name = &datum.id.name;
            if let Some(image) = &datum.datum.image {
                if self.rig.camera_index(name).is_none() {
                    let camera = self.camera(name, image.width, image.height)?;
                    self.rig.cameras.push(camera);
                }
            } else if datum.datum.point_cloud.is_some()
                && !self.rig.lidars.iter().any(|lidar| lidar.name == *name)
            {
                let mount = self.mounts.get(name)?;
                let ego_from_lidar =
                    sanity::mount(mount.ego_from_sensor.pose(), &self.mounts.path, name)?;
                self.rig.lidars.push(LidarSensor { name: name.clone(), ego_from_lidar });
            }
        }
        Ok(())
    }

    fn camera(&self, name: &str, width: u32, height: u32) -> Result<CameraSensor, Error> {
        let mount = self.mounts.get(name)?;
        let path = &self.mounts.path;
        let schema::Intrinsics { fx, fy, cx, cy, skew } = mount.intrinsics;
        sanity::intrinsics([fx, fy, cx, cy], path, name)?;
        if skew != 0.0 {
            return Err(Error::source(path, format!("{name}: skew is {skew}; it must be 0")));
        }
        Ok(CameraSensor {
            name: name.to_owned(),
            width,
            height,
            intrinsics: Intrinsics::Pinhole(Pinhole {
                fx,
                fy,
                cx: cx + PIXEL_CENTRE_PX,
                cy: cy + PIXEL_CENTRE_PX,
            }),
            ego_from_camera: sanity::mount(mount.ego_from_sensor.pose(), path, name)?,
            shutter: Shutter::Global,
        })
    }

    fn sample(
        &mut self,
        index: usize,
        sample: &schema::Sample,
        by_key: &HashMap<&str, &Datum>,
    ) -> Result<Sample, Error> {
        let what = format!("sample {index}");
        let mut result = Sample {
            timestamp: self.clock.stamp(&sample.id.timestamp, self.path, &what)?,
            images: self.rig.cameras.iter().map(|_| None).collect(),
            clouds: self.rig.lidars.iter().map(|_| None).collect(),
        };
        for key in &sample.datum_keys {
            let Some(&datum) = by_key.get(key.as_str()) else {
                let what = format!("{what}: there is no datum {key:?}; the file is incomplete");
                return Err(Error::source(self.path, what));
            };
            self.datum(datum, &mut result)?;
        }
        Ok(result)
    }

    fn datum(&mut self, datum: &Datum, sample: &mut Sample) -> Result<(), Error> {
        let what = format!("datum {}", datum.key);
        let name = &datum.id.name;
        let timestamp = self.clock.stamp(&datum.id.timestamp, self.path, &what)?;
        let twice = || Error::source(self.path, format!("{what}: {name} is twice in its sample"));
        if let Some(image) = &datum.datum.image {
            let camera = self.rig.camera_index(name).ok_or_else(twice)?;
            let path = inside(self.dir, &image.filename, self.path)?;
            let place = &mut sample.images[camera];
            if place.replace(ImageFile { timestamp, path }).is_some() {
                return Err(twice());
            }
            let calibrated = &self.rig.cameras[camera];
            if (image.width, image.height) != (calibrated.width, calibrated.height) {
                let what = format!(
                    "{what}: is {} x {}, other images of {name} are {} x {}",
                    image.width, image.height, calibrated.width, calibrated.height
                );
                return Err(Error::source(self.path, what));
            }
            self.pose(image.pose, timestamp, name, &what)?;
            self.count_annotations(&image.annotations, "cameras");
        } else if let Some(cloud) = &datum.datum.point_cloud {
            let lidar = self.rig.lidars.iter().position(|lidar| lidar.name == *name);
            let lidar = lidar.ok_or_else(twice)?;
            let boxes = cloud.annotations.get(BOUNDING_BOX_3D);
            let boxes = boxes.map(|file| inside(self.dir, file, self.path)).transpose()?;
            let path = inside(self.dir, &cloud.filename, self.path)?;
            let point_format = cloud.point_format.clone();
            let world_from_ego = self.pose(cloud.pose, timestamp, name, &what)?;
            let file = CloudFile { timestamp, path, point_format, boxes, world_from_ego };
            if sample.clouds[lidar].replace(file).is_some() {
                return Err(Error::source(
                    self.path,
                    format!("{what}: {name} is twice in its sample"),
                ));
            }
            let others = cloud.annotations.keys().filter(|kind| *kind != BOUNDING_BOX_3D).count();
            self.skips.add("annotations of lidars", "no box in three dimensions", others);
        } else {
            self.skips.add(format!("data of {name}"), "clips hold images and lidar scans", 1);
        }
        Ok(())
    }

    /// The vehicle's pose from the sensor's.
    fn pose(
        &mut self,
        world_from_sensor: Option<Transform>,
        timestamp: Timestamp,
        sensor: &str,
        what: &str,
    ) -> Result<Option<Pose<World, Ego>>, Error> {
        let Some(world_from_sensor) = world_from_sensor else {
            self.skips.add("poses", "the datum has none", 1);
            return Ok(None);
        };
        let mount = self.mounts.get(sensor)?;
        let ego_from_sensor: Pose<Ego, Sensor> =
            sanity::mount(mount.ego_from_sensor.pose(), &self.mounts.path, sensor)?;
        let world_from_sensor: Pose<World, Sensor> =
            sanity::place(world_from_sensor.pose(), self.path, what)?;
        let world_from_ego = world_from_sensor * ego_from_sensor.inverse();
        self.poses.push(PoseSample { timestamp, world_from_ego });
        Ok(Some(world_from_ego))
    }

    fn count_annotations(
        &mut self,
        annotations: &std::collections::BTreeMap<String, String>,
        of: &str,
    ) {
        for kind in annotations.keys() {
            let why = match kind.as_str() {
                "0" => "boxes in the image are not part of the vector space",
                BOUNDING_BOX_3D => "the lidar's boxes are taken",
                _ => "their kind is not read",
            };
            self.skips.add(format!("annotations of {of}"), why, 1);
        }
    }
}

/// Whichever sensor a datum is of.
enum Sensor {}
