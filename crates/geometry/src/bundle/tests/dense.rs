//! Against Levenberg–Marquardt on the whole dense system with numeric derivatives.

use nalgebra::{DMatrix, DVector};

use super::*;

/// All unknowns moved by one long tangent: free poses, then landmarks.
fn moved(problem: &BundleProblem, tangent: &DVector<f64>) -> BundleProblem {
    let mut next = problem.clone();
    let mut rest = tangent.as_slice();
    for pose in next.poses.iter_mut().filter(|pose| !pose.fixed) {
        pose.world_from_ego = pose.world_from_ego.retract(&Vector6::from_row_slice(&rest[..6]));
        rest = &rest[6..];
    }
    for landmark in &mut next.landmarks {
        *landmark = landmark.retract(&Vector3::from_row_slice(&rest[..3]));
        rest = &rest[3..];
    }
    next
}

/// Residuals in standard deviations, least squares.
fn residuals(problem: &BundleProblem) -> DVector<f64> {
    let scaled = |o: &Observation| problem.residual_px(o).unwrap() / o.sigma_px;
    DVector::from_iterator(
        2 * problem.observations.len(),
        problem.observations.iter().flat_map(|o| scaled(o).data.0[0]),
    )
}

fn solve_densely(problem: &mut BundleProblem) -> f64 {
    let unknowns =
        6 * problem.poses.iter().filter(|p| !p.fixed).count() + 3 * problem.landmarks.len();
    let mut damping = 1e-4;
    let cost_of = |problem: &BundleProblem| 0.5 * residuals(problem).norm_squared();
    for _ in 0..60 {
        let columns: Vec<DVector<f64>> = (0..unknowns)
            .map(|axis| {
                let mut step = DVector::zeros(unknowns);
                step[axis] = 1e-6;
                let plus = residuals(&moved(problem, &step));
                (plus - residuals(&moved(problem, &-step))) / 2e-6
            })
            .collect();
        let jacobian = DMatrix::from_columns(&columns);
        let mut hessian = jacobian.transpose() * &jacobian;
        let gradient = jacobian.transpose() * residuals(problem);
        for i in 0..unknowns {
            hessian[(i, i)] *= 1.0 + damping;
        }
        let next = moved(problem, &-hessian.cholesky().unwrap().solve(&gradient));
        let (before, after) = (cost_of(problem), cost_of(&next));
        damping *= if after < before { 0.3 } else { 4.0 };
        if after < before {
            *problem = next;
        }
        if (before - after).abs() < 1e-12 * before {
            break;
        }
    }
    cost_of(problem)
}

#[test]
fn same_minimum_as_the_dense_solver() {
    let mut problem = drive(stereo(), 4, 40);
    let seen = |l: u32, problem: &BundleProblem| {
        problem.observations.iter().filter(|o| o.landmark == l).count()
    };
    // Only landmarks that are seen: the dense system would be singular with others.
    let keep: Vec<u32> = (0..40).filter(|&l| seen(l, &problem) > 3).collect();
    problem.observations.retain(|o| keep.contains(&o.landmark));
    for observation in &mut problem.observations {
        observation.landmark = keep.iter().position(|&l| l == observation.landmark).unwrap() as u32;
    }
    problem.landmarks = keep.iter().map(|&l| problem.landmarks[l as usize]).collect();
    assert!(keep.len() > 8, "only {} landmarks", keep.len());
    blur(&mut problem);
    disturb(&mut problem, 0.05, 0.005);
    let mut dense = problem.clone();
    let dense_cost = solve_densely(&mut dense);
    let options = BundleOptions {
        loss: crate::Loss::Squared,
        cost_tolerance: 1e-14,
        max_iterations: 100,
        ..Default::default()
    };
    let report = problem.solve(&options).unwrap();
    let relative = (report.final_cost - dense_cost).abs() / dense_cost;
    assert!(relative < 1e-9, "{} against {dense_cost}", report.final_cost);
    let (metres, radians) = pose_error(&problem, &dense);
    assert!(metres < 1e-6 && radians < 1e-7, "{metres} m, {radians} rad apart");
}
