//! Linearisation per landmark, its elimination, and the reduced system of the poses.

use nalgebra::{Matrix3, Matrix6, Matrix6x3, Vector3, Vector6};
use rayon::prelude::*;

use super::BundleProblem;
use super::envelope::EnvelopeMatrix;
use super::index::Index;
use super::residual;
use crate::robust::Loss;

/// Squared residual, in standard deviations, of a landmark outside a camera's domain. A constant:
/// it has no slope, but a step that moves a landmark behind its camera raises the cost.
const OUTSIDE: f64 = 1e6;

/// Chunks whose partial sums are held at once.
const CHUNKS_PER_WAVE: usize = 32;

/// Added to a diagonal before it scales the damping, for directions nothing has observed.
const MIN_CURVATURE: f64 = 1e-8;

/// The normal equations of one landmark.
#[derive(Default)]
struct LandmarkSystem {
    hessian: Matrix3<f64>,
    gradient: Vector3<f64>,
    terms: Vec<PoseTerm>,
    cost: f64,
}

/// What a landmark's observations from one free pose add.
struct PoseTerm {
    free: usize,
    hessian: Matrix6<f64>,
    gradient: Vector6<f64>,
    cross: Matrix6x3<f64>,
}

/// The reduced system at one damping, with what the gain test needs.
pub(super) struct Reduced {
    pub matrix: EnvelopeMatrix,
    pub gradient: Vec<Vector6<f64>>,
    /// Gradient by the poses before elimination.
    pub pose_gradient: Vec<Vector6<f64>>,
    /// Diagonal of the poses' Hessian before elimination: the scale of the damping.
    pub curvature: Vec<Vector6<f64>>,
    /// `1/2 sum rho` at the linearisation.
    pub cost: f64,
    /// Largest component of the landmarks' gradient.
    pub landmark_gradient: f64,
}

/// Sums over one chunk of landmarks: a dense lower triangle over the poses it touches.
struct Partial {
    start: usize,
    count: usize,
    blocks: Vec<Matrix6<f64>>,
    gradient: Vec<Vector6<f64>>,
    pose_gradient: Vec<Vector6<f64>>,
    curvature: Vec<Vector6<f64>>,
    cost: f64,
    landmark_gradient: f64,
}

/// Landmarks' steps, and the decrease of cost they promise.
type LandmarkSteps = (Vec<(u32, Vector3<f64>)>, f64);

/// One problem with its structure and loss.
pub(super) struct Linearizer<'a> {
    pub problem: &'a BundleProblem,
    pub index: &'a Index,
    pub loss: Loss,
}

