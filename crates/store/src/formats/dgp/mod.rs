//! DGP, the layout of DDAD: surround cameras, a lidar, a pose for every measurement, boxes with tracks.
//!
//! Guizilini et al.: *3D packing for self-supervised monocular depth estimation*, CVPR 2020; layout as in
//! `dgp/proto` of TRI-ML/dgp. A scene is `scene_*.json` with `calibration/`, `rgb/`, `point_cloud/`.
//!
//! Frames, checked on data: an extrinsic is vehicle from sensor and a datum's pose world from sensor (only
//! then do the six cameras and the lidar agree on where the vehicle is); boxes are in their sensor's frame.
//! The vehicle's frame lies on the ground below the rear axle: ours.

mod boxes;
mod scene;
mod schema;

use std::path::{Path, PathBuf};

use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_scene::{PointCloud, Skipped, VectorSpace};

use super::common::image_file::read_image;
use super::common::inputs::{Inputs, list};
use super::common::npz::read_matrix;
use super::common::poses::PoseQueue;
use super::common::search::{Found, drives};
use super::common::skips::Skips;
use super::common::thinning::Thinning;
use super::common::{choose_drive, read_unless_absent};
use super::{Drive, Format, ImportOptions};
use crate::{ClipHeader, Error, FrameData};
use boxes::Ontology;

/// DGP scenes.
pub(super) struct Dgp;

/// `root/split/scene`, as unpacked.
const SEARCH_DEPTH: usize = 3;

impl Format for Dgp {
    fn name(&self) -> &'static str {
        "dgp"
    }

    fn looks_for(&self) -> &'static str {
        "scene_*.json beside a directory calibration/, at most three levels down"
    }

    fn detect(&self, source: &Path) -> bool {
        !find_scenes(source).is_empty()
    }

    fn open(&self, source: &Path, options: &ImportOptions) -> Result<Box<dyn Drive>, Error> {
        Ok(Box::new(DgpDrive::open(source, options)?))
    }
}

/// The scenes in a source, which may be the data set's index file. Scenes that were unpacked without images
/// and scans only count where there are no others.
fn find_scenes(source: &Path) -> Vec<Found> {
    let root = if source.is_file() { source.parent().unwrap_or(source) } else { source };
    let found = drives(root, SEARCH_DEPTH, |dir| scene_file(dir).is_some());
    let has_payloads =
        |scene: &&Found| ["rgb", "point_cloud"].iter().any(|name| scene.dir.join(name).is_dir());
    let whole: Vec<Found> = found.iter().filter(has_payloads).cloned().collect();
    if whole.is_empty() { found } else { whole }
}

/// `scene_*.json`; `scene_dataset*.json` lists scenes and is none.
fn scene_file(dir: &Path) -> Option<PathBuf> {
    if !dir.join("calibration").is_dir() {
        return None;
    }
    let is_scene = |name: &String| {
        name.starts_with("scene") && name.ends_with(".json") && !name.starts_with("scene_dataset")
    };
    list(dir).ok()?.into_iter().find(is_scene).map(|name| dir.join(name))
}

/// A measurement of a camera.
struct ImageFile {
    timestamp: Timestamp,
    path: PathBuf,
}

/// A measurement of a lidar, with the file of its boxes.
struct CloudFile {
    timestamp: Timestamp,
    path: PathBuf,
    point_format: Vec<String>,
    boxes: Option<PathBuf>,
    world_from_ego: Option<Pose<World, Ego>>,
}

/// One sample before its payloads are read. One entry per camera and lidar of the rig.
struct Sample {
    timestamp: Timestamp,
    images: Vec<Option<ImageFile>>,
    clouds: Vec<Option<CloudFile>>,
}

struct DgpDrive {
    header: ClipHeader,
    scene_path: PathBuf,
    samples: std::vec::IntoIter<Sample>,
    poses: PoseQueue,
    ontology: Ontology,
    thinning: Thinning,
    skips: Skips,
}

impl DgpDrive {
    fn open(source: &Path, options: &ImportOptions) -> Result<Self, Error> {
        let thinning = Thinning::new(options, source)?;
        let found = find_scenes(source);
        let chosen = choose_drive(source, "scene", &found, options.sequence.as_deref())?;
        let dir = &found[chosen].dir;
        let Some(scene_path) = scene_file(dir) else {
            return Err(Error::source(dir, "holds no scene_*.json any more"));
        };
        let mut inputs = Inputs::new(dir);
        let mut skips = Skips::default();
        let scene = scene::read(&scene_path, &mut inputs, &mut skips)?;
        let header = scene.header(dir, inputs, options);
        let poses = PoseQueue::new(scene.poses);
        let (samples, ontology) = (scene.samples.into_iter(), scene.ontology);
        Ok(Self { header, scene_path, samples, poses, ontology, thinning, skips })
    }

