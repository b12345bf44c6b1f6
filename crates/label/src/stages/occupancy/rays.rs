//! Rays of a camera, tabulated once.

use nalgebra::{Point2, Vector3};
use ommatidia_geometry::{CameraModel, Intrinsics};

/// Pixels between two tabulated rays. Interpolating between them bends a ray of a 700 px focal length by
/// at most `(4 / 700)^2 / 8` = 4e-6 rad.
const PITCH_PX: usize = 4;

/// The ray through each pixel of one camera, whatever its model.
#[derive(Debug, Clone)]
pub struct CameraRays {
    intrinsics: Intrinsics,
    width: usize,
    height: usize,
    columns: usize,
    /// Unit vectors in the camera frame at pixel coordinates that are multiples of [`PITCH_PX`]; NaN
    /// where the model has no inverse.
    nodes: Vec<[f32; 3]>,
    /// Pixels per radian to the right of and below each node, the larger of the two.
    density: Vec<f32>,
}

impl CameraRays {
    /// Tabulates the rays of an image of `width` x `height` pixels.
    pub fn new(intrinsics: &Intrinsics, width: usize, height: usize) -> Self {
        let (columns, rows) = (width.div_ceil(PITCH_PX) + 1, height.div_ceil(PITCH_PX) + 1);
        let node = |index: usize| {
            let (x, y) = (index % columns * PITCH_PX, index / columns * PITCH_PX);
            let ray = intrinsics.unproject(&Point2::new(x as f64, y as f64));
            ray.map_or([f32::NAN; 3], |ray| ray.cast::<f32>().into_inner().into())
        };
        let nodes: Vec<[f32; 3]> = (0..columns * rows).map(node).collect();
        let at = |x: usize, y: usize| Vector3::from(nodes[y * columns + x]);
        let density = |index: usize| {
            let (x, y) = (index % columns, index / columns);
            let (x, y) = (x.min(columns.max(2) - 2), y.min(rows.max(2) - 2));
            let right = (at(x + 1, y) - at(x, y)).norm();
            let down = (at(x, y + 1) - at(x, y)).norm();
            PITCH_PX as f32 / right.min(down)
        };
        let density = (0..columns * rows).map(density).collect();
        Self { intrinsics: *intrinsics, width, height, columns, nodes, density }
    }

    /// Width and height of the image, pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// The camera model.
    pub fn intrinsics(&self) -> &Intrinsics {
        &self.intrinsics
    }

    /// The point at depth 1 on the ray through the centre of pixel (`x`, `y`), camera frame. `None`
    /// without an inverse and for rays more than 84 degrees off the axis, whose depth says little.
    #[inline]
    pub(super) fn at_unit_depth(&self, x: usize, y: usize) -> Option<Vector3<f32>> {
        let along = |v: usize| (v / PITCH_PX, ((v % PITCH_PX) as f32 + 0.5) / PITCH_PX as f32);
        let ((column, sx), (row, sy)) = (along(x), along(y));
        let first = row * self.columns + column;
        let node = |index: usize| Vector3::from(self.nodes[index]);
        let top = node(first).lerp(&node(first + 1), sx);
        let second = first + self.columns;
        let bottom = node(second).lerp(&node(second + 1), sx);
        let ray = top.lerp(&bottom, sy);
        (ray.z > 0.1).then(|| ray / ray.z)
    }

    /// Pixels per radian around a pixel; NaN where the model has no inverse.
    #[inline]
    pub(super) fn density_at(&self, u: f32, v: f32) -> f32 {
        let column = (u.max(0.0) as usize).min(self.width - 1) / PITCH_PX;
        let row = (v.max(0.0) as usize).min(self.height - 1) / PITCH_PX;
        self.density[row * self.columns + column]
    }
}
