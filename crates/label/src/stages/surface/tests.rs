//! Synthetic ground with exact answers.

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::{Ego, Lidar, Pose, Timestamp, World};
use ommatidia_scene::{Drivable, PointCloud, Surface, SurfaceSpec};

use super::{SurfaceConfig, estimate};
use crate::stages::occupancy::{OccupancyConfig, OccupancyMap};

const SPEC: SurfaceSpec =
    SurfaceSpec { min_corner_m: [-10.0, -10.0], cell_m: 0.2, size: [150, 100] };

/// The surface over dense returns at `height_m(x, y)` (`None`: no return), seen from high above.
fn surface_of(
    world_from_ego: &Pose<World, Ego>,
    heights_m: impl Fn(f64, f64) -> Vec<f64>,
) -> Surface {
    let sensor_m = Vector3::new(5.0, 0.0, 7.0);
    let world_from_lidar: Pose<World, Lidar> = Pose::new(UnitQuaternion::identity(), sensor_m);
    let mut cloud = PointCloud::default();
    for i in -250..500 {
        for j in -250..250 {
            let (x, y) = (0.05 * f64::from(i) + 0.02, 0.05 * f64::from(j) + 0.02);
            let place = |z| <[f32; 3]>::from((Vector3::new(x, y, z) - sensor_m).cast::<f32>());
            cloud.xyz_m.extend(heights_m(x, y).into_iter().map(place));
        }
    }
    let config = OccupancyConfig { below_m: 12.0, ..Default::default() };
    let mut map = OccupancyMap::new(config).unwrap();
    map.integrate_cloud(Timestamp(0), &world_from_lidar, &cloud);
    estimate(&map, world_from_ego, &SPEC, &SurfaceConfig::default()).unwrap()
}

fn at(surface: &Surface, x_m: f64, y_m: f64) -> (f32, Drivable) {
    let cell = SPEC.index(SPEC.cell_at(x_m, y_m).unwrap());
    (surface.height_m[cell], surface.drivable[cell])
}

fn level() -> Pose<World, Ego> {
    Pose::identity()
}

#[test]
fn a_slope_a_kerb_and_an_island() {
    // 5 % up along x; a pavement 0.15 m higher from y = 4; nothing seen beyond y = -6.
    let road = |x: f64, y: f64| 0.05 * x + if y > 4.0 { 0.15 } else { 0.0 };
    let surface = surface_of(&level(), |x, y| if y < -6.0 { vec![] } else { vec![road(x, y)] });
    for (x, y, expected) in [
        (0.1, 0.1, Drivable::Yes),
        (15.1, -3.1, Drivable::Yes),
        (5.1, 6.1, Drivable::No),
        (5.1, -8.1, Drivable::Unknown),
    ] {
        let (height_m, drivable) = at(&surface, x, y);
        assert_eq!(drivable, expected, "at {x}, {y}");
        let error = f64::from(height_m) - road(x, y);
        let fits = if expected == Drivable::Unknown { error.is_nan() } else { error.abs() < 0.03 };
        assert!(fits, "height {height_m} at {x}, {y}");
    }
}

#[test]
fn a_bridge_a_wall_and_a_parked_car() {
    let scene = |x: f64, y: f64| {
        let mut heights = vec![0.0];
        if (8.0..9.0).contains(&x) {
            heights.push(4.5);
        }
        if (12.0..12.2).contains(&x) && y > 0.0 {
            heights.extend((0..12).map(|i| 0.2 * f64::from(i)));
        }
        if (3.0..6.0).contains(&x) && (-5.0..-3.0).contains(&y) {
            heights = vec![1.4];
        }
        heights
    };
    let surface = surface_of(&level(), scene);
    assert_eq!(at(&surface, 8.5, 1.1).1, Drivable::Yes, "below the bridge");
    assert!(at(&surface, 8.5, 1.1).0.abs() < 0.03);
    assert_eq!(at(&surface, 12.1, 2.1).1, Drivable::No, "the wall");
    assert_eq!(at(&surface, 15.1, 2.1).1, Drivable::Yes, "behind the wall, by way of its end");
    let (height_m, drivable) = at(&surface, 4.5, -4.1);
    assert!(height_m.is_nan(), "a roof is not ground: {height_m}");
    assert_eq!(drivable, Drivable::No);
}

#[test]
fn heights_are_in_the_ego_frame() {
    let pitch = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), -0.05f64.atan());
    let world_from_ego = Pose::new(pitch, Vector3::new(2.0, 1.0, 0.1));
    let surface = surface_of(&world_from_ego, |x, _| vec![0.05 * x]);
    for (x, y) in [(0.1, 0.1), (9.9, -4.1), (-5.1, 6.1)] {
        let (height_m, drivable) = at(&surface, x, y);
        assert!(height_m.abs() < 0.03, "{height_m} at {x}, {y}");
        assert_eq!(drivable, Drivable::Yes);
    }
}

#[test]
fn small_holes_close_and_wide_ones_do_not() {
    let hole = |x: f64, y: f64, centre: f64, half: f64| (x - centre).abs() < half && y.abs() < half;
    let surface = surface_of(&level(), |x, y| {
        if hole(x, y, 8.0, 0.25) || hole(x, y, 14.0, 2.0) { vec![] } else { vec![0.0] }
    });
    let confidence = |x| surface.confidence[SPEC.index(SPEC.cell_at(x, 0.1).unwrap())];
    assert!(at(&surface, 8.1, 0.1).0.abs() < 0.03);
    assert!(confidence(8.1) < confidence(5.1));
    assert!(at(&surface, 14.1, 0.1).0.is_nan());
    assert_eq!(confidence(14.1), 0);
}

#[test]
fn an_empty_map_says_nothing() {
    let surface = surface_of(&level(), |_, _| vec![]);
    assert!(surface.height_m.iter().all(|height| height.is_nan()));
    assert!(surface.drivable.iter().all(|&drivable| drivable == Drivable::Unknown));
    let config = SurfaceConfig { max_step_m: f64::NAN, ..Default::default() };
    let map = OccupancyMap::new(OccupancyConfig::default()).unwrap();
    let error = estimate(&map, &level(), &SPEC, &config).unwrap_err().to_string();
    assert!(error.contains("max_step_m"), "{error}");
}
