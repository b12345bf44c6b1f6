//! How far an estimated trajectory is from the true one.
//!
//! Poses are `world_from_ego`; the estimate may live in a world of its own. To compare another body
//! (a camera's path against KITTI's truth), move both trajectories there first with [`of_body`].

mod alignment;
mod association;
mod ate;
mod kitti;
mod path;
mod rpe;
mod spread;
#[cfg(test)]
mod testing;

pub use alignment::Alignment;
pub use association::{Association, nearest_in_time};
pub use ate::{AbsoluteErrors, absolute_errors};
pub use kitti::{SegmentError, segment_error};
pub use path::{distances_m, end_drift_percent, length_m};
pub use rpe::{Delta, RelativeErrors, RelativePairs, relative_errors};
pub use spread::Spread;

use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_scene::PoseSample;
use serde::{Deserialize, Serialize};

use crate::Error;

/// What trajectories are made of.
pub type EgoPose = Pose<World, Ego>;

/// How two trajectories are compared.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrajectoryProtocol {
    /// How poses are paired.
    pub association: Association,
    /// What may be changed about the estimate first.
    pub alignment: Alignment,
    /// Distance between the poses of a relative error.
    pub rpe_delta: Delta,
    /// Which pairs of poses have one.
    pub rpe_pairs: RelativePairs,
}

/// All errors of one trajectory. Field names are those of `omma eval trajectory --json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TrajectoryReport {
    /// Absolute error, root of the mean square.
    pub ate_rmse_m: f64,
    /// Largest absolute error.
    pub ate_max_m: f64,
    /// Mean absolute error.
    pub ate_mean_m: f64,
    /// Median absolute error.
    pub ate_median_m: f64,
    /// Relative translation error per pair, root of the mean square.
    pub rpe_trans_m: f64,
    /// Relative rotation error per pair, root of the mean square.
    pub rpe_rot_deg: f64,
    /// Statistics of the absolute translation errors, metres.
    pub ate: Spread,
    /// Statistics of the absolute rotation errors, degrees.
    pub ate_rot_deg: Spread,
    /// Statistics of the relative translation errors, metres per pair.
    pub rpe: Spread,
    /// Statistics of the relative rotation errors, degrees per pair.
    pub rpe_rot: Spread,
    /// Pairs of poses with a relative error.
    pub rpe_pairs: usize,
    /// Length of the true path through the paired poses.
    pub path_m: f64,
    /// Distance of the last poses once the first coincide, of the path; `None` where it stands still.
    pub end_drift_percent: Option<f64>,
    /// KITTI's translation error; `None` below 100 m.
    pub t_rel_percent: Option<f64>,
    /// KITTI's rotation error; `None` below 100 m.
    pub r_rel_deg_per_100m: Option<f64>,
    /// What was changed about the estimate first.
    pub aligned: Alignment,
    /// Metres of the truth per metre of the estimate; 1 unless aligned with scale.
    pub scale: f64,
    /// Poses compared.
    pub pairs: usize,
    /// Poses of the truth.
    pub truth_poses: usize,
    /// Poses of the estimate.
    pub estimate_poses: usize,
}

/// One pose's part in the errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoseError {
    /// Time of the true pose.
    pub timestamp: Timestamp,
    /// Absolute error after alignment, metres.
    pub ate_m: f64,
    /// Relative errors of the pair that begins here, metres and degrees; `None` where none does.
    pub relative: Option<(f64, f64)>,
}

/// Compares an estimated trajectory with the true one; neither runs backwards in time.
///
/// # Errors
/// As [`evaluate_poses`].
pub fn evaluate(
    truth: &[PoseSample],
    estimate: &[PoseSample],
    protocol: &TrajectoryProtocol,
) -> Result<TrajectoryReport, Error> {
    evaluate_poses(truth, estimate, protocol).map(|(report, _)| report)
}

