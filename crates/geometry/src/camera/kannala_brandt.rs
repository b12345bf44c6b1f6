//! The fisheye model of Kannala and Brandt, as OpenCV's `fisheye` has it.

use std::f64::consts::PI;

use nalgebra::{Matrix2x3, Point3, Unit, Vector2, Vector3};
use serde::{Deserialize, Serialize};

use super::Pinhole;
use super::plane::{PlaneModel, ShapeJacobian};
use super::polynomial::sign_changes;

/// The radius on the plane is `t (1 + k1 t^2 + k2 t^4 + k3 t^6 + k4 t^8)` with `t` the angle to the
/// optical axis, radians. Parameters: `fx, fy, cx, cy` (pixels), `k1, k2, k3, k4`.
///
/// Projects up to the angle where the radius stops growing, at most pi (without it), so also what
/// lies behind the camera's plane.
///
/// Source: Kannala and Brandt, *A generic camera model and calibration method for conventional,
/// wide-angle, and fish-eye lenses*, 2006, Eq. (6) with the first coefficient in the focal length.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "KannalaBrandtParameters", into = "KannalaBrandtParameters")]
pub struct KannalaBrandt {
    pinhole: Pinhole,
    k: [f64; 4],
    max_angle_rad: f64,
}

super::named_parameters!(KannalaBrandt as KannalaBrandtParameters { k1, k2, k3, k4 });

/// Iterations of the safeguarded Newton method; bisection alone would need 53.
const MAX_ITERATIONS: usize = 60;

/// Below this share of its distance a point is taken to lie on the axis: the square is under 1e-16.
const ON_AXIS: f64 = 1e-9;

impl KannalaBrandt {
    /// `distortion`: `k1, k2, k3, k4`.
    pub fn new(pinhole: Pinhole, distortion: [f64; 4]) -> Self {
        let [k1, k2, k3, k4] = distortion;
        let slope = [1.0, 3.0 * k1, 5.0 * k2, 7.0 * k3, 9.0 * k4];
        let max_angle_rad = sign_changes(&slope, PI * PI).first().map_or(PI, |t2| t2.sqrt());
        Self { pinhole, k: distortion, max_angle_rad }
    }

    /// The largest angle to the optical axis that is projected, radians.
    pub fn max_angle_rad(&self) -> f64 {
        self.max_angle_rad
    }

    /// Radius on the plane at an angle, and its derivative.
    #[inline]
    fn radius(&self, angle: f64) -> (f64, f64) {
        let [k1, k2, k3, k4] = self.k;
        let t2 = angle * angle;
        (
            angle * (1.0 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))),
            1.0 + t2 * (3.0 * k1 + t2 * (5.0 * k2 + t2 * (7.0 * k3 + t2 * 9.0 * k4))),
        )
    }

    /// The angle at a radius: Newton's method inside a shrinking bracket.
    #[inline]
    fn angle(&self, radius: f64) -> Option<f64> {
        let (mut low, mut high) = (0.0, self.max_angle_rad);
        // False for what is not a number.
        let inside = radius <= self.radius(high).0;
        if !inside {
            return None;
        }
        let mut angle = radius.min(high);
        for _ in 0..MAX_ITERATIONS {
            let (value, slope) = self.radius(angle);
            let excess = value - radius;
            if excess.abs() <= 2.0 * f64::EPSILON * radius {
                return Some(angle);
            }
            if excess > 0.0 {
                high = angle;
            } else {
                low = angle;
            }
            let newton = angle - excess / slope;
            let next = if newton >= low && newton <= high { newton } else { 0.5 * (low + high) };
            if (next - angle).abs() <= 4.0 * f64::EPSILON * angle {
                return Some(next);
            }
            angle = next;
        }
        None
    }
}

/// Distance of a point from the optical axis; `None` where its direction around the axis is undefined.
#[inline]
fn off_axis(p: &Point3<f64>) -> Option<f64> {
    let r = (p.x * p.x + p.y * p.y).sqrt();
    (r > 0.0 || p.z > 0.0).then_some(r)
}

impl PlaneModel for KannalaBrandt {
    type Shape = [f64; 4];

    fn from_parts(pinhole: Pinhole, shape: [f64; 4]) -> Self {
        Self::new(pinhole, shape)
    }

    #[inline]
    fn pinhole(&self) -> &Pinhole {
        &self.pinhole
    }

    fn shape(&self) -> [f64; 4] {
        self.k
    }

    #[inline]
    fn to_plane(&self, p: &Point3<f64>) -> Option<Vector2<f64>> {
        let r = off_axis(p)?;
        let angle = r.atan2(p.z);
        let inside = angle <= self.max_angle_rad;
        if !inside {
            return None;
        }
        let scale = if r > ON_AXIS * p.z.abs() { self.radius(angle).0 / r } else { 1.0 / p.z };
        Some(Vector2::new(p.x * scale, p.y * scale))
    }

    #[inline]
    fn to_plane_with_jacobian(&self, p: &Point3<f64>) -> Option<(Vector2<f64>, Matrix2x3<f64>)> {
        let r = off_axis(p)?;
        let angle = r.atan2(p.z);
        let inside = angle <= self.max_angle_rad;
        if !inside {
            return None;
        }
        let (radius, slope) = self.radius(angle);
        let slope_by_distance2 = slope / (r * r + p.z * p.z);
        if r <= ON_AXIS * p.z.abs() {
            let z_inverse = 1.0 / p.z;
            let m = Vector2::new(p.x * z_inverse, p.y * z_inverse);
            let by_point = Matrix2x3::new(
                z_inverse,
                0.0,
                -p.x * slope_by_distance2, //
                0.0,
                z_inverse,
                -p.y * slope_by_distance2,
            );
            return Some((m, by_point));
        }
        let scale = radius / r;
        // d(scale)/d(x) = x * curve, with d(angle)/d(x) = x z / (r d^2).
        let curve = (slope_by_distance2 * p.z - scale) / (r * r);
        let cross = p.x * p.y * curve;
        let by_point = Matrix2x3::new(
            scale + p.x * p.x * curve,
            cross,
            -p.x * slope_by_distance2,
            cross,
            scale + p.y * p.y * curve,
            -p.y * slope_by_distance2,
        );
        Some((Vector2::new(p.x * scale, p.y * scale), by_point))
    }

    fn plane_by_shape(&self, p: &Point3<f64>) -> ShapeJacobian {
        let r = (p.x * p.x + p.y * p.y).sqrt();
        let mut by_shape = ShapeJacobian::zeros();
        if r > 0.0 {
            let angle = r.atan2(p.z);
            let t2 = angle * angle;
            let mut power = angle;
            for column in 0..4 {
                power *= t2;
                by_shape[(0, column)] = power * p.x / r;
                by_shape[(1, column)] = power * p.y / r;
            }
        }
        by_shape
    }

    #[inline]
    fn ray(&self, m: &Vector2<f64>) -> Option<Unit<Vector3<f64>>> {
        let radius = m.norm();
        if radius < f64::MIN_POSITIVE {
            return Some(Vector3::z_axis());
        }
        let (sin, cos) = self.angle(radius)?.sin_cos();
        let sideways = sin / radius;
        Some(Unit::new_unchecked(Vector3::new(m.x * sideways, m.y * sideways, cos)))
    }
}
