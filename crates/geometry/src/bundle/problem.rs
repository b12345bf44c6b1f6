//! What bundle adjustment is given: poses, cameras, landmarks, observations and priors.

use nalgebra::{Matrix6, Point2, Unit, Vector3};
use thiserror::Error;

use super::Landmark;
use crate::{Camera, Ego, Intrinsics, Pose, World};

/// A camera as mounted. Where cameras are triggered at other moments than the pose they hang on,
/// give each (pose, camera) its own entry with the motion in between folded into the mounting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RigCamera {
    /// Projection.
    pub intrinsics: Intrinsics,
    /// Mounting.
    pub ego_from_camera: Pose<Ego, Camera>,
}

/// A pose to estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoseVariable {
    /// Estimate.
    pub world_from_ego: Pose<World, Ego>,
    /// Held constant while solving.
    pub fixed: bool,
}

/// A landmark seen in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Index into [`BundleProblem::poses`].
    pub pose: u32,
    /// Index into [`BundleProblem::cameras`].
    pub camera: u32,
    /// Index into [`BundleProblem::landmarks`].
    pub landmark: u32,
    /// Where, pixels.
    pub pixel: Point2<f64>,
    /// Standard deviation along each axis, pixels.
    pub sigma_px: f64,
}

/// A pose is about known: GNSS, a given trajectory, a gauge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AbsolutePrior {
    /// Index into [`BundleProblem::poses`].
    pub pose: u32,
    /// Expected pose.
    pub world_from_ego: Pose<World, Ego>,
    /// Inverse covariance of the right tangent `[rho (m); phi (rad)]`; zero rows leave it free.
    pub information: Matrix6<f64>,
}

/// The motion between two poses is about known: wheels, constant velocity, a loop closure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelativePrior {
    /// Index into [`BundleProblem::poses`]: the frame `A`.
    pub from: u32,
    /// Index into [`BundleProblem::poses`]: the frame `B`.
    pub to: u32,
    /// Expected `a_from_b`.
    pub from_from_to: Pose<Ego, Ego>,
    /// Inverse covariance of the right tangent `[rho (m); phi (rad)]`.
    pub information: Matrix6<f64>,
}

/// A direction fixed in the world is about known in the vehicle: gravity, or the ground's normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpPrior {
    /// Index into [`BundleProblem::poses`].
    pub pose: u32,
    /// The direction as measured in the vehicle.
    pub up_in_ego: Unit<Vector3<f64>>,
    /// The same direction in the world.
    pub up_in_world: Unit<Vector3<f64>>,
    /// Standard deviation of its angle, radians.
    pub sigma_rad: f64,
}

/// A landmark lies about at a known height in the vehicle: on the ground, whose distance from the
/// cameras then fixes the scale. Under the same loss as observations. Without effect for landmarks
/// that no observation sees, and at infinity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroundPrior {
    /// Index into [`BundleProblem::poses`].
    pub pose: u32,
    /// Index into [`BundleProblem::landmarks`].
    pub landmark: u32,
    /// Its z in `Ego`, metres: zero on flat ground.
    pub height_m: f64,
    /// Standard deviation, metres.
    pub sigma_m: f64,
}

/// A bundle adjustment problem; [`BundleProblem::solve`] improves its poses and landmarks in place.
///
/// Poses move by right retraction. The gauge is fixed by fixed poses or priors; without any, the
/// damping of Levenberg–Marquardt keeps the solution near its start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BundleProblem {
    /// Cameras.
    pub cameras: Vec<RigCamera>,
    /// Poses.
    pub poses: Vec<PoseVariable>,
    /// Landmarks.
    pub landmarks: Vec<Landmark>,
    /// Observations, in any order.
    pub observations: Vec<Observation>,
    /// Priors on single poses.
    pub absolute_priors: Vec<AbsolutePrior>,
    /// Priors on motions.
    pub relative_priors: Vec<RelativePrior>,
    /// Priors on the vertical.
    pub up_priors: Vec<UpPrior>,
    /// Priors on heights over ground.
    pub ground_priors: Vec<GroundPrior>,
}

