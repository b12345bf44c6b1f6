//! Differences between an estimated and a true calibration.

use ommatidia_geometry::Pose;
use serde::Serialize;

/// Difference of two mountings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PoseError {
    /// Angle between the orientations.
    pub rotation_deg: f64,
    /// Distance of the positions.
    pub translation_m: f64,
    /// Angle between the directions of the positions, for calibrations without scale; `None` where one is 0.
    pub direction_deg: Option<f64>,
}

/// Difference of an estimated and a true pose of the same two frames.
pub fn pose_error<A, B>(truth: &Pose<A, B>, estimate: &Pose<A, B>) -> PoseError {
    let (t, e) = (&truth.translation, &estimate.translation);
    let has_direction = t.norm() > 0.0 && e.norm() > 0.0;
    PoseError {
        rotation_deg: truth.rotation.angle_to(&estimate.rotation).to_degrees(),
        translation_m: (e - t).norm(),
        // By sine and cosine: exact for small angles, where the arc cosine is not.
        direction_deg: has_direction.then(|| t.cross(e).norm().atan2(t.dot(e)).to_degrees()),
    }
}

/// Difference of two cameras' focal lengths and principal points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct IntrinsicsError {
    /// Larger difference of the two focal lengths, pixels.
    pub focal_px: f64,
    /// The same in percent of the true one.
    pub focal_percent: f64,
    /// Distance of the principal points, pixels.
    pub principal_point_px: f64,
}

/// Difference of focal lengths and principal points, each `(x, y)` in pixels.
pub fn intrinsics_error(
    true_focal_px: (f64, f64),
    focal_px: (f64, f64),
    true_principal_px: (f64, f64),
    principal_px: (f64, f64),
) -> IntrinsicsError {
    let [x, y] =
        [(focal_px.0, true_focal_px.0), (focal_px.1, true_focal_px.1)].map(|(estimate, truth)| {
            ((estimate - truth).abs(), 100.0 * (estimate / truth - 1.0).abs())
        });
    let off = (principal_px.0 - true_principal_px.0, principal_px.1 - true_principal_px.1);
    IntrinsicsError {
        focal_px: x.0.max(y.0),
        focal_percent: x.1.max(y.1),
        principal_point_px: off.0.hypot(off.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::{Camera, Ego};

    fn pose(yaw_rad: f64, translation: [f64; 3]) -> Pose<Ego, Camera> {
        Pose::from_wxyz([(yaw_rad / 2.0).cos(), 0.0, 0.0, (yaw_rad / 2.0).sin()], translation)
            .unwrap()
    }

    #[test]
    fn by_hand() {
        let truth = pose(0.5, [1.0, 0.0, 0.0]);
        let found = pose_error(&truth, &pose(0.5 + 1f64.to_radians(), [1.0, 1.0, 0.0]));
        assert!((found.rotation_deg - 1.0).abs() < 1e-9);
        assert_eq!(found.translation_m, 1.0);
        assert!((found.direction_deg.unwrap() - 45.0).abs() < 1e-12);
        let same = pose_error(&truth, &truth);
        assert_eq!((same.translation_m, same.direction_deg), (0.0, Some(0.0)));
        assert_eq!(pose_error(&truth, &pose(0.0, [0.0; 3])).direction_deg, None);
        let found = intrinsics_error((100.0, 200.0), (101.0, 200.0), (50.0, 50.0), (53.0, 46.0));
        assert_eq!((found.focal_px, found.principal_point_px), (1.0, 5.0));
        assert!((found.focal_percent - 1.0).abs() < 1e-12);
    }
}
