//! KITTI odometry: rectified stereo, lidar and poses of the left grey camera.
//!
//! Geiger, Lenz, Urtasun: *Are we ready for autonomous driving?* CVPR 2012, and *Vision meets
//! robotics: the KITTI dataset*, IJRR 2013, whose figure 3 gives the mounting.
//!
//! `sequences/NN/{calib.txt, times.txt, image_0 … image_3/, velodyne/}`, `poses/NN.txt` (or
//! `sequences/NN/poses.txt`). The source is the root or one sequence.

use std::path::{Path, PathBuf};

use nalgebra::{Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Camera, Ego, Intrinsics, Lidar, Pose, Timestamp, World};
use ommatidia_scene::{
    CameraSensor, LidarSensor, PoseSample, PoseSource, Provenance, Rig, Scale, Shutter, Skipped,
};

use super::common::image_file::read_image;
use super::common::inputs::{Inputs, subdirectories};
use super::common::numbered::Numbered;
use super::common::poses::PoseQueue;
use super::common::skips::Skips;
use super::common::thinning::Thinning;
use super::common::velodyne::read_velodyne;
use super::common::{PIXEL_CENTRE_PX, TAXONOMY, choose, resolved_config, sanity, text};
use super::{Drive, Format, ImportOptions};
use crate::{ClipHeader, Error, FrameData};

/// Axle to camera 0, forward: the cameras sit 0.27 m ahead of the Velodyne, it 0.81 m ahead of the
/// inertial unit, that 0.05 m behind the rear axle. IJRR 2013, figure 3.
const CAMERA_AHEAD_OF_REAR_AXLE_M: f64 = 1.03;
/// Height of all cameras above the road. IJRR 2013, figure 3.
const CAMERA_HEIGHT_M: f64 = 1.65;

/// KITTI odometry sequences.
pub(super) struct KittiOdometry;

impl Format for KittiOdometry {
    fn name(&self) -> &'static str {
        "kitti_odometry"
    }

    fn looks_for(&self) -> &'static str {
        "sequences/NN/{calib.txt, times.txt}, or those two files, and no labels/ or voxels/"
    }

    fn detect(&self, source: &Path) -> bool {
        let found = sequence_dirs(source);
        !found.is_empty() && !found.iter().any(|dir| has_semantics(dir))
    }

    fn open(&self, source: &Path, options: &ImportOptions) -> Result<Box<dyn Drive>, Error> {
        let drive = KittiDrive::open(source, options, self.name(), Uncalibrated::Skipped)?;
        Ok(Box::new(drive))
    }
}

/// The directory carries what SemanticKITTI adds.
pub(super) fn has_semantics(sequence: &Path) -> bool {
    sequence.join("labels").is_dir() || sequence.join("voxels").is_dir()
}

/// The sequences in a source: itself, or `sequences/*`, or its own subdirectories.
pub(super) fn sequence_dirs(source: &Path) -> Vec<PathBuf> {
    let is_sequence =
        |dir: &PathBuf| dir.join("calib.txt").is_file() && dir.join("times.txt").is_file();
    if is_sequence(&source.to_owned()) {
        return vec![source.to_owned()];
    }
    let under = |parent: PathBuf| -> Vec<PathBuf> {
        let dirs = subdirectories(&parent).into_iter().map(|name| parent.join(name));
        dirs.filter(is_sequence).collect()
    };
    let found = under(source.join("sequences"));
    if found.is_empty() { under(source.to_owned()) } else { found }
}

/// What happens to lidar scans whose mounting nobody gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uncalibrated {
    /// They are left out and counted.
    Skipped,
    /// The drive cannot be read.
    Refused,
}

/// One sequence being read.
pub(super) struct KittiDrive {
    header: ClipHeader,
    times_path: PathBuf,
    times: Vec<Timestamp>,
    cameras: Vec<Numbered>,
    velodyne: Option<Numbered>,
    frames: std::ops::Range<usize>,
    poses: PoseQueue,
    thinning: Thinning,
    skips: Skips,
}

/// Camera 0 of the rectified rig, on the ground frame of the vehicle.
fn ego_from_camera_0() -> Pose<Ego, Camera> {
    // x right, y down, z forward to x forward, y left, z up.
    let axes = nalgebra::Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
    let rotation = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes));
    Pose::new(rotation, Vector3::new(CAMERA_AHEAD_OF_REAR_AXLE_M, 0.0, CAMERA_HEIGHT_M))
}

