//! Whole problems: convergence, outliers, gauge, priors, threads.

use nalgebra::{Matrix6, Unit};

use super::*;
use crate::Loss;

fn solve(problem: &mut BundleProblem, loss: Loss) -> BundleReport {
    let options = BundleOptions { loss, cost_tolerance: 1e-10, ..Default::default() };
    problem.solve(&options).unwrap()
}

#[test]
fn exact_stereo_converges_to_the_truth() {
    let truth = drive(stereo(), 12, 600);
    let mut problem = truth.clone();
    disturb(&mut problem, 0.3, 0.03);
    let report = solve(&mut problem, Loss::Squared);
    let (metres, radians) = pose_error(&problem, &truth);
    assert!(metres < 1e-5 && radians < 1e-6, "{metres} m, {radians} rad, {report:?}");
    assert!(report.final_cost < 1e-6 * report.initial_cost);
}

#[test]
fn cameras_without_common_view_share_one_motion() {
    let mut truth = drive(surround(), 12, 1500);
    // Without overlap nothing but a known motion fixes the scale here.
    truth.poses[11].fixed = true;
    let mut problem = truth.clone();
    disturb(&mut problem, 0.1, 0.02);
    let report = solve(&mut problem, Loss::Squared);
    let (metres, radians) = pose_error(&problem, &truth);
    assert!(metres < 1e-3 && radians < 1e-4, "{metres} m, {radians} rad, {report:?}");
}

#[test]
fn noise_stays_within_the_covariance() {
    let truth = drive(stereo(), 6, 600);
    let mut problem = truth.clone();
    blur(&mut problem);
    disturb(&mut problem, 0.1, 0.01);
    let options = BundleOptions { loss: Loss::Squared, covariance: true, ..Default::default() };
    let report = problem.solve(&options).unwrap();
    let covariances = report.covariances.unwrap();
    let mut mean = 0.0;
    for i in 1..6 {
        let difference = truth.poses[i].world_from_ego.inverse() * problem.poses[i].world_from_ego;
        let error = difference.log();
        let mahalanobis = error.dot(&covariances[i].cholesky().unwrap().solve(&error));
        // Chi-squared with 6 degrees: 99.9 % below 22.5.
        assert!(mahalanobis < 22.5, "pose {i}: {mahalanobis}");
        mean += mahalanobis / 5.0;
    }
    assert!(mean > 0.3, "covariances far too large: {mean}");
    assert_eq!(covariances[0], Matrix6::zeros());
}

#[test]
fn outliers_hardly_move_a_robust_solution() {
    let truth = drive(stereo(), 8, 500);
    let mut problem = truth.clone();
    blur(&mut problem);
    for observation in problem.observations.iter_mut().step_by(10) {
        observation.pixel.x += 40.0;
        observation.pixel.y -= 15.0;
    }
    disturb(&mut problem, 0.05, 0.005);
    let mut fooled = problem.clone();
    solve(&mut fooled, Loss::Squared);
    solve(&mut problem, Loss::Cauchy(2.385));
    let (robust, _) = pose_error(&problem, &truth);
    let (squared, _) = pose_error(&fooled, &truth);
    assert!(robust < 0.03 && robust < 0.2 * squared, "robust {robust} m, squared {squared} m");
}

#[test]
fn free_gauge_stays_near_its_start_and_has_no_covariance() {
    let mut problem = drive(stereo(), 5, 300);
    problem.poses[0].fixed = false;
    blur(&mut problem);
    let start = problem.clone();
    let report = solve(&mut problem, Loss::Squared);
    assert!(report.final_cost < report.initial_cost);
    assert!(pose_error(&problem, &start).0 < 0.1);
    let options = BundleOptions { covariance: true, ..Default::default() };
    assert_eq!(problem.solve(&options), Err(BundleError::Undetermined));
}

#[test]
fn absolute_priors_fix_the_gauge() {
    let truth = drive(stereo(), 5, 300);
    let mut problem = truth.clone();
    problem.poses[0].fixed = false;
    disturb(&mut problem, 0.5, 0.02);
    for (i, pose) in truth.poses.iter().enumerate() {
        let mut information = Matrix6::zeros();
        information.fixed_view_mut::<3, 3>(0, 0).fill_diagonal(25.0);
        let world_from_ego = pose.world_from_ego;
        problem.absolute_priors.push(AbsolutePrior { pose: i as u32, world_from_ego, information });
    }
    let options = BundleOptions {
        loss: Loss::Squared,
        covariance: true,
        cost_tolerance: 1e-14,
        max_iterations: 200,
        ..Default::default()
    };
    let report = problem.solve(&options).unwrap();
    let (metres, _) = pose_error(&problem, &truth);
    assert!(metres < 1e-3, "{metres} m, {report:?}");
}

#[test]
fn relative_and_up_priors_carry_a_pose_without_images() {
    let truth = drive(stereo(), 6, 200);
    let mut problem = truth.clone();
    problem.observations.retain(|o| o.pose != 3);
    let a_from_b = |a: usize, b: usize| {
        truth.poses[a].world_from_ego.inverse() * truth.poses[b].world_from_ego
    };
    for (from, to) in [(2, 3), (4, 3)] {
        problem.relative_priors.push(RelativePrior {
            from: from as u32,
            to: to as u32,
            from_from_to: a_from_b(from, to),
            information: Matrix6::identity() * 100.0,
        });
    }
    let up = truth.poses[3].world_from_ego.rotation.inverse_transform_vector(&Vector3::z());
    problem.up_priors.push(UpPrior {
        pose: 3,
        up_in_ego: Unit::new_normalize(up),
        up_in_world: Vector3::z_axis(),
        sigma_rad: 0.01,
    });
    disturb(&mut problem, 0.3, 0.03);
    let report = solve(&mut problem, Loss::Squared);
    let (metres, radians) = pose_error(&problem, &truth);
    assert!(metres < 1e-3 && radians < 1e-4, "{metres} m, {radians} rad, {report:?}");
}

