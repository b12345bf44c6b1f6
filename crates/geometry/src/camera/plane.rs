//! What all models share: a point goes to a plane, the plane to pixels.

use nalgebra::{Matrix2, Matrix2x3, Point2, Point3, SMatrix, Unit, Vector2, Vector3};

use super::{CameraModel, MAX_PARAMETERS, ParameterJacobian, Pinhole, Projection};

/// Most parameters a model has beside those of [`Pinhole`].
const MAX_SHAPE: usize = MAX_PARAMETERS - 4;

/// Derivative of a point on the plane by the shape parameters; columns beyond their number are zero.
pub type ShapeJacobian = SMatrix<f64, 2, MAX_SHAPE>;

/// A model that maps a point to a plane without unit, from where focal lengths and principal point
/// lead to pixels. Implementing this and a variant of [`super::Intrinsics`] make a camera model.
pub trait PlaneModel: Sized {
    /// The shape parameters (distortion, mirror), in documented order: `[f64; N]`.
    type Shape: AsRef<[f64]> + for<'a> TryFrom<&'a [f64]>;

    /// From focal lengths and principal point, and the shape.
    fn from_parts(pinhole: Pinhole, shape: Self::Shape) -> Self;

    /// Focal lengths and principal point: from plane to pixels.
    fn pinhole(&self) -> &Pinhole;

    /// The shape parameters.
    fn shape(&self) -> Self::Shape;

    /// Where a point in the camera frame (metres) lands on the plane. `None` outside the domain.
    fn to_plane(&self, p_in_camera: &Point3<f64>) -> Option<Vector2<f64>>;

    /// Like [`Self::to_plane`], with the derivative by the point, per metre.
    fn to_plane_with_jacobian(
        &self,
        p_in_camera: &Point3<f64>,
    ) -> Option<(Vector2<f64>, Matrix2x3<f64>)>;

    /// Derivative of [`Self::to_plane`] by [`Self::shape`], at a point inside the domain.
    fn plane_by_shape(&self, p_in_camera: &Point3<f64>) -> ShapeJacobian;

    /// The direction that lands at a point of the plane. `None` where there is none.
    fn ray(&self, on_plane: &Vector2<f64>) -> Option<Unit<Vector3<f64>>>;
}

impl<M: PlaneModel> CameraModel for M {
    #[inline]
    fn project(&self, p_in_camera: &Point3<f64>) -> Option<Point2<f64>> {
        Some(self.pinhole().pixel(&self.to_plane(p_in_camera)?))
    }

    #[inline]
    fn project_with_jacobian(
        &self,
        p_in_camera: &Point3<f64>,
    ) -> Option<(Point2<f64>, Matrix2x3<f64>)> {
        let (on_plane, by_point) = self.to_plane_with_jacobian(p_in_camera)?;
        let pinhole = self.pinhole();
        Some((pinhole.pixel(&on_plane), pinhole.focal_matrix() * by_point))
    }

    fn project_with_jacobians(&self, p_in_camera: &Point3<f64>) -> Option<Projection> {
        let (on_plane, by_point) = self.to_plane_with_jacobian(p_in_camera)?;
        let pinhole = self.pinhole();
        let focal = pinhole.focal_matrix();
        let count = self.shape().as_ref().len();
        let mut d_pixel_d_parameters = ParameterJacobian::zeros(4 + count);
        d_pixel_d_parameters[(0, 0)] = on_plane.x;
        d_pixel_d_parameters[(1, 1)] = on_plane.y;
        d_pixel_d_parameters[(0, 2)] = 1.0;
        d_pixel_d_parameters[(1, 3)] = 1.0;
        let by_shape = focal * self.plane_by_shape(p_in_camera);
        d_pixel_d_parameters.columns_mut(4, count).copy_from(&by_shape.columns(0, count));
        Some(Projection {
            pixel: pinhole.pixel(&on_plane),
            d_pixel_d_point: focal * by_point,
            d_pixel_d_parameters,
        })
    }

    #[inline]
    fn unproject(&self, pixel: &Point2<f64>) -> Option<Unit<Vector3<f64>>> {
        let on_plane = self.pinhole().plane(pixel);
        if !(on_plane.x.is_finite() && on_plane.y.is_finite()) {
            return None;
        }
        self.ray(&on_plane)
    }

    fn parameters(&self) -> Vec<f64> {
        let Pinhole { fx, fy, cx, cy } = *self.pinhole();
        [&[fx, fy, cx, cy], self.shape().as_ref()].concat()
    }

    fn with_parameters(&self, parameters: &[f64]) -> Self {
        let expected = 4 + self.shape().as_ref().len();
        let given = parameters.len();
        let Some((&[fx, fy, cx, cy], shape)) = parameters.split_first_chunk::<4>() else {
            panic!("the model has {expected} parameters, {given} were given");
        };
        let Ok(shape) = M::Shape::try_from(shape) else {
            panic!("the model has {expected} parameters, {given} were given");
        };
        M::from_parts(Pinhole { fx, fy, cx, cy }, shape)
    }
}

impl Pinhole {
    /// From the plane to pixels.
    #[inline]
    pub(super) fn pixel(&self, on_plane: &Vector2<f64>) -> Point2<f64> {
        Point2::new(self.fx * on_plane.x + self.cx, self.fy * on_plane.y + self.cy)
    }

    /// From pixels to the plane.
    #[inline]
    pub(super) fn plane(&self, pixel: &Point2<f64>) -> Vector2<f64> {
        Vector2::new((pixel.x - self.cx) / self.fx, (pixel.y - self.cy) / self.fy)
    }

    fn focal_matrix(&self) -> Matrix2<f64> {
        Matrix2::new(self.fx, 0.0, 0.0, self.fy)
    }
}
