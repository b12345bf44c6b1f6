//! Rotations: exponential, logarithm and the Jacobians of SO(3).
//!
//! Tangent vectors are axis times angle in radians. Source: Solà et al., *A micro Lie theory for
//! state estimation in robotics*, 2018, with its equation numbers.

use nalgebra::{Matrix3, UnitQuaternion, Vector3};

/// Below this angle the series in theta are used; their next term is under 1e-16.
const SMALL_ANGLE_RAD: f64 = 1e-4;

/// The matrix `[v]x` with `[v]x w = v x w`.
pub fn hat(v: &Vector3<f64>) -> Matrix3<f64> {
    Matrix3::new(0.0, -v.z, v.y, v.z, 0.0, -v.x, -v.y, v.x, 0.0)
}

/// Rotation from axis times angle, radians. Eq. (132).
pub fn exp(phi: &Vector3<f64>) -> UnitQuaternion<f64> {
    UnitQuaternion::from_scaled_axis(*phi)
}

/// Axis times angle of a rotation, radians, angle in `[0, pi]`. Eq. (133).
pub fn log(rotation: &UnitQuaternion<f64>) -> Vector3<f64> {
    rotation.scaled_axis()
}

/// `(1 - cos t) / t^2` and `(t - sin t) / t^3`, stable at zero.
fn coefficients(theta: f64) -> (f64, f64) {
    let t2 = theta * theta;
    if theta < SMALL_ANGLE_RAD {
        (0.5 - t2 / 24.0, 1.0 / 6.0 - t2 / 120.0)
    } else {
        // 1 - cos t = 2 sin^2(t / 2) does not cancel.
        let half_sin = (0.5 * theta).sin();
        (2.0 * half_sin * half_sin / t2, (theta - theta.sin()) / (t2 * theta))
    }
}

/// Left Jacobian: `exp(phi + d) = exp(J d) exp(phi)` to first order. Eq. (145).
pub fn left_jacobian(phi: &Vector3<f64>) -> Matrix3<f64> {
    let (a, b) = coefficients(phi.norm());
    let k = hat(phi);
    Matrix3::identity() + k * a + k * k * b
}

/// Inverse of the left Jacobian. Eq. (146). Singular at an angle of 2 pi.
pub fn left_jacobian_inverse(phi: &Vector3<f64>) -> Matrix3<f64> {
    let theta = phi.norm();
    let k = hat(phi);
    let c = if theta < SMALL_ANGLE_RAD {
        1.0 / 12.0 + theta * theta / 720.0
    } else {
        let half = 0.5 * theta;
        (1.0 - half / half.tan()) / (theta * theta)
    };
    Matrix3::identity() - k * 0.5 + k * k * c
}

/// Right Jacobian: `exp(phi + d) = exp(phi) exp(J d)` to first order. Eq. (143).
pub fn right_jacobian(phi: &Vector3<f64>) -> Matrix3<f64> {
    left_jacobian(&-phi)
}

/// Inverse of the right Jacobian. Eq. (144).
pub fn right_jacobian_inverse(phi: &Vector3<f64>) -> Matrix3<f64> {
    left_jacobian_inverse(&-phi)
}

#[cfg(test)]
mod tests;