#[test]
fn points_at_infinity_fix_the_rotation() {
    let mut problem = drive(stereo(), 3, 0);
    let truth = problem.clone();
    for i in 0..60 {
        let angle = f64::from(i) * 0.02 - 0.6;
        let bearing = Vector3::new(angle.cos(), angle.sin(), 0.1 * (f64::from(i) * 0.7).sin());
        problem.landmarks.push(Landmark {
            anchor_in_world: Point3::new(0.0, 0.0, 1.6),
            bearing_in_world: Unit::new_normalize(bearing),
            inverse_distance: 0.0,
            fixed: false,
        });
    }
    for l in 0..60 {
        for pose in 0..3 {
            let mut seen = Observation {
                pose,
                camera: 0,
                landmark: l,
                pixel: Point2::origin(),
                sigma_px: 0.5,
            };
            let Some(pixel) = problem.residual_px(&seen) else { continue };
            seen.pixel = pixel.into();
            problem.observations.push(seen);
        }
    }
    for pose in &mut problem.poses[1..] {
        pose.world_from_ego =
            pose.world_from_ego.retract(&Vector6::new(0., 0., 0., 0.01, -0.02, 0.03));
    }
    let report = solve(&mut problem, Loss::Squared);
    let (_, radians) = pose_error(&problem, &truth);
    assert!(radians < 1e-5, "{radians} rad, {report:?}");
}

#[test]
fn threads_do_not_change_a_bit() {
    let mut problem = drive(stereo(), 20, 2000);
    blur(&mut problem);
    disturb(&mut problem, 0.1, 0.01);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut problem = problem.clone();
        let report = pool.install(|| solve(&mut problem, Loss::Huber(1.345)));
        (problem, report)
    };
    let (one, report) = run(1);
    for threads in [2, 5] {
        let (other, other_report) = run(threads);
        assert_eq!(one, other);
        assert_eq!(report, other_report);
    }
}

#[test]
fn malformed_problems_are_named() {
    let good = drive(stereo(), 3, 50);
    let mut bad = good.clone();
    bad.observations[2].landmark = 50;
    let error = bad.solve(&BundleOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "observation 2 refers to landmark 50, but there are only 50");
    let mut bad = good.clone();
    bad.observations[1].pixel.x = f64::NAN;
    let error = bad.solve(&BundleOptions::default()).unwrap_err();
    assert_eq!(error, BundleError::NotFinite { what: "observation", index: 1 });
    let report = BundleProblem::default().solve(&BundleOptions::default()).unwrap();
    assert_eq!(report.termination, Termination::NothingToSolve);
}

#[test]
fn ground_of_known_height_fixes_the_scale_of_one_camera() {
    let mut truth = drive(vec![stereo().remove(0)], 8, 0);
    for i in 0..400 {
        let ahead = 4.0 + f64::from(i % 40) * 0.4;
        let aside = f64::from(i / 40) - 4.5;
        let height = if i % 2 == 0 { 0.0 } else { 1.0 + 0.2 * f64::from(i % 7) };
        let anchor = Point3::new(0.0, 0.0, 1.6);
        truth.landmarks.extend(Landmark::from_point(anchor, Point3::new(ahead, aside, height)));
    }
    // The ground is flat where the drive is: keep it level.
    let step = Pose::<Ego, Ego>::exp(&Vector6::new(0.5, 0.0, 0.0, 0.0, 0.0, 0.02));
    for i in 1..8 {
        truth.poses[i].world_from_ego = truth.poses[i - 1].world_from_ego * step;
    }
    observe(&mut truth);
    let mut problem = truth.clone();
    // A third too small, which one camera alone does not see.
    let anchor = Vector3::new(1.0, 0.27, 1.6);
    for pose in &mut problem.poses {
        let camera = pose.world_from_ego * Point3::from(anchor);
        let shrunk = anchor + (camera.coords - anchor) * 0.67;
        pose.world_from_ego.translation = shrunk - pose.world_from_ego.rotate(&anchor);
    }
    for landmark in &mut problem.landmarks {
        let point = landmark.point_in_world().unwrap().coords;
        let shrunk = anchor + (point - anchor) * 0.67;
        *landmark = Landmark::from_point(landmark.anchor_in_world, shrunk.into()).unwrap();
    }
    for landmark in (0..400).step_by(2) {
        let seen = problem.observations.iter().find(|o| o.landmark == landmark);
        let Some(pose) = seen.map(|o| o.pose) else { continue };
        problem.ground_priors.push(GroundPrior { pose, landmark, height_m: 0.0, sigma_m: 0.05 });
    }
    let report = solve(&mut problem, Loss::Squared);
    let (metres, radians) = pose_error(&problem, &truth);
    assert!(metres < 1e-3 && radians < 1e-4, "{metres} m, {radians} rad, {report:?}");
}