/// [`evaluate`], and each pose's part in it.
///
/// # Errors
/// Where fewer than two poses pair, a pose is not finite, or the alignment or a relative error is
/// not defined on these poses.
pub fn evaluate_poses(
    truth: &[PoseSample],
    estimate: &[PoseSample],
    protocol: &TrajectoryProtocol,
) -> Result<(TrajectoryReport, Vec<PoseError>), Error> {
    let pairs = pair(truth, estimate, protocol.association)?;
    let true_poses: Vec<EgoPose> = pairs.iter().map(|&(t, _)| truth[t].world_from_ego).collect();
    let raw: Vec<EgoPose> = pairs.iter().map(|&(_, e)| estimate[e].world_from_ego).collect();
    let similarity = protocol.alignment.fit(&true_poses, &raw)?;
    let poses: Vec<EgoPose> = raw.iter().map(|pose| similarity.map_pose(pose)).collect();

    let absolute = absolute_errors(&true_poses, &poses);
    let relative = relative_errors(&true_poses, &poses, protocol.rpe_delta, protocol.rpe_pairs)?;
    let segments = segment_error(&true_poses, &poses);
    let (ate, rpe, rpe_rot) = (absolute.translation(), relative.translation(), relative.rotation());
    let report = TrajectoryReport {
        ate_rmse_m: ate.rmse,
        ate_max_m: ate.max,
        ate_mean_m: ate.mean,
        ate_median_m: ate.median,
        rpe_trans_m: rpe.rmse,
        rpe_rot_deg: rpe_rot.rmse,
        ate,
        ate_rot_deg: absolute.rotation(),
        rpe,
        rpe_rot,
        rpe_pairs: relative.pairs.len(),
        path_m: length_m(&true_poses),
        end_drift_percent: end_drift_percent(&true_poses, &poses),
        t_rel_percent: segments.map(|s| s.t_rel_percent),
        r_rel_deg_per_100m: segments.map(|s| s.r_rel_deg_per_100m),
        aligned: protocol.alignment,
        scale: similarity.scale,
        pairs: pairs.len(),
        truth_poses: truth.len(),
        estimate_poses: estimate.len(),
    };
    let times = pairs.iter().map(|&(t, _)| truth[t].timestamp);
    Ok((report, pose_errors(times, &absolute, &relative)))
}

fn pose_errors(
    times: impl Iterator<Item = Timestamp>,
    absolute: &AbsoluteErrors,
    relative: &RelativeErrors,
) -> Vec<PoseError> {
    let of = |(timestamp, &ate_m)| PoseError { timestamp, ate_m, relative: None };
    let mut errors: Vec<PoseError> = times.zip(&absolute.translation_m).map(of).collect();
    for (k, &(first, _)) in relative.pairs.iter().enumerate() {
        errors[first].relative = Some((relative.translation_m[k], relative.rotation_deg[k]));
    }
    errors
}

/// The path of a body fixed to the vehicle, seen from where that body was first: the trajectory that
/// KITTI's pose files hold for camera 0. `ego_from_body` is the body's mounting.
pub fn of_body<B>(samples: &[PoseSample], ego_from_body: &Pose<Ego, B>) -> Vec<PoseSample> {
    let Some(first) = samples.first() else { return Vec::new() };
    let start_from_world = (first.world_from_ego * *ego_from_body).inverse();
    let moved = |sample: &PoseSample| PoseSample {
        timestamp: sample.timestamp,
        // The body takes the place of the vehicle, its first pose that of the world.
        world_from_ego: (start_from_world * (sample.world_from_ego * *ego_from_body)).cast(),
    };
    samples.iter().map(moved).collect()
}

/// Index pairs `(truth, estimate)`, at least two.
fn pair(
    truth: &[PoseSample],
    estimate: &[PoseSample],
    association: Association,
) -> Result<Vec<(usize, usize)>, Error> {
    for (which, samples) in [("truth", truth), ("estimate", estimate)] {
        if let Some(index) = samples.iter().position(|s| !s.world_from_ego.is_finite()) {
            return Err(Error::PoseNotFinite { which, index });
        }
    }
    let (pairs, tolerance_s) = match association {
        Association::Index if truth.len() != estimate.len() => {
            return Err(Error::PoseCount { truth: truth.len(), estimate: estimate.len() });
        }
        Association::Index => ((0..truth.len()).map(|i| (i, i)).collect(), 0.0),
        Association::Time(tolerance) => {
            (nearest_in_time(truth, estimate, tolerance), tolerance.as_secs_f64())
        }
    };
    const NEEDED: usize = 2;
    if pairs.len() < NEEDED {
        return Err(Error::TooFewPairs {
            found: pairs.len(),
            needed: NEEDED,
            truth: truth.len(),
            estimate: estimate.len(),
            tolerance_s,
            truth_span: span(truth),
            estimate_span: span(estimate),
        });
    }
    Ok(pairs)
}

