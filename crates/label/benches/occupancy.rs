//! Fusion of one 1241 x 376 depth map, extraction of the default grid, and the surface over it.

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Camera, Ego, Intrinsics, Pose, Timestamp, World};
use ommatidia_label::stages::occupancy::{
    CameraRays, DepthNoise, OccupancyConfig, OccupancyMap, PosedDepth,
};
use ommatidia_label::stages::surface::{self, SurfaceConfig};
use ommatidia_scene::{DepthMap, GridSpec, SurfaceSpec};

const SIZE: (usize, usize) = (1241, 376);
const FOCAL_PX: f64 = 718.9;

fn main() {
    divan::main();
}

/// A street: ground 1.65 m below the camera, houses 8 m to both sides, sky.
fn street() -> DepthMap {
    let mut depth = DepthMap::empty(SIZE.0, SIZE.1);
    for index in 0..SIZE.0 * SIZE.1 {
        let right = ((index % SIZE.0) as f64 - 607.2) / FOCAL_PX;
        let down = ((index / SIZE.0) as f64 - 185.2) / FOCAL_PX;
        let ground_m = if down > 0.0 { 1.65 / down } else { f64::INFINITY };
        let z_m = ground_m.min(8.0 / right.abs().max(1e-6));
        if z_m < 80.0 {
            depth.depth_m[index] = z_m as f32;
            depth.confidence[index] = 255;
        }
    }
    depth
}

fn world_from_camera() -> Pose<World, Camera> {
    let axes = Matrix3::new(0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0);
    let rotation = Rotation3::from_matrix_unchecked(axes);
    Pose::new(UnitQuaternion::from_rotation_matrix(&rotation), Vector3::new(0.0, 0.0, 1.65))
}

fn integrate(map: &mut OccupancyMap, rays: &CameraRays, depth: &DepthMap) {
    map.integrate(&PosedDepth {
        timestamp: Timestamp(0),
        world_from_camera: world_from_camera(),
        rays,
        depth,
        noise: DepthNoise::disparity(FOCAL_PX, 0.54, 0.5),
    });
}

fn rays() -> CameraRays {
    let (fx, fy) = (FOCAL_PX, FOCAL_PX);
    let intrinsics = Intrinsics::Pinhole(Pinhole { fx, fy, cx: 607.7, cy: 185.7 });
    CameraRays::new(&intrinsics, SIZE.0, SIZE.1)
}

fn mapped() -> OccupancyMap {
    let mut map = OccupancyMap::new(OccupancyConfig::default()).expect("the defaults are valid");
    integrate(&mut map, &rays(), &street());
    map
}

#[divan::bench(sample_count = 20)]
fn integrate_depth_map(bencher: divan::Bencher<'_, '_>) {
    let (rays, depth) = (rays(), street());
    let counter = divan::counter::ItemsCount::new(SIZE.0 * SIZE.1);
    bencher.counter(counter).with_inputs(mapped).bench_values(|mut map| {
        integrate(&mut map, &rays, &depth);
        map
    });
}

#[divan::bench(sample_count = 20)]
fn extract_default_grid(bencher: divan::Bencher<'_, '_>) {
    let (map, grid) = (mapped(), GridSpec::default());
    let world_from_ego: Pose<World, Ego> = Pose::identity();
    bencher
        .counter(divan::counter::ItemsCount::new(grid.len()))
        .bench(|| map.extract(Timestamp(0), &world_from_ego, &grid));
}

#[divan::bench(sample_count = 20)]
fn estimate_surface(bencher: divan::Bencher<'_, '_>) {
    let (map, spec) = (mapped(), SurfaceSpec::default());
    let world_from_ego: Pose<World, Ego> = Pose::identity();
    bencher
        .counter(divan::counter::ItemsCount::new(spec.len()))
        .bench(|| surface::estimate(&map, &world_from_ego, &spec, &SurfaceConfig::default()));
}
