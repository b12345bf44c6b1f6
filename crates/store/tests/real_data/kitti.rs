//! KITTI odometry 06 and SemanticKITTI 00.

use nalgebra::{Point3, Vector3};
use ommatidia_scene::Taxonomy;
use ommatidia_store::formats::ImportOptions;

use crate::shared::{Read, data, median};

#[test]
fn kitti_odometry_has_its_frames_calibration_and_path() {
    let Some(source) = data("kitti_odometry") else { return };
    let read = Read::all(source, "kitti_odometry", &ImportOptions::default());
    assert_eq!(read.header.id, "06");
    assert_eq!(read.frames.len(), 51);
    let [left, right] = &read.header.rig.cameras[..] else { panic!("two cameras") };
    assert_eq!((left.width, left.height), (1226, 370));
    assert_eq!(left.intrinsics.focal_px(), (707.0912, 707.0912));
    assert_eq!(left.intrinsics.principal_point_px(), (602.3873, 183.6104));
    // 379.8145 px / 707.0912 px; to the right is -y.
    let baseline = left.ego_from_camera.inverse() * right.ego_from_camera;
    assert!((baseline.translation - Vector3::new(0.537_150_65, 0.0, 0.0)).norm() < 1e-6);
    let trajectory = read.trajectory();
    // Pose 1 of the file: camera 0 moved 1.198998 m along its z axis, 0.0140 left, 0.0282 up.
    let second = trajectory.samples()[1].world_from_ego;
    let origin = left.ego_from_camera.translation;
    let camera = second * Point3::from(origin) - Point3::from(origin);
    assert!(
        (camera - Vector3::new(1.198_998, 0.014_017_51, 0.028_203_21)).norm() < 1e-6,
        "{camera}"
    );
    assert!(trajectory.path_m() > 50.0 && trajectory.samples().len() == 51);
    assert!(trajectory.samples()[0].world_from_ego.translation.norm() < 1e-9);
}

#[test]
fn rates_thin_frames_and_keep_poses() {
    let Some(source) = data("kitti_odometry") else { return };
    let options = ImportOptions { rate_hz: Some(5.0), ..ImportOptions::default() };
    let read = Read::all(source, "kitti_odometry", &options);
    assert_eq!(read.frames.len(), 26);
    assert_eq!(read.poses().len(), 51);
    assert_eq!(read.skipped.iter().map(|s| s.count).sum::<u64>(), 25);
}

/// Returns labelled with one of the classes.
fn labelled(read: &Read, frame: usize, names: &[&str]) -> Vec<Point3<f64>> {
    let taxonomy = Taxonomy::driving();
    let wanted: Vec<u8> = names.iter().map(|name| taxonomy.id(name).unwrap().0).collect();
    let classes = &read.frames[frame].clouds[0].as_ref().unwrap().1.class;
    let (_, returns) = read.returns_in_ego(frame);
    let chosen = returns.into_iter().zip(classes).filter(|(_, class)| wanted.contains(class));
    chosen.map(|(p, _)| p).collect()
}

#[test]
fn semantickitti_roads_lie_at_height_zero() {
    let Some(source) = data("semantickitti_00") else { return };
    let read = Read::all(source, "semantickitti", &ImportOptions::default());
    assert_eq!(read.frames.len(), 5);
    let names: Vec<_> = read.header.rig.cameras.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["image_2", "image_3"]);
    for frame in 0..5 {
        let road = labelled(&read, frame, &["road"]);
        let near = road.iter().filter(|p| p.coords.xy().norm() < 12.0).map(|p| p.z).collect();
        let height = median(near);
        // This road is crowned; the vehicle stands on its crown.
        assert!(height.abs() < 0.2, "road at {height} m");
    }
}

/// Median distance from each static return of `frame` to the closest one of frame 0.
fn distance_to_first(read: &Read, frame: usize, moved: bool) -> f64 {
    let classes = ["building", "pole", "trunk", "fence"];
    let trajectory = read.trajectory();
    let place = |frame: usize| {
        let world_from_ego = trajectory.at(read.frames[frame].timestamp).unwrap();
        let points = labelled(read, frame, &classes).into_iter();
        points.map(|p| if moved { world_from_ego * p } else { p }).collect::<Vec<_>>()
    };
    let reference = place(0);
    let closest = |p: &Point3<f64>| {
        reference.iter().map(|q| (q - p).norm_squared()).fold(f64::INFINITY, f64::min).sqrt()
    };
    median(place(frame).iter().step_by(97).map(closest).collect())
}

#[test]
fn semantickitti_poses_bring_scans_together() {
    let Some(source) = data("semantickitti_00") else { return };
    let read = Read::all(source, "semantickitti", &ImportOptions::default());
    let (apart, together) = (distance_to_first(&read, 4, false), distance_to_first(&read, 4, true));
    assert!(together < 0.07 && together < apart / 4.0, "{apart} m apart, {together} m together");
}

#[test]
fn semantickitti_returns_project_onto_what_they_hit() {
    let Some(source) = data("semantickitti_00") else { return };
    let read = Read::all(source, "semantickitti", &ImportOptions::default());
    let vegetation = Taxonomy::driving().id("vegetation").unwrap().0;
    let (_, cloud) = read.frames[0].clouds[0].as_ref().unwrap();
    let pixels = read.pixels(0, 0);
    assert!(pixels.len() > 15_000, "{} returns in the image", pixels.len());
    // Roads are seen below the horizon, tree tops above.
    let horizon = read.header.rig.cameras[0].intrinsics.principal_point_px().1;
    let rows = |wanted: u8| -> Vec<f64> {
        let of_class = pixels.iter().filter(|(index, ..)| cloud.class[*index] == wanted);
        of_class.map(|(_, pixel, _)| pixel[1]).collect()
    };
    let road = rows(Taxonomy::driving().id("road").unwrap().0);
    assert!(road.iter().all(|&row| row > horizon));
    assert!(rows(vegetation).iter().any(|&row| row < horizon - 20.0));
}

#[test]
fn semantickitti_voxels_hold_the_scan() {
    let Some(source) = data("semantickitti_00") else { return };
    let read = Read::all(source, "semantickitti", &ImportOptions::default());
    let occupancy = read.frames[0].truth.as_ref().unwrap().occupancy.as_ref().unwrap();
    let occupied = occupancy.occupied.count();
    assert!((11_000..12_500).contains(&occupied), "{occupied} of 11677 voxels");
    let (_, returns) = read.returns_in_ego(0);
    let grid = &occupancy.grid;
    let (mut hits, mut near, mut total) = (0, 0, 0);
    for p in &returns {
        let Some(cell) = grid.cell_at(p) else { continue };
        if !occupancy.observed.get(grid.index(cell)) {
            continue;
        }
        total += 1;
        hits += usize::from(occupancy.occupied.get(grid.index(cell)));
        let around = (0..27).any(|n| {
            let offset = Vector3::new(n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1).cast::<f64>() * 0.2;
            let cell = grid.cell_at(&(p + offset));
            cell.is_some_and(|cell| occupancy.occupied.get(grid.index(cell)))
        });
        near += usize::from(around);
    }
    let (hits, near) = (hits as f64 / f64::from(total), near as f64 / f64::from(total));
    assert!(
        total > 50_000 && hits > 0.8 && near > 0.99,
        "{hits} in, {near} in or next to, of {total}"
    );
    assert!(read.frames[1].truth.is_none());
}
