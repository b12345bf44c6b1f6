//! Odometry on rendered drives with exact truth, on bad input, and on real drives.

use std::path::{Path, PathBuf};

use ommatidia_geometry::{Duration, Timestamp};
use ommatidia_label::stages::odometry::{Odometry, OdometryConfig, OdometryInput, OdometryResult};
use ommatidia_metrics::trajectory::{TrajectoryProtocol, TrajectoryReport, evaluate};
use ommatidia_scene::{GrayImage, PoseSample, PoseSource, Rig, Scale, Trajectory};
use ommatidia_store::formats::{ImportOptions, find};
use ommatidia_store::image;
use ommatidia_world::{StreetDrive as Drive, StreetDriveOptions as DriveOptions};

type Images = Vec<Option<(Timestamp, GrayImage)>>;

/// A short clip in memory.
#[derive(Clone)]
struct Recording {
    rig: Rig,
    frames: Vec<(Timestamp, Images)>,
    truth: Trajectory,
}

fn rendered(frames: usize) -> Recording {
    let options = DriveOptions { frames, width: 640, height: 224, ..DriveOptions::default() };
    let drive = Drive::new(options);
    let frame = |index: usize| {
        let frame = drive.frame(index);
        let gray = |image: &ommatidia_scene::RgbImage| Some((frame.timestamp, image.to_gray()));
        (frame.timestamp, frame.images.iter().map(gray).collect())
    };
    let frames = (0..frames).map(frame).collect();
    Recording { rig: drive.rig.clone(), frames, truth: drive.trajectory() }
}

fn run(recording: &Recording, prior: Option<&Trajectory>) -> OdometryResult {
    let mut odometry = Odometry::new(&recording.rig, &OdometryConfig::default()).unwrap();
    for (timestamp, images) in &recording.frames {
        odometry.step(&OdometryInput { timestamp: *timestamp, images, prior }).unwrap();
    }
    odometry.finish()
}

/// Against the truth, both from their first pose.
fn compare(truth: &Trajectory, result: &OdometryResult) -> TrajectoryReport {
    let estimate = result.trajectory.samples();
    let matched: Vec<PoseSample> = estimate
        .iter()
        .filter_map(|p| Some(PoseSample { world_from_ego: truth.at(p.timestamp)?, ..*p }))
        .collect();
    let from_start = |samples: &[PoseSample]| -> Vec<PoseSample> {
        let start = samples[0].world_from_ego.inverse();
        let moved =
            |p: &PoseSample| PoseSample { world_from_ego: (start * p.world_from_ego).cast(), ..*p };
        samples.iter().map(moved).collect()
    };
    evaluate(&from_start(&matched), &from_start(estimate), &TrajectoryProtocol::default()).unwrap()
}

fn skipped(result: &OdometryResult, why: &str) -> u64 {
    result.skipped.iter().filter(|s| s.why.contains(why)).map(|s| s.count).sum()
}

#[test]
fn a_stereo_drive_is_followed_to_centimetres() {
    let recording = rendered(30);
    let result = run(&recording, None);
    let report = compare(&recording.truth, &result);
    println!("stereo: {report:?}");
    assert!(report.ate_rmse_m < 0.05, "{report:?}");
    assert!(report.end_drift_percent.unwrap() < 0.5, "{report:?}");
    assert_eq!(result.trajectory.scale, Scale::Metric);
    assert_eq!(result.trajectory.source, PoseSource::Odometry);
    assert!(result.confidence > 0.7, "{}", result.confidence);
    assert!(result.skipped.is_empty(), "{:?}", result.skipped);
}

