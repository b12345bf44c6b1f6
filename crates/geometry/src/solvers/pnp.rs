//! Refinement of a body's pose from known points seen by any number of cameras fixed to it
//! (the generalised perspective-n-point problem).

use nalgebra::{Matrix2x3, Matrix2x6, Matrix6, Point3, Unit, Vector2, Vector3};
use serde::{Deserialize, Serialize};

use super::{
    check_data,
    levenberg::{Normal, minimise},
    linear::tangent_basis,
};
use crate::{Camera, Error, Loss, Pose, so3};

const NAME: &str = "refine_pose";
/// The smallest eigenvalue of the normal matrix, scaled to a unit diagonal, of a determined pose.
const UNDETERMINED: f64 = 1e-12;

/// A known point seen by one camera of a body.
#[derive(Debug, PartialEq)]
pub struct RigObservation<B> {
    /// Metres, in the frame in which the body's pose is sought.
    pub point: Point3<f64>,
    /// Ray in the camera.
    pub bearing: Unit<Vector3<f64>>,
    /// Where the camera sits.
    pub body_from_camera: Pose<B, Camera>,
    /// Multiplies the loss; 1 for an ordinary observation.
    pub weight: f64,
}

/// Settings of [`refine_pose`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoseRefinementConfig {
    /// On the angle between ray and point, radians.
    pub loss: Loss,
    /// Most damped steps.
    pub max_steps: usize,
    /// A step shorter than this (metres and radians) ends the descent.
    pub step_tolerance: f64,
}

impl Default for PoseRefinementConfig {
    /// No robustness; 20 steps, of which a good start takes four.
    fn default() -> Self {
        Self { loss: Loss::Squared, max_steps: 20, step_tolerance: 1e-10 }
    }
}

/// What [`refine_pose`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct RefinedPose<W, B> {
    /// The pose.
    pub world_from_body: Pose<W, B>,
    /// Weighted `J^T J` by the tangent `[rho (m); phi (rad)]` of [`Pose::retract`], per square
    /// radian of residual: its inverse times the variance of a residual is the pose's covariance.
    pub normal_matrix: Matrix6<f64>,
    /// Root mean square angle between rays and points, radians, all observations alike.
    pub rms_rad: f64,
    /// Steps taken.
    pub steps: usize,
    /// The last step was below the tolerance.
    pub converged: bool,
}

impl<B> Clone for RigObservation<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for RigObservation<B> {}

impl<B> RigObservation<B> {
    /// Of weight 1.
    pub fn new(
        point: Point3<f64>,
        bearing: Unit<Vector3<f64>>,
        body_from_camera: Pose<B, Camera>,
    ) -> Self {
        Self { point, bearing, body_from_camera, weight: 1.0 }
    }

    /// Angle between the ray and the point under a pose, radians; NaN for a point in the centre.
    pub fn angle_rad<W>(&self, world_from_body: &Pose<W, B>) -> f64 {
        angle_rad(&self.in_camera(world_from_body).coords, &self.bearing)
    }

    fn in_camera<W>(&self, world_from_body: &Pose<W, B>) -> Point3<f64> {
        let p_in_body =
            world_from_body.rotation.inverse() * (self.point.coords - world_from_body.translation);
        let p = p_in_body - self.body_from_camera.translation;
        Point3::from(self.body_from_camera.rotation.inverse() * p)
    }

    fn is_finite(&self) -> bool {
        self.point.iter().chain(self.bearing.iter()).all(|x| x.is_finite())
            && self.body_from_camera.is_finite()
            && self.weight.is_finite()
    }

    /// The direction of the point in the stereographic chart around the ray, whose length is
    /// `2 tan(angle / 2)`: smooth and growing up to the opposite direction, unlike a projection to
    /// a plane. With its derivative by the tangent of `world_from_body`.
    fn residual<W>(&self, world_from_body: &Pose<W, B>) -> (Vector2<f64>, Matrix2x6<f64>) {
        let p_in_camera = self.in_camera(world_from_body);
        let distance = p_in_camera.coords.norm();
        let direction = p_in_camera.coords / distance;
        let basis = tangent_basis(&self.bearing);
        let (across, along) = (basis.tr_mul(&direction), 1.0 + self.bearing.dot(&direction));
        let residual = across * (2.0 / along);
        let by_direction: Matrix2x3<f64> = basis.transpose() * (2.0 / along)
            - across * self.bearing.transpose() * (2.0 / (along * along));
        let by_point = (by_direction - by_direction * direction * direction.transpose()) / distance;
        let by_p_in_body =
            by_point * self.body_from_camera.rotation.inverse().to_rotation_matrix().matrix();
        let p_in_body = self.body_from_camera * p_in_camera;
        // exp(-d) p = p - rho + p x phi.
        let mut jacobian = Matrix2x6::zeros();
        jacobian.fixed_columns_mut::<3>(0).copy_from(&-by_p_in_body);
        jacobian.fixed_columns_mut::<3>(3).copy_from(&(by_p_in_body * so3::hat(&p_in_body.coords)));
        (residual, jacobian)
    }
}

