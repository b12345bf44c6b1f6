//! The path set into the world of satellite positions.
//!
//! Over metres a receiver errs by more than cameras do in a kilometre; over kilometres cameras drift
//! and it does not. So the finished path is placed by its fixes, and then bent: adjusted as a chain
//! of poses whose links are as stiff as the odometry is good, each fix a prior of its keyframe's
//! position. The chain stands for all sightings, so the cost is linear in the clip's length. Fixes
//! that disagree with their neighbours, as by reflected signals, count little.

use nalgebra::{Matrix6, Point3, UnitQuaternion, Vector3, Vector6};
use ommatidia_geometry::bundle::{
    AbsolutePrior, BundleOptions, BundleProblem, PoseVariable, RelativePrior, UpPrior,
};
use ommatidia_geometry::{Ego, Loss, Pose, Timestamp, World};
use ommatidia_scene::{PoseSource, Trajectory};

use super::adjust::{self, PREDICTED};
use super::state::{Fix, Keyframe, State};

/// Fewest fixes that set a path.
const MIN_FIXES: usize = 3;
/// Loss of fixes, standard deviations: 95 % efficiency for normal noise.
const LOSS: Loss = Loss::Cauchy(2.385);
/// Reweighted fits of the placement, and of the chain.
const FITS: (usize, usize) = (10, 3);
/// Standard deviation of the path's scale, as a share, where cameras that see the same points
/// measure it, and where they do not.
const SCALE: (f64, f64) = (0.02, 0.5);
/// The heading and the scale are taken from fixes that tell them at least so well, radians or share.
const TELLING: f64 = 0.1;
/// Drift of odometry: metres a metre, plus metres; radians per square root of a metre, plus radians.
/// Twice what KITTI's better visual methods show, so that slow errors are not held for certain.
const DRIFT: ((f64, f64), (f64, f64)) = ((0.01, 0.002), (1e-3, 1e-4));
/// Standard deviation of the first pose's vertical, radians: fixes along a line leave a turn about
/// it free.
const UP_RAD: f64 = 0.05;

/// What satellites say of the keyframe `this`. `before`: the keyframe before it, if connected.
pub(super) fn fix(
    given: &Trajectory,
    before: Option<(Timestamp, Pose<World, Ego>)>,
    this: (Timestamp, Pose<World, Ego>),
) -> Option<Fix> {
    let Some((since, world_from_before)) = before else {
        let in_world = given.at(this.0)?.translation.into();
        return Some(Fix { in_world, in_ego: Point3::origin() });
    };
    let samples = given.samples();
    let first = samples.partition_point(|sample| sample.timestamp <= since);
    let end = samples.partition_point(|sample| sample.timestamp <= this.0);
    let count = (end - first) as f64;
    let before_from_this = world_from_before.inverse() * this.1;
    let (mut in_world, mut in_ego) = (Vector3::zeros(), Vector3::zeros());
    for sample in &samples[first..end] {
        let share = (sample.timestamp - since).as_secs_f64() / (this.0 - since).as_secs_f64();
        let moved: Pose<Ego, Ego> = Pose::identity().interpolate(&before_from_this, share);
        in_world += sample.world_from_ego.translation / count;
        in_ego += (before_from_this.inverse() * moved).translation / count;
    }
    (end > first).then(|| Fix { in_world: in_world.into(), in_ego: in_ego.into() })
}

/// Sets the path by its fixes, of standard deviation `sigma_m`, if there are enough.
pub(super) fn anchor(state: &mut State, sigma_m: f64) {
    let fixes = state.keyframes.iter().filter(|keyframe| keyframe.fix.is_some()).count();
    if state.prior.is_none_or(|(source, _)| source != PoseSource::Gnss) || fixes < MIN_FIXES {
        return;
    }
    let scale_sigma = if state.scale_is_seen() { SCALE.0 } else { SCALE.1 };
    let placement = Placement::fit(&state.keyframes, sigma_m, scale_sigma);
    for keyframe in &mut state.keyframes {
        keyframe.world_from_ego = placement.apply(&keyframe.world_from_ego);
    }
    for frame in &mut state.frames {
        frame.keyframe_from_ego.translation *= placement.scale;
    }
    state.anchored = placement.scale_is_told;
    bend(&mut state.keyframes, sigma_m);
}

