//! What nuScenes detection compares.

use nalgebra::{Quaternion, Vector3};

/// A true or predicted box. Global frame, z up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionBox {
    /// Position among the protocol's classes.
    pub class: u16,
    /// Position among the protocol's attributes; `None` without one.
    pub attribute: Option<u16>,
    /// Lidar and radar returns inside; `None` where not counted. Boxes with none inside do not count.
    pub points: Option<u32>,
    /// Centre, metres.
    pub center_m: [f64; 3],
    /// Width, length, height, metres; nuScenes' order.
    pub size_m: [f64; 3],
    /// Heading, radians; [`yaw_of`] of the quaternion.
    pub yaw_rad: f64,
    /// Velocity in the ground plane, m/s; NaN where not known.
    pub velocity_m_s: [f64; 2],
    /// Confidence of a prediction; without meaning for truth.
    pub score: f64,
}

/// The truth of one sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleTruth {
    /// Its token.
    pub sample: String,
    /// Where the vehicle was at the time of the lidar, global frame, metres.
    pub ego_m: [f64; 3],
    /// Annotated boxes of the protocol's classes.
    pub boxes: Vec<DetectionBox>,
    /// Bicycle racks.
    pub bicycle_racks: Vec<OrientedBox>,
}

/// The predictions for one sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SamplePredictions {
    /// Its token.
    pub sample: String,
    /// Predicted boxes.
    pub boxes: Vec<DetectionBox>,
}

/// A box that may be tilted. Global frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrientedBox {
    /// Centre, metres.
    pub center_m: [f64; 3],
    /// Width, length, height, metres.
    pub size_m: [f64; 3],
    /// Orientation, w x y z; need not be of unit length.
    pub wxyz: [f64; 4],
}

impl OrientedBox {
    /// Whether a point lies in it, faces included. `points_in_box` of the devkit.
    pub fn contains(&self, point_m: [f64; 3]) -> bool {
        let q = unit(self.wxyz);
        let axes = [Vector3::x(), Vector3::y(), Vector3::z()].map(|axis| q * axis);
        let [width, length, height] = self.size_m;
        let edges = [axes[0] * length, axes[1] * -width, axes[2] * -height];
        let corner = Vector3::from(self.center_m) - edges.iter().sum::<Vector3<f64>>() / 2.0;
        let v = Vector3::from(point_m) - corner;
        edges.iter().all(|edge| (0.0..=edge.dot(edge)).contains(&edge.dot(&v)))
    }
}

fn unit([w, x, y, z]: [f64; 4]) -> nalgebra::UnitQuaternion<f64> {
    nalgebra::UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z))
}

/// Heading of what a quaternion (w, x, y, z; any length but zero) turns: where its x axis points in the plane.
/// `quaternion_yaw` of the devkit.
pub fn yaw_of([w, x, y, z]: [f64; 4]) -> f64 {
    // Without normalising: both components scale alike.
    (2.0 * (x * y + w * z)).atan2(w * w + x * x - y * y - z * z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heading_of_quaternions() {
        let half = |angle: f64| [(angle / 2.0).cos(), 0.0, 0.0, (angle / 2.0).sin()];
        for angle in [-3.0, -1.0, 0.0, 0.5, 3.1] {
            assert!((yaw_of(half(angle)) - angle).abs() < 1e-12);
            assert!((yaw_of(half(angle).map(|x| 7.0 * x)) - angle).abs() < 1e-12);
        }
    }

    #[test]
    fn faces_belong_to_the_box() {
        let rack =
            OrientedBox { center_m: [1.0; 3], size_m: [2.0, 4.0, 6.0], wxyz: [1.0, 0.0, 0.0, 0.0] };
        let check = |point, expected| assert_eq!(rack.contains(point), expected, "{point:?}");
        check([3.0, 2.0, 4.0], true);
        check([-1.0, 0.0, -2.0], true);
        check([3.01, 1.0, 1.0], false);
        check([1.0, 2.01, 1.0], false);
        check([1.0, 1.0, -2.01], false);
    }
}
