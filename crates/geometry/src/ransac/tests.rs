//! RANSAC on scenes with outliers, noise and nothing to find.

use nalgebra::{Point3, Unit, Vector3};

use super::*;
use crate::solvers::{
    BearingPair, PixelPair, PointBearing, RigObservation, ScaleMode, Similarity,
    testing::{Random as Scene, spread},
};
use crate::{Camera, Ego, Pose, World};

const SIGMA_RAD: f64 = 5e-4;

fn config(threshold: f64, seed: u64) -> RansacConfig {
    RansacConfig { threshold, seed, ..RansacConfig::default() }
}

/// Every second datum is an outlier.
fn noisy_pairs(scene: &mut Scene, truth: &Pose<Camera, Camera>, count: usize) -> Vec<BearingPair> {
    let mut pairs = scene.pairs(truth, count, Scene::point_in_camera);
    for (i, pair) in pairs.iter_mut().enumerate() {
        pair.first = scene.disturb(&pair.first, SIGMA_RAD);
        pair.second = scene.disturb(&pair.second, SIGMA_RAD);
        if i % 2 == 1 {
            pair.second = Unit::new_normalize(scene.point_in_camera().coords);
        }
    }
    pairs
}

#[test]
fn relative_pose_among_half_outliers() {
    let mut scene = Scene::new(101);
    let (mut turns, mut headings) = (Vec::new(), Vec::new());
    let mut recalled = 0;
    for seed in 0..60 {
        let mut truth: Pose<Camera, Camera> = scene.pose(0.3);
        truth.translation *= 2.0 / truth.translation.norm();
        let pairs = noisy_pairs(&mut scene, &truth, 300);
        let found =
            ransac(&RelativePoseEstimator::default(), &pairs, &mut Uniform, &config(2e-3, seed))
                .unwrap();
        let pose = found.model.second_from_first;
        turns.push(pose.rotation.angle_to(&truth.rotation));
        headings.push(pose.translation.angle(&truth.translation));
        recalled += found.inliers.iter().step_by(2).filter(|i| **i).count();
        assert_eq!(found.inlier_count, found.inliers.iter().filter(|i| **i).count());
    }
    let (turn, heading) = (spread(&mut turns), spread(&mut headings));
    println!(
        "relative pose, 50 % outliers: rotation {turn:?} rad, heading {heading:?} rad (median, worst)"
    );
    assert!(turn.0 < 1e-3 && turn.1 < 1e-2 && heading.0 < 5e-3 && heading.1 < 0.1);
    assert!(recalled > 60 * 147, "{recalled} of 9000 inliers recalled");
}

#[test]
fn camera_and_rig_pose_among_half_outliers() {
    let mut scene = Scene::new(102);
    let (mut camera, mut rig) = (Vec::new(), Vec::new());
    for seed in 0..60 {
        let truth: Pose<Camera, World> = scene.pose(3.0);
        let mut data: Vec<PointBearing> = scene.point_bearings(&truth, 200);
        for (i, datum) in data.iter_mut().enumerate() {
            let sigma = if i % 2 == 1 { 0.5 } else { SIGMA_RAD };
            datum.bearing = scene.disturb(&datum.bearing, sigma);
        }
        let found = ransac(
            &AbsolutePoseEstimator::<World>::default(),
            &data,
            &mut Uniform,
            &config(2e-3, seed),
        )
        .unwrap();
        camera.push((truth.inverse() * found.model).log().norm());

        let world_from_ego: Pose<World, Ego> = scene.pose(3.0);
        let mounts: [Pose<Ego, Camera>; 4] = std::array::from_fn(|_| scene.pose(3.0));
        let data: Vec<RigObservation<Ego>> = (0..200)
            .map(|i| {
                let (mount, p_in_camera) = (mounts[i % 4], scene.point_in_camera());
                let ray = Unit::new_normalize(p_in_camera.coords);
                let bearing = scene.disturb(&ray, if i % 8 < 4 { 0.5 } else { SIGMA_RAD });
                RigObservation::new(world_from_ego * mount * p_in_camera, bearing, mount)
            })
            .collect();
        let mut sampler = Grouped::new((0..200).map(|i| i % 4));
        let found = ransac(
            &RigPoseEstimator::<World, Ego>::default(),
            &data,
            &mut sampler,
            &config(2e-3, seed),
        )
        .unwrap();
        rig.push((world_from_ego.inverse() * found.model).log().norm());
    }
    let (camera, rig) = (spread(&mut camera), spread(&mut rig));
    println!("pose, 50 % outliers: camera {camera:?}, rig of 4 {rig:?} (median, worst; m and rad)");
    assert!(camera.0 < 5e-3 && camera.1 < 2e-2 && rig.0 < 5e-3 && rig.1 < 2e-2);
}

