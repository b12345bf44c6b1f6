//! nuScenes: six cameras, a lidar, radars, and boxes at 2 Hz.
//!
//! Caesar et al.: *nuScenes: a multimodal dataset for autonomous driving*, CVPR 2020; tables as in
//! `docs/schema_nuscenes.md` of its devkit. `v1.0-*/*.json` and `samples/`. A scene is a clip, a keyframe
//! a frame. The data set's ego frame is ours; its global frame is ours shifted to the first ego pose.

mod pcd_bin;
mod scene;
mod tables;
mod truth;

use std::path::{Path, PathBuf};

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{Skipped, Trajectory, VectorSpace};

use super::common::image_file::read_image;
use super::common::inputs::{Inputs, subdirectories};
use super::common::poses::PoseQueue;
use super::common::skips::Skips;
use super::common::table;
use super::common::thinning::Thinning;
use super::common::{choose, read_unless_absent};
use super::{Drive, Format, ImportOptions};
use crate::{ClipHeader, Error, FrameData};
use truth::Truth;

/// nuScenes scenes.
pub(super) struct NuScenes;

impl Format for NuScenes {
    fn name(&self) -> &'static str {
        "nuscenes"
    }

    fn looks_for(&self) -> &'static str {
        "a directory with scene.json, sample.json and sample_data.json (v1.0-mini or the like)"
    }

    fn detect(&self, source: &Path) -> bool {
        !version_dirs(source).is_empty()
    }

    fn open(&self, source: &Path, options: &ImportOptions) -> Result<Box<dyn Drive>, Error> {
        Ok(Box::new(NuScenesDrive::open(source, options)?))
    }
}

/// Directories with the tables: the source itself or directly below it.
fn version_dirs(source: &Path) -> Vec<PathBuf> {
    let has_tables = |dir: &PathBuf| {
        ["scene.json", "sample.json", "sample_data.json"].iter().all(|t| dir.join(t).is_file())
    };
    if has_tables(&source.to_owned()) {
        return vec![source.to_owned()];
    }
    let dirs = subdirectories(source).into_iter().map(|name| source.join(name));
    dirs.filter(has_tables).collect()
}

/// A sensor's file at a keyframe.
struct File {
    timestamp: Timestamp,
    path: PathBuf,
    /// What refers to it.
    row: String,
}

/// One keyframe before its payloads are read. One entry per camera and lidar of the rig.
struct Keyframe {
    timestamp: Timestamp,
    cameras: Vec<Option<File>>,
    lidars: Vec<Option<File>>,
    truth: Truth,
}

struct NuScenesDrive {
    header: ClipHeader,
    keyframes: std::vec::IntoIter<Keyframe>,
    trajectory: Trajectory,
    poses: PoseQueue,
    thinning: Thinning,
    skips: Skips,
}

impl NuScenesDrive {
    fn open(source: &Path, options: &ImportOptions) -> Result<Self, Error> {
        let thinning = Thinning::new(options, source)?;
        let (version, scene) = choose_scene(source, options)?;
        // Files are named from the directory that holds the version's.
        let root = match version.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => version.join(".."),
        };
        let mut inputs = Inputs::new(&root);
        let mut skips = Skips::default();
        let scene = scene::read(&version, &root, scene, &mut inputs, &mut skips)?;
        let header = scene.header(inputs, options);
        let poses = PoseQueue::new(scene.trajectory.samples().to_vec());
        let keyframes = scene.keyframes.into_iter();
        Ok(Self { header, keyframes, trajectory: scene.trajectory, poses, thinning, skips })
    }
}

impl Drive for NuScenesDrive {
    fn header(&self) -> &ClipHeader {
        &self.header
    }

    fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
        let thinning = &mut self.thinning;
        let Some(keyframe) = self.keyframes.find(|keyframe| thinning.keeps(keyframe.timestamp))
        else {
            return Ok(None);
        };
        let timestamp = keyframe.timestamp;
        let mut images = Vec::with_capacity(keyframe.cameras.len());
        for file in keyframe.cameras {
            let image = read_file(file, &mut self.skips, read_image)?;
            images.push(image);
        }
        let mut clouds = Vec::with_capacity(keyframe.lidars.len());
        for file in keyframe.lidars {
            clouds.push(read_file(file, &mut self.skips, pcd_bin::read)?);
        }
        let objects = keyframe.truth.in_ego(timestamp, &self.trajectory);
        let truth =
            Some(VectorSpace { timestamp, objects: Some(objects), ..VectorSpace::default() });
        let last = images.iter().flatten().map(|image| image.0);
        let last = last.chain(clouds.iter().flatten().map(|cloud| cloud.0)).max();
        let end = match self.keyframes.as_slice() {
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

type Stamped<T> = Option<(Timestamp, T)>;

fn read_file<T>(
    file: Option<File>,
    skips: &mut Skips,
    read: impl Fn(&Path, &str) -> Result<T, Error>,
) -> Result<Stamped<T>, Error> {
    let Some(file) = file else { return Ok(None) };
    let payload = read_unless_absent(&file.path, skips, |path| read(path, &file.row))?;
    Ok(payload.map(|payload| (file.timestamp, payload)))
}

/// The scene that the options choose, by name or token, with `version/` before it where two have it.
fn choose_scene(source: &Path, options: &ImportOptions) -> Result<(PathBuf, tables::Scene), Error> {
    let versions = version_dirs(source);
    let mut found = Vec::new();
    let mut names = Vec::new();
    for version in &versions {
        let mut inputs = Inputs::new(version);
        let path = version.join("scene.json");
        let scenes = table::rows(&path, "it lists the scenes", &mut inputs, Some::<tables::Scene>)?;
        for scene in scenes {
            let version_name = version.file_name().unwrap_or_default().to_string_lossy();
            names.push(match versions.len() {
                1 => scene.name.clone(),
                _ => format!("{version_name}/{}", scene.name),
            });
            found.push((version.clone(), scene));
        }
    }
    let wanted = options.sequence.as_deref();
    let with_name = |(_, scene): &&(PathBuf, tables::Scene)| {
        wanted.is_some_and(|wanted| scene.token == wanted || scene.name == wanted)
    };
    let mut matching = found.iter().filter(with_name);
    if let (Some(only), None) = (matching.next(), matching.next()) {
        return Ok(only.clone());
    }
    let index = choose(source, "scene", &names, wanted)?;
    Ok(found.swap_remove(index))
}
