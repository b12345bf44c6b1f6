//! The pinhole camera without distortion.

use nalgebra::{Matrix2x3, Point3, Unit, Vector2, Vector3};
use serde::{Deserialize, Serialize};

use super::plane::{PlaneModel, ShapeJacobian};

/// `u = fx x/z + cx`, `v = fy y/z + cy`. Parameters: `fx, fy, cx, cy`, pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinhole {
    /// Focal length along x, pixels.
    pub fx: f64,
    /// Focal length along y, pixels.
    pub fy: f64,
    /// Principal point x, pixels.
    pub cx: f64,
    /// Principal point y, pixels.
    pub cy: f64,
}

/// Largest tangent of the angle to the optical axis that a perspective model projects: 89.94 degrees.
pub(super) const MAX_TANGENT: f64 = 1e3;

/// `(x/z, y/z)` in front of the camera and up to [`MAX_TANGENT`].
#[inline]
pub(super) fn perspective(p: &Point3<f64>) -> Option<Vector2<f64>> {
    // False for what is not a number.
    let inside = p.z > 0.0;
    if !inside {
        return None;
    }
    let z_inverse = 1.0 / p.z;
    let m = Vector2::new(p.x * z_inverse, p.y * z_inverse);
    (m.norm_squared() <= MAX_TANGENT * MAX_TANGENT).then_some(m)
}

/// Derivative of [`perspective`] by the point, given its value `m`.
#[inline]
pub(super) fn perspective_jacobian(p: &Point3<f64>, m: &Vector2<f64>) -> Matrix2x3<f64> {
    let z_inverse = 1.0 / p.z;
    Matrix2x3::new(z_inverse, 0.0, -z_inverse * m.x, 0.0, z_inverse, -z_inverse * m.y)
}

impl PlaneModel for Pinhole {
    type Shape = [f64; 0];

    fn from_parts(pinhole: Pinhole, []: [f64; 0]) -> Self {
        pinhole
    }

    #[inline]
    fn pinhole(&self) -> &Pinhole {
        self
    }

    fn shape(&self) -> [f64; 0] {
        []
    }

    #[inline]
    fn to_plane(&self, p: &Point3<f64>) -> Option<Vector2<f64>> {
        perspective(p)
    }

    #[inline]
    fn to_plane_with_jacobian(&self, p: &Point3<f64>) -> Option<(Vector2<f64>, Matrix2x3<f64>)> {
        let m = perspective(p)?;
        Some((m, perspective_jacobian(p, &m)))
    }

    fn plane_by_shape(&self, _: &Point3<f64>) -> ShapeJacobian {
        ShapeJacobian::zeros()
    }

    #[inline]
    fn ray(&self, m: &Vector2<f64>) -> Option<Unit<Vector3<f64>>> {
        Some(Unit::new_normalize(Vector3::new(m.x, m.y, 1.0)))
    }
}
