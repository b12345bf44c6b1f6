//! Images as the odometry sees them, and how points carry over between them.

use nalgebra::{Matrix2, Matrix3, Point2, Vector2, Vector3};
use ommatidia_geometry::{Camera, CameraModel, Ego, Intrinsics, Pose, World, bundle::Landmark};
use ommatidia_kernels::flow::{Pyramid, Warp};

/// An image and where its camera was at its exposure.
pub(super) struct View {
    pub pyramid: Pyramid,
    pub ego_from_camera: Pose<Ego, Camera>,
}

/// One entry per camera of the rig.
pub(super) type Views = Vec<Option<View>>;

/// Offset at which the change of shape of a patch is measured, pixels.
const REACH_PX: f64 = 6.0;

/// Where a point is expected in another image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    pub pixel: [f32; 2],
    /// Offsets in the first image for offsets in the other.
    pub warp: Warp,
    /// The reverse: offsets in the other image for offsets in the first.
    pub back: Warp,
}

/// How the plane lies in which a point's surroundings are taken to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Facing {
    /// It faces the first camera.
    Camera,
    /// It has this normal, in the first camera.
    Along(Vector3<f64>),
}

impl Transfer {
    /// The same place, without a change of shape: where the distance is only guessed.
    pub(super) fn undeformed(self) -> Self {
        Self { warp: Warp::IDENTITY, back: Warp::IDENTITY, ..self }
    }
}

pub(super) fn to_point(pixel: [f32; 2]) -> Point2<f64> {
    Point2::new(f64::from(pixel[0]), f64::from(pixel[1]))
}

/// The ray through a pixel.
pub(super) fn ray(intrinsics: &Intrinsics, pixel: [f32; 2]) -> Option<Vector3<f64>> {
    intrinsics.unproject(&to_point(pixel)).map(|ray| ray.into_inner())
}

/// Predicts where a point of one image is in another, and how its surroundings are deformed if they
/// lie in a plane. `inverse_distance`: from the first camera along the pixel's ray, 1/m.
pub(super) fn transfer(
    (from, to): (&Intrinsics, &Intrinsics),
    to_from_from: &Pose<Camera, Camera>,
    pixel: [f32; 2],
    inverse_distance: f64,
    facing: Facing,
) -> Option<Transfer> {
    let centre = ray(from, pixel)?;
    let normal = match facing {
        Facing::Camera => centre,
        Facing::Along(normal) => normal,
    };
    // X_to = (R + t nᵀ / (n · X)) X_from for every point X of the plane, whose n · X = n · centre / inverse.
    let across = normal.dot(&centre);
    let shift = to_from_from.translation * (inverse_distance / across);
    let there =
        to_from_from.rotation.to_rotation_matrix().into_inner() + shift * normal.transpose();
    let found = to.project(&(there * centre).into())?;
    let warps = there.try_inverse().and_then(|back| {
        Some((
            deformation((to, from), &back, &found)?,
            deformation((from, to), &there, &to_point(pixel))?,
        ))
    });
    let (warp, back) = warps.unwrap_or((Warp::IDENTITY, Warp::IDENTITY));
    Some(Transfer { pixel: [found.x as f32, found.y as f32], warp, back })
}

/// How pixels around one of the first image move into the second, if rays do by a matrix; `None` where it
/// cannot be said or is beyond use.
fn deformation(
    (from, to): (&Intrinsics, &Intrinsics),
    to_from_from: &Matrix3<f64>,
    centre: &Point2<f64>,
) -> Option<Warp> {
    let moved = |u: f64, v: f64| {
        let ray = from.unproject(&(centre + Vector2::new(u, v) * REACH_PX))?.into_inner();
        to.project(&(to_from_from * ray).into())
    };
    let middle = moved(0.0, 0.0)?;
    let side = |u: f64, v: f64| moved(u, v).map(|p| (p - middle) / REACH_PX);
    let (right, left) = (side(1.0, 0.0)?, side(-1.0, 0.0)?);
    let (below, above) = (side(0.0, 1.0)?, side(0.0, -1.0)?);
    let (corner, opposite) = (side(1.0, 1.0)?, side(-1.0, -1.0)?);
    let linear = Matrix2::from_columns(&[(right - left) / 2.0, (below - above) / 2.0]);
    let (uu, vv) = ((right + left) / 2.0, (below + above) / 2.0);
    let uv = (corner + opposite) / 2.0 - uu - vv;
    (0.1..10.0).contains(&linear.determinant()).then(|| {
        let axis = |i: usize| [uu[i], uv[i], vv[i]].map(|q| (q / REACH_PX) as f32);
        Warp {
            linear: [0, 1].map(|i| [linear[(i, 0)] as f32, linear[(i, 1)] as f32]),
            quadratic: [axis(0), axis(1)],
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Point3, UnitQuaternion};
    use ommatidia_geometry::camera::Pinhole;

    #[test]
    fn surroundings_on_the_road_move_as_the_road_does() {
        let camera = Intrinsics::Pinhole(Pinhole { fx: 700.0, fy: 700.0, cx: 600.0, cy: 200.0 });
        // The first camera is 1.6 m above the road, y down; the second 1.2 m ahead, pitched a little.
        let (height, up) = (1.6, Vector3::new(0.0, -1.0, 0.0));
        let second_from_first = Pose::<Camera, Camera>::new(
            UnitQuaternion::from_euler_angles(0.01, 0.0, 0.0),
            Vector3::new(0.0, 0.0, -1.2),
        );
        let exact = |pixel: Point2<f64>| {
            let ray = camera.unproject(&pixel).unwrap().into_inner();
            camera.project(&(second_from_first * Point3::from(ray * (height / ray.y)))).unwrap()
        };
        let pixel = [640.0, 360.0];
        let inverse = ray(&camera, pixel).unwrap().y / height;
        let facing = Facing::Along(up);
        let found =
            transfer((&camera, &camera), &second_from_first, pixel, inverse, facing).unwrap();
        let there = exact(to_point(pixel));
        assert!((to_point(found.pixel) - there).norm() < 1e-3, "{found:?}");
        for (u, v) in [(7.0, 0.0), (-7.0, 0.0), (0.0, 7.0), (0.0, -7.0), (5.0, -6.0)] {
            let moved = exact(to_point(pixel) + Vector2::new(u, v)) - there;
            let [x, y] = found.back.offset(u as f32, v as f32).map(f64::from);
            assert!((Vector2::new(x, y) - moved).norm() < 0.02, "({u}, {v}): {moved:?} {x} {y}");
            let [x, y] = found.warp.offset(moved.x as f32, moved.y as f32).map(f64::from);
            assert!((Vector2::new(x, y) - Vector2::new(u, v)).norm() < 0.04, "({u}, {v}): {x} {y}");
        }
    }
}