/// A turn about the vertical, a scale and a shift.
struct Placement {
    turn: UnitQuaternion<f64>,
    scale: f64,
    shift: Vector3<f64>,
    scale_is_told: bool,
}

impl Placement {
    /// Umeyama's solution about the vertical, reweighted, the scale held near 1.
    fn fit(keyframes: &[Keyframe], sigma_m: f64, scale_sigma: f64) -> Self {
        let seen = |keyframe: &Keyframe| {
            let fix = keyframe.fix?;
            Some(((keyframe.world_from_ego * fix.in_ego).coords, fix.in_world.coords))
        };
        let pairs: Vec<(Vector3<f64>, Vector3<f64>)> = keyframes.iter().filter_map(seen).collect();
        let mut weights = vec![1.0; pairs.len()];
        let mut placement = Self::weighted(&pairs, &weights, sigma_m, scale_sigma);
        for _ in 1..FITS.0 {
            for ((path, fix), weight) in pairs.iter().zip(&mut weights) {
                let error = placement.point(path) - fix;
                *weight = LOSS.weight(error.norm_squared() / sigma_m.powi(2));
            }
            placement = Self::weighted(&pairs, &weights, sigma_m, scale_sigma);
        }
        placement
    }

    fn weighted(
        pairs: &[(Vector3<f64>, Vector3<f64>)],
        weights: &[f64],
        sigma_m: f64,
        scale_sigma: f64,
    ) -> Self {
        let total: f64 = weights.iter().sum();
        let mut means = (Vector3::zeros(), Vector3::zeros());
        for ((path, fix), weight) in pairs.iter().zip(weights) {
            means.0 += path * (weight / total);
            means.1 += fix * (weight / total);
        }
        let (mut along, mut across, mut spread, mut level) = (0.0, 0.0, 0.0, 0.0);
        let mut upright = 0.0;
        for ((path, fix), weight) in pairs.iter().zip(weights) {
            let (a, b) = (path - means.0, fix - means.1);
            along += weight * (a.x * b.x + a.y * b.y);
            across += weight * (a.x * b.y - a.y * b.x);
            upright += weight * a.z * b.z;
            spread += weight * a.norm_squared();
            level += weight * a.xy().norm_squared();
        }
        let (fixed, telling) = (sigma_m.powi(-2), TELLING.powi(-2));
        let yaw = if level * fixed >= telling { across.atan2(along) } else { 0.0 };
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw);
        let agreeing = along * yaw.cos() + across * yaw.sin() + upright;
        let held = scale_sigma.powi(-2);
        let scale = (agreeing * fixed + held) / (spread * fixed + held);
        let scale = scale.max(f64::EPSILON);
        let shift = means.1 - turn * means.0 * scale;
        Self { turn, scale, shift, scale_is_told: spread * fixed >= telling }
    }

    fn point(&self, path: &Vector3<f64>) -> Vector3<f64> {
        self.turn * path * self.scale + self.shift
    }

    fn apply(&self, path: &Pose<World, Ego>) -> Pose<World, Ego> {
        Pose::new(self.turn * path.rotation, self.point(&path.translation))
    }
}

