//! Finding the recordings, reading them through, and geometry on what comes out.

use std::path::PathBuf;

use nalgebra::Point3;
use ommatidia_geometry::{CameraModel, Timestamp};
use ommatidia_scene::{Object, PoseSample, Skipped, Trajectory};
use ommatidia_store::formats::{ImportOptions, find};
use ommatidia_store::{ClipHeader, FrameData};

/// A folder of `OMMATIDIA_DATA`, or of `shared/data` beside the workspace; says so where there is none.
pub(crate) fn data(folder: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var_os("OMMATIDIA_DATA").map_or_else(|| beside.into(), PathBuf::from);
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no real data");
    None
}

/// A drive read to its end.
pub(crate) struct Read {
    pub(crate) header: ClipHeader,
    pub(crate) frames: Vec<FrameData>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Read {
    /// Through `auto`, which must choose `format`.
    pub(crate) fn all(source: PathBuf, format: &str, options: &ImportOptions) -> Self {
        let found = find("auto", &source).unwrap();
        assert_eq!(found.name(), format);
        let mut drive = found.open(&source, options).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = drive.next_frame().unwrap() {
            frames.push(frame);
        }
        let read = Self { header: drive.header().clone(), frames, skipped: drive.skipped() };
        read.check();
        read
    }

    /// What holds for every drive.
    fn check(&self) {
        self.header.rig.check().unwrap();
        assert!(self.frames.windows(2).all(|pair| pair[0].timestamp < pair[1].timestamp));
        for frame in &self.frames {
            assert_eq!(frame.images.len(), self.header.rig.cameras.len());
            assert_eq!(frame.clouds.len(), self.header.rig.lidars.len());
            assert!(frame.clouds.iter().flatten().all(|(_, cloud)| cloud.is_consistent()));
            if let Some(occupancy) = frame.truth.as_ref().and_then(|t| t.occupancy.as_ref()) {
                occupancy.check().unwrap();
            }
        }
        assert_eq!(self.header.trajectory.is_some(), !self.poses().is_empty());
        assert!(!self.header.provenance.inputs.is_empty());
    }

    pub(crate) fn poses(&self) -> Vec<PoseSample> {
        self.frames.iter().flat_map(|frame| frame.poses.iter().copied()).collect()
    }

    pub(crate) fn trajectory(&self) -> Trajectory {
        let (source, scale) = self.header.trajectory.unwrap();
        Trajectory::new(source, scale, self.poses()).unwrap()
    }

    /// Returns of a frame's only lidar, in the ego frame at the scan's time.
    pub(crate) fn returns_in_ego(&self, frame: usize) -> (Timestamp, Vec<Point3<f64>>) {
        let (timestamp, cloud) = self.frames[frame].clouds[0].as_ref().unwrap();
        let ego_from_lidar = self.header.rig.lidars[0].ego_from_lidar;
        let in_ego = |p: &[f32; 3]| ego_from_lidar * Point3::from(p.map(f64::from));
        (*timestamp, cloud.xyz_m.iter().map(in_ego).collect())
    }

    /// Share of a frame's returns before camera `camera` whose pixel lies in its image.
    pub(crate) fn pixels(&self, frame: usize, camera: usize) -> Vec<(usize, [f64; 2], f64)> {
        let (scan_time, returns) = self.returns_in_ego(frame);
        let sensor = &self.header.rig.cameras[camera];
        let trajectory = self.trajectory();
        let (image_time, _) = self.frames[frame].images[camera].as_ref().unwrap();
        let world_from_ego = trajectory.at(scan_time).unwrap();
        let world_from_camera = trajectory.at(*image_time).unwrap() * sensor.ego_from_camera;
        let camera_from_ego = world_from_camera.inverse() * world_from_ego;
        let mut pixels = Vec::new();
        for (index, p_in_ego) in returns.iter().enumerate() {
            let p_in_camera = camera_from_ego * *p_in_ego;
            let Some(pixel) = sensor.intrinsics.project(&p_in_camera) else { continue };
            let inside = (0.0..f64::from(sensor.width)).contains(&pixel.x)
                && (0.0..f64::from(sensor.height)).contains(&pixel.y);
            if inside {
                pixels.push((index, [pixel.x, pixel.y], p_in_camera.z));
            }
        }
        pixels
    }
}

/// How many points lie in a box that is `margin_m` larger on each side.
pub(crate) fn inside(object: &Object, points: &[Point3<f64>], margin_m: f64) -> usize {
    let object_from_ego = object.ego_from_object.inverse();
    let within = |p: &&Point3<f64>| {
        let p_in_object = object_from_ego * **p;
        (0..3).all(|axis| p_in_object[axis].abs() <= object.size_m[axis] / 2.0 + margin_m)
    };
    points.iter().filter(within).count()
}

/// The median.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "a median of nothing");
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
