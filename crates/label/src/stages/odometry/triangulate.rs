//! The distance of a point along its first ray, from where others see it.

use nalgebra::Point2;
use ommatidia_geometry::{Camera, CameraModel, Intrinsics, Pose};

use super::view::ray;

/// Where the point is seen again.
pub(super) struct Again<'a> {
    pub intrinsics: &'a Intrinsics,
    pub here_from_first: Pose<Camera, Camera>,
    pub pixel: Point2<f64>,
}

/// A triangulated inverse distance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distance {
    /// 1/m, may be slightly negative for points at infinity.
    pub inverse: f64,
    /// Its standard deviation if pixels have one of 1 px, 1/m.
    pub sigma: f64,
    /// Largest distance of a sighting from its prediction, pixels.
    pub worst_px: f64,
}

/// Gauss–Newton on the inverse distance, from `start`.
pub(super) fn triangulate(
    first: (&Intrinsics, [f32; 2]),
    again: &[Again<'_>],
    start: f64,
) -> Option<Distance> {
    let bearing = ray(first.0, first.1)?;
    let mut inverse = start;
    let mut information = 0.0;
    for _ in 0..8 {
        information = 0.0;
        let mut gradient = 0.0;
        for other in again {
            let moved = other.here_from_first.translation;
            let scaled = other.here_from_first.rotation * bearing + moved * inverse;
            let (pixel, by_point) = other.intrinsics.project_with_jacobian(&scaled.into())?;
            let slope = by_point * moved;
            let error = pixel - other.pixel;
            let weight = 1.0 / (1.0 + error.norm_squared() / 9.0);
            information += weight * slope.norm_squared();
            gradient += weight * slope.dot(&error);
        }
        if information < 1e-12 {
            return None;
        }
        let step = gradient / information;
        inverse -= step;
        if step.abs() < 1e-7 {
            break;
        }
    }
    let mut worst_px: f64 = 0.0;
    for other in again {
        let moved = other.here_from_first.translation * inverse;
        let pixel =
            other.intrinsics.project(&(other.here_from_first.rotation * bearing + moved).into())?;
        worst_px = worst_px.max((pixel - other.pixel).norm());
    }
    let sigma = information.sqrt().recip();
    inverse.is_finite().then_some(Distance { inverse, sigma, worst_px })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{UnitQuaternion, Vector3};
    use ommatidia_geometry::camera::Pinhole;

    #[test]
    fn finds_near_far_and_infinite_points() {
        let intrinsics =
            Intrinsics::Pinhole(Pinhole { fx: 700.0, fy: 700.0, cx: 600.0, cy: 180.0 });
        let pixel = [640.0f32, 150.0];
        let bearing = ray(&intrinsics, pixel).unwrap();
        let moves = [Vector3::new(-0.5, 0.0, 0.0), Vector3::new(0.0, 0.1, -1.0)];
        for truth in [0.2, 0.02, 0.0] {
            let again: Vec<Again<'_>> = moves
                .iter()
                .map(|&moved| Again {
                    intrinsics: &intrinsics,
                    here_from_first: Pose::new(UnitQuaternion::identity(), moved),
                    pixel: intrinsics.project(&(bearing + moved * truth).into()).unwrap(),
                })
                .collect();
            let found = triangulate((&intrinsics, pixel), &again, 0.05).unwrap();
            assert!((found.inverse - truth).abs() < 1e-6, "{found:?} instead of {truth}");
            assert!(found.worst_px < 1e-3);
        }
    }
}
