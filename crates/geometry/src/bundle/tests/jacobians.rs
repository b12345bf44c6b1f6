//! Every derivative against central differences.

use nalgebra::{Matrix6, Unit};

use super::super::residual;
use super::*;

const STEP: f64 = 1e-6;

/// Central differences of `f` along each axis of a tangent.
fn differences<const N: usize>(f: impl Fn(&[f64; N]) -> Vec<f64>) -> nalgebra::DMatrix<f64> {
    let columns: Vec<nalgebra::DVector<f64>> = (0..N)
        .map(|axis| {
            let (mut plus, mut minus) = ([0.0; N], [0.0; N]);
            plus[axis] = STEP;
            minus[axis] = -STEP;
            let difference =
                nalgebra::DVector::from_vec(f(&plus)) - nalgebra::DVector::from_vec(f(&minus));
            difference / (2.0 * STEP)
        })
        .collect();
    nalgebra::DMatrix::from_columns(&columns)
}

fn check(name: &str, analytic: &[f64], numeric: &nalgebra::DMatrix<f64>) {
    let scale = numeric.amax().max(1.0);
    let error = analytic.iter().zip(numeric.iter()).map(|(a, n)| (a - n).abs()).fold(0.0, f64::max);
    assert!(error < 1e-6 * scale, "{name}: off by {error} at a scale of {scale}");
}

#[test]
fn reprojection() {
    let mut problem = drive(surround(), 6, 200);
    disturb(&mut problem, 0.1, 0.02);
    problem.landmarks[3].inverse_distance = 0.0;
    let mut checked = 0;
    for observation in &problem.observations {
        let camera = &problem.cameras[observation.camera as usize];
        let pose = problem.poses[observation.pose as usize].world_from_ego;
        let landmark = &problem.landmarks[observation.landmark as usize];
        let Some(analytic) = residual::reproject(camera, &pose, landmark, observation) else {
            continue;
        };
        let value = residual::residual(camera, &pose, landmark, observation).unwrap();
        assert!((analytic.residual - value).norm() < 1e-9);
        let by_pose = differences::<6>(|d| {
            let moved = pose.retract(&Vector6::from_row_slice(d));
            residual::residual(camera, &moved, landmark, observation).unwrap().as_slice().into()
        });
        let by_landmark = differences::<3>(|d| {
            let moved = landmark.retract(&Vector3::from_row_slice(d));
            residual::residual(camera, &pose, &moved, observation).unwrap().as_slice().into()
        });
        check("by pose", analytic.by_pose.as_slice(), &by_pose);
        check("by landmark", analytic.by_landmark.as_slice(), &by_landmark);
        checked += 1;
    }
    assert!(checked > 100, "only {checked} observations in sight");
}

#[test]
fn priors() {
    let mut noise = Noise(11);
    for radians in [0.0, 1e-5, 0.3, 0.6, 1.5] {
        let expected: Pose<Ego, Ego> = Pose::exp(&noise.tangent(2.0, 0.4));
        let a: Pose<World, Ego> = Pose::exp(&noise.tangent(5.0, 0.8));
        let b = (a * expected).retract(&noise.tangent(0.5, radians));
        let information = Matrix6::identity();
        let prior = RelativePrior { from: 0, to: 1, from_from_to: expected, information };
        let (_, by_from, by_to) = residual::relative(&prior, &a, &b);
        let of = |a: &Pose<World, Ego>, b: &Pose<World, Ego>| -> Vec<f64> {
            residual::relative(&prior, a, b).0.as_slice().into()
        };
        let numeric = differences::<6>(|d| of(&a.retract(&Vector6::from_row_slice(d)), &b));
        check("relative, from", by_from.as_slice(), &numeric);
        let numeric = differences::<6>(|d| of(&a, &b.retract(&Vector6::from_row_slice(d))));
        check("relative, to", by_to.as_slice(), &numeric);

        let prior = AbsolutePrior { pose: 0, world_from_ego: a, information };
        let (_, analytic) = residual::absolute(&prior, &b);
        let numeric = differences::<6>(|d| {
            residual::absolute(&prior, &b.retract(&Vector6::from_row_slice(d))).0.as_slice().into()
        });
        check("absolute", analytic.as_slice(), &numeric);

        let up = Unit::new_normalize(Vector3::new(0.1, -0.05, 1.0));
        let prior =
            UpPrior { pose: 0, up_in_ego: up, up_in_world: Vector3::z_axis(), sigma_rad: 0.01 };
        let (_, analytic) = residual::up(&prior, &b);
        let numeric = differences::<6>(|d| {
            residual::up(&prior, &b.retract(&Vector6::from_row_slice(d))).0.as_slice().into()
        });
        check("up", analytic.as_slice(), &numeric);
    }
}

#[test]
fn heights() {
    let mut problem = drive(stereo(), 3, 60);
    disturb(&mut problem, 0.2, 0.05);
    let mut checked = 0;
    for (landmark, position) in problem.landmarks.iter().enumerate() {
        let prior =
            GroundPrior { pose: 2, landmark: landmark as u32, height_m: 0.1, sigma_m: 0.05 };
        let pose = problem.poses[2].world_from_ego;
        let Some(analytic) = residual::height(&prior, &pose, position) else { continue };
        let by_pose = differences::<6>(|d| {
            let moved = pose.retract(&Vector6::from_row_slice(d));
            vec![residual::height(&prior, &moved, position).unwrap().residual]
        });
        let by_landmark = differences::<3>(|d| {
            let moved = position.retract(&Vector3::from_row_slice(d));
            vec![residual::height(&prior, &pose, &moved).unwrap().residual]
        });
        check("height by pose", analytic.by_pose.as_slice(), &by_pose);
        check("height by landmark", analytic.by_landmark.as_slice(), &by_landmark);
        checked += 1;
    }
    assert!(checked > 30);
}
