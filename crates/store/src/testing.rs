//! A small drive for tests.

use std::path::Path;

use nalgebra::Vector3;
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Duration, Intrinsics, Pose, Timestamp, so3};
use ommatidia_scene::{
    CameraSensor, ContentHash, GnssSample, ImuSample, ImuSensor, Input, LidarSensor,
    MotionReadings, PointCloud, PoseSample, PoseSource, Provenance, ReadoutDirection, Rig, Scale,
    Shutter, WheelSample,
};

use crate::{ClipHeader, ClipSummary, ClipWriter, EncodedImage, Error, FrameData, depth_png};

pub(crate) const WIDTH: u32 = 32;
pub(crate) const HEIGHT: u32 = 24;

pub(crate) fn pose<A, B>(seed: f64) -> Pose<A, B> {
    let rotation = so3::exp(&Vector3::new(0.1 * seed, -0.03, 0.2 * seed));
    Pose::new(rotation, Vector3::new(seed, 0.1 / 3.0, -seed / 7.0))
}

pub(crate) fn header() -> ClipHeader {
    let camera = |name: &str, seed: f64, shutter: Shutter| CameraSensor {
        name: name.to_owned(),
        width: WIDTH,
        height: HEIGHT,
        intrinsics: Intrinsics::Pinhole(Pinhole { fx: 30.1, fy: 29.9, cx: 16.5, cy: 12.25 }),
        ego_from_camera: pose(seed),
        shutter,
    };
    let rolling = Shutter::Rolling {
        readout_ns: Duration(30_000_000),
        direction: ReadoutDirection::TopToBottom,
    };
    let rig = Rig {
        cameras: vec![camera("left", 1.0, Shutter::Global), camera("right", 2.0, rolling)],
        lidars: vec![LidarSensor { name: "top".to_owned(), ego_from_lidar: pose(3.0) }],
        imu: Some(ImuSensor { name: "imu".to_owned(), ego_from_imu: pose(4.0) }),
    };
    let inputs = vec![Input { name: "calib.txt".to_owned(), blake3: ContentHash([7; 32]) }];
    ClipHeader {
        id: "drive é".to_owned(),
        format: "test".to_owned(),
        rig,
        taxonomy: "driving".to_owned(),
        trajectory: Some((PoseSource::Dataset, Scale::Metric)),
        provenance: Provenance::new(inputs, serde_json::json!({ "rate_hz": 10.5 })),
    }
}

pub(crate) fn png(seed: u32) -> EncodedImage {
    let values: Vec<u8> =
        (0..WIDTH * HEIGHT).map(|i| (i.wrapping_mul(2_654_435_761 + seed) >> 24) as u8).collect();
    let bytes = depth_png::encode_bytes(WIDTH as usize, HEIGHT as usize, &values);
    EncodedImage::sniff(bytes.into(), format!("{seed}.png")).unwrap()
}

pub(crate) fn cloud(points: usize) -> PointCloud {
    PointCloud {
        xyz_m: (0..points).map(|i| [i as f32, -0.5 * i as f32, 1.0 / (1 + i) as f32]).collect(),
        intensity: (0..points).map(|i| i as f32 / 255.0).collect(),
        ring: (0..points).map(|i| (i % 64) as u16).collect(),
        offset_ns: (0..points).map(|i| i as i32 * 1000 - 500).collect(),
        class: (0..points).map(|i| (i % 7) as u8).collect(),
        instance: (0..points).map(|i| (i * 300) as u16).collect(),
    }
}

/// Two cameras and a lidar; now and then a sensor delivers nothing.
pub(crate) fn frame(index: usize) -> FrameData {
    let time = |offset: i64| Timestamp(index as i64 * 100_000_000 + offset);
    FrameData {
        timestamp: time(0),
        images: vec![
            Some((time(-1_000), png(index as u32))),
            (index % 3 != 1).then(|| (time(2_000), png(1000 + index as u32))),
        ],
        clouds: vec![(index.is_multiple_of(2)).then(|| (time(5), cloud(10 + index)))],
        poses: (0..2)
            .map(|k| PoseSample {
                timestamp: time(k * 1_000),
                world_from_ego: pose(index as f64 + 0.1 * k as f64),
            })
            .collect(),
        motion: if index == 1 { MotionReadings::default() } else { motion(time(-3_000)) },
        truth: None,
    }
}

fn motion(timestamp: Timestamp) -> MotionReadings {
    let (acceleration_m_s2, angular_velocity_rad_s) = ([0.1, 1.0 / 3.0, 9.81], [1e-9, -0.2, 0.3]);
    MotionReadings {
        imu: vec![ImuSample { timestamp, acceleration_m_s2, angular_velocity_rad_s }],
        wheels: vec![WheelSample { timestamp, speed_m_s: 13.9, yaw_rate_rad_s: -0.01 }],
        gnss: vec![GnssSample {
            timestamp,
            p_in_world_m: [1.0, 2.0, 3.0],
            deviation_m: [0.5, 0.5, 1.5],
        }],
    }
}

pub(crate) fn drive(frames: usize) -> (ClipHeader, Vec<FrameData>) {
    (header(), (0..frames).map(frame).collect())
}

pub(crate) fn write_clip(
    path: &Path,
    header: &ClipHeader,
    frames: &[FrameData],
) -> Result<ClipSummary, Error> {
    let mut writer = ClipWriter::create(path, header)?;
    for frame in frames {
        writer.write(frame)?;
    }
    writer.finish()
}