#[test]
fn plane_rotation_and_fundamental_among_half_outliers() {
    let mut scene = Scene::new(103);
    for seed in 0..30 {
        let truth: Pose<Camera, Camera> = scene.pose(0.2);
        let mut on_plane = scene.pairs(&truth, 100, |scene| {
            Point3::new(scene.between(-4.0, 4.0), scene.between(-4.0, 4.0), 8.0)
        });
        let mut turned =
            scene.pairs(&Pose::new(truth.rotation, Vector3::zeros()), 100, Scene::point_in_camera);
        let general = scene.pairs(&truth, 100, Scene::point_in_camera);
        let pixel = |ray: &Unit<Vector3<f64>>| {
            nalgebra::Point2::new(640.0 + 700.0 * ray.x / ray.z, 360.0 + 700.0 * ray.y / ray.z)
        };
        let mut pixels: Vec<PixelPair> = general
            .iter()
            .map(|p| PixelPair { first: pixel(&p.first), second: pixel(&p.second) })
            .collect();
        for i in (1..100).step_by(2) {
            on_plane[i].second = scene.disturb(&on_plane[i].second, 0.5);
            turned[i].second = scene.disturb(&turned[i].second, 0.5);
            pixels[i].second.x += scene.between(20.0, 200.0);
            pixels[i].second.y += scene.between(20.0, 200.0);
        }
        let config = config(1e-4, seed);
        let plane = ransac(&HomographyEstimator, &on_plane, &mut Uniform, &config).unwrap();
        let turn = ransac(&RotationEstimator, &turned, &mut Uniform, &config).unwrap();
        let epipolar = ransac(
            &FundamentalEstimator,
            &pixels,
            &mut Uniform,
            &RansacConfig { threshold: 0.01, ..config },
        )
        .unwrap();
        assert!(plane.inliers.iter().step_by(2).all(|i| *i) && plane.inlier_count < 55);
        assert!(turn.inliers.iter().step_by(2).all(|i| *i) && turn.inlier_count < 55);
        assert!(turn.model.angle_to(&truth.rotation) < 1e-6);
        assert!(epipolar.inliers.iter().step_by(2).all(|i| *i) && epipolar.inlier_count < 60);
    }
}

#[test]
fn similarity_among_half_outliers() {
    let mut scene = Scene::new(104);
    let truth: Similarity<World, Ego> = Similarity { scale: 3.0, rigid: scene.pose(2.0) };
    let pairs: Vec<PointPair> = (0..100)
        .map(|i| {
            let in_b = Point3::from(scene.vector() * 5.0);
            let error = scene.vector() * if i % 2 == 0 { 1e-6 } else { 10.0 };
            PointPair { in_a: truth * in_b + error, in_b }
        })
        .collect();
    let estimator: SimilarityEstimator<World, Ego> = SimilarityEstimator::new(ScaleMode::Estimated);
    let found = ransac(&estimator, &pairs, &mut Uniform, &config(1e-4, 0)).unwrap();
    assert_eq!(found.inlier_count, 50);
    assert!((found.model.scale - 3.0).abs() < 1e-5);
}

#[test]
fn the_seed_decides_everything() {
    let mut scene = Scene::new(105);
    let truth: Pose<Camera, Camera> = scene.pose(0.3);
    let pairs = noisy_pairs(&mut scene, &truth, 200);
    let run = |seed| {
        ransac(&RelativePoseEstimator::default(), &pairs, &mut Uniform, &config(2e-3, seed))
            .unwrap()
    };
    assert_eq!(run(5), run(5));
    let (a, b) = (run(5), run(6));
    assert!(a.iterations != b.iterations || a.model != b.model, "another seed, the same search");
}

