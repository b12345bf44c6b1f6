use super::*;
use crate::testing;
use ommatidia_scene::Trajectory;

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

#[test]
fn a_clip_loses_nothing() {
    let (header, frames) = testing::drive(3);
    let (_directory, reader) = round_trip(&header, &frames);
    let clip = reader.clip();
    assert_eq!((&clip.id, &clip.format), (&header.id, &header.format));
    assert_eq!((&clip.rig, &clip.taxonomy), (&header.rig, &header.taxonomy));
    assert_eq!(clip.provenance, header.provenance);
    let poses = frames.iter().flat_map(|frame| frame.poses.clone()).collect();
    let (source, scale) = header.trajectory.unwrap();
    assert_eq!(clip.trajectory, Some(Trajectory::new(source, scale, poses).unwrap()));
    assert_eq!(clip.frames.len(), frames.len());
    for (read, given) in clip.frames.iter().zip(&frames) {
        assert_eq!(read.timestamp, given.timestamp);
        for (image, given) in read.images.iter().zip(&given.images) {
            assert_eq!(image.is_some(), given.is_some());
            if let (Some(image), Some((time, given))) = (image, given) {
                let encoded = reader.encoded_image(image).unwrap();
                assert_eq!((image.timestamp, image.encoding), (*time, given.encoding));
                assert_eq!(encoded.bytes, given.bytes);
            }
        }
        for (cloud, given) in read.clouds.iter().zip(&given.clouds) {
            assert_eq!(cloud.is_some(), given.is_some());
            if let (Some(cloud), Some((time, given))) = (cloud, given) {
                assert_eq!(cloud.timestamp, *time);
                assert_eq!(reader.cloud(cloud).unwrap(), *given);
            }
        }
    }
    reader.verify().unwrap();
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