impl Linearizer<'_> {
    /// The reduced system of the present estimate with the landmarks damped by `damping`. The
    /// poses' damping is left to the caller.
    pub(super) fn reduce(&self, envelope: &[usize], damping: f64) -> Reduced {
        let count = envelope.len();
        let mut reduced = Reduced {
            matrix: EnvelopeMatrix::zeros(envelope.to_vec()),
            gradient: vec![Vector6::zeros(); count],
            pose_gradient: vec![Vector6::zeros(); count],
            curvature: vec![Vector6::zeros(); count],
            cost: 0.0,
            landmark_gradient: 0.0,
        };
        let chunks: Vec<&[u32]> = self.index.chunks().collect();
        for wave in chunks.chunks(CHUNKS_PER_WAVE) {
            let partials: Vec<Partial> =
                wave.par_iter().map(|chunk| self.reduce_chunk(chunk, damping)).collect();
            partials.iter().for_each(|partial| reduced.add(partial));
        }
        self.add_priors(&mut reduced);
        reduced
    }

    fn reduce_chunk(&self, landmarks: &[u32], damping: f64) -> Partial {
        let mut partial = Partial::over(self.range(landmarks));
        let mut system = LandmarkSystem::default();
        for &landmark in landmarks {
            self.linearize(landmark, &mut system);
            partial.add_terms(&system);
            if self.problem.landmarks[landmark as usize].fixed {
                continue;
            }
            partial.landmark_gradient = partial.landmark_gradient.max(system.gradient.amax());
            if let Some(inverse) = system.damped_inverse(damping) {
                partial.eliminate(&system, &inverse);
            }
        }
        partial
    }

    /// First free pose seen by some landmarks, and how many there are from it to the last.
    fn range(&self, landmarks: &[u32]) -> (usize, usize) {
        let free = landmarks.iter().flat_map(|&l| self.index.free_poses(self.problem, l));
        let (first, last) =
            free.fold((usize::MAX, 0), |(first, last), i| (first.min(i), last.max(i + 1)));
        (first.min(last), last.saturating_sub(first))
    }

    fn linearize(&self, landmark: u32, system: &mut LandmarkSystem) {
        system.reset();
        let problem = self.problem;
        for &i in self.index.observations(landmark) {
            let observation = &problem.observations[i as usize];
            let reprojection = residual::reproject(
                &problem.cameras[observation.camera as usize],
                &problem.poses[observation.pose as usize].world_from_ego,
                &problem.landmarks[landmark as usize],
                observation,
            );
            let Some(reprojection) = reprojection else {
                system.cost += 0.5 * self.loss.rho(OUTSIDE);
                continue;
            };
            let information = observation.sigma_px.powi(-2);
            let squared = reprojection.residual.norm_squared() * information;
            system.cost += 0.5 * self.loss.rho(squared);
            let weight = information * self.loss.weight(squared);
            system.add(&reprojection, self.index.free(observation.pose), weight);
        }
        self.linearize_heights(landmark, system);
    }

    fn linearize_heights(&self, landmark: u32, system: &mut LandmarkSystem) {
        for &i in self.index.grounds(landmark) {
            let prior = &self.problem.ground_priors[i as usize];
            let pose = &self.problem.poses[prior.pose as usize].world_from_ego;
            let position = &self.problem.landmarks[landmark as usize];
            let Some(height) = residual::height(prior, pose, position) else { continue };
            let squared = height.residual * height.residual;
            system.cost += 0.5 * self.loss.rho(squared);
            system.add_height(&height, self.index.free(prior.pose), self.loss.weight(squared));
        }
    }

    /// `1/2 sum rho` at the present estimate.
    pub(super) fn cost(&self) -> f64 {
        let chunks: Vec<&[u32]> = self.index.chunks().collect();
        let costs: Vec<f64> = chunks
            .par_iter()
            .map(|chunk| chunk.iter().map(|&landmark| self.landmark_cost(landmark)).sum())
            .collect();
        costs.iter().sum::<f64>() + self.prior_cost()
    }

    fn landmark_cost(&self, landmark: u32) -> f64 {
        let cost = |&i: &u32| {
            let observation = &self.problem.observations[i as usize];
            let residual = self.problem.residual_px(observation);
            let squared =
                residual.map_or(OUTSIDE, |r| r.norm_squared() * observation.sigma_px.powi(-2));
            0.5 * self.loss.rho(squared)
        };
        let height = |&i: &u32| {
            let prior = &self.problem.ground_priors[i as usize];
            let pose = &self.problem.poses[prior.pose as usize].world_from_ego;
            let position = &self.problem.landmarks[landmark as usize];
            residual::height(prior, pose, position)
                .map_or(0.0, |height| 0.5 * self.loss.rho(height.residual * height.residual))
        };
        let seen: f64 = self.index.observations(landmark).iter().map(cost).sum();
        seen + self.index.grounds(landmark).iter().map(height).sum::<f64>()
    }

    /// The landmarks' steps that go with steps of the poses, with the part of the predicted
    /// decrease of cost that is theirs.
    pub(super) fn back_substitute(
        &self,
        pose_steps: &[Vector6<f64>],
        damping: f64,
    ) -> LandmarkSteps {
        let chunks: Vec<&[u32]> = self.index.chunks().collect();
        let parts: Vec<LandmarkSteps> = chunks
            .par_iter()
            .map(|chunk| self.back_substitute_chunk(chunk, pose_steps, damping))
            .collect();
        let decrease = parts.iter().map(|part| part.1).sum();
        (parts.into_iter().flat_map(|part| part.0).collect(), decrease)
    }

    fn back_substitute_chunk(
        &self,
        landmarks: &[u32],
        pose_steps: &[Vector6<f64>],
        damping: f64,
    ) -> LandmarkSteps {
        let mut system = LandmarkSystem::default();
        let mut steps = Vec::with_capacity(landmarks.len());
        let mut decrease = 0.0;
        for &landmark in landmarks {
            if self.problem.landmarks[landmark as usize].fixed {
                continue;
            }
            self.linearize(landmark, &mut system);
            let Some(inverse) = system.damped_inverse(damping) else { continue };
            let pulled =
                |sum, term: &PoseTerm| sum + term.cross.transpose() * pose_steps[term.free];
            let right = system.terms.iter().fold(system.gradient, pulled);
            let step = -(inverse * right);
            let damped = system.curvature().component_mul(&step) * damping;
            decrease += 0.5 * step.dot(&(damped - system.gradient));
            steps.push((landmark, step));
        }
        (steps, decrease)
    }

    fn prior_cost(&self) -> f64 {
        let problem = self.problem;
        let pose = |i: u32| &problem.poses[i as usize].world_from_ego;
        let absolute = problem.absolute_priors.iter().map(|prior| {
            let (error, _) = residual::absolute(prior, pose(prior.pose));
            0.5 * error.dot(&(prior.information * error))
        });
        let relative = problem.relative_priors.iter().map(|prior| {
            let (error, ..) = residual::relative(prior, pose(prior.from), pose(prior.to));
            0.5 * error.dot(&(prior.information * error))
        });
        let up = problem.up_priors.iter().map(|prior| {
            let (error, _) = residual::up(prior, pose(prior.pose));
            0.5 * error.norm_squared()
        });
        absolute.sum::<f64>() + relative.sum::<f64>() + up.sum::<f64>()
    }

    fn add_priors(&self, reduced: &mut Reduced) {
        let problem = self.problem;
        let pose = |i: u32| &problem.poses[i as usize].world_from_ego;
        reduced.cost += self.prior_cost();
        for prior in &problem.absolute_priors {
            let Some(i) = self.index.free(prior.pose) else { continue };
            let (error, jacobian) = residual::absolute(prior, pose(prior.pose));
            let weighted = jacobian.transpose() * prior.information;
            reduced.add_pose(i, &(weighted * jacobian), &(weighted * error));
        }
        for prior in &problem.up_priors {
            let Some(i) = self.index.free(prior.pose) else { continue };
            let (error, jacobian) = residual::up(prior, pose(prior.pose));
            let transposed = jacobian.transpose();
            reduced.add_pose(i, &(transposed * jacobian), &(transposed * error));
        }
        for prior in &problem.relative_priors {
            let (error, by_from, by_to) =
                residual::relative(prior, pose(prior.from), pose(prior.to));
            let (from, to) = (self.index.free(prior.from), self.index.free(prior.to));
            for (free, jacobian) in [(from, &by_from), (to, &by_to)] {
                let Some(i) = free else { continue };
                let weighted = jacobian.transpose() * prior.information;
                reduced.add_pose(i, &(weighted * jacobian), &(weighted * error));
            }
            match (from, to) {
                (Some(a), Some(b)) if a > b => {
                    *reduced.matrix.block_mut(a, b) +=
                        by_from.transpose() * prior.information * by_to;
                }
                (Some(a), Some(b)) if b > a => {
                    *reduced.matrix.block_mut(b, a) +=
                        by_to.transpose() * prior.information * by_from;
                }
                _ => {}
            }
        }
    }
}

