//! The double sphere model.

use nalgebra::{Matrix2x3, Point3, Unit, Vector2, Vector3};
use serde::{Deserialize, Serialize};

use super::Pinhole;
use super::plane::{PlaneModel, ShapeJacobian};

/// A point is projected to one unit sphere, to a second one shifted by `xi`, then through a pinhole
/// shifted by `alpha / (1 - alpha)`. Parameters: `fx, fy, cx, cy` (pixels), `xi`, `alpha`.
///
/// Projects up to the angle where the point on the plane stops moving outwards.
///
/// Source: Usenko, Demmel and Cremers, *The double sphere camera model*, 2018.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "DoubleSphereParameters", into = "DoubleSphereParameters")]
pub struct DoubleSphere {
    pinhole: Pinhole,
    xi: f64,
    alpha: f64,
    /// Cosine of the angle to the axis that must be exceeded.
    min_cosine: f64,
}

super::named_parameters!(DoubleSphere as DoubleSphereParameters { xi, alpha });

/// What projection and Jacobians share. Eq. (41), (42).
struct Spheres {
    d1: f64,
    d2: f64,
    z_shifted: f64,
    depth: f64,
}

impl DoubleSphere {
    /// `shape`: `xi, alpha`.
    pub fn new(pinhole: Pinhole, shape: [f64; 2]) -> Self {
        let [xi, alpha] = shape;
        // Eq. (45): on the second sphere the cosine must exceed -w1.
        let w1 = if alpha > 0.5 { (1.0 - alpha) / alpha } else { alpha / (1.0 - alpha) };
        // The same rim seen from the first sphere. Eq. (44), meant to say this, excludes points
        // that Eq. (46) to (51) do unproject to, where xi is not zero.
        let across = 1.0 - w1 * w1;
        let min_cosine = -xi * across - w1 * (1.0 - xi * xi * across).sqrt();
        // Seen from outside the first sphere, only its near half counts.
        let min_cosine = if xi > 1.0 { min_cosine.max(-1.0 / xi) } else { min_cosine };
        Self { pinhole, xi, alpha, min_cosine }
    }

    #[inline]
    fn spheres(&self, p: &Point3<f64>) -> Option<Spheres> {
        let d1 = p.coords.norm();
        // False for what is not a number.
        let inside = p.z > self.min_cosine * d1;
        if !inside {
            return None;
        }
        let z_shifted = self.xi * d1 + p.z;
        let d2 = (p.x * p.x + p.y * p.y + z_shifted * z_shifted).sqrt();
        let depth = self.alpha * d2 + (1.0 - self.alpha) * z_shifted;
        (depth > 0.0).then_some(Spheres { d1, d2, z_shifted, depth })
    }
}

impl PlaneModel for DoubleSphere {
    type Shape = [f64; 2];

    fn from_parts(pinhole: Pinhole, shape: [f64; 2]) -> Self {
        Self::new(pinhole, shape)
    }

    #[inline]
    fn pinhole(&self) -> &Pinhole {
        &self.pinhole
    }

    fn shape(&self) -> [f64; 2] {
        [self.xi, self.alpha]
    }

    #[inline]
    fn to_plane(&self, p: &Point3<f64>) -> Option<Vector2<f64>> {
        let Spheres { depth, .. } = self.spheres(p)?;
        Some(Vector2::new(p.x / depth, p.y / depth))
    }

    #[inline]
    fn to_plane_with_jacobian(&self, p: &Point3<f64>) -> Option<(Vector2<f64>, Matrix2x3<f64>)> {
        let Spheres { d1, d2, z_shifted, depth } = self.spheres(p)?;
        let m = Vector2::new(p.x / depth, p.y / depth);
        let z_by_point = p.coords * (self.xi / d1) + Vector3::z();
        let d2_by_point = (Vector3::new(p.x, p.y, 0.0) + z_by_point * z_shifted) / d2;
        let depth_by_point = d2_by_point * self.alpha + z_by_point * (1.0 - self.alpha);
        let mut by_point = m * depth_by_point.transpose() / -depth;
        by_point[(0, 0)] += 1.0 / depth;
        by_point[(1, 1)] += 1.0 / depth;
        Some((m, by_point))
    }

    fn plane_by_shape(&self, p: &Point3<f64>) -> ShapeJacobian {
        let mut by_shape = ShapeJacobian::zeros();
        let Some(Spheres { d1, d2, z_shifted, depth }) = self.spheres(p) else { return by_shape };
        let m = Vector2::new(p.x / depth, p.y / depth);
        let depth_by_xi = d1 * (self.alpha * z_shifted / d2 + 1.0 - self.alpha);
        by_shape.set_column(0, &(m * (-depth_by_xi / depth)));
        by_shape.set_column(1, &(m * (-(d2 - z_shifted) / depth)));
        by_shape
    }

    /// Eq. (46) to (51).
    #[inline]
    fn ray(&self, m: &Vector2<f64>) -> Option<Unit<Vector3<f64>>> {
        let (xi, alpha) = (self.xi, self.alpha);
        let s = m.norm_squared();
        let under_first = 1.0 - (2.0 * alpha - 1.0) * s;
        let z = (1.0 - alpha * alpha * s) / (alpha * under_first.sqrt() + 1.0 - alpha);
        let under_second = z * z + (1.0 - xi * xi) * s;
        let inside = under_first >= 0.0 && under_second >= 0.0;
        if !inside {
            return None;
        }
        let scale = (z * xi + under_second.sqrt()) / (z * z + s);
        let ray = Vector3::new(m.x * scale, m.y * scale, z * scale - xi);
        Unit::try_new(ray, 1e-12)
    }
}
