//! Levenberg–Marquardt.

use nalgebra::{Matrix6, Vector3, Vector6};
use serde::{Deserialize, Serialize};

use super::index::Index;
use super::reduced::{Linearizer, Reduced};
use super::{BundleError, BundleProblem};
use crate::robust::Loss;

/// How to solve. Defaults: Ceres Solver's tolerances and initial trust region.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BundleOptions {
    /// Loss of reprojection errors, its scale in standard deviations.
    pub loss: Loss,
    /// Most linearisations.
    pub max_iterations: usize,
    /// Stop when a step lowers the cost by less than this share of it.
    pub cost_tolerance: f64,
    /// Stop when no pose moves by more than this, metres and radians.
    pub step_tolerance: f64,
    /// Stop when no component of the gradient is larger.
    pub gradient_tolerance: f64,
    /// Damping of the first step, relative to the curvature.
    pub initial_damping: f64,
    /// Also compute the poses' covariances. Cost: linear in poses for windows, quadratic for clips.
    pub covariance: bool,
}

impl Default for BundleOptions {
    fn default() -> Self {
        Self {
            loss: Loss::Huber(1.345),
            max_iterations: 50,
            cost_tolerance: 1e-6,
            step_tolerance: 1e-8,
            gradient_tolerance: 1e-10,
            initial_damping: 1e-4,
            covariance: false,
        }
    }
}

/// Why it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Termination {
    /// The last step hardly lowered the cost.
    CostConverged,
    /// The last step hardly moved a pose.
    StepConverged,
    /// The gradient vanished.
    GradientConverged,
    /// It was still improving; allow more iterations.
    MaxIterations,
    /// However short, no step lowers the cost.
    NoImprovement,
    /// Nothing is free, or nothing observed.
    NothingToSolve,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleReport {
    /// `1/2 sum rho` before.
    pub initial_cost: f64,
    /// `1/2 sum rho` after.
    pub final_cost: f64,
    /// Linearisations.
    pub iterations: usize,
    /// Why it stopped.
    pub termination: Termination,
    /// Covariance of each pose's right tangent `[rho (m); phi (rad)]`, zero where fixed, if asked
    /// for. It holds for residuals whose sigmas are true, and ignores the rejected outliers.
    pub covariances: Option<Vec<Matrix6<f64>>>,
}

const MAX_DAMPING: f64 = 1e12;
/// Landmarks' blocks stay invertible in double precision above this.
const MIN_DAMPING: f64 = 1e-9;

impl BundleProblem {
    /// Improves poses and landmarks in place. A failed step is undone: the cost never rises.
    ///
    /// # Errors
    /// [`BundleError`] if the problem is malformed, or if covariances are asked for and the poses
    /// are not determined. Not converging is no error; see [`BundleReport::termination`].
    pub fn solve(&mut self, options: &BundleOptions) -> Result<BundleReport, BundleError> {
        self.validate()?;
        let index = Index::new(self);
        let envelope = index.envelope(self);
        let mut report = self.minimize(&index, &envelope, options);
        if options.covariance {
            report.covariances = Some(self.covariances(&index, &envelope, options.loss)?);
        }
        Ok(report)
    }

    fn minimize(
        &mut self,
        index: &Index,
        envelope: &[usize],
        options: &BundleOptions,
    ) -> BundleReport {
        let cost_of = |problem: &Self| Linearizer { problem, index, loss: options.loss }.cost();
        let initial_cost = cost_of(self);
        let mut report = BundleReport {
            initial_cost,
            final_cost: initial_cost,
            iterations: 0,
            termination: Termination::MaxIterations,
            covariances: None,
        };
        let mut damping = Damping::new(options.initial_damping);
        while report.iterations < options.max_iterations {
            report.iterations += 1;
            let linear = Linearizer { problem: self, index, loss: options.loss };
            let reduced = linear.reduce(envelope, damping.value);
            if let Some(reason) = stationary(&reduced, options) {
                report.termination = reason;
                break;
            }
            let Some(step) = Step::compute(&linear, reduced, damping.value) else {
                if damping.raise() { continue } else { break }
            };
            let before = (self.poses.clone(), self.landmarks.clone());
            step.apply(self, index);
            let cost = cost_of(self);
            let decrease = report.final_cost - cost;
            if !(decrease >= 0.0 && cost.is_finite()) {
                (self.poses, self.landmarks) = before;
                if damping.raise() {
                    continue;
                }
                report.termination = Termination::NoImprovement;
                break;
            }
            report.final_cost = cost;
            damping.accept(decrease / step.predicted.max(f64::MIN_POSITIVE));
            if decrease <= options.cost_tolerance * cost {
                report.termination = Termination::CostConverged;
                break;
            }
            if step.longest <= options.step_tolerance {
                report.termination = Termination::StepConverged;
                break;
            }
        }
        report
    }

