//! Synthetic scenes with exact answers.

use nalgebra::{Matrix3, Point3, Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Camera, CameraModel, Ego, Intrinsics, Lidar, Pose, Timestamp, World};
use ommatidia_scene::{DepthMap, GridSpec, Occupancy, PointCloud};

use super::*;

const SIZE: (usize, usize) = (320, 160);
/// In the middle of a layer of voxels.
const GROUND_M: f64 = -0.1;
const STEP_NS: i64 = 100_000_000;

/// An axis-aligned box in the world, metres.
#[derive(Clone, Copy)]
struct Solid {
    low: [f64; 3],
    high: [f64; 3],
}

/// Distance along a unit ray to a box or to the ground at [`GROUND_M`], whichever is nearer.
fn cast(origin: &Point3<f64>, ray: &Vector3<f64>, solids: &[Solid]) -> Option<f64> {
    let ground = (ray.z < 0.0).then(|| (GROUND_M - origin.z) / ray.z);
    let hit = |solid: &Solid| {
        let (mut near, mut far) = (0.0f64, f64::INFINITY);
        for axis in 0..3 {
            let to = |face: f64| (face - origin[axis]) / ray[axis];
            let (a, b) = (to(solid.low[axis]), to(solid.high[axis]));
            near = near.max(a.min(b));
            far = far.min(a.max(b));
        }
        (near < far && near > 0.0).then_some(near)
    };
    solids.iter().filter_map(hit).chain(ground).min_by(f64::total_cmp)
}

fn intrinsics() -> Intrinsics {
    Intrinsics::Pinhole(Pinhole { fx: 200.0, fy: 200.0, cx: 160.0, cy: 80.0 })
}

fn ego_from_camera() -> Pose<Ego, Camera> {
    let rotation = Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
    let rotation = Rotation3::from_matrix_unchecked(rotation);
    Pose::new(UnitQuaternion::from_rotation_matrix(&rotation), Vector3::new(0.0, 0.0, 1.6))
}

fn world_from_ego(x_m: f64) -> Pose<World, Ego> {
    Pose::new(UnitQuaternion::identity(), Vector3::new(x_m, 0.0, 0.0))
}

/// Exact depth with full confidence.
fn render(world_from_camera: &Pose<World, Camera>, solids: &[Solid]) -> DepthMap {
    let mut depth = DepthMap::empty(SIZE.0, SIZE.1);
    let origin = Point3::from(world_from_camera.translation);
    for index in 0..SIZE.0 * SIZE.1 {
        let pixel = [index % SIZE.0, index / SIZE.0].map(|c| c as f64 + 0.5);
        let ray_in_camera = intrinsics().unproject(&pixel.into()).unwrap().into_inner();
        let ray = world_from_camera.rotate(&ray_in_camera);
        if let Some(distance) = cast(&origin, &ray, solids) {
            depth.depth_m[index] = (distance * ray_in_camera.z) as f32;
            depth.confidence[index] = 255;
        }
    }
    depth
}

/// A drive along x at 1 m a frame; `scene(i)` is what stands there at frame `i`.
fn drive(frames: std::ops::Range<i64>, scene: impl Fn(i64) -> Vec<Solid>) -> OccupancyMap {
    let mut map = OccupancyMap::new(OccupancyConfig::default()).unwrap();
    let rays = CameraRays::new(&intrinsics(), SIZE.0, SIZE.1);
    for i in frames {
        let world_from_camera = world_from_ego(i as f64) * ego_from_camera();
        let depth = render(&world_from_camera, &scene(i));
        let noise = DepthNoise::disparity(200.0, 0.5, 0.05);
        let timestamp = Timestamp(i * STEP_NS);
        let posed = PosedDepth { timestamp, world_from_camera, rays: &rays, depth: &depth, noise };
        map.integrate(&posed);
    }
    map
}

fn grid() -> GridSpec {
    GridSpec { min_corner_m: [0.0, -10.0, -2.0], voxel_m: 0.2, size: [150, 100, 25] }
}

#[derive(Debug, PartialEq, Clone, Copy)]
enum State {
    Occupied,
    Free,
    Unobserved,
}

fn state(occupancy: &Occupancy, p_in_ego: [f64; 3]) -> State {
    let index = occupancy.grid.index(occupancy.grid.cell_at(&Point3::from(p_in_ego)).unwrap());
    match (occupancy.observed.get(index), occupancy.occupied.get(index)) {
        (true, true) => State::Occupied,
        (true, false) => State::Free,
        (false, _) => State::Unobserved,
    }
}

const BOX: Solid = Solid { low: [15.0, 2.0, 0.0], high: [18.0, 5.0, 3.0] };
const POLE: Solid = Solid { low: [12.05, -1.1, 0.0], high: [12.15, -1.0, 4.0] };