#[test]
fn a_resumed_run_ends_in_the_same_bits() {
    let recording = rendered(14);
    let whole = run(&recording, None);
    let config = OdometryConfig::default();
    for stop in [1, 6, 13] {
        let mut odometry = Odometry::new(&recording.rig, &config).unwrap();
        for (timestamp, images) in &recording.frames[..stop] {
            let input = OdometryInput { timestamp: *timestamp, images, prior: None };
            odometry.step(&input).unwrap();
        }
        let saved = odometry.checkpoint().unwrap();
        drop(odometry);
        let reference = Odometry::checkpoint_reference(&saved).unwrap().unwrap();
        let images = &recording.frames[reference].1;
        let mut odometry = Odometry::resume(&recording.rig, &config, &saved, images).unwrap();
        assert_eq!(odometry.frames(), stop);
        for (timestamp, images) in &recording.frames[stop..] {
            let input = OdometryInput { timestamp: *timestamp, images, prior: None };
            odometry.step(&input).unwrap();
        }
        assert_eq!(odometry.finish(), whole, "resumed after {stop} frames");
    }
    let broken = Odometry::resume(&recording.rig, &config, &[1, 255, 3], &[]);
    assert!(broken.is_err());
}

#[test]
fn threads_do_not_change_a_bit() {
    let recording = rendered(8);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&recording, None))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn darkness_is_bridged_and_admitted() {
    let mut recording = rendered(16);
    for (_, images) in &mut recording.frames[6..9] {
        images.iter_mut().flatten().for_each(|(_, image)| image.data.fill(0));
    }
    // One frame is not delivered at all, and of one a camera is missing.
    recording.frames[11].1 = vec![None, None];
    recording.frames[13].1[1] = None;
    let result = run(&recording, None);
    assert_eq!(result.trajectory.samples().len(), 16);
    for (index, &confidence) in result.frame_confidence.iter().enumerate() {
        let placed = !(6..=9).contains(&index) && index != 11;
        assert_eq!(confidence > 0.3, placed, "frame {index}: {confidence}");
    }
    assert!(result.confidence < 0.1, "{}", result.confidence);
    assert_eq!(skipped(&result, "no camera delivered"), 1);
    assert_eq!(skipped(&result, "other cameras were used"), 1);
    // Coasting over three dark frames at constant speed costs little.
    let report = compare(&recording.truth, &result);
    assert!(report.ate_max_m < 1.0, "{report:?}");
}

#[test]
fn images_without_content_and_repeats_are_no_motion_measured() {
    let mut recording = rendered(4);
    let first = recording.frames[0].1.clone();
    recording.frames.iter_mut().for_each(|(_, images)| *images = first.clone());
    let repeated = run(&recording, None);
    assert!(repeated.confidence < 0.2, "{}", repeated.confidence);
    assert_eq!(skipped(&repeated, "repeat the frame before"), 3);
    for (_, images) in &mut recording.frames {
        images.iter_mut().flatten().for_each(|(_, image)| image.data.fill(127));
    }
    let blank = run(&recording, None);
    assert_eq!(blank.confidence, 0.0);
    let still =
        blank.trajectory.samples().iter().all(|p| p.world_from_ego.translation.norm() == 0.0);
    assert!(still, "nothing says that the vehicle moved");
}

#[test]
fn a_given_trajectory_sets_the_world() {
    let recording = rendered(8);
    let start =
        ommatidia_geometry::Pose::<ommatidia_geometry::World, ommatidia_geometry::World>::exp(
            &nalgebra::Vector6::new(100.0, -50.0, 3.0, 0.0, 0.0, 1.0),
        );
    let moved = |p: &PoseSample| PoseSample { world_from_ego: start * p.world_from_ego, ..*p };
    let samples = recording.truth.samples().iter().map(moved).collect();
    let prior = Trajectory::new(PoseSource::Dataset, Scale::Metric, samples).unwrap();
    let result = run(&recording, Some(&prior));
    for (estimate, truth) in result.trajectory.samples().iter().zip(prior.samples()) {
        let off = (estimate.world_from_ego.translation - truth.world_from_ego.translation).norm();
        assert!(off < 0.05, "{off} m off at {}", truth.timestamp);
    }
}