    /// The boxes of the sample's lidar, in the ego frame at the sample's time.
    fn truth(&mut self, sample: &Sample) -> Result<Option<VectorSpace>, Error> {
        let with_boxes = sample.clouds.iter().enumerate().find_map(|(lidar, cloud)| {
            let cloud = cloud.as_ref()?;
            cloud.boxes.as_ref().map(|path| (lidar, cloud, path))
        });
        let Some((lidar, cloud, path)) = with_boxes else { return Ok(None) };
        let ego_from_lidar = self.header.rig.lidars[lidar].ego_from_lidar;
        // Samples are stamped with their lidar; where they are not, the vehicle has moved since.
        let moved = match cloud.world_from_ego {
            Some(world_from_ego) if cloud.timestamp != sample.timestamp => {
                let at_sample = self.poses.at(sample.timestamp);
                at_sample.map_or_else(Pose::identity, |pose| pose.inverse() * world_from_ego)
            }
            _ => Pose::identity(),
        };
        let objects = boxes::read(path, moved * ego_from_lidar, &self.ontology, &mut self.skips)?;
        let timestamp = sample.timestamp;
        Ok(Some(VectorSpace { timestamp, objects: Some(objects), ..VectorSpace::default() }))
    }
}

impl Drive for DgpDrive {
    fn header(&self) -> &ClipHeader {
        &self.header
    }

    fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
        let thinning = &mut self.thinning;
        let Some(sample) = self.samples.find(|sample| thinning.keeps(sample.timestamp)) else {
            return Ok(None);
        };
        let truth = self.truth(&sample)?;
        let needed_by = format!("{} refers to it", self.scene_path.display());
        let skips = &mut self.skips;
        let mut images = Vec::with_capacity(sample.images.len());
        for file in &sample.images {
            let Some(file) = file else {
                images.push(None);
                continue;
            };
            let image = read_unless_absent(&file.path, skips, |path| read_image(path, &needed_by))?;
            images.push(image.map(|image| (file.timestamp, image)));
        }
        let mut clouds = Vec::with_capacity(sample.clouds.len());
        for file in &sample.clouds {
            let Some(file) = file else {
                clouds.push(None);
                continue;
            };
            let read = |path: &Path| read_cloud(path, &file.point_format, &needed_by);
            let cloud = read_unless_absent(&file.path, skips, read)?;
            clouds.push(cloud.map(|cloud| (file.timestamp, cloud)));
        }
        let times = images.iter().flatten().map(|image| image.0);
        let times = times.chain(clouds.iter().flatten().map(|cloud| cloud.0));
        let end = match self.samples.as_slice() {
            [] => Timestamp(i64::MAX),
            _ => times.max().map_or(sample.timestamp, |last| last.max(sample.timestamp)),
        };
        let poses = self.poses.until(end);
        Ok(Some(FrameData {
            timestamp: sample.timestamp,
            images,
            clouds,
            poses,
            truth,
            ..FrameData::default()
        }))
    }

    fn skipped(&self) -> Vec<Skipped> {
        self.skips.list().into_iter().chain(self.thinning.skipped()).collect()
    }
}

/// A scan in the `Lidar` frame, metres.
fn read_cloud(path: &Path, point_format: &[String], needed_by: &str) -> Result<PointCloud, Error> {
    let matrix = read_matrix(path, "data", needed_by)?;
    let column = |name: &str| point_format.iter().position(|channel| channel == name);
    let (Some(x), Some(y), Some(z)) = (column("X"), column("Y"), column("Z")) else {
        let what = format!("has the channels {point_format:?}; X, Y and Z are needed");
        return Err(Error::source(path, what));
    };
    if matrix.columns != point_format.len() {
        let what = format!(
            "has {} columns; the scene announces {} channels",
            matrix.columns,
            point_format.len()
        );
        return Err(Error::source(path, what));
    }
    let intensity = column("INTENSITY");
    let mut cloud = PointCloud::default();
    for (index, row) in matrix.values.chunks_exact(matrix.columns).enumerate() {
        if !row.iter().all(|value| value.abs() <= f64::from(f32::MAX)) {
            let what = format!("return {index} holds a number that is not finite");
            return Err(Error::source(path, what));
        }
        cloud.xyz_m.push([row[x] as f32, row[y] as f32, row[z] as f32]);
        cloud.intensity.extend(intensity.map(|column| row[column] as f32));
    }
    Ok(cloud)
}