/// Angle between a vector and a ray, radians, accurate at all angles.
pub(crate) fn angle_rad(v: &Vector3<f64>, ray: &Unit<Vector3<f64>>) -> f64 {
    v.cross(ray).norm().atan2(v.dot(ray))
}

/// Minimises the robust sum of squared angles between rays and points, starting at a pose.
///
/// Damped Gauss–Newton (Levenberg 1944, Marquardt 1963) with reweighting.
///
/// # Errors
/// Fewer than three observations, numbers that are not finite, points that leave the pose
/// undetermined.
pub fn refine_pose<W, B>(
    world_from_body: &Pose<W, B>,
    observations: &[RigObservation<B>],
    config: &PoseRefinementConfig,
) -> Result<RefinedPose<W, B>, Error> {
    check_data(NAME, observations, 3, RigObservation::is_finite)?;
    let degenerate = |reason| Error::Degenerate { estimator: NAME, reason };
    let linearise = |pose: &Pose<W, B>| {
        let mut normal = Normal::<6>::zero();
        for observation in observations {
            let (residual, jacobian) = observation.residual(pose);
            normal.add(&residual, &jacobian, config.loss, observation.weight);
        }
        normal
    };
    let minimum = minimise(
        *world_from_body,
        config.max_steps,
        config.step_tolerance,
        linearise,
        Pose::retract,
    )
    .ok_or_else(|| degenerate("a point lies in a camera's centre or opposite to its ray"))?;
    if !is_determined(&minimum.normal.hessian) {
        return Err(degenerate("the observations do not determine all six degrees of freedom"));
    }
    let squared: f64 = observations.iter().map(|o| o.angle_rad(&minimum.model).powi(2)).sum();
    Ok(RefinedPose {
        world_from_body: minimum.model,
        normal_matrix: minimum.normal.hessian,
        rms_rad: (squared / observations.len() as f64).sqrt(),
        steps: minimum.steps,
        converged: minimum.converged,
    })
}

fn is_determined(normal: &Matrix6<f64>) -> bool {
    let scale = normal.diagonal().map(|d| 1.0 / d.sqrt());
    let scaled = Matrix6::from_fn(|r, c| normal[(r, c)] * scale[r] * scale[c]);
    scaled.iter().all(|x| x.is_finite()) && scaled.symmetric_eigenvalues().min() > UNDETERMINED
}

#[cfg(test)]
mod tests {
    use nalgebra::Vector6;

    use super::*;
    use crate::solvers::testing::{Random, spread};
    use crate::{Ego, World};

    fn observations(
        random: &mut Random,
        world_from_ego: &Pose<World, Ego>,
        cameras: usize,
        count: usize,
    ) -> Vec<RigObservation<Ego>> {
        let mounts: Vec<Pose<Ego, Camera>> = (0..cameras).map(|_| random.pose(3.0)).collect();
        (0..count)
            .map(|i| {
                let mount = mounts[i % cameras];
                let p_in_camera = random.point_in_camera();
                let point = *world_from_ego * mount * p_in_camera;
                RigObservation::new(point, Unit::new_normalize(p_in_camera.coords), mount)
            })
            .collect()
    }