    fn covariances(
        &self,
        index: &Index,
        envelope: &[usize],
        loss: Loss,
    ) -> Result<Vec<Matrix6<f64>>, BundleError> {
        let linear = Linearizer { problem: self, index, loss };
        let Reduced { matrix, curvature, .. } = linear.reduce(envelope, COVARIANCE_DAMPING);
        let factor = matrix.cholesky().ok_or(BundleError::Undetermined)?;
        let mut covariances = vec![Matrix6::zeros(); self.poses.len()];
        for (free, covariance) in factor.inverse_diagonal().into_iter().enumerate() {
            // Rounding lets a singular system pass; its variances are then beyond reason.
            let ratio = covariance.diagonal().component_mul(&curvature[free]);
            if !ratio.iter().all(|x| (0.0..MAX_CONDITION).contains(x)) {
                return Err(BundleError::Undetermined);
            }
            covariances[index.pose_of_free[free]] = covariance;
        }
        Ok(covariances)
    }
}

/// Damping of landmarks when covariances are computed: none, but for landmarks seen once.
const COVARIANCE_DAMPING: f64 = 1e-14;

/// A variance this many times larger than if all else were known means a free gauge.
const MAX_CONDITION: f64 = 1e11;

/// The damping and how fast it grows. Nielsen 1999, *Damping parameter in Marquardt's method*.
struct Damping {
    value: f64,
    growth: f64,
}

impl Damping {
    fn new(initial: f64) -> Self {
        Self { value: initial.clamp(MIN_DAMPING, MAX_DAMPING), growth: 2.0 }
    }

    /// After a failed step; false if it cannot grow further.
    fn raise(&mut self) -> bool {
        self.value *= self.growth;
        self.growth *= 2.0;
        self.value <= MAX_DAMPING
    }

    /// After a good step, by the ratio of actual to predicted decrease of cost.
    fn accept(&mut self, gain: f64) {
        let factor = (1.0 - (2.0 * gain - 1.0).powi(3)).max(1.0 / 3.0);
        self.value = (self.value * factor).clamp(MIN_DAMPING, MAX_DAMPING);
        self.growth = 2.0;
    }
}

fn stationary(reduced: &Reduced, options: &BundleOptions) -> Option<Termination> {
    if reduced.matrix.len() == 0 && reduced.landmark_gradient == 0.0 {
        return Some(Termination::NothingToSolve);
    }
    let steepest = reduced.pose_gradient.iter().map(|g| g.amax()).fold(0.0, f64::max);
    (steepest.max(reduced.landmark_gradient) <= options.gradient_tolerance)
        .then_some(Termination::GradientConverged)
}

/// One damped step.
struct Step {
    poses: Vec<Vector6<f64>>,
    landmarks: Vec<(u32, Vector3<f64>)>,
    /// Decrease of cost that the linear model promises.
    predicted: f64,
    /// Largest component of a pose's step.
    longest: f64,
}

impl Step {
    fn compute(linear: &Linearizer<'_>, mut reduced: Reduced, damping: f64) -> Option<Self> {
        let count = reduced.matrix.len();
        let scales: Vec<Vector6<f64>> = (0..count).map(|i| reduced.scale(i) * damping).collect();
        for (i, scale) in scales.iter().enumerate() {
            *reduced.matrix.block_mut(i, i) += Matrix6::from_diagonal(scale);
        }
        let mut poses: Vec<Vector6<f64>> = reduced.gradient.iter().map(|g| -g).collect();
        reduced.matrix.cholesky()?.solve(&mut poses);
        if poses.iter().any(|step| step.iter().any(|x| !x.is_finite())) {
            return None;
        }
        let (landmarks, mut predicted) = linear.back_substitute(&poses, damping);
        for (i, step) in poses.iter().enumerate() {
            let damped = scales[i].component_mul(step);
            predicted += 0.5 * step.dot(&(damped - reduced.pose_gradient[i]));
        }
        let longest = poses.iter().map(|step| step.amax()).fold(0.0, f64::max);
        let longest = if count == 0 { f64::INFINITY } else { longest };
        Some(Self { poses, landmarks, predicted, longest })
    }

    fn apply(&self, problem: &mut BundleProblem, index: &Index) {
        for (step, &pose) in self.poses.iter().zip(&index.pose_of_free) {
            let pose = &mut problem.poses[pose];
            pose.world_from_ego = pose.world_from_ego.retract(step);
        }
        for (landmark, step) in &self.landmarks {
            let landmark = &mut problem.landmarks[*landmark as usize];
            *landmark = landmark.retract(step);
        }
    }
}