impl KittiDrive {
    /// Reads calibration, times and poses of the sequence that the options choose.
    pub(super) fn open(
        source: &Path,
        options: &ImportOptions,
        format: &str,
        uncalibrated: Uncalibrated,
    ) -> Result<Self, Error> {
        let dir = choose_sequence(source, options)?;
        let mut inputs = Inputs::new(source);
        let mut skips = Skips::default();
        let calibration = Calibration::read(&dir.join("calib.txt"), &mut inputs)?;
        let times_path = dir.join("times.txt");
        let times = read_times(&times_path, &mut inputs)?;
        let (cameras, velodyne) = find_files(&dir, &calibration, uncalibrated, &mut skips)?;
        let frames = frame_range(&dir, &cameras, velodyne.as_ref(), &times_path, times.len())?;
        skips.add("times", "no image or scan has that number", times.len() - frames.len());
        let rig = calibration.rig(&cameras, velodyne.is_some())?;
        let poses = read_poses(&dir, source, &times, frames.clone(), &mut inputs, &mut skips)?;
        let id = sequence_name(&dir);
        let header = ClipHeader {
            id,
            format: format.to_owned(),
            rig,
            taxonomy: TAXONOMY.to_owned(),
            trajectory: (!poses.is_empty()).then_some((PoseSource::Dataset, Scale::Metric)),
            provenance: Provenance::new(inputs.into_read(), resolved_config(options)),
        };
        let thinning = Thinning::new(options, source)?;
        let poses = PoseQueue::new(poses);
        Ok(Self { header, times_path, times, cameras, velodyne, frames, poses, thinning, skips })
    }

    /// Number of the frame that comes next in the sequence, and its data.
    pub(super) fn next_numbered(&mut self) -> Result<Option<(usize, FrameData)>, Error> {
        let kept = self.frames.by_ref().find(|&frame| self.thinning.keeps(self.times[frame]));
        let Some(frame) = kept else { return Ok(None) };
        let timestamp = self.times[frame];
        let needed_by =
            format!("frame {frame} has a line in {} and no file", self.times_path.display());
        let mut images = Vec::with_capacity(self.cameras.len());
        for camera in &self.cameras {
            images.push(Some((timestamp, read_image(&camera.path(frame), &needed_by)?)));
        }
        let mut clouds = Vec::new();
        if let Some(velodyne) = &self.velodyne {
            let scan = velodyne.has(frame).then(|| read_velodyne(&velodyne.path(frame)));
            let scan = scan.transpose()?;
            self.skips.add(
                "lidar scans",
                "velodyne/ has no such file",
                usize::from(scan.is_none()),
            );
            clouds.push(scan.map(|cloud| (timestamp, cloud)));
        }
        let poses = self.poses.until(timestamp);
        Ok(Some((frame, FrameData { timestamp, images, clouds, poses, ..FrameData::default() })))
    }

    /// The sequence's directory.
    pub(super) fn dir(&self) -> &Path {
        self.times_path.parent().unwrap_or(&self.times_path)
    }

    /// Where the account of what was left out is kept.
    pub(super) fn skips(&mut self) -> &mut Skips {
        &mut self.skips
    }
}

impl Drive for KittiDrive {
    fn header(&self) -> &ClipHeader {
        &self.header
    }

    fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
        Ok(self.next_numbered()?.map(|(_, frame)| frame))
    }

    fn skipped(&self) -> Vec<Skipped> {
        self.skips.list().into_iter().chain(self.thinning.skipped()).collect()
    }
}

