//! Landmarks as a bearing and an inverse distance from a constant anchor.

use nalgebra::{Matrix3x2, Point3, Unit, Vector3};
use serde::{Deserialize, Serialize};

/// A point of the static world: `anchor + bearing / inverse_distance`.
///
/// The anchor is a constant near the cameras that see the point (usually where it was first seen),
/// so that the uncertainty of a distant point is nearly Gaussian and a point at infinity
/// (`inverse_distance` = 0) is as good as any: it still fixes rotations. Three degrees of freedom,
/// two for the bearing and one for the inverse distance. After Civera et al. 2008, *Inverse depth
/// parametrization for monocular SLAM*, with the anchor held constant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Landmark {
    /// Where distances count from, in `World`, metres. Not estimated.
    pub anchor_in_world: Point3<f64>,
    /// Direction from the anchor, in `World`.
    pub bearing_in_world: Unit<Vector3<f64>>,
    /// One over the distance from the anchor, 1/m. Zero: infinitely far.
    pub inverse_distance: f64,
    /// Held constant while solving.
    pub fixed: bool,
}

/// Closer to its anchor than this a point's bearing is meaningless, metres.
const MIN_DISTANCE_M: f64 = 1e-6;

impl Landmark {
    /// The landmark at a point, anchored at another. `None` if they coincide or are not finite.
    pub fn from_point(anchor_in_world: Point3<f64>, point_in_world: Point3<f64>) -> Option<Self> {
        let offset = point_in_world - anchor_in_world;
        let distance = offset.norm();
        (distance.is_finite() && distance > MIN_DISTANCE_M).then(|| Self {
            anchor_in_world,
            bearing_in_world: Unit::new_unchecked(offset / distance),
            inverse_distance: 1.0 / distance,
            fixed: false,
        })
    }

    /// Where it is in `World`, metres; `None` at or beyond infinity.
    pub fn point_in_world(&self) -> Option<Point3<f64>> {
        (self.inverse_distance > 0.0)
            .then(|| self.anchor_in_world + self.bearing_in_world.as_ref() / self.inverse_distance)
    }

    /// The vector from `origin` to the landmark times its inverse distance: finite for points at
    /// infinity, and pointing the same way.
    pub fn scaled_offset_from(&self, origin: &Vector3<f64>) -> Vector3<f64> {
        self.bearing_in_world.as_ref()
            + (self.anchor_in_world.coords - origin) * self.inverse_distance
    }

    /// An orthonormal basis of the plane normal to the bearing.
    pub(super) fn tangent_basis(&self) -> Matrix3x2<f64> {
        let bearing = self.bearing_in_world.as_ref();
        let axis = bearing.iamin();
        let first = bearing.cross(&Vector3::ith(axis, 1.0)).normalize();
        Matrix3x2::from_columns(&[first, bearing.cross(&first)])
    }

    /// Moved by `[bearing tangent (rad, 2); inverse distance (1/m)]`.
    pub(super) fn retract(&self, tangent: &Vector3<f64>) -> Self {
        let turned =
            self.bearing_in_world.as_ref() + self.tangent_basis() * tangent.fixed_rows::<2>(0);
        Self {
            bearing_in_world: Unit::new_normalize(turned),
            inverse_distance: self.inverse_distance + tangent.z,
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn point_survives_the_parametrisation() {
        let (anchor, point) = (Point3::new(1.0, 2.0, 3.0), Point3::new(-40.0, 7.0, 5.0));
        let landmark = Landmark::from_point(anchor, point).unwrap();
        assert!((landmark.point_in_world().unwrap() - point).norm() < 1e-12);
        assert!(Landmark::from_point(anchor, anchor).is_none());
    }

    #[test]
    fn basis_is_orthonormal_for_any_bearing() {
        for point in [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [0.3, -0.5, 0.8]] {
            let landmark = Landmark::from_point(Point3::origin(), Point3::from(point)).unwrap();
            let basis = landmark.tangent_basis();
            let gram = basis.transpose() * basis;
            assert!((gram - nalgebra::Matrix2::identity()).norm() < 1e-12);
            assert!((basis.transpose() * landmark.bearing_in_world.as_ref()).norm() < 1e-12);
        }
    }
}