/// Why a problem cannot be solved.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum BundleError {
    /// An index points past the end of what it indexes.
    #[error("{what} {index} refers to {of} {target}, but there are only {count}")]
    Index {
        /// `observation`, `absolute prior`, …
        what: &'static str,
        /// Which one.
        index: usize,
        /// `pose`, `camera` or `landmark`.
        of: &'static str,
        /// The index it holds.
        target: u32,
        /// How many there are.
        count: usize,
    },
    /// NaN, infinity, or a spread that is not positive.
    #[error("{what} {index} holds a number that is not finite, or a spread that is not positive")]
    NotFinite {
        /// `pose`, `landmark`, `observation`, …
        what: &'static str,
        /// Which one.
        index: usize,
    },
    /// Some poses are not determined by the observations and priors, so they have no covariance.
    #[error(
        "the poses are not determined: fix one, or add a prior, and give each enough observations"
    )]
    Undetermined,
}

impl BundleProblem {
    /// Indices are in range and numbers finite.
    pub(super) fn validate(&self) -> Result<(), BundleError> {
        let finite = |ok: bool, what, index| {
            if ok { Ok(()) } else { Err(BundleError::NotFinite { what, index }) }
        };
        for (index, pose) in self.poses.iter().enumerate() {
            finite(pose.world_from_ego.is_finite(), "pose", index)?;
        }
        for (index, landmark) in self.landmarks.iter().enumerate() {
            let numbers = landmark.anchor_in_world.iter().chain(landmark.bearing_in_world.iter());
            let ok = numbers.chain([&landmark.inverse_distance]).all(|x| x.is_finite());
            finite(ok, "landmark", index)?;
        }
        for (index, observation) in self.observations.iter().enumerate() {
            let what = "observation";
            self.check_index(what, index, "pose", observation.pose, self.poses.len())?;
            self.check_index(what, index, "camera", observation.camera, self.cameras.len())?;
            self.check_index(what, index, "landmark", observation.landmark, self.landmarks.len())?;
            let sigma = observation.sigma_px;
            let ok = observation.pixel.iter().all(|x| x.is_finite()) && sigma.is_finite();
            finite(ok && sigma > 0.0, what, index)?;
        }
        self.validate_priors()
    }

    fn validate_priors(&self) -> Result<(), BundleError> {
        let count = self.poses.len();
        let finite = |ok: bool, what, index| {
            if ok { Ok(()) } else { Err(BundleError::NotFinite { what, index }) }
        };
        for (index, prior) in self.absolute_priors.iter().enumerate() {
            self.check_index("absolute prior", index, "pose", prior.pose, count)?;
            let ok = prior.world_from_ego.is_finite();
            finite(ok && prior.information.iter().all(|x| x.is_finite()), "absolute prior", index)?;
        }
        for (index, prior) in self.relative_priors.iter().enumerate() {
            self.check_index("relative prior", index, "pose", prior.from, count)?;
            self.check_index("relative prior", index, "pose", prior.to, count)?;
            let ok = prior.from_from_to.is_finite();
            finite(ok && prior.information.iter().all(|x| x.is_finite()), "relative prior", index)?;
        }
        for (index, prior) in self.up_priors.iter().enumerate() {
            self.check_index("up prior", index, "pose", prior.pose, count)?;
            let mut numbers = prior.up_in_ego.iter().chain(prior.up_in_world.iter());
            let spread = prior.sigma_rad.is_finite() && prior.sigma_rad > 0.0;
            finite(spread && numbers.all(|x| x.is_finite()), "up prior", index)?;
        }
        for (index, prior) in self.ground_priors.iter().enumerate() {
            let what = "ground prior";
            self.check_index(what, index, "pose", prior.pose, count)?;
            self.check_index(what, index, "landmark", prior.landmark, self.landmarks.len())?;
            let spread = prior.sigma_m.is_finite() && prior.sigma_m > 0.0;
            finite(spread && prior.height_m.is_finite(), what, index)?;
        }
        Ok(())
    }

    fn check_index(
        &self,
        what: &'static str,
        index: usize,
        of: &'static str,
        target: u32,
        count: usize,
    ) -> Result<(), BundleError> {
        if (target as usize) < count {
            return Ok(());
        }
        Err(BundleError::Index { what, index, of, target, count })
    }
}
