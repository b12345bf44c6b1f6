//! One nuScenes keyframe.

use ommatidia_geometry::Timestamp;
use ommatidia_scene::Taxonomy;
use ommatidia_store::formats::ImportOptions;

use crate::shared::{Read, data, inside};

fn keyframe() -> Option<Read> {
    let source = data("nuscenes_keyframe")?;
    Some(Read::all(source, "nuscenes", &ImportOptions::default()))
}

#[test]
fn sensors_keep_their_own_times_and_poses() {
    let Some(read) = keyframe() else { return };
    assert_eq!(read.header.id, "scene-keyframe");
    let names: Vec<_> = read.header.rig.cameras.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names.len(), 6);
    assert_eq!(names[0], "CAM_FRONT");
    let front = &read.header.rig.cameras[0];
    assert_eq!((front.width, front.height), (1600, 900));
    assert_eq!(front.intrinsics.focal_px(), (1_266.417_203_046_554, 1_266.417_203_046_554));
    let frame = &read.frames[0];
    assert_eq!(frame.timestamp, Timestamp(1_532_402_927_647_951_000));
    assert_eq!(frame.images[0].as_ref().unwrap().0, Timestamp(1_532_402_927_612_460_000));
    assert!(frame.images.iter().all(Option::is_some));
    assert_eq!(read.poses().len(), 7);
    // The vehicle went 0.3 m between its first and last camera, and starts at the origin.
    let trajectory = read.trajectory();
    assert!((0.2..0.5).contains(&trajectory.path_m()), "{} m", trajectory.path_m());
    assert!(trajectory.at(frame.timestamp).unwrap().translation.norm() < 1e-9);
}

#[test]
fn boxes_hold_the_lidar_points_that_were_counted_in_them() {
    let Some(read) = keyframe() else { return };
    let objects = read.frames[0].truth.as_ref().unwrap().objects.as_ref().unwrap();
    assert_eq!(objects.len(), 68);
    let (_, returns) = read.returns_in_ego(0);
    let (mut counted, mut found, mut exact) = (0, 0, 0);
    for object in objects {
        let expected = object.lidar_points.unwrap() as usize;
        let got = inside(object, &returns, 0.0);
        counted += expected;
        found += got.min(expected);
        exact += usize::from(got.abs_diff(expected) <= 1 + expected / 20);
    }
    let share = found as f64 / counted as f64;
    assert!(share > 0.97 && exact >= 64, "{share} of {counted}, {exact} boxes of 68");
}

#[test]
fn boxes_have_classes_tracks_and_sizes() {
    let Some(read) = keyframe() else { return };
    let objects = read.frames[0].truth.as_ref().unwrap().objects.as_ref().unwrap();
    let car = Taxonomy::driving().id("car").unwrap();
    let cars: Vec<_> = objects.iter().filter(|object| object.class == car).collect();
    assert!(!cars.is_empty() && cars.iter().all(|car| car.size_m[0] > car.size_m[1]));
    let mut tracks: Vec<_> = objects.iter().map(|object| object.track.unwrap()).collect();
    tracks.sort_unstable();
    tracks.dedup();
    assert_eq!(tracks.len(), 68);
    // One keyframe: nothing to take a velocity from.
    assert!(objects.iter().all(|object| object.velocity_m_s.is_none()));
    // People and cars stand on the ground that the vehicle stands on, within a few metres of slope.
    let bottom = |o: &ommatidia_scene::Object| o.ego_from_object.translation.z - o.size_m[2] / 2.0;
    assert!(objects.iter().all(|object| bottom(object).abs() < 3.0));
}

#[test]
fn lidar_reaches_every_camera() {
    let Some(read) = keyframe() else { return };
    for camera in 0..6 {
        let pixels = read.pixels(0, camera);
        assert!(pixels.len() > 1500, "{} returns in camera {camera}", pixels.len());
        // Returns near the ground at 5 to 15 m are in the lower half.
        let (_, returns) = read.returns_in_ego(0);
        let ground: Vec<f64> = pixels
            .iter()
            .filter(|(i, _, z)| returns[*i].z.abs() < 0.15 && (5.0..15.0).contains(z))
            .map(|(_, pixel, _)| pixel[1])
            .collect();
        assert!(ground.iter().all(|&row| row > 450.0), "camera {camera}");
    }
}
