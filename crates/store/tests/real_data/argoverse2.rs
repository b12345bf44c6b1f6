//! An Argoverse 2 log of two sweeps without images.

use ommatidia_geometry::Timestamp;
use ommatidia_scene::Taxonomy;
use ommatidia_store::formats::{ImportOptions, find};

use crate::shared::{Read, data, inside, median};

fn log() -> Option<Read> {
    let source = data("argoverse2_log")?.join("test_data/sensor/val");
    Some(Read::all(source, "argoverse2", &ImportOptions::default()))
}

#[test]
fn several_logs_need_a_choice() {
    let Some(source) = data("argoverse2_log") else { return };
    let format = find("auto", &source).unwrap();
    let error = format.open(&source, &ImportOptions::default()).err().unwrap().to_string();
    assert!(error.contains("sensor/val/7fab2350") && error.contains("--sequence"), "{error}");
    let sequence = Some("val/7fab2350-7eaf-3b7e-a39d-6937a4c1bede".to_owned());
    format.open(&source, &ImportOptions { sequence, ..ImportOptions::default() }).unwrap();
}

#[test]
fn sweeps_poses_and_cameras_without_images() {
    let Some(read) = log() else { return };
    assert_eq!(read.header.id, "7fab2350-7eaf-3b7e-a39d-6937a4c1bede");
    let times: Vec<_> = read.frames.iter().map(|frame| frame.timestamp).collect();
    assert_eq!(times, [Timestamp(315_966_265_259_836_000), Timestamp(315_966_265_360_032_000)]);
    assert_eq!(read.header.rig.cameras.len(), 9);
    assert!(read.frames.iter().all(|frame| frame.images.iter().all(Option::is_none)));
    let images = read.skipped.iter().filter(|s| s.what.starts_with("images of"));
    assert_eq!(images.map(|s| s.count).sum::<u64>(), 18);
    assert!(read.trajectory().samples().len() > 1000);
    let (_, cloud) = read.frames[0].clouds[0].as_ref().unwrap();
    assert!(cloud.len() > 50_000 && cloud.ring.len() == cloud.len());
    assert!(cloud.ring.iter().all(|&ring| ring < 64));
}

#[test]
fn the_ground_is_at_height_zero() {
    let Some(read) = log() else { return };
    let (_, returns) = read.returns_in_ego(0);
    let near = returns.iter().filter(|p| (3.0..8.0).contains(&p.coords.xy().norm()) && p.z < 0.5);
    let height = median(near.map(|p| p.z).collect());
    assert!(height.abs() < 0.1, "ground at {height} m");
}

#[test]
fn boxes_hold_the_points_that_were_counted_in_them() {
    let Some(read) = log() else { return };
    let car = Taxonomy::driving().id("car").unwrap();
    for frame in 0..2 {
        let objects = read.frames[frame].truth.as_ref().unwrap().objects.as_ref().unwrap();
        assert!(objects.iter().filter(|object| object.class == car).count() >= 10);
        let (_, returns) = read.returns_in_ego(frame);
        let (mut counted, mut off) = (0, 0);
        for object in objects {
            let expected = object.lidar_points.unwrap() as usize;
            counted += expected;
            off += inside(object, &returns, 0.0).abs_diff(expected);
        }
        assert!(off * 50 < counted, "{off} of {counted} points are elsewhere");
    }
}

#[test]
fn the_vehicle_is_on_a_lane_of_the_map() {
    let Some(read) = log() else { return };
    let lanes = read.frames[0].truth.as_ref().unwrap().lanes.as_ref().unwrap();
    assert!(lanes.lanes.len() > 20 && !lanes.crossings.is_empty());
    // Closest point of a centreline: within half a lane, at the ground's height, and the lane runs along.
    let mut closest = (f32::INFINITY, 0.0, 0.0);
    for lane in &lanes.lanes {
        for pair in lane.centreline_m.windows(2) {
            for step in 0..50 {
                let at = |axis: usize| {
                    pair[0][axis] + (pair[1][axis] - pair[0][axis]) * step as f32 / 50.0
                };
                let distance = at(0).hypot(at(1));
                if distance < closest.0 {
                    let along = (pair[1][0] - pair[0][0])
                        / (pair[1][0] - pair[0][0]).hypot(pair[1][1] - pair[0][1]);
                    closest = (distance, at(2), along);
                }
            }
        }
    }
    let (distance, height, along) = closest;
    assert!(distance < 2.0 && height.abs() < 0.3 && along > 0.9, "{closest:?}");
    let known = |id: &u64| lanes.lanes.iter().any(|lane| lane.id == *id);
    let edges = lanes.lanes.iter().flat_map(|lane| &lane.successors);
    assert!(edges.filter(|id| known(id)).count() > 10);
}
