//! Which files make a frame.

use std::path::{Path, PathBuf};

use ommatidia_geometry::Timestamp;
use ommatidia_scene::Rig;

use crate::Error;
use crate::formats::common::inputs::list;
use crate::formats::common::skips::Skips;

/// The camera whose images are the frames where there are no sweeps.
const REFERENCE_CAMERA: &str = "ring_front_center";
/// An image belongs to a sweep if it is at most this far from it: half a sweep's period.
const MAX_APART_NS: i64 = 50_000_000;

/// The files of one frame. One image entry per camera of the rig.
pub(super) struct Moment {
    pub(super) timestamp: Timestamp,
    pub(super) sweep: Option<PathBuf>,
    pub(super) images: Vec<Option<(Timestamp, PathBuf)>>,
}

/// A sensor's files by time, ascending.
struct Files {
    dir: PathBuf,
    extension: &'static str,
    times: Vec<i64>,
}

impl Files {
    fn list(dir: PathBuf, extension: &'static str, skips: &mut Skips) -> Result<Self, Error> {
        let mut times = Vec::new();
        if dir.is_dir() {
            for name in list(&dir)? {
                let stem = name.strip_suffix(extension).and_then(|stem| stem.strip_suffix('.'));
                match stem.and_then(|stem| stem.parse().ok()) {
                    Some(time) => times.push(time),
                    None => skips.add("files of sensors", "the name is no time in nanoseconds", 1),
                }
            }
        }
        times.sort_unstable();
        Ok(Self { dir, extension, times })
    }

    fn path(&self, time: i64) -> PathBuf {
        self.dir.join(format!("{time}.{}", self.extension))
    }

    /// The time closest to `time`, the earlier of two.
    fn closest(&self, time: i64) -> Option<i64> {
        let after = self.times.partition_point(|&t| t < time);
        let around = self.times.get(after.saturating_sub(1)..(after + 1).min(self.times.len()))?;
        let closest = around.iter().copied().min_by_key(|&t| t.abs_diff(time))?;
        (closest.abs_diff(time) <= MAX_APART_NS as u64).then_some(closest)
    }
}

/// The frames in ascending time; at least one.
///
/// # Errors
/// There is neither a sweep nor an image.
pub(super) fn read(dir: &Path, rig: &Rig, skips: &mut Skips) -> Result<Vec<Moment>, Error> {
    let sensors = dir.join("sensors");
    let sweeps = Files::list(sensors.join("lidar"), "feather", skips)?;
    let mut cameras = Vec::with_capacity(rig.cameras.len());
    for camera in &rig.cameras {
        cameras.push(Files::list(sensors.join("cameras").join(&camera.name), "jpg", skips)?);
    }
    let reference = rig.camera_index(REFERENCE_CAMERA).map(|index| &cameras[index]);
    let images = reference.into_iter().chain(&cameras).find(|files| !files.times.is_empty());
    let leading = Some(&sweeps).filter(|sweeps| !sweeps.times.is_empty()).or(images);
    let Some(leading) = leading else {
        let what = "holds no lidar/*.feather and no cameras/*/*.jpg named by times in nanoseconds";
        return Err(Error::source(&sensors, what));
    };
    let mut moments: Vec<Moment> = Vec::with_capacity(leading.times.len());
    for &time in &leading.times {
        let image = |camera: &Files| {
            camera.closest(time).map(|closest| (Timestamp(closest), camera.path(closest)))
        };
        moments.push(Moment {
            timestamp: Timestamp(time),
            sweep: sweeps.times.binary_search(&time).ok().map(|_| sweeps.path(time)),
            images: cameras.iter().map(image).collect(),
        });
    }
    count_unused(rig, &cameras, &moments, skips);
    Ok(moments)
}

fn count_unused(rig: &Rig, cameras: &[Files], moments: &[Moment], skips: &mut Skips) {
    for (index, (camera, files)) in rig.cameras.iter().zip(cameras).enumerate() {
        let name = &camera.name;
        if files.times.is_empty() {
            skips.add(format!("images of {name}"), "the log has none", moments.len());
            continue;
        }
        let mut used: Vec<_> = moments.iter().filter_map(|m| m.images[index].as_ref()).collect();
        used.dedup();
        let unused = files.times.len() - used.len().min(files.times.len());
        skips.add(format!("images of {name}"), "no sweep is closest to them", unused);
    }
}
