//! Residuals and their derivatives by the right tangents of poses and landmarks.

use nalgebra::{
    Matrix2x3, Matrix2x6, Matrix3, Matrix3x6, Matrix6, RowVector3, RowVector6, Vector2, Vector3,
    Vector6,
};

use super::{
    AbsolutePrior, BundleProblem, GroundPrior, Landmark, Observation, RelativePrior, RigCamera,
    UpPrior,
};
use crate::{CameraModel, Ego, Pose, World, so3};

/// A reprojection error in pixels, with derivatives.
pub(super) struct Reprojection {
    /// Predicted minus observed, pixels.
    pub residual: Vector2<f64>,
    /// By the pose's `[rho; phi]`.
    pub by_pose: Matrix2x6<f64>,
    /// By the landmark's `[bearing; inverse distance]`.
    pub by_landmark: Matrix2x3<f64>,
}

/// Predicted minus observed, pixels. `None` where the landmark is outside the camera's domain.
pub(super) fn residual(
    camera: &RigCamera,
    world_from_ego: &Pose<World, Ego>,
    landmark: &Landmark,
    observation: &Observation,
) -> Option<Vector2<f64>> {
    let offset = landmark.scaled_offset_from(&world_from_ego.translation);
    let in_ego = world_from_ego.rotation.inverse_transform_vector(&offset);
    let lever = camera.ego_from_camera.translation * landmark.inverse_distance;
    let in_camera = camera.ego_from_camera.rotation.inverse_transform_vector(&(in_ego - lever));
    Some(camera.intrinsics.project(&in_camera.into())? - observation.pixel)
}

/// [`residual`] with derivatives.
///
/// The landmark is projected from its offset times inverse distance, which has the direction of the
/// point itself: central cameras see no difference, and points at infinity stay finite.
pub(super) fn reproject(
    camera: &RigCamera,
    world_from_ego: &Pose<World, Ego>,
    landmark: &Landmark,
    observation: &Observation,
) -> Option<Reprojection> {
    let ego_from_world = world_from_ego.rotation_matrix().transpose();
    let camera_from_ego = camera.ego_from_camera.rotation_matrix().transpose();
    let in_ego = ego_from_world * landmark.scaled_offset_from(&world_from_ego.translation);
    let lever = camera.ego_from_camera.translation;
    let in_camera = camera_from_ego * (in_ego - lever * landmark.inverse_distance);
    let (pixel, by_point) = camera.intrinsics.project_with_jacobian(&in_camera.into())?;
    let by_ego: Matrix2x3<f64> = by_point * camera_from_ego;

    // exp(d) on the right moves the point in the ego frame by [-inverse_distance I, [p]x] d.
    let mut by_pose = Matrix2x6::zeros();
    by_pose.fixed_view_mut::<2, 3>(0, 0).copy_from(&(by_ego * -landmark.inverse_distance));
    by_pose.fixed_view_mut::<2, 3>(0, 3).copy_from(&(by_ego * so3::hat(&in_ego)));

    let anchor_from_ego = landmark.anchor_in_world.coords - world_from_ego.translation;
    let by_inverse_distance = ego_from_world * anchor_from_ego - lever;
    let mut by_landmark = Matrix2x3::zeros();
    let by_bearing = by_ego * ego_from_world * landmark.tangent_basis();
    by_landmark.fixed_view_mut::<2, 2>(0, 0).copy_from(&by_bearing);
    by_landmark.set_column(2, &(by_ego * by_inverse_distance));
    Some(Reprojection { residual: pixel - observation.pixel, by_pose, by_landmark })
}

/// `J_r^-1` of SE(3) at a tangent: `log(exp(x) exp(d)) = x + J d`. Solà et al. 2018, Eq. (179), (180).
pub(super) fn right_jacobian_inverse(tangent: &Vector6<f64>) -> Matrix6<f64> {
    let rho: Vector3<f64> = tangent.fixed_rows::<3>(0).into();
    let phi: Vector3<f64> = tangent.fixed_rows::<3>(3).into();
    let diagonal = so3::right_jacobian_inverse(&phi);
    let mut jacobian = Matrix6::zeros();
    jacobian.fixed_view_mut::<3, 3>(0, 0).copy_from(&diagonal);
    jacobian.fixed_view_mut::<3, 3>(3, 3).copy_from(&diagonal);
    let coupling = diagonal * q_matrix(&-rho, &-phi) * diagonal;
    jacobian.fixed_view_mut::<3, 3>(0, 3).copy_from(&-coupling);
    jacobian
}

