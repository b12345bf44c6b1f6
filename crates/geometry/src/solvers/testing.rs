//! Random scenes for the solvers' tests.

use nalgebra::{Point3, Unit, UnitQuaternion, Vector3};

use super::{BearingPair, PointBearing};
use crate::{Camera, Pose};

pub(crate) struct Random(crate::ransac::Random);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(crate::ransac::Random::new(seed))
    }

    /// In 0..1.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0.uniform()
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Standard normal. Box & Muller 1958.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    pub(crate) fn vector(&mut self) -> Vector3<f64> {
        Vector3::new(self.normal(), self.normal(), self.normal())
    }

    pub(crate) fn direction(&mut self) -> Unit<Vector3<f64>> {
        Unit::new_normalize(self.vector())
    }

    pub(crate) fn rotation(&mut self, max_angle_rad: f64) -> UnitQuaternion<f64> {
        let angle = self.between(0.0, max_angle_rad);
        UnitQuaternion::from_axis_angle(&self.direction(), angle)
    }

    /// Any rotation, translation of length 0.2 to 2 m.
    pub(crate) fn pose<A, B>(&mut self, max_angle_rad: f64) -> Pose<A, B> {
        let length = self.between(0.2, 2.0);
        Pose::new(self.rotation(max_angle_rad), self.direction().into_inner() * length)
    }

    /// In front of a camera: 2 to 20 m away, within 50 degrees of the axis.
    pub(crate) fn point_in_camera(&mut self) -> Point3<f64> {
        let depth = self.between(2.0, 20.0);
        let (x, y) = (self.between(-1.2, 1.2), self.between(-1.2, 1.2));
        Point3::new(x * depth, y * depth, depth)
    }

    /// Turns a ray by a normally distributed angle in each tangent direction.
    pub(crate) fn disturb(
        &mut self,
        ray: &Unit<Vector3<f64>>,
        sigma_rad: f64,
    ) -> Unit<Vector3<f64>> {
        Unit::new_normalize(ray.into_inner() + self.vector() * sigma_rad)
    }

    pub(crate) fn pairs(
        &mut self,
        second_from_first: &Pose<Camera, Camera>,
        count: usize,
        mut point: impl FnMut(&mut Self) -> Point3<f64>,
    ) -> Vec<BearingPair> {
        (0..count)
            .map(|_| {
                let p = point(self);
                BearingPair::new(p.coords, (*second_from_first * p).coords).unwrap()
            })
            .collect()
    }

    pub(crate) fn point_bearings<W>(
        &mut self,
        camera_from_world: &Pose<Camera, W>,
        count: usize,
    ) -> Vec<PointBearing> {
        (0..count)
            .map(|_| {
                let p_in_camera = self.point_in_camera();
                PointBearing {
                    point: camera_from_world.inverse() * p_in_camera,
                    bearing: Unit::new_normalize(p_in_camera.coords),
                }
            })
            .collect()
    }
}

/// Median and largest.
pub(crate) fn spread(errors: &mut [f64]) -> (f64, f64) {
    errors.sort_by(f64::total_cmp);
    (errors[errors.len() / 2], errors[errors.len() - 1])
}
