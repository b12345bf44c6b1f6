//! Radial and tangential distortion of the plane, and its inverse.

use nalgebra::{Matrix2, Vector2};

use super::pinhole::MAX_TANGENT;
use super::polynomial::{derivative, of_square, product, sign_changes, sum};

/// Iterations of Newton's method; from the distorted point realistic lenses take 3 to 6.
const MAX_ITERATIONS: usize = 40;

/// Newton's method has converged when the distorted point is met to this share of its length plus one.
const TOLERANCE: f64 = 1e-13;

/// The radial factor `g`: a point at squared radius `s` moves to `g(s)` times itself.
pub(super) trait Radial {
    /// `g(s)` and its derivative by `s`.
    fn factor(&self, s: f64) -> (f64, f64);

    /// `g = numerator / denominator`, as polynomials in `s`, constant term first.
    fn fraction(&self) -> (Vec<f64>, Vec<f64>);
}

/// `m' = g(|m|^2) m + [2 p1 xy + p2 (s + 2x^2), p1 (s + 2y^2) + 2 p2 xy]`, restricted to a disc on
/// which it is one to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RadialTangential<R> {
    pub(super) radial: R,
    pub(super) p1: f64,
    pub(super) p2: f64,
    max_radius2: f64,
}

impl<R: Radial> RadialTangential<R> {
    pub(super) fn new(radial: R, p1: f64, p2: f64) -> Self {
        let max_radius = injective_radius(&radial, p1.hypot(p2));
        Self { radial, p1, p2, max_radius2: max_radius * max_radius }
    }

    /// `None` outside the disc.
    #[inline]
    pub(super) fn distort(&self, m: &Vector2<f64>) -> Option<Vector2<f64>> {
        let s = m.norm_squared();
        // False for what is not a number.
        let inside = s <= self.max_radius2;
        if !inside {
            return None;
        }
        Some(self.displaced(m, s, self.radial.factor(s).0))
    }

    #[inline]
    pub(super) fn distort_with_jacobian(
        &self,
        m: &Vector2<f64>,
    ) -> Option<(Vector2<f64>, Matrix2<f64>)> {
        let s = m.norm_squared();
        let inside = s <= self.max_radius2;
        if !inside {
            return None;
        }
        let (g, dg) = self.radial.factor(s);
        let cross = 2.0 * (m.x * m.y * dg + self.p1 * m.x + self.p2 * m.y);
        let by_m = Matrix2::new(
            g + 2.0 * (m.x * m.x * dg + self.p1 * m.y + 3.0 * self.p2 * m.x),
            cross,
            cross,
            g + 2.0 * (m.y * m.y * dg + 3.0 * self.p1 * m.y + self.p2 * m.x),
        );
        Some((self.displaced(m, s, g), by_m))
    }

    #[inline]
    fn displaced(&self, m: &Vector2<f64>, s: f64, g: f64) -> Vector2<f64> {
        let [by_p1, by_p2] = tangential(m, s);
        m * g + by_p1 * self.p1 + by_p2 * self.p2
    }

    /// The point of the disc that is distorted to `target`: Newton's method from `target` itself,
    /// which approaches monotonically where the distortion is convex or concave along the radius;
    /// steps that would leave the disc are halved. `None` if it does not converge.
    #[inline]
    pub(super) fn undistort(&self, target: &Vector2<f64>) -> Option<Vector2<f64>> {
        let tolerance = TOLERANCE * (1.0 + target.norm());
        let mut m = *target;
        let radius2 = m.norm_squared();
        if radius2 > self.max_radius2 {
            m *= (0.98 * self.max_radius2 / radius2).sqrt();
        }
        for _ in 0..MAX_ITERATIONS {
            let (distorted, by_m) = self.distort_with_jacobian(&m)?;
            let residual = target - distorted;
            if residual.x.abs().max(residual.y.abs()) <= tolerance {
                return Some(m);
            }
            let mut step = solve(&by_m, &residual)?;
            while (m + step).norm_squared() > self.max_radius2 {
                step *= 0.5;
                if step.norm_squared() < TOLERANCE * TOLERANCE {
                    return None;
                }
            }
            m += step;
        }
        None
    }
}

/// Derivatives of the displacement by `p1` and `p2`.
#[inline]
pub(super) fn tangential(m: &Vector2<f64>, s: f64) -> [Vector2<f64>; 2] {
    let xy2 = 2.0 * m.x * m.y;
    [Vector2::new(xy2, s + 2.0 * m.y * m.y), Vector2::new(s + 2.0 * m.x * m.x, xy2)]
}

/// Solves a 2x2 system; `None` if it is singular.
#[inline]
fn solve(matrix: &Matrix2<f64>, right: &Vector2<f64>) -> Option<Vector2<f64>> {
    let determinant = matrix.determinant();
    let adjugate = Matrix2::new(matrix[(1, 1)], -matrix[(0, 1)], -matrix[(1, 0)], matrix[(0, 0)]);
    (determinant != 0.0).then(|| adjugate * right / determinant)
}

/// Radius of a disc on which the distortion is one to one.
///
/// The Jacobian of the map is symmetric, with the eigenvalues `g + 2 s g'` (along the radius) and
/// `g` (across), less at most `6 |(p1, p2)| r` for the tangential part. Where all of it is positive
/// the map is the gradient of a strictly convex function, hence one to one on the disc.
fn injective_radius(radial: &impl Radial, tangential: f64) -> f64 {
    let (n, d) = radial.fraction();
    // (g + 2 s g') D^2 = N D + 2 s (N' D - N D')
    let wronskian =
        sum(&product(&derivative(&n), &d), &product(&[-1.0], &product(&n, &derivative(&d))));
    let along = sum(&product(&n, &d), &product(&[0.0, 2.0], &wronskian));
    let (n, d, along) = (of_square(&n), of_square(&d), of_square(&along));
    let loss = [0.0, -6.0 * tangential];
    let along = sum(&along, &product(&loss, &product(&d, &d)));
    let across = sum(&n, &product(&loss, &d));
    [along, across, d]
        .iter()
        .filter_map(|positive| sign_changes(positive, MAX_TANGENT).first().copied())
        .fold(MAX_TANGENT, f64::min)
}
