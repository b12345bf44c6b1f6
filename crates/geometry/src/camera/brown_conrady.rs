//! Brown–Conrady distortion with five coefficients.

use nalgebra::{Matrix2x3, Point3, Unit, Vector2, Vector3};
use serde::{Deserialize, Serialize};

use super::Pinhole;
use super::distortion::{Radial, RadialTangential, tangential};
use super::pinhole::{perspective, perspective_jacobian};
use super::plane::{PlaneModel, ShapeJacobian};

/// Perspective projection, then `g = 1 + k1 s + k2 s^2 + k3 s^3` with `s` the squared radius, and
/// tangential distortion. Parameters: `fx, fy, cx, cy` (pixels), `k1, k2, p1, p2, k3`.
///
/// Projects only inside the disc on which the distortion is one to one, so that what lies far
/// outside the lens's field does not fold back into the image.
///
/// Source: D. C. Brown, *Decentering distortion of lenses*, 1966; OpenCV's order of coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "BrownConradyParameters", into = "BrownConradyParameters")]
pub struct BrownConrady {
    pinhole: Pinhole,
    lens: RadialTangential<Cubic>,
}

super::named_parameters!(BrownConrady as BrownConradyParameters { k1, k2, p1, p2, k3 });

/// `g = 1 + k1 s + k2 s^2 + k3 s^3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cubic(pub(super) [f64; 3]);

impl Radial for Cubic {
    #[inline]
    fn factor(&self, s: f64) -> (f64, f64) {
        let [k1, k2, k3] = self.0;
        (1.0 + s * (k1 + s * (k2 + s * k3)), k1 + s * (2.0 * k2 + s * 3.0 * k3))
    }

    fn fraction(&self) -> (Vec<f64>, Vec<f64>) {
        let [k1, k2, k3] = self.0;
        (vec![1.0, k1, k2, k3], vec![1.0])
    }
}

impl BrownConrady {
    /// `distortion`: `k1, k2, p1, p2, k3`.
    pub fn new(pinhole: Pinhole, distortion: [f64; 5]) -> Self {
        let [k1, k2, p1, p2, k3] = distortion;
        Self { pinhole, lens: RadialTangential::new(Cubic([k1, k2, k3]), p1, p2) }
    }
}

impl PlaneModel for BrownConrady {
    type Shape = [f64; 5];

    fn from_parts(pinhole: Pinhole, shape: [f64; 5]) -> Self {
        Self::new(pinhole, shape)
    }

    #[inline]
    fn pinhole(&self) -> &Pinhole {
        &self.pinhole
    }

    fn shape(&self) -> [f64; 5] {
        let Cubic([k1, k2, k3]) = self.lens.radial;
        [k1, k2, self.lens.p1, self.lens.p2, k3]
    }

    #[inline]
    fn to_plane(&self, p: &Point3<f64>) -> Option<Vector2<f64>> {
        self.lens.distort(&perspective(p)?)
    }

    #[inline]
    fn to_plane_with_jacobian(&self, p: &Point3<f64>) -> Option<(Vector2<f64>, Matrix2x3<f64>)> {
        let m = perspective(p)?;
        let (distorted, by_m) = self.lens.distort_with_jacobian(&m)?;
        Some((distorted, by_m * perspective_jacobian(p, &m)))
    }

    fn plane_by_shape(&self, p: &Point3<f64>) -> ShapeJacobian {
        let m = Vector2::new(p.x / p.z, p.y / p.z);
        let s = m.norm_squared();
        let [by_p1, by_p2] = tangential(&m, s);
        let columns = [m * s, m * (s * s), by_p1, by_p2, m * (s * s * s)];
        ShapeJacobian::from_fn(|row, column| columns.get(column).map_or(0.0, |c| c[row]))
    }

    #[inline]
    fn ray(&self, distorted: &Vector2<f64>) -> Option<Unit<Vector3<f64>>> {
        let m = self.lens.undistort(distorted)?;
        Some(Unit::new_normalize(Vector3::new(m.x, m.y, 1.0)))
    }
}