impl LandmarkSystem {
    fn reset(&mut self) {
        self.hessian = Matrix3::zeros();
        self.gradient = Vector3::zeros();
        self.terms.clear();
        self.cost = 0.0;
    }

    fn add(&mut self, observed: &residual::Reprojection, free: Option<usize>, weight: f64) {
        let by_landmark = observed.by_landmark.transpose() * weight;
        self.hessian += by_landmark * observed.by_landmark;
        self.gradient += by_landmark * observed.residual;
        let Some(free) = free else { return };
        let by_pose = observed.by_pose.transpose() * weight;
        let hessian = by_pose * observed.by_pose;
        let gradient = by_pose * observed.residual;
        let cross = by_pose * observed.by_landmark;
        self.add_term(PoseTerm { free, hessian, gradient, cross });
    }

    fn add_height(&mut self, height: &residual::Height, free: Option<usize>, weight: f64) {
        let by_landmark = height.by_landmark.transpose() * weight;
        self.hessian += by_landmark * height.by_landmark;
        self.gradient += by_landmark * height.residual;
        let Some(free) = free else { return };
        let by_pose = height.by_pose.transpose() * weight;
        let hessian = by_pose * height.by_pose;
        let gradient = by_pose * height.residual;
        let cross = by_pose * height.by_landmark;
        self.add_term(PoseTerm { free, hessian, gradient, cross });
    }