/// Adjusts the chain of keyframes to their fixes.
fn bend(keyframes: &mut [Keyframe], sigma_m: f64) {
    let mut problem = BundleProblem { relative_priors: links(keyframes), ..Default::default() };
    let pose = |k: &Keyframe| PoseVariable { world_from_ego: k.world_from_ego, fixed: false };
    problem.poses = keyframes.iter().map(pose).collect();
    let up_in_ego = keyframes[0].world_from_ego.rotation.inverse() * Vector3::z_axis();
    let up_in_world = Vector3::z_axis();
    problem.up_priors = vec![UpPrior { pose: 0, up_in_ego, up_in_world, sigma_rad: UP_RAD }];
    // Nearly linear: undamped, or the chain's long waves would hardly move.
    let options = BundleOptions {
        initial_damping: 0.0,
        max_iterations: 30,
        cost_tolerance: 1e-9,
        ..BundleOptions::default()
    };
    for _ in 0..FITS.1 {
        problem.absolute_priors = fixes(keyframes, &problem.poses, sigma_m);
        // What cannot be solved stays as it is placed.
        if problem.solve(&options).is_err() {
            return;
        }
    }
    for (keyframe, pose) in keyframes.iter_mut().zip(&problem.poses) {
        keyframe.world_from_ego = pose.world_from_ego;
    }
}

fn links(keyframes: &[Keyframe]) -> Vec<RelativePrior> {
    let link = |(from, pair): (usize, &[Keyframe])| {
        let (a, b) = (&pair[0], &pair[1]);
        let from_from_to = a.world_from_ego.inverse() * b.world_from_ego;
        let length = from_from_to.translation.norm();
        let (sigma_m, sigma_rad) = if b.restarted {
            // It may have driven as far as the satellites say.
            let told =
                a.prior.zip(b.prior).map_or(0.0, |(a, b)| (a.inverse() * b).translation.norm());
            (PREDICTED.0 * length.max(told) + PREDICTED.1, PREDICTED.2)
        } else {
            let (metres, radians) = DRIFT;
            (metres.0 * length + metres.1, radians.0 * length.sqrt() + radians.1)
        };
        let information = adjust::information(sigma_m, sigma_rad);
        RelativePrior { from: from as u32, to: from as u32 + 1, from_from_to, information }
    };
    keyframes.windows(2).enumerate().map(link).collect()
}

