use std::f64::consts::PI;

use proptest::prelude::*;

use super::*;

/// Axis times angle; angles crowd at zero and at pi.
fn tangents() -> impl Strategy<Value = Vector3<f64>> {
    let axis = prop::array::uniform3(-1.0..1.0f64)
        .prop_filter("an axis", |a| Vector3::from(*a).norm() > 1e-3);
    let angle = prop_oneof![
        0.0..PI,
        (-12.0..-1.0f64).prop_map(|power| 10f64.powf(power)),
        (-9.0..-1.0f64).prop_map(|power| PI - 10f64.powf(power)),
        Just(0.0),
        // On both sides of the switch to series.
        (0.99..1.01f64).prop_map(|share| share * SMALL_ANGLE_RAD),
    ];
    (axis, angle).prop_map(|(axis, angle)| Vector3::from(axis).normalize() * angle)
}

/// Derivative of a function with vector values by central differences.
fn difference(at: &Vector3<f64>, function: impl Fn(&Vector3<f64>) -> Vector3<f64>) -> Matrix3<f64> {
    const STEP: f64 = 1e-6;
    let column = |axis| {
        let step = Vector3::ith(axis, STEP);
        (function(&(at + step)) - function(&(at - step))) / (2.0 * STEP)
    };
    Matrix3::from_columns(&[column(0), column(1), column(2)])
}

proptest! {
    #[test]
    fn log_inverts_exp(phi in tangents()) {
        let back = log(&exp(&phi));
        prop_assert!((back - phi).norm() <= 1e-12 * (1.0 + phi.norm()), "{} {}", back, phi);
        let small = phi * 1e-9;
        // Below the resolution of a unit quaternion the rotation is the identity.
        let tolerance = 1e-12 * small.norm() + 2.0 * f64::EPSILON;
        prop_assert!((log(&exp(&small)) - small).norm() <= tolerance);
    }

    #[test]
    fn exp_inverts_log_on_either_sign_of_the_quaternion(phi in tangents()) {
        let rotation = exp(&phi);
        for signed in [rotation, UnitQuaternion::new_unchecked(-rotation.into_inner())] {
            let again = exp(&log(&signed));
            prop_assert!(again.angle_to(&rotation) < 1e-7);
            prop_assert!(log(&signed).norm() <= PI + 1e-12);
        }
    }

    #[test]
    fn left_jacobian_agrees_with_central_differences(phi in tangents()) {
        let inverse = exp(&phi).inverse();
        let numeric = difference(&phi, |moved| log(&(exp(moved) * inverse)));
        prop_assert!((left_jacobian(&phi) - numeric).norm() < 1e-8, "{}", numeric);
    }

    #[test]
    fn right_jacobian_agrees_with_central_differences(phi in tangents()) {
        let inverse = exp(&phi).inverse();
        let numeric = difference(&phi, |moved| log(&(inverse * exp(moved))));
        prop_assert!((right_jacobian(&phi) - numeric).norm() < 1e-8, "{}", numeric);
    }

    #[test]
    fn inverse_jacobians_invert(phi in tangents()) {
        let identity = Matrix3::identity();
        let left = left_jacobian(&phi) * left_jacobian_inverse(&phi);
        let right = right_jacobian(&phi) * right_jacobian_inverse(&phi);
        prop_assert!((left - identity).norm() < 1e-12 && (right - identity).norm() < 1e-12);
    }

    #[test]
    fn hat_is_the_cross_product(v in tangents(), w in tangents()) {
        prop_assert!((hat(&v) * w - v.cross(&w)).norm() < 1e-14);
        prop_assert!((exp(&v).to_rotation_matrix().matrix() - hat(&v).exp()).norm() < 1e-12);
    }
}
