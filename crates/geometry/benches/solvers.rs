//! Minimal solvers in solves per second, RANSAC in data per second.

use divan::Bencher;
use divan::counter::ItemsCount;
use nalgebra::{Point2, Point3, Unit, UnitQuaternion, Vector3};
use ommatidia_geometry::ransac::{
    AbsolutePoseEstimator, Random, RansacConfig, RelativePoseEstimator, Uniform, ransac,
};
use ommatidia_geometry::solvers::{
    BearingPair, PixelPair, PointBearing, PoseRefinementConfig, RigObservation, ScaleMode,
    eight_point, five_point, homography, p3p, refine_pose, relative_poses, seven_point, umeyama,
};
use ommatidia_geometry::{Camera, Ego, Pose, World};

/// Problems per measurement, so that no branch predictor learns one by heart.
const PROBLEMS: usize = 64;

fn main() {
    divan::main();
}

fn signed(random: &mut Random) -> f64 {
    2.0 * random.uniform() - 1.0
}

fn motion<A, B>(random: &mut Random) -> Pose<A, B> {
    let mut vector = || Vector3::new(signed(random), signed(random), signed(random));
    let rotation = UnitQuaternion::from_scaled_axis(vector() * 0.3);
    Pose::new(rotation, vector())
}

fn point(random: &mut Random) -> Point3<f64> {
    let depth = 4.0 + 16.0 * random.uniform();
    Point3::new(signed(random) * depth, 0.5 * signed(random) * depth, depth)
}

fn pairs(random: &mut Random, count: usize) -> Vec<BearingPair> {
    let second_from_first: Pose<Camera, Camera> = motion(random);
    (0..count)
        .map(|_| {
            let p = point(random);
            BearingPair::new(p.coords, (second_from_first * p).coords).expect("finite")
        })
        .collect()
}

fn pixels(random: &mut Random, count: usize) -> Vec<PixelPair> {
    let pixel = |ray: &Unit<Vector3<f64>>| {
        Point2::new(640.0 + 700.0 * ray.x / ray.z, 360.0 + 700.0 * ray.y / ray.z)
    };
    let pair = |p: &BearingPair| PixelPair { first: pixel(&p.first), second: pixel(&p.second) };
    pairs(random, count).iter().map(pair).collect()
}

fn point_bearings(random: &mut Random, count: usize) -> Vec<PointBearing> {
    let world_from_camera: Pose<World, Camera> = motion(random);
    (0..count)
        .map(|_| {
            let p = point(random);
            PointBearing { point: world_from_camera * p, bearing: Unit::new_normalize(p.coords) }
        })
        .collect()
}

/// Measures one solve on each of the problems.
fn solve<P, R>(
    bencher: Bencher<'_, '_>,
    make: impl Fn(&mut Random) -> P,
    solve: impl Fn(&P) -> R + Sync,
) where
    P: Sync,
{
    let mut random = Random::new(1);
    let problems: Vec<P> = (0..PROBLEMS).map(|_| make(&mut random)).collect();
    bencher
        .counter(ItemsCount::new(PROBLEMS))
        .bench(|| problems.iter().for_each(|p| drop(divan::black_box(solve(p)))));
}

fn fixed<T: Copy, const N: usize>(data: &[T]) -> [T; N] {
    std::array::from_fn(|i| data[i])
}

#[divan::bench]
fn essential_5_point(bencher: Bencher<'_, '_>) {
    solve(bencher, |r| fixed::<_, 5>(&pairs(r, 5)), five_point);
}

#[divan::bench]
fn relative_pose_5_point(bencher: Bencher<'_, '_>) {
    solve(bencher, |r| fixed::<_, 5>(&pairs(r, 5)), relative_poses);
}

#[divan::bench]
fn perspective_3_point(bencher: Bencher<'_, '_>) {
    solve(bencher, |r| fixed::<_, 3>(&point_bearings(r, 3)), p3p::<World>);
}

#[divan::bench]
fn fundamental_7_point(bencher: Bencher<'_, '_>) {
    solve(bencher, |r| fixed::<_, 7>(&pixels(r, 7)), seven_point);
}

#[divan::bench]
fn fundamental_8_point(bencher: Bencher<'_, '_>) {
    solve(bencher, |r| pixels(r, 8), |p| eight_point(p));
}

#[divan::bench]
fn homography_4_point(bencher: Bencher<'_, '_>) {
    solve(bencher, |r| pairs(r, 4), |p| homography(p));
}

#[divan::bench]
fn umeyama_100_points(bencher: Bencher<'_, '_>) {
    let make = |random: &mut Random| {
        let world_from_ego: Pose<World, Ego> = motion(random);
        let in_ego: Vec<_> = (0..100).map(|_| point(random)).collect();
        let in_world: Vec<_> = in_ego.iter().map(|p| world_from_ego * *p).collect();
        (in_world, in_ego)
    };
    solve(bencher, make, |(in_world, in_ego)| {
        umeyama::<World, Ego>(in_world, in_ego, None, ScaleMode::Estimated)
    });
}

#[divan::bench]
fn refine_pose_100_points(bencher: Bencher<'_, '_>) {
    let make = |random: &mut Random| {
        let observe = |d: &PointBearing| RigObservation::new(d.point, d.bearing, Pose::identity());
        let data: Vec<RigObservation<Camera>> =
            point_bearings(random, 100).iter().map(observe).collect();
        data
    };
    let start: Pose<World, Camera> = Pose::identity();
    let config = PoseRefinementConfig::default();
    solve(bencher, make, |data| refine_pose(&start, data, &config));
}

/// Every third datum is an outlier.
#[divan::bench]
fn ransac_relative_pose_500(bencher: Bencher<'_, '_>) {
    let mut random = Random::new(2);
    let mut data = pairs(&mut random, 500);
    for pair in data.iter_mut().step_by(3) {
        pair.second = Unit::new_normalize(point(&mut random).coords);
    }
    let estimator = RelativePoseEstimator::default();
    let config = RansacConfig::default();
    bencher
        .counter(ItemsCount::new(data.len()))
        .bench(|| ransac(&estimator, &data, &mut Uniform, &config));
}

/// Every third datum is an outlier.
#[divan::bench]
fn ransac_absolute_pose_500(bencher: Bencher<'_, '_>) {
    let mut random = Random::new(3);
    let mut data = point_bearings(&mut random, 500);
    for datum in data.iter_mut().step_by(3) {
        datum.bearing = Unit::new_normalize(point(&mut random).coords);
    }
    let estimator = AbsolutePoseEstimator::<World>::default();
    let config = RansacConfig::default();
    bencher
        .counter(ItemsCount::new(data.len()))
        .bench(|| ransac(&estimator, &data, &mut Uniform, &config));
}
