//! Brown–Conrady distortion with eight coefficients: a rational radial factor.

use nalgebra::{Matrix2x3, Point3, Unit, Vector2, Vector3};
use serde::{Deserialize, Serialize};

use super::Pinhole;
use super::distortion::{Radial, RadialTangential, tangential};
use super::pinhole::{perspective, perspective_jacobian};
use super::plane::{PlaneModel, ShapeJacobian};

/// Perspective projection, then `g = (1 + k1 s + k2 s^2 + k3 s^3) / (1 + k4 s + k5 s^2 + k6 s^3)`
/// with `s` the squared radius, and tangential distortion.
/// Parameters: `fx, fy, cx, cy` (pixels), `k1, k2, p1, p2, k3, k4, k5, k6`.
///
/// Projects only inside the disc on which the distortion is one to one.
///
/// Source: Claus and Fitzgibbon, *A rational function lens distortion model for general cameras*,
/// 2005; OpenCV's `CALIB_RATIONAL_MODEL` and its order of coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "RationalParameters", into = "RationalParameters")]
pub struct Rational {
    pinhole: Pinhole,
    lens: RadialTangential<Fraction>,
}

super::named_parameters!(Rational as RationalParameters { k1, k2, p1, p2, k3, k4, k5, k6 });

/// `g = (1 + k1 s + k2 s^2 + k3 s^3) / (1 + k4 s + k5 s^2 + k6 s^3)`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fraction {
    numerator: [f64; 3],
    denominator: [f64; 3],
}

/// `1 + a s + b s^2 + c s^3` and its derivative.
#[inline]
fn cubic([a, b, c]: [f64; 3], s: f64) -> (f64, f64) {
    (1.0 + s * (a + s * (b + s * c)), a + s * (2.0 * b + s * 3.0 * c))
}

impl Radial for Fraction {
    #[inline]
    fn factor(&self, s: f64) -> (f64, f64) {
        let (n, dn) = cubic(self.numerator, s);
        let (d, dd) = cubic(self.denominator, s);
        let d_inverse = 1.0 / d;
        let g = n * d_inverse;
        (g, (dn - g * dd) * d_inverse)
    }

    fn fraction(&self) -> (Vec<f64>, Vec<f64>) {
        let polynomial = |[a, b, c]: [f64; 3]| vec![1.0, a, b, c];
        (polynomial(self.numerator), polynomial(self.denominator))
    }
}

impl Rational {
    /// `distortion`: `k1, k2, p1, p2, k3, k4, k5, k6`.
    pub fn new(pinhole: Pinhole, distortion: [f64; 8]) -> Self {
        let [k1, k2, p1, p2, k3, k4, k5, k6] = distortion;
        let radial = Fraction { numerator: [k1, k2, k3], denominator: [k4, k5, k6] };
        Self { pinhole, lens: RadialTangential::new(radial, p1, p2) }
    }
}

impl PlaneModel for Rational {
    type Shape = [f64; 8];

    fn from_parts(pinhole: Pinhole, shape: [f64; 8]) -> Self {
        Self::new(pinhole, shape)
    }

    #[inline]
    fn pinhole(&self) -> &Pinhole {
        &self.pinhole
    }

    fn shape(&self) -> [f64; 8] {
        let Fraction { numerator: [k1, k2, k3], denominator: [k4, k5, k6] } = self.lens.radial;
        [k1, k2, self.lens.p1, self.lens.p2, k3, k4, k5, k6]
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
        let (d, _) = cubic(self.lens.radial.denominator, s);
        let (g, _) = self.lens.radial.factor(s);
        let [by_p1, by_p2] = tangential(&m, s);
        let above = m * (s / d);
        let below = above * -g;
        let columns =
            [above, above * s, by_p1, by_p2, above * (s * s), below, below * s, below * (s * s)];
        ShapeJacobian::from_columns(&columns)
    }

    #[inline]
    fn ray(&self, distorted: &Vector2<f64>) -> Option<Unit<Vector3<f64>>> {
        let m = self.lens.undistort(distorted)?;
        Some(Unit::new_normalize(Vector3::new(m.x, m.y, 1.0)))
    }
}