/// `Q(rho, phi)`, the coupling of translation and rotation. Eq. (180).
fn q_matrix(rho: &Vector3<f64>, phi: &Vector3<f64>) -> Matrix3<f64> {
    let (v, w) = (so3::hat(rho), so3::hat(phi));
    let theta = phi.norm();
    let t2 = theta * theta;
    // Series below half a radian: the closed forms cancel.
    let (a, b, c) = if theta < 0.5 {
        (
            1.0 / 6.0 - t2 / 120.0 + t2 * t2 / 5040.0 - t2 * t2 * t2 / 362_880.0,
            1.0 / 24.0 - t2 / 720.0 + t2 * t2 / 40_320.0 - t2 * t2 * t2 / 3_628_800.0,
            1.0 / 120.0 - t2 / 2520.0 + t2 * t2 / 120_960.0 - t2 * t2 * t2 / 9_979_200.0,
        )
    } else {
        let (sin, cos) = theta.sin_cos();
        (
            (theta - sin) / (t2 * theta),
            (t2 + 2.0 * cos - 2.0) / (2.0 * t2 * t2),
            (2.0 * theta - 3.0 * sin + theta * cos) / (2.0 * t2 * t2 * theta),
        )
    };
    v * 0.5
        + (w * v + v * w + w * v * w) * a
        + (w * w * v + v * w * w - w * v * w * 3.0) * b
        + (w * v * w * w + w * w * v * w) * c
}

/// Residual and derivative of an absolute prior.
pub(super) fn absolute(
    prior: &AbsolutePrior,
    world_from_ego: &Pose<World, Ego>,
) -> (Vector6<f64>, Matrix6<f64>) {
    let error = (prior.world_from_ego.inverse() * *world_from_ego).log();
    (error, right_jacobian_inverse(&error))
}

/// Residual of a relative prior and its derivatives by `from` and `to`.
pub(super) fn relative(
    prior: &RelativePrior,
    world_from_a: &Pose<World, Ego>,
    world_from_b: &Pose<World, Ego>,
) -> (Vector6<f64>, Matrix6<f64>, Matrix6<f64>) {
    let a_from_b = world_from_a.inverse() * *world_from_b;
    let error = (prior.from_from_to.inverse() * a_from_b).log();
    let by_to = right_jacobian_inverse(&error);
    (error, -by_to * a_from_b.inverse().adjoint(), by_to)
}

/// Residual and derivative of a prior on the vertical, in standard deviations.
pub(super) fn up(
    prior: &UpPrior,
    world_from_ego: &Pose<World, Ego>,
) -> (Vector3<f64>, Matrix3x6<f64>) {
    let predicted = world_from_ego.rotation.inverse_transform_vector(&prior.up_in_world);
    let mut jacobian = Matrix3x6::zeros();
    let by_rotation = so3::hat(&predicted) / prior.sigma_rad;
    jacobian.fixed_view_mut::<3, 3>(0, 3).copy_from(&by_rotation);
    ((predicted - prior.up_in_ego.as_ref()) / prior.sigma_rad, jacobian)
}

/// A height over ground with derivatives, in standard deviations.
pub(super) struct Height {
    pub residual: f64,
    /// By the pose's `[rho; phi]`.
    pub by_pose: RowVector6<f64>,
    /// By the landmark's `[bearing; inverse distance]`.
    pub by_landmark: RowVector3<f64>,
}

/// Nearer to infinity than this a landmark has no height, 1/m.
const MIN_INVERSE_DISTANCE: f64 = 1e-4;

/// Residual and derivatives of a ground prior.
pub(super) fn height(
    prior: &GroundPrior,
    world_from_ego: &Pose<World, Ego>,
    landmark: &Landmark,
) -> Option<Height> {
    let inverse = landmark.inverse_distance;
    if inverse < MIN_INVERSE_DISTANCE {
        return None;
    }
    let ego_from_world = world_from_ego.rotation_matrix().transpose();
    let scaled = ego_from_world * landmark.scaled_offset_from(&world_from_ego.translation);
    let in_ego = scaled / inverse;
    let up = Vector3::z().transpose() / prior.sigma_m;
    let mut by_pose = RowVector6::zeros();
    by_pose.fixed_view_mut::<1, 3>(0, 0).copy_from(&-up);
    by_pose.fixed_view_mut::<1, 3>(0, 3).copy_from(&(up * so3::hat(&in_ego)));
    let mut by_landmark = RowVector3::zeros();
    let by_bearing = up * ego_from_world * landmark.tangent_basis() / inverse;
    by_landmark.fixed_view_mut::<1, 2>(0, 0).copy_from(&by_bearing);
    // d (b / rho) / d rho.
    let bearing_in_ego = ego_from_world * landmark.bearing_in_world.as_ref();
    by_landmark[2] = -(up * bearing_in_ego)[0] / (inverse * inverse);
    Some(Height { residual: (in_ego.z - prior.height_m) / prior.sigma_m, by_pose, by_landmark })
}

impl BundleProblem {
    /// Predicted minus observed at the present estimate, pixels. `None` where the landmark is
    /// outside the camera's domain, such as behind it.
    ///
    /// # Panics
    /// If an index of the observation is out of range.
    pub fn residual_px(&self, observation: &Observation) -> Option<Vector2<f64>> {
        residual(
            &self.cameras[observation.camera as usize],
            &self.poses[observation.pose as usize].world_from_ego,
            &self.landmarks[observation.landmark as usize],
            observation,
        )
    }
}