fn sequence_name(dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    dir.file_name()
        .map_or_else(|| "sequence".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn choose_sequence(source: &Path, options: &ImportOptions) -> Result<PathBuf, Error> {
    let found = sequence_dirs(source);
    let names: Vec<String> = found.iter().map(|dir| sequence_name(dir)).collect();
    let index = choose(source, "sequence", &names, options.sequence.as_deref())?;
    Ok(found[index].clone())
}

/// The numbers of `calib.txt`.
struct Calibration {
    path: PathBuf,
    /// Rectified cameras, projection matrices, row-major.
    projections: [Option<[f64; 12]>; 4],
    camera_0_from_lidar: Option<Pose<Camera, Lidar>>,
}

impl Calibration {
    fn read(path: &Path, inputs: &mut Inputs) -> Result<Self, Error> {
        let content = inputs.text(path, "it holds the sequence's projection matrices")?;
        let mut projections = [None; 4];
        let mut camera_0_from_lidar = None;
        for (line, content) in text::lines(&content) {
            let Some((key, values)) = content.split_once(':') else { continue };
            match key.trim() {
                "Tr" | "Tr_velo_to_cam" => {
                    let matrix = text::numbers::<12>(path, line, values)?;
                    let pose = Pose::from_row_major(&matrix);
                    let pose = sanity::mount(pose, path, &format!("line {line}, {key}"))?;
                    camera_0_from_lidar = Some(pose);
                }
                key => {
                    let index = ["P0", "P1", "P2", "P3"].iter().position(|&name| name == key);
                    if let Some(index) = index {
                        let matrix = text::numbers::<12>(path, line, values)?;
                        check_projection(&matrix, path, &format!("line {line}, {key}"))?;
                        projections[index] = Some(matrix);
                    }
                }
            }
        }
        Ok(Self { path: path.to_owned(), projections, camera_0_from_lidar })
    }

    /// Cameras at their offsets from camera 0, which the fourth column holds: `P = K [I | t]`.
    fn camera(&self, index: usize, (width, height): (u32, u32)) -> Result<CameraSensor, Error> {
        let name = camera_name(index);
        let Some(p) = self.projections[index] else {
            return Err(Error::MissingCalibration { path: self.path.clone(), sensor: name });
        };
        let (fx, fy, cx, cy) = (p[0], p[5], p[2], p[6]);
        let inside =
            (0.0..f64::from(width)).contains(&cx) && (0.0..f64::from(height)).contains(&cy);
        if !inside {
            let what = format!(
                "P{index}: the principal point ({cx}, {cy}) lies outside the images in {name}, which are {width} x {height}; the calibration belongs to images of another size"
            );
            return Err(Error::source(&self.path, what));
        }
        let offset_z = p[11];
        let offset =
            Vector3::new((p[3] - cx * offset_z) / fx, (p[7] - cy * offset_z) / fy, offset_z);
        let camera_from_camera_0 = Pose::<Camera, Camera>::new(UnitQuaternion::identity(), offset);
        let ego_from_camera = ego_from_camera_0() * camera_from_camera_0.inverse();
        let what = format!("P{index}");
        Ok(CameraSensor {
            name,
            width,
            height,
            intrinsics: Intrinsics::Pinhole(Pinhole {
                fx,
                fy,
                cx: cx + PIXEL_CENTRE_PX,
                cy: cy + PIXEL_CENTRE_PX,
            }),
            ego_from_camera: sanity::mount(Some(ego_from_camera), &self.path, &what)?,
            shutter: Shutter::Global,
        })
    }

    fn rig(&self, cameras: &[Numbered], with_lidar: bool) -> Result<Rig, Error> {
        let mut rig = Rig::default();
        for files in cameras {
            let path = files.path(files.first().unwrap_or_default());
            let size = crate::image::size(&read_image(&path, "it is the first of its camera")?)?;
            rig.cameras.push(self.camera(files.sensor, size)?);
        }
        if let Some(camera_0_from_lidar) = self.camera_0_from_lidar.filter(|_| with_lidar) {
            let ego_from_lidar = ego_from_camera_0() * camera_0_from_lidar;
            rig.lidars.push(LidarSensor { name: "velodyne".to_owned(), ego_from_lidar });
        }
        rig.check().map_err(|cause| Error::Rig { path: self.path.clone(), cause })?;
        Ok(rig)
    }
}

fn camera_name(index: usize) -> String {
    format!("image_{index}")
}

fn check_projection(p: &[f64; 12], path: &Path, what: &str) -> Result<(), Error> {
    sanity::intrinsics([p[0], p[5], p[2], p[6]], path, what)?;
    let rest = [p[1], p[4], p[8], p[9], p[10] - 1.0];
    if rest.iter().any(|x| x.abs() > 1e-6) {
        let what = format!(
            "{what}: is not [fx 0 cx ..; 0 fy cy ..; 0 0 1 ..]; the images must be rectified"
        );
        return Err(Error::source(path, what));
    }
    Ok(())
}

fn read_times(path: &Path, inputs: &mut Inputs) -> Result<Vec<Timestamp>, Error> {
    let content = inputs.text(path, "it holds the time of each frame")?;
    let mut times = Vec::new();
    let mut line_of = Vec::new();
    for (line, content) in text::lines(&content) {
        let [time_s] = text::numbers::<1>(path, line, content)?;
        times.push(sanity::seconds(time_s, path, &format!("line {line}"))?);
        line_of.push(line);
    }
    sanity::ascending(&times, path, |i| format!("line {}", line_of[i]))?;
    Ok(times)
}

type SensorFiles = (Vec<Numbered>, Option<Numbered>);

fn find_files(
    dir: &Path,
    calibration: &Calibration,
    uncalibrated: Uncalibrated,
    skips: &mut Skips,
) -> Result<SensorFiles, Error> {
    let mut cameras = Vec::new();
    for index in 0..4 {
        let files = Numbered::list(dir, &camera_name(index), index, &["png", "jpg"], skips)?;
        cameras.extend(files);
    }
    let mut velodyne = Numbered::list(dir, "velodyne", 0, &["bin"], skips)?;
    if let Some(files) = &velodyne
        && calibration.camera_0_from_lidar.is_none()
    {
        if uncalibrated == Uncalibrated::Refused {
            let (path, sensor) = (calibration.path.clone(), "velodyne (line Tr)".to_owned());
            return Err(Error::MissingCalibration { path, sensor });
        }
        skips.add("lidar scans", "calib.txt has no line Tr", files.len());
        velodyne = None;
    }
    Ok((cameras, velodyne))
}

/// From the first to the last frame that a camera delivered, or the lidar where there is no camera.
/// In between, a missing image is an error of the frame.
fn frame_range(
    dir: &Path,
    cameras: &[Numbered],
    velodyne: Option<&Numbered>,
    times: &Path,
    time_count: usize,
) -> Result<std::ops::Range<usize>, Error> {
    let leading = || cameras.iter().chain(velodyne.filter(|_| cameras.is_empty()));
    let first = leading().filter_map(Numbered::first).min();
    let last = leading().filter_map(Numbered::last).max();
    let (Some(first), Some(last)) = (first, last) else {
        let what = "holds no image_0 … image_3 and no velodyne with files that can be used";
        return Err(Error::source(dir, what));
    };
    if last >= time_count {
        let what =
            format!("has {time_count} times, but there is a file of frame {last} (counted from 0)");
        return Err(Error::source(times, what));
    }
    Ok(first..last + 1)
}

/// Poses of the frames in a world whose origin and axes are those of the first frame's ego pose.
fn read_poses(
    dir: &Path,
    source: &Path,
    times: &[Timestamp],
    frames: std::ops::Range<usize>,
    inputs: &mut Inputs,
    skips: &mut Skips,
) -> Result<Vec<PoseSample>, Error> {
    let Some(path) = pose_file(dir, source) else {
        skips.add("poses", "the sequence has no pose file", frames.len());
        return Ok(Vec::new());
    };
    let content = inputs.text(&path, "it holds the poses")?;
    let ego_from_camera = ego_from_camera_0();
    let mut given: Vec<Pose<Camera, Camera>> = Vec::new();
    for (line, content) in text::lines(&content) {
        // KITTI's world is the left camera at its first frame.
        let matrix = text::numbers::<12>(&path, line, content)?;
        let pose = sanity::place(Pose::from_row_major(&matrix), &path, &format!("line {line}"))?;
        given.push(pose);
    }
    let end = frames.end.min(given.len());
    skips.add(
        "poses",
        "the pose file ends before the sequence",
        frames.end - end.max(frames.start),
    );
    let Some(first) = given.get(frames.start) else { return Ok(Vec::new()) };
    let first_from_given = first.inverse();
    let sample = |frame: usize| {
        let moved = ego_from_camera * (first_from_given * given[frame]) * ego_from_camera.inverse();
        let world_from_ego: Pose<World, Ego> = moved.cast();
        PoseSample { timestamp: times[frame], world_from_ego }
    };
    Ok((frames.start..end).map(sample).collect())
}

/// `poses.txt` beside the calibration, or `poses/NN.txt` beside or above the sequences.
fn pose_file(dir: &Path, source: &Path) -> Option<PathBuf> {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let file = format!("{}.txt", sequence_name(&dir));
    let near = [
        Some(dir.join("poses.txt")),
        Some(source.join("poses").join(&file)),
        dir.parent().map(|parent| parent.join("poses").join(&file)),
        dir.parent().and_then(Path::parent).map(|root| root.join("poses").join(&file)),
    ];
    near.into_iter().flatten().find(|path| path.is_file())
}