/// 0.6 m a frame towards the vehicle: each of its places is seen free before or after.
fn oncoming(frame: i64) -> Solid {
    let x = 26.0 - 0.6 * frame as f64;
    Solid { low: [x, -4.0, GROUND_M], high: [x + 2.0, -2.4, 1.4] }
}

#[test]
fn ground_box_pole_and_what_nobody_saw() {
    use State::{Free, Occupied, Unobserved};
    let map = drive(0..5, |_| vec![BOX, POLE]);
    let occupancy = map.extract(Timestamp(0), &world_from_ego(0.0), &grid());
    assert_eq!(occupancy.check(), Ok(()));
    for (p_in_ego, expected) in [
        ([10.1, 0.1, -0.1], Occupied),
        ([10.1, 0.1, 0.9], Free),
        ([10.1, 0.1, -0.3], Unobserved), // the road is one voxel thin
        ([10.1, 0.1, -0.5], Unobserved),
        ([15.1, 3.5, 1.5], Occupied),
        ([14.1, 3.5, 1.5], Free),
        ([16.5, 3.5, 1.5], Unobserved), // inside the box
        ([19.5, 3.9, 1.0], Unobserved), // behind it
        ([12.1, -1.05, 1.5], Occupied), // a pole thinner than a voxel is not carved
        ([1.0, 5.0, 1.0], Unobserved),  // beside the camera
    ] {
        assert_eq!(state(&occupancy, p_in_ego), expected, "{p_in_ego:?}");
    }
    assert_eq!(occupancy.flow, None);
    assert!(map.moving(Timestamp(0)).is_empty(), "nothing moves");
}

#[test]
fn what_moves_is_there_then_and_not_remembered() {
    let frames = 12;
    let map = drive(0..frames, |i| vec![BOX, oncoming(i)]);
    for i in [6, 7] {
        let timestamp = Timestamp(i * STEP_NS);
        let clusters = map.moving(timestamp);
        assert_eq!(clusters.len(), 1, "frame {i}");
        let velocity = clusters[0].velocity_m_s.expect("followed before and after");
        assert!((velocity - Vector3::new(-6.0, 0.0, 0.0)).norm() < 1.0, "{velocity}");
        let occupancy = map.extract(timestamp, &world_from_ego(i as f64), &grid());
        assert_eq!(occupancy.check(), Ok(()));
        let front = [oncoming(i).low[0] - i as f64 + 0.1, -3.1, 0.7];
        assert_eq!(state(&occupancy, front), State::Occupied, "frame {i}");
        let flow = occupancy.flow.as_ref().expect("everything that moves was followed");
        assert!(!flow.is_empty() && flow.len() < 400, "{} voxels", flow.len());
        // Nothing is left where it was three frames earlier, and nothing yet where it goes.
        for other in [i - 3, i + 3] {
            let place = [oncoming(other).low[0] - i as f64 + 0.1, -3.1, 0.7];
            assert_ne!(state(&occupancy, place), State::Occupied, "frame {i}, place of {other}");
        }
    }
    // The box stands still.
    let occupancy = map.extract(Timestamp(0), &world_from_ego(0.0), &grid());
    assert_eq!(state(&occupancy, [15.1, 3.5, 1.5]), State::Occupied);
}

#[test]
fn order_of_sweeps_and_threads_change_nothing() {
    let extract = |map: &OccupancyMap| map.extract(Timestamp(0), &world_from_ego(0.3), &grid());
    let poses = [0, 1, 2, 3];
    let expected = extract(&drive(0..4, |_| vec![BOX, POLE]));
    let rays = CameraRays::new(&intrinsics(), SIZE.0, SIZE.1);
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut map = OccupancyMap::new(OccupancyConfig::default()).unwrap();
        for &i in poses.iter().rev() {
            let world_from_camera = world_from_ego(f64::from(i)) * ego_from_camera();
            let depth = render(&world_from_camera, &[BOX, POLE]);
            let noise = DepthNoise::disparity(200.0, 0.5, 0.05);
            let timestamp = Timestamp(i64::from(i) * STEP_NS);
            let posed =
                PosedDepth { timestamp, world_from_camera, rays: &rays, depth: &depth, noise };
            pool.install(|| map.integrate(&posed));
        }
        assert!(pool.install(|| extract(&map)) == expected, "{threads} threads, reverse order");
    }
}

#[test]
fn memory_is_bounded_by_forgetting() {
    let mut map = OccupancyMap::new(OccupancyConfig::default()).unwrap();
    let rays = CameraRays::new(&intrinsics(), SIZE.0, SIZE.1);
    let mut sizes = Vec::new();
    for i in 0..30 {
        let world_from_ego = world_from_ego(10.0 * f64::from(i));
        let world_from_camera = world_from_ego * ego_from_camera();
        let depth = render(&world_from_camera, &[]);
        let noise = DepthNoise::disparity(200.0, 0.5, 0.05);
        let timestamp = Timestamp(i64::from(i) * STEP_NS);
        map.integrate(&PosedDepth {
            timestamp,
            world_from_camera,
            rays: &rays,
            depth: &depth,
            noise,
        });
        let centre = Point3::from(world_from_ego.translation);
        map.forget(&centre, 60.0, Timestamp((i64::from(i) - 5) * STEP_NS));
        sizes.push(map.heap_bytes());
    }
    let early = sizes[10..15].iter().max().unwrap();
    assert!(sizes[25..].iter().all(|late| *late <= early * 11 / 10), "{sizes:?}");
}

