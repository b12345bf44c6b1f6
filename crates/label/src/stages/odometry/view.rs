//! Images as the odometry sees them, and how points carry over between them.

use nalgebra::{Matrix2, Point2, Vector3};
use ommatidia_geometry::{Camera, CameraModel, Ego, Intrinsics, Pose, World, bundle::Landmark};
use ommatidia_kernels::flow::{Pyramid, Warp};

/// An image and where its camera was at its exposure.
pub(super) struct View {
    pub pyramid: Pyramid,
    pub ego_from_camera: Pose<Ego, Camera>,
}

/// One entry per camera of the rig.
pub(super) type Views = Vec<Option<View>>;

/// Half the side of the patch whose change of shape is predicted, pixels.
const REACH_PX: f64 = 6.0;

/// Where a point is expected in another image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    pub pixel: [f32; 2],
    /// Offsets in the first image for offsets in the other.
    pub warp: Warp,
}

pub(super) const NO_WARP: Warp = [[1.0, 0.0], [0.0, 1.0]];

pub(super) fn to_point(pixel: [f32; 2]) -> Point2<f64> {
    Point2::new(f64::from(pixel[0]), f64::from(pixel[1]))
}

/// The ray through a pixel.
pub(super) fn ray(intrinsics: &Intrinsics, pixel: [f32; 2]) -> Option<Vector3<f64>> {
    intrinsics.unproject(&to_point(pixel)).map(|ray| ray.into_inner())
}

/// Predicts where a point of one image is in another, and how its surroundings are deformed if they
/// face the first camera. `inverse_distance`: from the first camera along the pixel's ray, 1/m.
pub(super) fn transfer(
    (from, to): (&Intrinsics, &Intrinsics),
    to_from_from: &Pose<Camera, Camera>,
    pixel: [f32; 2],
    inverse_distance: f64,
) -> Option<Transfer> {
    let centre = ray(from, pixel)?;
    let project = |ray: Vector3<f64>| {
        let scaled = to_from_from.rotation * ray + to_from_from.translation * inverse_distance;
        to.project(&scaled.into())
    };
    let found = project(centre)?;
    let aside = |dx: f64, dy: f64| {
        let shifted = to_point(pixel) + nalgebra::Vector2::new(dx, dy);
        let ray = from.unproject(&shifted)?.into_inner();
        // On the plane through the point that faces the camera.
        Some((project(ray / ray.dot(&centre))? - found) / REACH_PX)
    };
    let warp = aside(REACH_PX, 0.0).zip(aside(0.0, REACH_PX)).and_then(|(x, y)| invert(x, y));
    let pixel = [found.x as f32, found.y as f32];
    Some(Transfer { pixel, warp: warp.unwrap_or(NO_WARP) })
}

/// The inverse of a mild deformation; `None` where it is negligible or beyond use.
fn invert(x: nalgebra::Vector2<f64>, y: nalgebra::Vector2<f64>) -> Option<Warp> {
    let forward = Matrix2::from_columns(&[x, y]);
    let area = forward.determinant();
    let negligible = (forward - Matrix2::identity()).amax() < 0.02;
    if negligible || !(0.1..10.0).contains(&area) {
        return None;
    }
    let inverse = forward.try_inverse()?.map(|x| x as f32);
    Some([[inverse[(0, 0)], inverse[(0, 1)]], [inverse[(1, 0)], inverse[(1, 1)]]])
}

/// One over the distance from a camera to a landmark, 1/m; zero or less at and beyond infinity.
pub(super) fn inverse_distance_from(
    landmark: &Landmark,
    world_from_camera: &Pose<World, Camera>,
) -> f64 {
    let offset = landmark.scaled_offset_from(&world_from_camera.translation);
    landmark.inverse_distance / offset.norm().max(1e-9)
}

/// The landmark on a pixel's ray at an inverse distance, anchored at the camera.
pub(super) fn landmark_at(
    intrinsics: &Intrinsics,
    world_from_camera: &Pose<World, Camera>,
    pixel: [f32; 2],
    inverse_distance: f64,
) -> Option<Landmark> {
    Some(Landmark {
        anchor_in_world: world_from_camera.translation.into(),
        bearing_in_world: nalgebra::Unit::new_normalize(
            world_from_camera.rotate(&ray(intrinsics, pixel)?),
        ),
        inverse_distance,
        fixed: false,
    })
}
