//! The motion of the vehicle that most points agree on.

use nalgebra::{Matrix6, Point2};
use ommatidia_geometry::bundle::{
    BundleOptions, BundleProblem, Landmark, Observation, PoseVariable, RigCamera,
};
use ommatidia_geometry::ransac::Random;
use ommatidia_geometry::{Ego, Loss, Pose, World};

/// A point with known position seen now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    /// Index into the cameras.
    pub camera: usize,
    pub pixel: Point2<f64>,
    pub landmark: Landmark,
}

/// A pose and the matches that agree with it.
#[derive(Debug, Clone)]
pub(super) struct Motion {
    pub world_from_ego: Pose<World, Ego>,
    pub inliers: Vec<bool>,
    pub count: usize,
    /// Of the pose's right tangent, for true tracking noise.
    pub covariance: Matrix6<f64>,
}

/// Widths of the loss from a rough to a precise start, pixels.
const ANNEALING_PX: [f64; 3] = [8.0, 2.0, 0.7];
/// Residuals up to this many times the typical one agree.
const SPREADS: f64 = 4.0;
/// Whatever the typical residual, one this small agrees and one this large does not, pixels.
const INLIER_PX: (f64, f64) = (1.0, 3.0);
/// Share of matches that must agree before random samples are spared.
const CONVINCING: f64 = 0.6;
/// Random samples tried, of this many matches each.
const SAMPLES: usize = 60;
const SAMPLE_SIZE: usize = 4;

/// Estimates the pose from matches to known points, starting from each of some guesses, then, if
/// none convinces, from random samples. `None` if fewer than `min_inliers` agree.
pub(super) fn estimate(
    cameras: &[RigCamera],
    matches: &[Match],
    starts: &[Pose<World, Ego>],
    sigma_px: f64,
    (min_inliers, seed): (usize, u64),
) -> Option<Motion> {
    let estimator = Estimator { cameras, matches, sigma_px };
    let mut best: Option<(usize, Pose<World, Ego>)> = None;
    let mut consider = |pose: Pose<World, Ego>| {
        let count = estimator.residuals(&pose).iter().filter(|&&r| r <= INLIER_PX.1).count();
        if best.is_none_or(|(most, _)| count > most) {
            best = Some((count, pose));
        }
        count as f64 >= CONVINCING * matches.len() as f64
    };
    let convinced = starts.iter().any(|&start| consider(estimator.anneal(start)));
    if !convinced && matches.len() >= SAMPLE_SIZE {
        let mut random = Random::new(seed);
        for _ in 0..SAMPLES {
            let sample: Vec<usize> =
                (0..SAMPLE_SIZE).map(|_| random.below(matches.len())).collect();
            let rough = estimator.fit(starts[0], Some(&sample), ANNEALING_PX[0], 8);
            if rough.is_some_and(&mut consider) {
                break;
            }
        }
    }
    let (_, start) = best?;
    estimator.finish(start, min_inliers)
}

struct Estimator<'a> {
    cameras: &'a [RigCamera],
    matches: &'a [Match],
    sigma_px: f64,
}

impl Estimator<'_> {
    fn problem(&self, start: Pose<World, Ego>, chosen: &[usize]) -> BundleProblem {
        let mut problem = BundleProblem {
            cameras: self.cameras.to_vec(),
            poses: vec![PoseVariable { world_from_ego: start, fixed: false }],
            ..BundleProblem::default()
        };
        for (landmark, &i) in chosen.iter().enumerate() {
            let Match { camera, pixel, landmark: known } = self.matches[i];
            problem.landmarks.push(Landmark { fixed: true, ..known });
            problem.observations.push(Observation {
                pose: 0,
                camera: camera as u32,
                landmark: landmark as u32,
                pixel,
                sigma_px: self.sigma_px,
            });
        }
        problem
    }

    /// Robust refinement on some or all matches, the loss `width_px` wide.
    fn fit(
        &self,
        start: Pose<World, Ego>,
        chosen: Option<&[usize]>,
        width_px: f64,
        max_iterations: usize,
    ) -> Option<Pose<World, Ego>> {
        let all: Vec<usize> = (0..self.matches.len()).collect();
        let mut problem = self.problem(start, chosen.unwrap_or(&all));
        let loss = Loss::Cauchy(width_px / self.sigma_px);
        let options = BundleOptions { loss, max_iterations, ..BundleOptions::default() };
        problem.solve(&options).ok()?;
        Some(problem.poses[0].world_from_ego)
    }

    fn anneal(&self, start: Pose<World, Ego>) -> Pose<World, Ego> {
        ANNEALING_PX
            .iter()
            .fold(start, |pose, &width| self.fit(pose, None, width, 10).unwrap_or(pose))
    }

    /// Reprojection errors, pixels; infinite outside a camera's domain.
    fn residuals(&self, pose: &Pose<World, Ego>) -> Vec<f64> {
        let all: Vec<usize> = (0..self.matches.len()).collect();
        let problem = self.problem(*pose, &all);
        let error = |o| problem.residual_px(o).map_or(f64::INFINITY, |r| r.norm());
        problem.observations.iter().map(error).collect()
    }

    fn finish(&self, start: Pose<World, Ego>, min_inliers: usize) -> Option<Motion> {
        let mut pose = self.anneal(start);
        let mut agreeing = Vec::new();
        for _ in 0..2 {
            let residuals = self.residuals(&pose);
            let mut small: Vec<f64> =
                residuals.iter().copied().filter(|&r| r <= INLIER_PX.1).collect();
            small.sort_unstable_by(f64::total_cmp);
            let typical = small.get(small.len() / 2).copied()?;
            let limit = (SPREADS * typical).clamp(INLIER_PX.0, INLIER_PX.1);
            agreeing = (0..residuals.len()).filter(|&i| residuals[i] <= limit).collect();
            if agreeing.len() < min_inliers {
                return None;
            }
            pose = self.fit(pose, Some(&agreeing), ANNEALING_PX[2], 10)?;
        }
        let mut problem = self.problem(pose, &agreeing);
        let options =
            BundleOptions { max_iterations: 1, covariance: true, ..BundleOptions::default() };
        let covariance = problem.solve(&options).ok()?.covariances?[0];
        let mut inliers = vec![false; self.matches.len()];
        agreeing.iter().for_each(|&i| inliers[i] = true);
        Some(Motion { world_from_ego: pose, inliers, count: agreeing.len(), covariance })
    }
}
