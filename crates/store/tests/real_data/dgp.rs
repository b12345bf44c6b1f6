//! A DDAD scene of three samples.

use ommatidia_scene::Taxonomy;
use ommatidia_store::formats::{ImportOptions, find};

use crate::shared::{Read, data, inside, median};

fn scene() -> Option<Read> {
    let source = data("ddad_scene")?.join("test_scene");
    Some(Read::all(source, "dgp", &ImportOptions::default()))
}

#[test]
fn the_only_scene_with_payloads_is_found() {
    let Some(source) = data("ddad_scene") else { return };
    let format = find("auto", &source).unwrap();
    let open = |sequence: Option<&str>| {
        let sequence = sequence.map(str::to_owned);
        format.open(&source, &ImportOptions { sequence, ..ImportOptions::default() })
    };
    assert_eq!(open(None).unwrap().header().id, "scene_02");
    assert_eq!(open(Some("scene_02")).unwrap().header().id, "scene_02");
    let error = open(Some("scene_77")).err().unwrap().to_string();
    assert!(error.contains("test_scene/scene_02"), "{error}");
}

#[test]
fn sensors_agree_on_where_the_vehicle_is() {
    let Some(read) = scene() else { return };
    assert_eq!(read.frames.len(), 3);
    assert_eq!(read.header.rig.cameras.len(), 6);
    let front = &read.header.rig.cameras[read.header.rig.camera_index("CAMERA_01").unwrap()];
    assert_eq!((front.width, front.height), (1936, 1216));
    assert!((front.intrinsics.focal_px().0 - 2_181.530_254).abs() < 1e-6);
    assert!((front.ego_from_camera.translation.z - 1.561_730).abs() < 1e-6);
    let trajectory = read.trajectory();
    // Two times a sample: the cameras' and the lidar's.
    assert_eq!(trajectory.samples().len(), 6);
    assert!((2.4..2.7).contains(&trajectory.path_m()), "{} m", trajectory.path_m());
    // Forward is x: 2.5 m along it, no side-slip.
    let [first, last] = [0, 2].map(|i| trajectory.at(read.frames[i].timestamp).unwrap());
    let moved = (first.inverse() * last).translation;
    assert!(moved.x > 2.4 && moved.y.abs() < 0.1, "{moved}");
}

#[test]
fn boxes_hold_their_share_of_the_returns() {
    let Some(read) = scene() else { return };
    let car = Taxonomy::driving().id("car").unwrap();
    for frame in 0..3 {
        let objects = read.frames[frame].truth.as_ref().unwrap().objects.as_ref().unwrap();
        assert!(objects.iter().filter(|object| object.class == car).count() >= 10);
        let (_, returns) = read.returns_in_ego(frame);
        // The published scans keep about every fifth return of those that were counted.
        let shares = objects
            .iter()
            .filter(|object| object.lidar_points.unwrap() >= 150)
            .map(|o| inside(o, &returns, 0.0) as f64 / f64::from(o.lidar_points.unwrap()));
        let shares: Vec<f64> = shares.collect();
        assert!(shares.len() >= 3 && shares.iter().all(|s| (0.1..0.3).contains(s)), "{shares:?}");
    }
}

#[test]
fn ground_is_at_height_zero_and_in_the_lower_half_of_images() {
    let Some(read) = scene() else { return };
    for frame in 0..3 {
        let (_, returns) = read.returns_in_ego(frame);
        let near = returns.iter().filter(|p| (3.0..12.0).contains(&p.x) && p.y.abs() < 3.0);
        let height = median(near.map(|p| p.z).collect());
        assert!(height.abs() < 0.3, "ground at {height} m");
        for camera in 0..6 {
            let pixels = read.pixels(frame, camera);
            assert!(pixels.len() > 1000, "{} returns in camera {camera}", pixels.len());
            let ground = pixels.iter().filter(|(i, _, z)| returns[*i].z < 0.3 && *z < 15.0);
            assert!(ground.clone().all(|(_, pixel, _)| pixel[1] > 608.0), "camera {camera}");
        }
    }
}