fn span(samples: &[PoseSample]) -> String {
    match (samples.first(), samples.last()) {
        (Some(first), Some(last)) => format!("{} to {} s", first.timestamp, last.timestamp),
        _ => "empty".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{helix, random_pose};
    use super::*;
    use ommatidia_geometry::solvers::Similarity;
    use ommatidia_geometry::{Camera, Duration};
    use proptest::prelude::*;

    fn samples(poses: &[EgoPose]) -> Vec<PoseSample> {
        let sample = |(i, &world_from_ego)| PoseSample {
            timestamp: Timestamp(i as i64 * 100_000_000),
            world_from_ego,
        };
        poses.iter().enumerate().map(sample).collect()
    }

    fn noisy(poses: &[EgoPose]) -> Vec<EgoPose> {
        let step =
            |(i, pose): (usize, &EgoPose)| pose.retract(&(random_pose(i as u64).log() * 0.01));
        poses.iter().enumerate().map(step).collect()
    }

    fn report(truth: &[EgoPose], estimate: &[EgoPose], alignment: Alignment) -> TrajectoryReport {
        let protocol = TrajectoryProtocol { alignment, ..Default::default() };
        evaluate(&samples(truth), &samples(estimate), &protocol).unwrap()
    }

    #[test]
    fn identity_has_no_error() {
        let path = helix(200);
        for alignment in [Alignment::None, Alignment::Se3, Alignment::Sim3] {
            let report = report(&path, &path, alignment);
            assert!(report.ate_max_m < 1e-9 && report.rpe_trans_m < 1e-9, "{report:?}");
            assert!(report.end_drift_percent.unwrap() < 1e-9);
            assert!(report.t_rel_percent.unwrap() < 1e-9);
        }
    }

    proptest! {
        #[test]
        fn aligned_errors_do_not_depend_on_where_the_estimate_lives(
            seed in 0u64..100,
            scale in 0.2..5.0f64,
        ) {
            let truth = helix(150);
            let estimate = noisy(&truth);
            let rigid = Similarity { scale: 1.0, rigid: random_pose(seed).cast::<World, World>() };
            let scaled = Similarity { scale, ..rigid };
            for (alignment, change) in [(Alignment::Se3, rigid), (Alignment::Sim3, scaled)] {
                let moved: Vec<EgoPose> = estimate.iter().map(|p| change.map_pose(p)).collect();
                let (a, b) = (report(&truth, &estimate, alignment), report(&truth, &moved, alignment));
                prop_assert!((a.ate_rmse_m - b.ate_rmse_m).abs() < 1e-9);
                prop_assert!((a.rpe_trans_m - b.rpe_trans_m).abs() < 1e-9);
                prop_assert!((a.t_rel_percent.unwrap() - b.t_rel_percent.unwrap()).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn more_freedom_never_makes_the_error_larger() {
        let truth = helix(100);
        let estimate = noisy(&truth);
        let rmse = |alignment| report(&truth, &estimate, alignment).ate_rmse_m;
        assert!(rmse(Alignment::Se3) <= rmse(Alignment::None));
        assert!(rmse(Alignment::Sim3) <= rmse(Alignment::Se3));
    }

    #[test]
    fn bodies_on_one_vehicle_tell_the_same_story_of_motion() {
        let vehicle = samples(&helix(20));
        let ego_from_camera: Pose<Ego, Camera> = random_pose(3).cast();
        let camera = of_body(&vehicle, &ego_from_camera);
        assert!(camera[0].world_from_ego.log().norm() < 1e-12);
        let camera_motion = camera[4].world_from_ego.inverse() * camera[9].world_from_ego;
        let motion = vehicle[4].world_from_ego.inverse() * vehicle[9].world_from_ego;
        let expected = ego_from_camera.inverse() * motion * ego_from_camera;
        assert!((camera_motion.cast::<Camera, Camera>().inverse() * expected).log().norm() < 1e-9);
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let path = samples(&helix(5));
        let late: Vec<PoseSample> = path
            .iter()
            .map(|s| PoseSample { timestamp: s.timestamp + Duration(20_000_000_000), ..*s })
            .collect();
        let by_time = TrajectoryProtocol::default();
        let message = evaluate(&path, &late, &by_time).unwrap_err().to_string();
        assert!(
            message.contains("0 of 5 true and 5 estimated") && message.contains("20.4"),
            "{message}"
        );
        let by_index = TrajectoryProtocol { association: Association::Index, ..by_time };
        assert_eq!(
            evaluate(&path, &path[..4], &by_index),
            Err(Error::PoseCount { truth: 5, estimate: 4 })
        );
        let mut broken = path.clone();
        broken[2].world_from_ego.translation.y = f64::NAN;
        assert_eq!(
            evaluate(&path, &broken, &by_index),
            Err(Error::PoseNotFinite { which: "estimate", index: 2 })
        );
        assert!(evaluate(&[], &[], &by_index).is_err());
    }
}
