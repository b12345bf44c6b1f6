//! Camera models: projection between the camera frame and the image, one file per model.
//!
//! Pixel centres lie at integer + 0.5; image coordinates are x right, y down, in pixels.

/// How a model is written: its parameters by name, without what it derives from them.
macro_rules! named_parameters {
    ($model:ident as $written:ident { $($name:ident),+ }) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $written {
            fx: f64,
            fy: f64,
            cx: f64,
            cy: f64,
            $($name: f64),+
        }

        impl From<$written> for $model {
            fn from(written: $written) -> Self {
                let $written { fx, fy, cx, cy, $($name),+ } = written;
                Self::new(crate::camera::Pinhole { fx, fy, cx, cy }, [$($name),+])
            }
        }

        impl From<$model> for $written {
            fn from(model: $model) -> Self {
                use crate::camera::{PlaneModel, Pinhole};
                let Pinhole { fx, fy, cx, cy } = *model.pinhole();
                let [$($name),+] = model.shape();
                Self { fx, fy, cx, cy, $($name),+ }
            }
        }
    };
}
use named_parameters;

mod brown_conrady;
mod distortion;
mod double_sphere;
mod kannala_brandt;
mod mei;
mod pinhole;
mod plane;
mod polynomial;
mod rational;
pub mod rectify;
pub mod rolling_shutter;
#[cfg(test)]
mod tests;

pub use brown_conrady::BrownConrady;
pub use double_sphere::DoubleSphere;
pub use kannala_brandt::KannalaBrandt;
pub use mei::Mei;
pub use pinhole::Pinhole;
pub use plane::{PlaneModel, ShapeJacobian};
pub use rational::Rational;
pub use rectify::{NotRectifiable, Rectification, SourceMap, StereoView, rectify};
pub use rolling_shutter::{ConstantVelocity, ReadoutDirection, RollingShutter, project_rolling};

use nalgebra::{Matrix2x3, OMatrix, Point2, Point3, U2, Unit, Vector3};
use serde::{Deserialize, Serialize};

/// Most parameters a model has.
pub const MAX_PARAMETERS: usize = 12;

/// Derivative of a pixel by a model's parameters: 2 x [`CameraModel::parameters`]`.len()`.
pub type ParameterJacobian = OMatrix<f64, U2, nalgebra::Dyn>;

/// A projected point with its derivatives.
#[derive(Debug, Clone)]
pub struct Projection {
    /// Pixels.
    pub pixel: Point2<f64>,
    /// Pixels per metre, by the point in the camera frame.
    pub d_pixel_d_point: Matrix2x3<f64>,
    /// Pixels per unit of each parameter, in the order of [`CameraModel::parameters`].
    pub d_pixel_d_parameters: ParameterJacobian,
}

/// A central camera: all rays meet in the optical centre.
pub trait CameraModel {
    /// Where a point in the camera frame (metres) lands, in pixels. `None` outside the model's domain
    /// (behind a pinhole, beyond a fisheye's field, where the distortion is no longer monotonic).
    /// The image's borders are not checked.
    fn project(&self, p_in_camera: &Point3<f64>) -> Option<Point2<f64>>;

    /// Like [`Self::project`], without derivatives by the parameters.
    fn project_with_jacobian(
        &self,
        p_in_camera: &Point3<f64>,
    ) -> Option<(Point2<f64>, Matrix2x3<f64>)>;

    /// Like [`Self::project`], with all derivatives.
    fn project_with_jacobians(&self, p_in_camera: &Point3<f64>) -> Option<Projection>;

    /// The ray through a pixel, in the camera frame. `None` where the model has no inverse.
    fn unproject(&self, pixel: &Point2<f64>) -> Option<Unit<Vector3<f64>>>;

    /// The parameters in the model's documented order: `fx, fy, cx, cy` first, in pixels.
    fn parameters(&self) -> Vec<f64>;

    /// The model with other parameters, in the same order and number.
    fn with_parameters(&self, parameters: &[f64]) -> Self
    where
        Self: Sized;
}

/// Any of the models.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Intrinsics {
    /// No distortion.
    Pinhole(Pinhole),
    /// OpenCV's five coefficients.
    BrownConrady(BrownConrady),
    /// OpenCV's eight coefficients.
    Rational(Rational),
    /// OpenCV's fisheye.
    KannalaBrandt(KannalaBrandt),
    /// The unified model with distortion.
    Mei(Mei),
    /// Two spheres.
    DoubleSphere(DoubleSphere),
}

/// Runs one expression on whichever model it is.
macro_rules! with_model {
    ($intrinsics:expr, $model:ident => $body:expr) => {
        match $intrinsics {
            Intrinsics::Pinhole($model) => $body,
            Intrinsics::BrownConrady($model) => $body,
            Intrinsics::Rational($model) => $body,
            Intrinsics::KannalaBrandt($model) => $body,
            Intrinsics::Mei($model) => $body,
            Intrinsics::DoubleSphere($model) => $body,
        }
    };
}

impl CameraModel for Intrinsics {
    fn project(&self, p_in_camera: &Point3<f64>) -> Option<Point2<f64>> {
        with_model!(self, model => model.project(p_in_camera))
    }

    fn project_with_jacobian(
        &self,
        p_in_camera: &Point3<f64>,
    ) -> Option<(Point2<f64>, Matrix2x3<f64>)> {
        with_model!(self, model => model.project_with_jacobian(p_in_camera))
    }

    fn project_with_jacobians(&self, p_in_camera: &Point3<f64>) -> Option<Projection> {
        with_model!(self, model => model.project_with_jacobians(p_in_camera))
    }

    fn unproject(&self, pixel: &Point2<f64>) -> Option<Unit<Vector3<f64>>> {
        with_model!(self, model => model.unproject(pixel))
    }

    fn parameters(&self) -> Vec<f64> {
        with_model!(self, model => model.parameters())
    }

    fn with_parameters(&self, parameters: &[f64]) -> Self {
        with_model!(self, model => model.with_parameters(parameters).into())
    }
}

/// Each model is one of the enum's.
macro_rules! into_intrinsics {
    ($($model:ident),+) => {
        $(impl From<$model> for Intrinsics {
            fn from(model: $model) -> Self {
                Self::$model(model)
            }
        })+
    };
}
into_intrinsics!(Pinhole, BrownConrady, Rational, KannalaBrandt, Mei, DoubleSphere);

impl Intrinsics {
    /// Focal lengths and principal point alone: the same camera without distortion or mirror.
    pub fn pinhole(&self) -> Pinhole {
        with_model!(self, model => *model.pinhole())
    }

    /// Focal lengths `(fx, fy)`, pixels.
    pub fn focal_px(&self) -> (f64, f64) {
        let Pinhole { fx, fy, .. } = self.pinhole();
        (fx, fy)
    }

    /// Principal point `(cx, cy)`, pixels.
    pub fn principal_point_px(&self) -> (f64, f64) {
        let Pinhole { cx, cy, .. } = self.pinhole();
        (cx, cy)
    }
}