#[test]
fn order_of_quality_saves_samples() {
    let mut scene = Scene::new(106);
    let (mut uniform, mut ordered) = (0, 0);
    for seed in 0..20 {
        let truth: Pose<Camera, Camera> = scene.pose(0.3);
        let mut pairs = scene.pairs(&truth, 300, Scene::point_in_camera);
        // Inliers become rarer towards the end: 30 % over all.
        for (i, pair) in pairs.iter_mut().enumerate() {
            if scene.uniform() > 0.9 * (-(i as f64) / 100.0).exp() {
                pair.second = Unit::new_normalize(scene.point_in_camera().coords);
            }
        }
        uniform += samples_until_success(&pairs, &mut Uniform, seed);
        ordered += samples_until_success(&pairs, &mut Prosac::new(100_000), seed);
    }
    println!("samples until success: uniform {uniform}, ordered {ordered}, of 20 scenes");
    assert!(ordered * 2 < uniform, "{ordered} against {uniform}");
}

/// Draws until a sample's model explains 50 pairs.
fn samples_until_success(pairs: &[BearingPair], sampler: &mut dyn Sampler, seed: u64) -> usize {
    let estimator = RelativePoseEstimator::default();
    let mut random = Random::new(seed);
    let mut draw = || {
        let mut sample = [0; 5];
        assert!(sampler.draw(&mut random, pairs.len(), &mut sample));
        sample.map(|i| pairs[i])
    };
    let succeeds = |sample: [BearingPair; 5]| {
        estimator
            .estimate(&sample)
            .iter()
            .any(|model| pairs.iter().filter(|p| estimator.residual(model, p) < 1e-4).count() >= 50)
    };
    (1..2_000).find(|_| succeeds(draw())).unwrap_or(2_000)
}

#[test]
fn failures_say_why() {
    let mut scene = Scene::new(107);
    let truth: Pose<Camera, Camera> = scene.pose(0.3);
    let good = noisy_pairs(&mut scene, &truth, 40);
    let run = |pairs: &[BearingPair], config: &RansacConfig| {
        ransac(&RelativePoseEstimator::default(), pairs, &mut Uniform, config)
    };
    let sound = config(1e-3, 0);
    assert!(matches!(run(&good[..5], &sound), Err(Error::TooFewData { have: 5, need: 6, .. })));
    assert!(matches!(run(&[good[0]; 30], &sound), Err(Error::Degenerate { .. })));
    let mut nan = good.clone();
    nan.iter_mut().for_each(|p| p.first.as_mut_unchecked().x = f64::NAN);
    assert!(matches!(run(&nan, &sound), Err(Error::Degenerate { .. })));
    let random: Vec<BearingPair> = (0..100)
        .map(|_| BearingPair { first: scene.direction(), second: scene.direction() })
        .collect();
    let strict = RansacConfig { min_inliers: 50, max_iterations: 200, ..sound };
    assert!(matches!(run(&random, &strict), Err(Error::NoConsensus { need: 50, data: 100, .. })));
    for wrong in [
        RansacConfig { threshold: f64::NAN, ..sound },
        RansacConfig { threshold: 0.0, ..sound },
        RansacConfig { confidence: 1.0, ..sound },
        RansacConfig { max_iterations: 0, ..sound },
        RansacConfig { local_widening: 0.5, ..sound },
    ] {
        assert!(matches!(run(&good, &wrong), Err(Error::Setting { .. })), "{wrong:?}");
    }
}

#[test]
fn a_few_nan_data_are_outliers() {
    let mut scene = Scene::new(108);
    let truth: Pose<Camera, Camera> = scene.pose(0.3);
    let mut pairs = scene.pairs(&truth, 60, Scene::point_in_camera);
    pairs[..10].iter_mut().for_each(|p| p.second.as_mut_unchecked().y = f64::NAN);
    let found =
        ransac(&RelativePoseEstimator::default(), &pairs, &mut Uniform, &config(1e-6, 0)).unwrap();
    assert_eq!(found.inlier_count, 50);
    assert!(found.degenerate_samples > 0);
}

#[test]
fn local_optimisation_improves_the_score() {
    let mut scene = Scene::new(109);
    let (mut with, mut without) = (0.0, 0.0);
    for seed in 0..20 {
        let truth: Pose<Camera, Camera> = scene.pose(0.3);
        let pairs = noisy_pairs(&mut scene, &truth, 200);
        let run = |local_steps| {
            let config = RansacConfig { local_steps, ..config(1.5e-3, seed) };
            ransac(&RelativePoseEstimator::default(), &pairs, &mut Uniform, &config).unwrap().score
        };
        with += run(4);
        without += run(0);
    }
    assert!(with < without, "{with} {without}");
}
