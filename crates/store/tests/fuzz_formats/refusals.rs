//! Bad sources that people have: each error names the file, the place in it and the reason.

use ommatidia_store::formats::ImportOptions;

use crate::fixtures::{self, Fixture};
use crate::format;

/// The error of a source that was spoilt, which must hold all of `expected`.
fn check(name: &str, spoil: impl FnOnce(&mut Fixture), expected: &[&str]) {
    let mut fixture = fixtures::of(name);
    spoil(&mut fixture);
    check_with(&fixture, &ImportOptions::default(), expected);
}

fn check_with(fixture: &Fixture, options: &ImportOptions, expected: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    fixture.write(root.path());
    let outcome = format(fixture.format).open(root.path(), options).and_then(|mut drive| {
        while drive.next_frame()?.is_some() {}
        Ok(())
    });
    let error = outcome.expect_err("a bad source");
    assert!(!error.is_environment(), "{error}");
    let error = error.to_string();
    for part in expected {
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
}

const CALIBRATION: &str = "sequences/00/calib.txt";

#[test]
fn kitti() {
    let check = |spoil: &dyn Fn(&mut Fixture), expected: &[&str]| {
        check("kitti_odometry", spoil, expected);
    };
    check(
        &|f| f.remove("sequences/00/image_1/000001.png"),
        &["image_1/000001.png is missing", "frame 1", "times.txt"],
    );
    check(
        &|f| f.file("sequences/00/velodyne/000001.bin").truncate(47),
        &["000001.bin", "47 bytes", "16"],
    );
    check(&|f| f.replace("poses/00.txt", "0.01", "nan"), &["poses/00.txt: line 2, value 4", "nan"]);
    check(
        &|f| f.replace(CALIBRATION, "7.0e0", "0"),
        &["calib.txt: line 1, P0", "focal length is 0"],
    );
    check(&|f| f.replace(CALIBRATION, "P1", "PX"), &["calib.txt", "image_1 has no calibration"]);
    check(&|f| f.replace(CALIBRATION, "4.0e0", "40"), &["principal point", "image_0", "8 x 6"]);
    check(
        &|f| f.replace("sequences/00/times.txt", "1.037", "-1.037"),
        &["times.txt: line 2", "not after", "ascend"],
    );
    check(
        &|f| f.replace("sequences/00/times.txt", "1.037000e-01\n", ""),
        &["times.txt", "has 1 times", "frame 1"],
    );
    check(
        &|f| f.file("sequences/00/image_0/000000.png").truncate(20),
        &["image_0/000000.png", "header"],
    );
}

#[test]
fn semantickitti() {
    check(
        "semantickitti",
        |f| f.file("sequences/00/labels/000000.label").truncate(8),
        &["000000.label", "8 bytes", "3 returns"],
    );
    check(
        "semantickitti",
        |f| f.replace(CALIBRATION, "Tr", "Tx"),
        &["calib.txt", "velodyne", "Tr"],
    );
}

#[test]
fn nuscenes() {
    let check =
        |spoil: &dyn Fn(&mut Fixture), expected: &[&str]| check("nuscenes", spoil, expected);
    check(
        &|f| f.replace("v1.0-mini/ego_pose.json", "pose-l1", "pose-x"),
        &["ego_pose.json: has no row \"pose-l1\"", "sample_data l1"],
    );
    check(
        &|f| f.replace("v1.0-mini/sample_annotation.json", "\"next\": \"a1\"", "\"next\": \"a9\""),
        &["sample_annotation.json", "\"a9\"", "row a0"],
    );
    check(
        &|f| f.replace("v1.0-mini/sample_data.json", "samples/CAM/0.jpg", "../../secret.jpg"),
        &["sample_data.json", "../../secret.jpg", "inside"],
    );
    check(&|f| f.remove("samples/CAM/1.jpg"), &["samples/CAM/1.jpg is missing", "row c1"]);
    check(
        &|f| f.replace("v1.0-mini/calibrated_sensor.json", "7.0", "0.0"),
        &["calibrated_sensor.json", "calibrated-cam", "focal length is 0"],
    );
    check(
        &|f| *f.file("v1.0-mini/instance.json") = b"{\"token\": 3}".to_vec(),
        &["instance.json", "array of rows", "line 1"],
    );
    check(&|f| f.file("samples/LIDAR/0.pcd.bin").truncate(39), &["0.pcd.bin", "39 bytes", "20"]);
    check(
        &|f| f.replace("v1.0-mini/sample.json", "1550000", "1050000"),
        &["sample.json: sample s1", "not after"],
    );
}

#[test]
fn dgp() {
    const SCENE: &str = "scene_00/scene_0123abcd.json";
    let check = |spoil: &dyn Fn(&mut Fixture), expected: &[&str]| check("dgp", spoil, expected);
    check(
        &|f| f.replace(SCENE, "rgb/CAMERA_01/0.png", "/etc/passwd"),
        &[SCENE, "/etc/passwd", "inside"],
    );
    check(
        &|f| f.replace(SCENE, "\"key\": \"LIDAR-1\"", "\"key\": \"x\""),
        &["sample 1", "\"LIDAR-1\""],
    );
    check(
        &|f| f.replace("scene_00/calibration/calibration.json", "\"CAMERA_01\"", "\"CAMERA_02\""),
        &["calibration.json", "CAMERA_01 has no calibration"],
    );
    check(&|f| f.replace(SCENE, "2464-11-12T01:04:11.0279Z", "yesterday"), &[SCENE, "yesterday"]);
    check(&|f| f.file("scene_00/point_cloud/LIDAR/1.npz").truncate(90), &["1.npz", "cut short"]);
    check(
        &|f| {
            f.replace("scene_00/bounding_box_3d/LIDAR/0.json", "\"class_id\": 2", "\"class_id\": 5")
        },
        &["0.json: annotation 0", "no class 5"],
    );
}

/// The announced size of the only entry of an archive, in both of its headers.
fn announce(archive: &mut [u8], bytes: u32) {
    let central = archive.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    archive[22..26].copy_from_slice(&bytes.to_le_bytes());
    archive[central + 24..central + 28].copy_from_slice(&bytes.to_le_bytes());
}

#[test]
fn archives_that_announce_too_much() {
    for bytes in [u32::MAX, 100_000_000] {
        check("dgp", |f| announce(f.file("scene_00/point_cloud/LIDAR/0.npz"), bytes), &["0.npz"]);
    }
}

#[test]
fn argoverse2() {
    let check =
        |spoil: &dyn Fn(&mut Fixture), expected: &[&str]| check("argoverse2", spoil, expected);
    let sweep = "val/log/sensors/lidar/315966265259836000.feather";
    check(&|f| f.file(sweep).truncate(200), &[sweep, "ARROW1"]);
    check(
        &|f| f.remove("val/log/calibration/intrinsics.feather"),
        &["intrinsics.feather is missing"],
    );
    check(
        &|f| f.replace("val/log/map/log_map_archive_log____PIT_city_1.json", "1998.25", "1e300"),
        &["log_map_archive", "lane 1"],
    );
}

#[test]
fn images() {
    let check = |spoil: &dyn Fn(&mut Fixture), expected: &[&str]| check("images", spoil, expected);
    check(&|f| f.remove("rig.toml"), &["--rig", "docs/rig.md"]);
    check(&|f| f.replace("rig.toml", "rate_hz", "speed"), &["rig.toml", "speed", "rate_hz"]);
    check(&|f| f.replace("rig.toml", "fx = 3.0", "fx = 0.0"), &["rig.toml: camera front", "focal"]);
    check(&|f| f.replace("rig.toml", "k4 = 0.0", "k5 = 0.0"), &["rig.toml", "k5"]);
    check(&|f| f.replace("rig.toml", "rate_hz = 10.0", ""), &["rig.toml", "rate_hz", "--rate"]);
    check(&|f| f.remove("front/0001.png"), &["front has 1", "rear has 2", "missing"]);
    check(
        &|f| f.replace("rig.toml", "back/image", "../image"),
        &["rig.toml", "../image", "inside"],
    );
    check(
        &|f| f.replace("rig.toml", "back/image", "side/image"),
        &["side is missing", "camera rear"],
    );
    check(&|f| f.replace("rig.toml", "\"front\"", "\"rear\""), &["rear"]);
}

#[test]
fn options() {
    let fixture = fixtures::of("kitti_odometry");
    let rate = ImportOptions { rate_hz: Some(-1.0), ..ImportOptions::default() };
    check_with(&fixture, &rate, &["-1 frames a second"]);
    let sequence = ImportOptions { sequence: Some("07".to_owned()), ..ImportOptions::default() };
    check_with(&fixture, &sequence, &["\"07\"", "there is 00"]);
}