/// Priors of position alone, about poses whose orientation is that of the present estimate.
fn fixes(keyframes: &[Keyframe], poses: &[PoseVariable], sigma_m: f64) -> Vec<AbsolutePrior> {
    let prior = |(pose, keyframe): (usize, &Keyframe)| {
        let fix = keyframe.fix?;
        let present = poses[pose].world_from_ego;
        let error = (present * fix.in_ego) - fix.in_world;
        let weight = LOSS.weight(error.norm_squared() / sigma_m.powi(2)) / sigma_m.powi(2);
        let information =
            Matrix6::from_diagonal(&Vector6::new(weight, weight, weight, 0.0, 0.0, 0.0));
        let translation = fix.in_world.coords - present.rotate(&fix.in_ego.coords);
        let world_from_ego = Pose::new(present.rotation, translation);
        Some(AbsolutePrior { pose: pose as u32, world_from_ego, information })
    };
    keyframes.iter().enumerate().filter_map(prior).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::ransac::Random;
    use ommatidia_geometry::so3;
    use ommatidia_scene::{PoseSample, Scale};

    const SIGMA_M: f64 = 1.5;

    /// About normal: the sum of twelve.
    fn normal(random: &mut Random) -> f64 {
        (0..12).map(|_| random.uniform()).sum::<f64>() - 6.0
    }

    fn time(index: usize) -> Timestamp {
        Timestamp(index as i64 * 100_000_000)
    }

    /// A kilometre of bends at 10 m/s in the satellites' world.
    fn truth(count: usize) -> Vec<Pose<World, Ego>> {
        let start = Pose::new(so3::exp(&Vector3::new(0.0, 0.0, 1.0)), Vector3::new(50., -20., 3.));
        let step = |pose: &mut Pose<World, Ego>, i: usize| {
            let yaw = 0.01 * (i as f64 / 60.0).sin();
            let here = *pose;
            *pose = pose.retract(&Vector6::new(1.0, 0.0, 0.0, 0.0, 0.0, yaw));
            Some(here)
        };
        (0..count).scan(start, step).collect()
    }

    /// Odometry that begins at the origin and drifts in scale and heading, with fixes once a second
    /// and one in twenty reflected.
    fn drifting(truth: &[Pose<World, Ego>]) -> State {
        let mut random = Random::new(3);
        let fix = |(i, pose): (usize, &Pose<World, Ego>)| {
            let off = Vector3::from_fn(|_, _| SIGMA_M * normal(&mut random));
            let reflected =
                if i % 20 == 7 { Vector3::new(30.0, 10.0, 20.0) } else { Vector3::zeros() };
            let in_world =
                Pose::new(UnitQuaternion::identity(), pose.translation + off + reflected);
            PoseSample { timestamp: time(10 * i), world_from_ego: in_world }
        };
        let samples = truth.iter().step_by(10).enumerate().map(fix).collect();
        let given = Trajectory::new(PoseSource::Gnss, Scale::Metric, samples).unwrap();
        let mut state = State { prior: Some((given.source, given.scale)), ..State::default() };
        let mut world_from_ego: Pose<World, Ego> = Pose::identity();
        for i in 0..truth.len() {
            if i > 0 {
                let mut moved = (truth[i - 1].inverse() * truth[i]).log();
                moved *= 1.008;
                moved[5] += 5e-5;
                world_from_ego = world_from_ego.retract(&moved);
            }
            let before = state.keyframes.last().map(|k| (k.timestamp, k.world_from_ego));
            state.keyframes.push(Keyframe {
                frame: i as u32,
                timestamp: time(i),
                world_from_ego,
                mounts: Vec::new(),
                restarted: false,
                prior: given.at(time(i)),
                fix: fix_of(&given, before, (time(i), world_from_ego)),
            });
        }
        // Stereo throughout.
        state.partnered = 100 * state.keyframes.len() as u64;
        state
    }

    use super::fix as fix_of;

    #[test]
    fn a_drifting_path_is_bent_onto_its_fixes() {
        let truth = truth(1000);
        let mut state = drifting(&truth);
        assert_eq!(state.keyframes.iter().filter(|k| k.fix.is_some()).count(), 100);
        anchor(&mut state, SIGMA_M);
        let found: Vec<_> = state.keyframes.iter().map(|k| k.world_from_ego).collect();
        let off: Vec<f64> =
            found.iter().zip(&truth).map(|(a, b)| (a.translation - b.translation).norm()).collect();
        let rms = (off.iter().map(|x| x * x).sum::<f64>() / off.len() as f64).sqrt();
        // Drifted it was 8 m too long; a fix errs by 2.6 m.
        assert!(rms < 0.9, "{rms}");
        // And locally it stays as smooth as the odometry.
        for i in 1..found.len() {
            let step = (found[i - 1].inverse() * found[i]).translation;
            let exact = (truth[i - 1].inverse() * truth[i]).translation;
            assert!((step - exact).norm() < 0.02, "{i}: {step} instead of {exact}");
        }
        assert!(state.anchored);
    }

    #[test]
    fn without_satellites_or_standing_the_path_stays() {
        let truth = truth(50);
        let mut state = drifting(&truth);
        state.prior = Some((PoseSource::Dataset, Scale::Metric));
        let before = state.clone();
        anchor(&mut state, SIGMA_M);
        assert_eq!(state, before);
        let mut standing = drifting(&vec![truth[0]; 50]);
        anchor(&mut standing, SIGMA_M);
        assert!(!standing.anchored);
        let moved = standing.keyframes[49].world_from_ego.translation
            - standing.keyframes[0].world_from_ego.translation;
        assert!(moved.norm() < 0.3, "{moved}");
    }
}