    /// Adds to the term of the same pose, or keeps terms ascending.
    fn add_term(&mut self, added: PoseTerm) {
        let at = self.terms.partition_point(|term| term.free < added.free);
        match self.terms.get_mut(at) {
            Some(term) if term.free == added.free => {
                term.hessian += added.hessian;
                term.gradient += added.gradient;
                term.cross += added.cross;
            }
            _ => self.terms.insert(at, added),
        }
    }

    fn curvature(&self) -> Vector3<f64> {
        self.hessian.diagonal().map(|x| x.max(MIN_CURVATURE))
    }

    fn damped_inverse(&self, damping: f64) -> Option<Matrix3<f64>> {
        let damped = self.hessian + Matrix3::from_diagonal(&(self.curvature() * damping));
        damped.cholesky().map(|factor| factor.inverse())
    }
}

impl Partial {
    fn over((start, count): (usize, usize)) -> Self {
        Self {
            start,
            count,
            blocks: vec![Matrix6::zeros(); count * (count + 1) / 2],
            gradient: vec![Vector6::zeros(); count],
            pose_gradient: vec![Vector6::zeros(); count],
            curvature: vec![Vector6::zeros(); count],
            cost: 0.0,
            landmark_gradient: 0.0,
        }
    }

    fn block_mut(&mut self, i: usize, j: usize) -> &mut Matrix6<f64> {
        &mut self.blocks[i * (i + 1) / 2 + j]
    }

    fn add_terms(&mut self, system: &LandmarkSystem) {
        self.cost += system.cost;
        for term in &system.terms {
            let i = term.free - self.start;
            *self.block_mut(i, i) += term.hessian;
            self.gradient[i] += term.gradient;
            self.pose_gradient[i] += term.gradient;
            self.curvature[i] += term.hessian.diagonal();
        }
    }

    /// Subtracts `W V^-1 W^T` and `W V^-1 g`. Terms ascend by pose.
    fn eliminate(&mut self, system: &LandmarkSystem, inverse: &Matrix3<f64>) {
        for (a, term) in system.terms.iter().enumerate() {
            let i = term.free - self.start;
            let weighted = term.cross * inverse;
            self.gradient[i] -= weighted * system.gradient;
            for other in &system.terms[..=a] {
                let j = other.free - self.start;
                *self.block_mut(i, j) -= weighted * other.cross.transpose();
            }
        }
    }
}

impl Reduced {
    fn add(&mut self, partial: &Partial) {
        self.cost += partial.cost;
        self.landmark_gradient = self.landmark_gradient.max(partial.landmark_gradient);
        for i in 0..partial.count {
            let row = partial.start + i;
            self.gradient[row] += partial.gradient[i];
            self.pose_gradient[row] += partial.pose_gradient[i];
            self.curvature[row] += partial.curvature[i];
            let first = self.matrix.first(row).saturating_sub(partial.start);
            for j in first..=i {
                *self.matrix.block_mut(row, partial.start + j) +=
                    partial.blocks[i * (i + 1) / 2 + j];
            }
        }
    }

    fn add_pose(&mut self, i: usize, hessian: &Matrix6<f64>, gradient: &Vector6<f64>) {
        *self.matrix.block_mut(i, i) += hessian;
        self.gradient[i] += gradient;
        self.pose_gradient[i] += gradient;
        self.curvature[i] += hessian.diagonal();
    }

    /// The poses' scale of damping.
    pub(super) fn scale(&self, i: usize) -> Vector6<f64> {
        self.curvature[i].map(|x| x.max(MIN_CURVATURE))
    }
}
