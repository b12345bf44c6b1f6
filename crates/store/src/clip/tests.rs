use ommatidia_scene::Trajectory;
use proptest::prelude::*;

use super::*;
use crate::testing;

/// Writes frames as a clip and opens it.
fn round_trip(header: &ClipHeader, frames: &[FrameData]) -> (tempfile::TempDir, ClipReader) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clip.mcap");
    let summary = testing::write_clip(&path, header, frames).unwrap();
    let reader = ClipReader::open(&path).unwrap();
    assert_eq!(reader.content_hash(), summary.content_hash);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), summary.bytes);
    (directory, reader)
}

/// Everything that was written is read.
fn same(reader: &ClipReader, header: &ClipHeader, frames: &[FrameData]) {
    let clip = reader.clip();
    assert_eq!((&clip.id, &clip.format), (&header.id, &header.format));
    assert_eq!((&clip.rig, &clip.taxonomy), (&header.rig, &header.taxonomy));
    assert_eq!(clip.provenance, header.provenance);
    let poses = frames.iter().flat_map(|frame| frame.poses.clone()).collect();
    let trajectory =
        header.trajectory.map(|(source, scale)| Trajectory::new(source, scale, poses).unwrap());
    assert_eq!(clip.trajectory, trajectory);
    assert_eq!(clip.frames.len(), frames.len());
    for (read, given) in clip.frames.iter().zip(frames) {
        assert_eq!(read.timestamp, given.timestamp);
        for (image, given) in read.images.iter().zip(&given.images) {
            assert_eq!(image.is_some(), given.is_some());
            if let (Some(image), Some((time, given))) = (image, given) {
                let encoded = reader.encoded_image(image).unwrap();
                assert_eq!((image.timestamp, image.encoding), (*time, given.encoding));
                assert_eq!(encoded.bytes, given.bytes);
            }
        }
        assert_eq!(reader.motion(read).unwrap(), given.motion);
        for (cloud, given) in read.clouds.iter().zip(&given.clouds) {
            assert_eq!(cloud.is_some(), given.is_some());
            if let (Some(cloud), Some((time, given))) = (cloud, given) {
                assert_eq!(cloud.timestamp, *time);
                let read = reader.cloud(cloud).unwrap();
                assert_eq!(&read, given);
            }
        }
    }
    reader.verify().unwrap();
}

#[test]
fn a_clip_loses_nothing() {
    let (header, frames) = testing::drive(3);
    let (_directory, reader) = round_trip(&header, &frames);
    same(&reader, &header, &frames);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (header, frames) = testing::drive(3);
    let directory = tempfile::tempdir().unwrap();
    let [a, b] = ["a.mcap", "b.mcap"].map(|name| directory.path().join(name));
    testing::write_clip(&a, &header, &frames).unwrap();
    testing::write_clip(&b, &header, &frames).unwrap();
    assert!(std::fs::read(a).unwrap() == std::fs::read(b).unwrap());
}

mod damaged;
mod foreign;
mod refused;

const fn shared<T: Send + Sync>() {}
const _: () = shared::<ClipReader>();

fn some<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.7, strategy)
}

/// Offset of the sensors' time, seed of an image, sweep.
type Sensed = (Option<i64>, Option<u32>, Option<PointCloud>);

/// Sweeps with every column there or not.
fn sweep() -> impl Strategy<Value = PointCloud> {
    let point = (
        [-99.0_f32..99.0, -99.0_f32..99.0, -9.0_f32..9.0],
        any::<f32>().prop_filter("numbers", |x| !x.is_nan()),
        any::<u16>(),
        any::<i32>(),
        any::<u8>(),
        any::<u16>(),
    );
    (prop::collection::vec(point, 0..9), any::<[bool; 5]>()).prop_map(|(points, columns)| {
        let mut cloud = PointCloud::default();
        for (xyz_m, intensity, ring, offset_ns, class, instance) in points {
            cloud.xyz_m.push(xyz_m);
            cloud.intensity.extend(columns[0].then_some(intensity));
            cloud.ring.extend(columns[1].then_some(ring));
            cloud.offset_ns.extend(columns[2].then_some(offset_ns));
            cloud.class.extend(columns[3].then_some(class));
            cloud.instance.extend(columns[4].then_some(instance));
        }
        cloud
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_drive_loses_nothing(
        entries in prop::collection::vec((some(-999_i64..999), some(any::<u32>()), some(sweep())), 1..5),
        start in -10_000_000_000_i64..1_700_000_000_000_000_000,
        with_poses in any::<bool>(),
        with_imu in any::<bool>(),
    ) {
        let mut header = testing::header();
        header.rig.imu = header.rig.imu.filter(|_| with_imu);
        header.trajectory = header.trajectory.filter(|_| with_poses);
        let frame = |(k, (offset, seed, cloud)): (usize, Sensed)| {
            let timestamp = Timestamp(start + 1000 * k as i64);
            let time = Timestamp(timestamp.0 + offset.unwrap_or(0));
            let world_from_ego = testing::pose(k as f64);
            FrameData {
                timestamp,
                images: vec![None, seed.map(|seed| (time, testing::png(seed % 4096)))],
                clouds: vec![cloud.map(|cloud| (time, cloud))],
                poses: if with_poses { vec![PoseSample { timestamp, world_from_ego }] } else { vec![] },
                ..FrameData::default()
            }
        };
        let frames: Vec<FrameData> = entries.into_iter().enumerate().map(frame).collect();
        let (_directory, reader) = round_trip(&header, &frames);
        same(&reader, &header, &frames);
    }
}
