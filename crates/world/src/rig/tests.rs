use nalgebra::{Point2, Vector3};
use ommatidia_geometry::CameraModel;
use ommatidia_scene::CameraSensor;

use super::*;

/// Yaw (degrees, left is positive) of a camera's optical axis.
fn yaw_deg(camera: &CameraSensor) -> f64 {
    let axis = camera.ego_from_camera.rotate(&Vector3::z());
    axis.y.atan2(axis.x).to_degrees()
}

/// Horizontal view in degrees, over the row of the principal point.
fn view_deg(camera: &CameraSensor) -> f64 {
    let row = camera.intrinsics.principal_point_px().1;
    let ray =
        |x: f64| camera.intrinsics.unproject(&Point2::new(x, row)).expect("inside the domain");
    let (left, right) = (ray(0.0), ray(f64::from(camera.width)));
    let angle = |ray: nalgebra::UnitVector3<f64>| ray.x.atan2(ray.z);
    (angle(right) - angle(left)).to_degrees()
}

#[test]
fn every_preset_is_usable_at_any_size() {
    for preset in PRESETS {
        for size in [None, Some([704, 396]), Some([320, 320]), Some([97, 61])] {
            let rig = super::preset(preset.name, size).unwrap();
            rig.check().unwrap();
            assert!(!rig.lidars.is_empty() && rig.imu.is_some(), "{}", preset.name);
            let expected = size.unwrap_or(preset.size_px);
            for camera in &rig.cameras {
                assert_eq!([camera.width, camera.height], expected);
                let middle =
                    Point2::new(0.5 * f64::from(expected[0]), 0.5 * f64::from(expected[1]));
                assert!(camera.intrinsics.unproject(&middle).is_some());
            }
        }
    }
}

#[test]
fn another_size_keeps_the_view() {
    for preset in PRESETS {
        let full = super::preset(preset.name, None).unwrap();
        let small = resized(&full, [preset.size_px[0] / 2, preset.size_px[1] / 3]).unwrap();
        for (a, b) in full.cameras.iter().zip(&small.cameras) {
            assert!((view_deg(a) - view_deg(b)).abs() < 0.2, "{} {}", preset.name, a.name);
        }
    }
}

#[test]
fn lenses_and_directions_are_as_documented() {
    let check = |rig: &Rig, name: &str, view: f64, yaw: f64| {
        let camera = &rig.cameras[rig.camera_index(name).unwrap()];
        assert!((view_deg(camera) - view).abs() < 1.5, "{name}: view {}", view_deg(camera));
        let off = (yaw_deg(camera) - yaw + 540.0).rem_euclid(360.0) - 180.0;
        assert!(off.abs() < 2.0, "{name}: yaw {}", yaw_deg(camera));
    };
    let production = surround8();
    check(&production, "front_narrow", 35.0, 0.0);
    check(&production, "front_wide", 120.0, 0.0);
    check(&production, "left_forward", 90.0, 62.0);
    check(&production, "rear", 130.0, 180.0);
    // Caesar et al. 2020, table 3: 70 degrees, 110 at the back; mounted at 0, 55, 110 and 180 degrees.
    let research = nuscenes6();
    check(&research, "CAM_FRONT", 65.0, 0.0);
    check(&research, "CAM_FRONT_LEFT", 64.5, 55.0);
    check(&research, "CAM_BACK_RIGHT", 64.9, -110.0);
    check(&research, "CAM_BACK", 89.4, 180.0);
    check(&stereo(1241, 376), "left", 81.6, 0.0);
    check(&fisheye4(), "right", 190.0, -90.0);
}

#[test]
fn the_cameras_of_a_surround_rig_leave_no_direction_unseen() {
    for name in ["nuscenes6", "surround8", "fisheye4"] {
        let rig = super::preset(name, None).unwrap();
        for step in 0..360 {
            let yaw = f64::from(step).to_radians();
            // Far away on the ground, so that places of the cameras do not matter.
            let p_in_ego = nalgebra::Point3::new(1000.0 * yaw.cos(), 1000.0 * yaw.sin(), 1.0);
            let seen = rig.cameras.iter().any(|camera| {
                let p_in_camera = camera.ego_from_camera.inverse() * p_in_ego;
                camera.intrinsics.project(&p_in_camera).is_some_and(|pixel| {
                    (0.0..f64::from(camera.width)).contains(&pixel.x)
                        && (0.0..f64::from(camera.height)).contains(&pixel.y)
                })
            });
            assert!(seen, "{name} does not see {step} degrees");
        }
    }
}

#[test]
fn what_does_not_exist_is_refused() {
    let message = super::preset("stereo2", None).unwrap_err().to_string();
    assert!(message.contains("stereo2") && message.contains("surround8"), "{message}");
    assert!(super::preset("stereo", Some([0, 100])).is_err());
    assert!(super::preset("stereo", Some([100_000, 100])).is_err());
}

#[test]
fn drift_is_small_seeded_and_as_large_as_asked_for() {
    let nominal = surround8();
    let drift = CalibrationDrift::default();
    assert_eq!(drifted(&nominal, &drift, 3), drifted(&nominal, &drift, 3));
    assert_ne!(drifted(&nominal, &drift, 3), drifted(&nominal, &drift, 4));
    let mut squares = (0.0, 0.0, 0.0);
    for seed in 0..200 {
        for (a, b) in nominal.cameras.iter().zip(&drifted(&nominal, &drift, seed).cameras) {
            let moved = (a.ego_from_camera.inverse() * b.ego_from_camera).log();
            squares.0 += moved.fixed_rows::<3>(0).norm_squared();
            squares.1 += moved.fixed_rows::<3>(3).norm_squared();
            squares.2 += 3.0;
        }
    }
    let deviation = |sum: f64| (sum / squares.2).sqrt();
    assert!((deviation(squares.0) / drift.camera_shift_m - 1.0).abs() < 0.05);
    assert!((deviation(squares.1) / drift.camera_turn_rad - 1.0).abs() < 0.05);
}
