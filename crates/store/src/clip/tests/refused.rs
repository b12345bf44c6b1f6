//! Input that is no clip, and what is said about it.

use super::*;
use crate::atomic::faults;

/// A drive that was changed for the worse is refused with these words, and nothing is written.
fn check(spoil: impl Fn(&mut ClipHeader, &mut Vec<FrameData>), expected: &[&str]) {
    let (mut header, mut frames) = testing::drive(3);
    spoil(&mut header, &mut frames);
    let directory = tempfile::tempdir().unwrap();
    let error =
        testing::write_clip(&directory.path().join("clip.mcap"), &header, &frames).unwrap_err();
    assert!(!error.is_environment(), "{error}");
    let text = error.to_string();
    assert!(expected.iter().all(|words| text.contains(words)), "{text}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn times_that_do_not_ascend() {
    check(|_, frames| frames[2].timestamp = frames[1].timestamp, &["frame 2", "sort the frames"]);
    check(|_, frames| frames.swap(0, 1), &["frame 1", "clip.mcap"]);
}

#[test]
fn poses_that_are_none() {
    let nan = f64::NAN;
    check(|_, f| f[1].poses[0].world_from_ego.translation.x = nan, &["frame 1", "not finite"]);
    check(|_, f| f[1].poses[1].timestamp = f[1].poses[0].timestamp, &["frame 1", "sort the poses"]);
    check(|_, f| f[2].poses = f[0].poses.clone(), &["frame 2", "sort the poses"]);
    check(|header, _| header.trajectory = None, &["frame 0", "no source of poses"]);
}

#[test]
fn calibrations_that_are_none() {
    use ommatidia_geometry::{CameraModel, Intrinsics};
    fn with(intrinsics: &mut Intrinsics, index: usize, value: f64) {
        let mut parameters = intrinsics.parameters();
        parameters[index] = value;
        *intrinsics = intrinsics.with_parameters(&parameters);
    }
    check(|h, _| with(&mut h.rig.cameras[1].intrinsics, 0, 0.0), &["right", "focal length"]);
    check(|h, _| with(&mut h.rig.cameras[0].intrinsics, 2, f64::NAN), &["left", "not a finite"]);
    check(|h, _| h.rig.cameras[0].ego_from_camera.translation.z = f64::NAN, &["left", "mounting"]);
    check(|h, _| h.rig.cameras[0].name = "top".to_owned(), &["two sensors are named top"]);
    check(|h, _| h.rig.cameras[0].name = "ego".to_owned(), &["ego", "another"]);
}

#[test]
fn sensors_that_do_not_fit() {
    check(|_, f| drop(f[1].images.pop()), &["frame 1", "2 cameras and 1 lidars"]);
    check(|h, _| h.rig.cameras[0].width = 31, &["0.png", "32 x 24", "31 x 24"]);
    let points = |frames: &mut Vec<FrameData>, change: fn(&mut PointCloud)| {
        change(&mut frames[2].clouds[0].as_mut().unwrap().1)
    };
    check(|_, f| points(f, |c| c.xyz_m[3][1] = f32::INFINITY), &["frame 2", "lidar top: point 3"]);
    check(|_, f| points(f, |c| c.ring.truncate(3)), &["frame 2", "differ in length"]);
    check(|_, f| f.clear(), &["no frame"]);
}

#[test]
fn images_that_are_cut_short() {
    let cut = |frames: &mut Vec<FrameData>| {
        let image = &mut frames[1].images[0].as_mut().unwrap().1;
        image.bytes = image.bytes.slice(..image.bytes.len() - 20);
    };
    check(|_, frames| cut(frames), &["1.png", "cut short"]);
}

#[test]
fn a_disk_that_fills_at_any_byte_leaves_the_old_clip() {
    let (header, frames) = testing::drive(2);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clip.mcap");
    let summary = testing::write_clip(&path, &header, &frames[..1]).unwrap();
    let old = std::fs::read(&path).unwrap();
    let mut size = 0;
    loop {
        faults::DISK_BYTES.set(Some(size));
        let result = testing::write_clip(&path, &header, &frames);
        faults::DISK_BYTES.set(None);
        let Err(error) = result else { break };
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        assert!(error.is_environment());
        assert!(std::fs::read(&path).unwrap() == old, "with {size} bytes of disk");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        // A prime step: every byte would be slow, a round one would meet only some boundaries.
        size += 13;
    }
    let reader = ClipReader::open(&path).unwrap();
    assert_ne!(reader.content_hash(), summary.content_hash);
    same(&reader, &header, &frames);
}