/// About normal numbers, the same every time.
struct Noise(ommatidia_geometry::ransac::Random);

impl Noise {
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.0.uniform()).sum::<f64>() - 6.0
    }
}

#[test]
fn satellites_take_out_drift_and_leave_the_steps_smooth() {
    const SIGMA_M: f64 = 0.4;
    let mut recording = rendered(60);
    // A wrong baseline makes the path 3 % too long.
    let lever = &mut recording.rig.cameras[1].ego_from_camera.translation;
    lever.y *= 1.03;
    let alone = run(&recording, None);
    // Positions only, in a world that the vehicle does not begin along the axis of.
    let start =
        ommatidia_geometry::Pose::<ommatidia_geometry::World, ommatidia_geometry::World>::exp(
            &nalgebra::Vector6::new(100.0, -50.0, 3.0, 0.0, 0.0, 2.0),
        );
    let moved = |p: &PoseSample| PoseSample { world_from_ego: start * p.world_from_ego, ..*p };
    let truth: Vec<PoseSample> = recording.truth.samples().iter().map(moved).collect();
    let mut noise = Noise(ommatidia_geometry::ransac::Random::new(5));
    let mut fix = |p: &PoseSample| {
        let off = nalgebra::Vector3::from_fn(|_, _| SIGMA_M * noise.normal());
        let rotation = nalgebra::UnitQuaternion::identity();
        let world_from_ego =
            ommatidia_geometry::Pose::new(rotation, p.world_from_ego.translation + off);
        PoseSample { world_from_ego, ..*p }
    };
    let fixes: Vec<PoseSample> = truth.iter().map(&mut fix).collect();
    let given = Trajectory::new(PoseSource::Gnss, Scale::Metric, fixes).unwrap();
    let mut config = OdometryConfig::default();
    config.prior.gnss_position_m = SIGMA_M;
    let mut odometry = Odometry::new(&recording.rig, &config).unwrap();
    for (timestamp, images) in &recording.frames {
        let prior = Some(&given);
        odometry.step(&OdometryInput { timestamp: *timestamp, images, prior }).unwrap();
    }
    let fused = odometry.finish();
    let protocol = TrajectoryProtocol::default();
    let against = |samples: &[PoseSample]| evaluate(&truth, samples, &protocol).unwrap();
    let by_cameras = compare(&recording.truth, &alone);
    let (by_satellites, both) = (against(given.samples()), against(fused.trajectory.samples()));
    println!("cameras {by_cameras:?}\nsatellites {by_satellites:?}\nboth {both:?}");
    assert_eq!(fused.trajectory.scale, Scale::Metric);
    assert!(both.ate_rmse_m < 0.5 * by_cameras.ate_rmse_m, "{both:?}");
    assert!(both.ate_rmse_m < 0.5 * by_satellites.ate_rmse_m, "{both:?}");
    assert!(both.rpe_trans_m < 0.1 * by_satellites.rpe_trans_m, "{both:?}");
}

#[test]
fn bad_input_is_named() {
    let recording = rendered(2);
    let config = OdometryConfig { sigma_px: -1.0, ..OdometryConfig::default() };
    let error = Odometry::new(&recording.rig, &config).err().unwrap().to_string();
    assert!(error.contains("sigma_px is -1"), "{error}");
    let error = Odometry::new(&Rig::default(), &OdometryConfig::default()).err().unwrap();
    assert!(error.to_string().contains("no camera"), "{error}");
    let mut odometry = Odometry::new(&recording.rig, &OdometryConfig::default()).unwrap();
    let (timestamp, images) = &recording.frames[0];
    let input = OdometryInput { timestamp: *timestamp, images, prior: None };
    odometry.step(&input).unwrap();
    let again = odometry.step(&input).unwrap_err().to_string();
    assert!(again.contains("is not after"), "{again}");
    let small = vec![Some((*timestamp, GrayImage::new(2, 2, vec![0; 4]))), None];
    let later = *timestamp + Duration::from_secs_f64(0.1);
    let input = OdometryInput { timestamp: later, images: &small, prior: None };
    let error = odometry.step(&input).unwrap_err().to_string();
    assert!(error.contains("2 x 2"), "{error}");
    assert_eq!(odometry.frames(), 1);
}

