//! Bundle adjustment of a run of keyframes.

use std::ops::Range;

use nalgebra::{Matrix6, Vector6};
use ommatidia_geometry::Loss;
use ommatidia_geometry::bundle::{
    AbsolutePrior, BundleOptions, BundleProblem, BundleReport, GroundPrior, Observation,
    PoseVariable, RelativePrior, RigCamera,
};
use ommatidia_scene::{PoseSource, Rig};

use super::config::OdometryConfig;
use super::state::{Depth, Keyframe, State, Track};
use super::view::to_point;
use super::{ground, shutter};

/// Loss of reprojection errors, standard deviations: 95 % efficiency for normal noise.
const LOSS: Loss = Loss::Cauchy(2.385);
/// Sightings farther from their prediction are dropped, standard deviations.
const OUTLIER: f64 = 5.0;
/// Trust in a motion that was only predicted: of its distance, plus metres, and radians.
pub(super) const PREDICTED: (f64, f64, f64) = (0.2, 0.1, 0.05);

/// What adjustment works on.
pub(super) struct Adjuster<'a> {
    pub rig: &'a Rig,
    pub config: &'a OdometryConfig,
    pub prior: Option<PoseSource>,
    /// Points on the ground, of this slope, fix the scale for want of anything better.
    pub ground_slope: Option<[f64; 2]>,
}

/// One sighting as an observation: which track, and which of its sightings.
struct Link {
    track: usize,
    sighting: usize,
}

impl<'a> Adjuster<'a> {
    pub(super) fn new(rig: &'a Rig, config: &'a OdometryConfig, state: &State) -> Self {
        let prior = state.prior.map(|prior| prior.0);
        let ground_slope = (!state.scale_is_measured()).then_some(state.slope);
        Self { rig, config, prior, ground_slope }
    }
}

