//! Every recording becomes a clip: the writer accepts what the readers deliver.

use ommatidia_store::ClipReader;
use ommatidia_store::formats::{ImportOptions, find};
use ommatidia_store::import::import;

use crate::shared::data;

const RIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/surround_fisheye.toml");

fn check(source: &str, sequence: Option<&str>, frames: usize, has_poses: bool, has_truth: bool) {
    let Some(source) = data(source) else { return };
    let rig = source.ends_with("surround_fisheye").then(|| RIG.into());
    let sequence = sequence.map(str::to_owned);
    let options = ImportOptions { sequence, rig, rate_hz: None };
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("clip.mcap");
    let mut drive = find("auto", &source).unwrap().open(&source, &options).unwrap();
    let imported = import(drive.as_mut(), &out, |_| {}).unwrap();
    assert_eq!((imported.has_poses, imported.truth.is_some()), (has_poses, has_truth));
    let reader = ClipReader::open(&out).unwrap();
    let clip = reader.clip();
    assert_eq!(clip.frames.len(), frames);
    assert_eq!(clip.rig, drive.header().rig);
    assert_eq!(clip.trajectory.is_some(), has_poses);
}

#[test]
fn kitti_odometry() {
    check("kitti_odometry", None, 51, true, false);
}

#[test]
fn semantickitti() {
    check("semantickitti_00", None, 5, true, true);
}

#[test]
fn nuscenes() {
    check("nuscenes_keyframe", None, 1, true, true);
}

#[test]
fn dgp() {
    check("ddad_scene", None, 3, true, true);
}

#[test]
fn argoverse2() {
    check("argoverse2_log", Some("val/7fab2350-7eaf-3b7e-a39d-6937a4c1bede"), 2, true, true);
}

#[test]
fn images() {
    check("surround_fisheye", None, 1, false, false);
}