/// The folder of real data, if there is one.
fn real(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("OMMATIDIA_DATA").map_or(beside, PathBuf::from);
    let path = root.join(name);
    if !path.is_dir() {
        println!("skipped: no real data");
        return None;
    }
    Some(path)
}

fn read(path: &Path, options: &ImportOptions) -> Recording {
    let mut drive = find("auto", path).unwrap().open(path, options).unwrap();
    let header = drive.header().clone();
    let (mut frames, mut poses) = (Vec::new(), Vec::new());
    while let Some(frame) = drive.next_frame().unwrap() {
        poses.extend(&frame.poses);
        let gray = |image: &Option<(Timestamp, ommatidia_store::EncodedImage)>| {
            image.as_ref().map(|(time, encoded)| (*time, image::gray(encoded).unwrap()))
        };
        frames.push((frame.timestamp, frame.images.iter().map(gray).collect()));
    }
    let (source, scale) = header.trajectory.unwrap();
    Recording { rig: header.rig, frames, truth: Trajectory::new(source, scale, poses).unwrap() }
}

#[test]
fn kitti_06_stays_on_the_road() {
    let Some(path) = real("kitti_odometry") else { return };
    let recording = read(&path, &ImportOptions::default());
    let result = run(&recording, None);
    let report = compare(&recording.truth, &result);
    println!("KITTI 06: {report:?}");
    assert!(report.end_drift_percent.unwrap() < 1.3, "{report:?}");
    assert!(report.rpe_trans_m < 0.02, "{report:?}");
    assert!(result.confidence > 0.8 && result.skipped.is_empty());
}

#[test]
fn one_camera_takes_its_scale_from_its_height() {
    let mut recording = rendered(20);
    recording.rig.cameras.truncate(1);
    recording.frames.iter_mut().for_each(|(_, images)| images.truncate(1));
    let result = run(&recording, None);
    let report = compare(&recording.truth, &result);
    println!("one camera: {report:?}");
    assert_eq!(result.trajectory.scale, Scale::CameraHeight);
    assert!(report.end_drift_percent.unwrap() < 8.0, "{report:?}");
    // A given path replaces the assumption.
    let result = run(&recording, Some(&recording.truth));
    assert_eq!(result.trajectory.scale, Scale::Metric);
    assert!(compare(&recording.truth, &result).ate_rmse_m < 0.05);
}

#[test]
fn a_turned_partner_is_found_from_motion() {
    let truth = rendered(40);
    // An exact calibration is left alone; of a wrong one, what matching may be biased by stays.
    for (yaw_rad, most_left, most_drift) in [(0.0, 3e-5, 0.3), (3e-3, 1e-3, 2.0)] {
        let mut recording = truth.clone();
        let turn =
            ommatidia_geometry::Pose::exp(&nalgebra::Vector6::new(0., 0., 0., 0., yaw_rad, 0.));
        let partner = &mut recording.rig.cameras[1];
        partner.ego_from_camera = partner.ego_from_camera * turn;
        let result = run(&recording, None);
        let report = compare(&recording.truth, &result);
        let found =
            truth.rig.cameras[1].ego_from_camera.inverse() * result.rig.cameras[1].ego_from_camera;
        let left = found.rotation.angle();
        println!("turned by {yaw_rad}: {left} left, {report:?}");
        assert!(left < most_left, "turned by {yaw_rad}: {left} left");
        assert!(report.end_drift_percent.unwrap() < most_drift, "turned by {yaw_rad}: {report:?}");
    }
}