impl Adjuster<'_> {
    /// Adjusts the keyframes of a range, its first `held` constant, and the measured tracks they
    /// see; drops sightings that do not fit. `None` if there is nothing to adjust.
    pub(super) fn adjust(
        &self,
        keyframes: &mut [Keyframe],
        range: Range<usize>,
        held: usize,
        tracks: &mut [&mut Track],
        max_iterations: usize,
    ) -> Option<BundleReport> {
        let (mut problem, links, landmark_of) = self.build(keyframes, &range, held, tracks);
        if problem.observations.is_empty() {
            return None;
        }
        let options = BundleOptions {
            loss: LOSS,
            max_iterations,
            cost_tolerance: 1e-4,
            ..BundleOptions::default()
        };
        let report = problem.solve(&options).ok()?;
        for (keyframe, pose) in keyframes[range].iter_mut().zip(&problem.poses) {
            keyframe.world_from_ego = pose.world_from_ego;
        }
        for (track, landmark) in landmark_of.iter().enumerate() {
            if let Some(landmark) = *landmark {
                tracks[track].landmark = problem.landmarks[landmark];
            }
        }
        self.drop_outliers(&problem, &links, tracks);
        Some(report)
    }

    fn build(
        &self,
        keyframes: &[Keyframe],
        range: &Range<usize>,
        held: usize,
        tracks: &[&mut Track],
    ) -> (BundleProblem, Vec<Link>, Vec<Option<usize>>) {
        // Given poses fix the world better than the first of them alone.
        let held = if range.start == 0 && self.has_given_poses() { 0 } else { held };
        let mut problem = BundleProblem::default();
        for (slot, keyframe) in keyframes[range.clone()].iter().enumerate() {
            let world_from_ego = keyframe.world_from_ego;
            problem.poses.push(PoseVariable { world_from_ego, fixed: slot < held });
            problem.cameras.extend(cameras(self.rig, &keyframe.mounts));
        }
        let per_frame = self.rig.cameras.len();
        let mut links = Vec::new();
        let mut landmark_of = vec![None; tracks.len()];
        for (index, track) in tracks.iter().enumerate() {
            let inside = |keyframe: u32| range.contains(&(keyframe as usize));
            let seen = track.sightings.iter().filter(|s| inside(s.keyframe)).count();
            if track.depth != Depth::Measured || seen < 2 {
                continue;
            }
            landmark_of[index] = Some(problem.landmarks.len());
            for (sighting, seen) in track.sightings.iter().enumerate() {
                if !inside(seen.keyframe) {
                    continue;
                }
                let slot = seen.keyframe as usize - range.start;
                let mut camera = slot * per_frame + usize::from(seen.camera);
                if shutter::is_rolling(&self.rig.cameras[usize::from(seen.camera)]) {
                    let ego_from_camera = shutter::mount_of(self.rig, keyframes, seen);
                    let RigCamera { intrinsics, .. } = problem.cameras[camera];
                    camera = problem.cameras.len();
                    problem.cameras.push(RigCamera { intrinsics, ego_from_camera });
                }
                links.push(Link { track: index, sighting });
                problem.observations.push(Observation {
                    pose: slot as u32,
                    camera: camera as u32,
                    landmark: problem.landmarks.len() as u32,
                    pixel: to_point(seen.pixel),
                    sigma_px: self.config.sigma_px,
                });
            }
            if let Some(prior) = self.ground_prior(keyframes, range, track, problem.landmarks.len())
            {
                problem.ground_priors.push(prior);
            }
            problem.landmarks.push(track.landmark);
        }
        self.add_priors(&mut problem, &keyframes[range.clone()]);
        (problem, links, landmark_of)
    }

    /// At the track's last sighting, where the ground is nearest.
    fn ground_prior(
        &self,
        keyframes: &[Keyframe],
        range: &Range<usize>,
        track: &Track,
        landmark: usize,
    ) -> Option<GroundPrior> {
        let last =
            track.sightings.iter().map(|s| s.keyframe as usize).rfind(|k| range.contains(k))?;
        let slot = (last - range.start) as u32;
        let of = (slot, landmark as u32, self.config.ground_sigma_m);
        ground::prior(self.rig, &keyframes[last], track, self.ground_slope?, of)
    }

    fn add_priors(&self, problem: &mut BundleProblem, keyframes: &[Keyframe]) {
        let given = &self.config.prior;
        for (slot, pair) in keyframes.windows(2).enumerate() {
            let [before, after] = pair else { continue };
            let (from, to) = (slot as u32, slot as u32 + 1);
            if after.restarted {
                let from_from_to = before.world_from_ego.inverse() * after.world_from_ego;
                let distance = from_from_to.translation.norm();
                let spread = (PREDICTED.0 * distance + PREDICTED.1, PREDICTED.2);
                let information = information(spread.0, spread.1);
                problem.relative_priors.push(RelativePrior { from, to, from_from_to, information });
            }
            if let (Some(PoseSource::Wheel), Some(a), Some(b)) =
                (self.prior, before.prior, after.prior)
            {
                let from_from_to = a.inverse() * b;
                let spread = given.wheel_share * from_from_to.translation.norm() + 0.005;
                let information = information(spread, given.wheel_rotation_rad);
                problem.relative_priors.push(RelativePrior { from, to, from_from_to, information });
            }
        }
        if !self.has_given_poses() {
            return;
        }
        let information = information(given.dataset_position_m, given.dataset_rotation_rad);
        for (pose, keyframe) in keyframes.iter().enumerate() {
            if let Some(world_from_ego) = keyframe.prior {
                let pose = pose as u32;
                problem.absolute_priors.push(AbsolutePrior { pose, world_from_ego, information });
            }
        }
    }

    fn has_given_poses(&self) -> bool {
        matches!(self.prior, Some(PoseSource::Dataset | PoseSource::Simulation))
    }

    fn drop_outliers(&self, problem: &BundleProblem, links: &[Link], tracks: &mut [&mut Track]) {
        let limit = OUTLIER * self.config.sigma_px;
        // From the back, so that positions before stay valid.
        for (link, observation) in links.iter().zip(&problem.observations).rev() {
            let fits = problem.residual_px(observation).is_some_and(|r| r.norm() <= limit);
            if !fits {
                tracks[link.track].sightings.remove(link.sighting);
            }
        }
    }
}

/// The rig's cameras, mounted as given, or as the rig says where nothing is given.
pub(super) fn cameras(
    rig: &Rig,
    mounts: &[ommatidia_geometry::Pose<ommatidia_geometry::Ego, ommatidia_geometry::Camera>],
) -> Vec<RigCamera> {
    let mounted = |(i, camera): (usize, &ommatidia_scene::CameraSensor)| RigCamera {
        intrinsics: camera.intrinsics,
        ego_from_camera: mounts.get(i).copied().unwrap_or(camera.ego_from_camera),
    };
    rig.cameras.iter().enumerate().map(mounted).collect()
}

/// Inverse covariance for standard deviations in metres and radians.
pub(super) fn information(sigma_m: f64, sigma_rad: f64) -> Matrix6<f64> {
    let (m, rad) = (sigma_m.powi(-2), sigma_rad.powi(-2));
    Matrix6::from_diagonal(&Vector6::new(m, m, m, rad, rad, rad))
}