#[test]
fn filled_depth_neither_marks_nor_carves() {
    let world_from_camera = world_from_ego(0.0) * ego_from_camera();
    let rays = CameraRays::new(&intrinsics(), SIZE.0, SIZE.1);
    let mut depth = render(&world_from_camera, &[BOX]);
    depth.confidence.fill(20);
    let noise = DepthNoise::lidar();
    let mut map = OccupancyMap::new(OccupancyConfig::default()).unwrap();
    let timestamp = Timestamp(0);
    map.integrate(&PosedDepth { timestamp, world_from_camera, rays: &rays, depth: &depth, noise });
    let occupancy = map.extract(timestamp, &world_from_ego(0.0), &grid());
    assert_eq!(occupancy.observed.count(), 0);
    assert!(map.take_skipped().iter().any(|s| s.why.contains("confidence") && s.count > 1000));
}

#[test]
fn lidar_marks_ends_and_carves_between() {
    use State::{Free, Occupied, Unobserved};
    let world_from_lidar: Pose<World, Lidar> =
        Pose::new(UnitQuaternion::identity(), Vector3::new(0.0, 0.0, 1.7));
    let origin = Point3::from(world_from_lidar.translation);
    let mut cloud = PointCloud::default();
    for azimuth in 0..1800 {
        for ring in 0..60 {
            let (turn, rise) = (f64::from(azimuth) * 0.2, f64::from(ring) * 0.4 - 22.0);
            let (turn, rise) = (turn.to_radians(), rise.to_radians());
            let flat = rise.cos();
            let ray = Vector3::new(flat * turn.cos(), flat * turn.sin(), rise.sin());
            if let Some(distance) = cast(&origin, &ray, &[BOX]).filter(|d| *d < 80.0) {
                cloud.xyz_m.push((ray * distance).cast::<f32>().into());
            }
        }
    }
    cloud.xyz_m.push([f32::NAN; 3]);
    let mut map = OccupancyMap::new(OccupancyConfig::default()).unwrap();
    map.integrate_cloud(Timestamp(0), &world_from_lidar, &cloud);
    let occupancy = map.extract(Timestamp(0), &world_from_ego(0.0), &grid());
    for (p_in_ego, expected) in [
        ([15.1, 3.5, 1.5], Occupied),
        ([13.1, 3.1, 1.5], Free),
        ([16.5, 3.5, 1.1], Unobserved),
        ([8.1, 0.1, 0.9], Free),
        ([8.1, 0.1, -0.5], Unobserved),
    ] {
        assert_eq!(state(&occupancy, p_in_ego), expected, "{p_in_ego:?}");
    }
    let skipped: u64 = map.take_skipped().iter().map(|s| s.count).sum();
    let within = cloud.xyz_m.iter().filter(|p| Vector3::from(**p).norm() <= 50.0).count();
    assert_eq!(skipped, (cloud.len() - within) as u64);
}

#[test]
fn the_sky_says_nothing() {
    let rays = CameraRays::new(&intrinsics(), SIZE.0, SIZE.1);
    let depth = DepthMap::empty(SIZE.0, SIZE.1);
    let mut map = OccupancyMap::new(OccupancyConfig::default()).unwrap();
    let (timestamp, noise) = (Timestamp(0), DepthNoise::lidar());
    let world_from_camera = world_from_ego(0.0) * ego_from_camera();
    map.integrate(&PosedDepth { timestamp, world_from_camera, rays: &rays, depth: &depth, noise });
    assert_eq!(
        (map.blocks(), map.surface_points(Vector3::repeat(-9.0), Vector3::repeat(9.0)).len()),
        (0, 0)
    );
}

#[test]
fn a_bad_parameter_is_named() {
    for (config, key) in [
        (OccupancyConfig { voxel_m: 0.0, ..Default::default() }, "voxel_m"),
        (OccupancyConfig { max_range_m: f64::NAN, ..Default::default() }, "max_range_m"),
        (OccupancyConfig { min_range_m: 60.0, ..Default::default() }, "min_range_m"),
        (OccupancyConfig { miss_log_odds: -0.4, ..Default::default() }, "miss_log_odds"),
    ] {
        let error = OccupancyMap::new(config).err().expect(key).to_string();
        assert!(error.contains(key), "{error}");
    }
}
