//! Directions across a direction.

use nalgebra::Vector3;

/// Two unit vectors across a direction; with it they are right-handed. Across nothing they are those of z.
pub(crate) fn across(direction: Vector3<f64>) -> (Vector3<f64>, Vector3<f64>) {
    let ahead = direction.try_normalize(1e-12).unwrap_or_else(Vector3::z);
    let helper = if ahead.z.abs() < 0.9 { Vector3::z() } else { Vector3::x() };
    let u = helper.cross(&ahead).normalize();
    (u, ahead.cross(&u))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_handed_in_every_direction() {
        for direction in [[1.0, 0.0, 0.0], [0.0, -2.0, 0.1], [0.0, 0.0, 3.0], [0.3, 0.2, -1.0]] {
            let d = Vector3::from(direction);
            let (u, v) = across(d);
            assert!((u.cross(&v) - d.normalize()).norm() < 1e-12, "{d}");
            assert!((u.norm() - 1.0).abs() < 1e-12 && (v.norm() - 1.0).abs() < 1e-12);
        }
        assert_eq!(across(Vector3::zeros()).0.z, 0.0);
    }
}