    #[test]
    fn jacobian_matches_finite_differences() {
        let mut random = Random::new(51);
        for _ in 0..300 {
            let pose = random.pose(3.0);
            let mut observation = observations(&mut random, &pose, 1, 1)[0];
            observation.bearing = random.disturb(&observation.bearing, 0.5);
            let (_, jacobian) = observation.residual(&pose);
            for k in 0..6 {
                let at = |h: f64| {
                    let mut step = Vector6::zeros();
                    step[k] = h;
                    observation.residual(&pose.retract(&step)).0
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                let error = (difference - jacobian.column(k)).norm();
                assert!(error < 1e-7 * (1.0 + difference.norm()), "{k}: {error}");
            }
        }
    }

    #[test]
    fn residual_length_is_the_angle() {
        let mut random = Random::new(52);
        let pose = random.pose(1.0);
        for observation in observations(&mut random, &pose, 2, 50) {
            let other = RigObservation { bearing: random.direction(), ..observation };
            let expected = 2.0 * (0.5 * other.angle_rad(&pose)).tan();
            let found = other.residual(&pose).0.norm();
            assert!((found - expected).abs() < 1e-9 * (1.0 + expected), "{found} {expected}");
        }
    }

    #[test]
    fn converges_exactly_for_one_and_six_cameras() {
        let mut random = Random::new(53);
        let mut errors = Vec::new();
        for trial in 0..1_000 {
            let truth: Pose<World, Ego> = random.pose(3.0);
            let data = observations(&mut random, &truth, if trial % 2 == 0 { 1 } else { 6 }, 24);
            let start = truth.retract(&(Vector6::from_fn(|_, _| 0.1 * random.normal())));
            let found = refine_pose(&start, &data, &PoseRefinementConfig::default()).unwrap();
            errors.push((truth.inverse() * found.world_from_body).log().norm());
        }
        let (median, worst) = spread(&mut errors);
        println!("refine_pose: median {median:.1e}, worst {worst:.1e}");
        assert!(median < 1e-13 && worst < 1e-10, "{median} {worst}");
    }

    #[test]
    fn covariance_predicts_the_scatter() {
        let mut random = Random::new(54);
        let truth: Pose<World, Ego> = random.pose(1.0);
        let clean = observations(&mut random, &truth, 3, 60);
        let sigma = 1e-3;
        let trials = 400;
        let mut distance = 0.0;
        for _ in 0..trials {
            let mut data = clean.clone();
            data.iter_mut().for_each(|o| o.bearing = random.disturb(&o.bearing, sigma));
            let found = refine_pose(&truth, &data, &PoseRefinementConfig::default()).unwrap();
            let error = (truth.inverse() * found.world_from_body).log();
            distance += error.dot(&(found.normal_matrix * error)) / (sigma * sigma);
        }
        let mean = distance / f64::from(trials);
        assert!((mean - 6.0).abs() < 0.7, "Mahalanobis distance {mean}, 6 degrees of freedom");
    }

    #[test]
    fn a_robust_loss_ignores_outliers() {
        let mut random = Random::new(55);
        let truth: Pose<World, Ego> = random.pose(1.0);
        let mut data = observations(&mut random, &truth, 2, 40);
        data[..8].iter_mut().for_each(|o| o.bearing = random.disturb(&o.bearing, 0.3));
        let start = truth.retract(&Vector6::repeat(0.01));
        let robust =
            PoseRefinementConfig { loss: Loss::Cauchy(1e-3), max_steps: 50, ..Default::default() };
        let error = |config: &PoseRefinementConfig| {
            let found = refine_pose(&start, &data, config).unwrap();
            (truth.inverse() * found.world_from_body).log().norm()
        };
        let (with, without) = (error(&robust), error(&PoseRefinementConfig::default()));
        assert!(with < 1e-3 && with < 0.1 * without, "{with} {without}");
    }

    #[test]
    fn degenerate_and_bad_input() {
        let mut random = Random::new(56);
        let truth: Pose<World, Ego> = random.pose(1.0);
        let data = observations(&mut random, &truth, 1, 9);
        let run = |data: &[RigObservation<Ego>]| {
            refine_pose(&truth, data, &PoseRefinementConfig::default())
        };
        assert!(matches!(run(&data[..2]), Err(Error::TooFewData { have: 2, need: 3, .. })));
        assert!(matches!(run(&[data[0]; 5]), Err(Error::Degenerate { .. })));
        let mut nan = data.clone();
        nan[7].weight = f64::NAN;
        assert!(matches!(run(&nan), Err(Error::NotFinite { index: 7, .. })));
        let mut centre = data;
        centre[0].point = Point3::from((truth * centre[0].body_from_camera).translation);
        assert!(matches!(run(&centre), Err(Error::Degenerate { .. })));
    }
}
