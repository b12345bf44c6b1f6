//! Mei's unified model: a sphere, a shifted centre of projection, then radial and tangential distortion.

use nalgebra::{Matrix2x3, Point3, Unit, Vector2, Vector3};
use serde::{Deserialize, Serialize};

use super::Pinhole;
use super::brown_conrady::Cubic;
use super::distortion::{RadialTangential, tangential};
use super::plane::{PlaneModel, ShapeJacobian};

/// A point is moved to the unit sphere, seen from `xi` behind its centre, and distorted as by
/// [`super::BrownConrady`] without `k3`.
/// Parameters: `fx, fy, cx, cy` (pixels), `xi`, `k1, k2, p1, p2`.
///
/// Projects where `z > -xi d` (`xi <= 1`) or `z > -d / xi` (`xi > 1`), with `d` the distance, and
/// inside the disc on which the distortion is one to one.
///
/// Source: Mei and Rives, *Single view point omnidirectional camera calibration from planar grids*,
/// 2007, section II; OpenCV's `omnidir` without skew.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "MeiParameters", into = "MeiParameters")]
pub struct Mei {
    pinhole: Pinhole,
    xi: f64,
    lens: RadialTangential<Cubic>,
    /// Cosine of the angle to the axis that must be exceeded.
    min_cosine: f64,
}

super::named_parameters!(Mei as MeiParameters { xi, k1, k2, p1, p2 });

impl Mei {
    /// `shape`: `xi, k1, k2, p1, p2`.
    pub fn new(pinhole: Pinhole, shape: [f64; 5]) -> Self {
        let [xi, k1, k2, p1, p2] = shape;
        // sin t / (cos t + xi) grows up to cos t = -1 / xi.
        let min_cosine = if xi > 1.0 { -1.0 / xi } else { -xi };
        let lens = RadialTangential::new(Cubic([k1, k2, 0.0]), p1, p2);
        Self { pinhole, xi, lens, min_cosine }
    }

    /// The point on the plane before distortion, its distance and the depth from the shifted centre.
    #[inline]
    fn unified(&self, p: &Point3<f64>) -> Option<(Vector2<f64>, f64, f64)> {
        let distance = p.coords.norm();
        // False for what is not a number.
        let inside = p.z > self.min_cosine * distance;
        if !inside {
            return None;
        }
        let depth = p.z + self.xi * distance;
        Some((Vector2::new(p.x / depth, p.y / depth), distance, depth))
    }
}

impl PlaneModel for Mei {
    type Shape = [f64; 5];

    fn from_parts(pinhole: Pinhole, shape: [f64; 5]) -> Self {
        Self::new(pinhole, shape)
    }

    #[inline]
    fn pinhole(&self) -> &Pinhole {
        &self.pinhole
    }

    fn shape(&self) -> [f64; 5] {
        let Cubic([k1, k2, _]) = self.lens.radial;
        [self.xi, k1, k2, self.lens.p1, self.lens.p2]
    }

    #[inline]
    fn to_plane(&self, p: &Point3<f64>) -> Option<Vector2<f64>> {
        self.lens.distort(&self.unified(p)?.0)
    }

    #[inline]
    fn to_plane_with_jacobian(&self, p: &Point3<f64>) -> Option<(Vector2<f64>, Matrix2x3<f64>)> {
        let (m, distance, depth) = self.unified(p)?;
        let (distorted, by_m) = self.lens.distort_with_jacobian(&m)?;
        let depth_by_point = p.coords.transpose() * (self.xi / distance) + Vector3::z().transpose();
        let mut by_point = m * depth_by_point / -depth;
        by_point[(0, 0)] += 1.0 / depth;
        by_point[(1, 1)] += 1.0 / depth;
        Some((distorted, by_m * by_point))
    }

    fn plane_by_shape(&self, p: &Point3<f64>) -> ShapeJacobian {
        let mut by_shape = ShapeJacobian::zeros();
        let Some((m, distance, depth)) = self.unified(p) else { return by_shape };
        let Some((_, by_m)) = self.lens.distort_with_jacobian(&m) else { return by_shape };
        let s = m.norm_squared();
        let [by_p1, by_p2] = tangential(&m, s);
        let columns = [by_m * m * (-distance / depth), m * s, m * (s * s), by_p1, by_p2];
        for (column, values) in columns.iter().enumerate() {
            by_shape.set_column(column, values);
        }
        by_shape
    }

    #[inline]
    fn ray(&self, distorted: &Vector2<f64>) -> Option<Unit<Vector3<f64>>> {
        let m = self.lens.undistort(distorted)?;
        let s = m.norm_squared();
        let discriminant = 1.0 + (1.0 - self.xi * self.xi) * s;
        if discriminant < 0.0 {
            return None;
        }
        let depth = (self.xi + discriminant.sqrt()) / (1.0 + s);
        Some(Unit::new_normalize(Vector3::new(m.x * depth, m.y * depth, depth - self.xi)))
    }
}
