//! How much of what one camera sees another one sees too: from the rig's geometry alone.

use nalgebra::{Point2, Point3};
use ommatidia_geometry::CameraModel;
use ommatidia_scene::CameraSensor;

/// Distance at which common view is judged, metres.
pub(crate) const RANGE_M: f64 = 20.0;
/// Pixels that are tried, along the rows and the columns.
const GRID: (usize, usize) = (16, 10);

/// Share of `a`'s image whose content at [`RANGE_M`] is in `b`'s image.
pub(crate) fn overlap(a: &CameraSensor, b: &CameraSensor) -> f64 {
    let b_from_a = b.ego_from_camera.inverse() * a.ego_from_camera;
    let seen = |i: usize| {
        let x = ((i % GRID.0) as f64 + 0.5) / GRID.0 as f64 * f64::from(a.width);
        let y = ((i / GRID.0) as f64 + 0.5) / GRID.1 as f64 * f64::from(a.height);
        let ray = a.intrinsics.unproject(&Point2::new(x, y))?;
        let p_in_b = b_from_a * Point3::from(ray.into_inner() * RANGE_M);
        let pixel = b.intrinsics.project(&p_in_b)?;
        let inside = (0.0..f64::from(b.width)).contains(&pixel.x)
            && (0.0..f64::from(b.height)).contains(&pixel.y);
        inside.then_some(())
    };
    let count = GRID.0 * GRID.1;
    (0..count).filter_map(seen).count() as f64 / count as f64
}
