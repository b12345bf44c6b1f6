//! The pinhole camera without distortion.

use nalgebra::{Matrix2x3, Point2, Point3, Unit, Vector3};
use serde::{Deserialize, Serialize};

use super::{CameraModel, ParameterJacobian, Projection};

/// `u = fx x/z + cx`, `v = fy y/z + cy`. Parameters: `fx, fy, cx, cy`, pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinhole {
    /// Focal length along x, pixels.
    pub fx: f64,
    /// Focal length along y, pixels.
    pub fy: f64,
    /// Principal point x, pixels.
    pub cx: f64,
    /// Principal point y, pixels.
    pub cy: f64,
}

impl CameraModel for Pinhole {
    fn project(&self, p: &Point3<f64>) -> Option<Point2<f64>> {
        (p.z > 0.0)
            .then(|| Point2::new(self.fx * p.x / p.z + self.cx, self.fy * p.y / p.z + self.cy))
    }

    fn project_with_jacobian(&self, p: &Point3<f64>) -> Option<(Point2<f64>, Matrix2x3<f64>)> {
        let pixel = self.project(p)?;
        let z_inverse = 1.0 / p.z;
        let (x, y) = (p.x * z_inverse, p.y * z_inverse);
        let (sx, sy) = (self.fx * z_inverse, self.fy * z_inverse);
        Some((pixel, Matrix2x3::new(sx, 0.0, -sx * x, 0.0, sy, -sy * y)))
    }

    fn project_with_jacobians(&self, p: &Point3<f64>) -> Option<Projection> {
        let (pixel, d_pixel_d_point) = self.project_with_jacobian(p)?;
        let (x, y) = (p.x / p.z, p.y / p.z);
        let d_pixel_d_parameters =
            ParameterJacobian::from_row_slice(&[x, 0.0, 1.0, 0.0, 0.0, y, 0.0, 1.0]);
        Some(Projection { pixel, d_pixel_d_point, d_pixel_d_parameters })
    }

    fn unproject(&self, pixel: &Point2<f64>) -> Option<Unit<Vector3<f64>>> {
        Some(Unit::new_normalize(Vector3::new(
            (pixel.x - self.cx) / self.fx,
            (pixel.y - self.cy) / self.fy,
            1.0,
        )))
    }

    fn parameters(&self) -> Vec<f64> {
        vec![self.fx, self.fy, self.cx, self.cy]
    }

    fn with_parameters(&self, parameters: &[f64]) -> Self {
        let [fx, fy, cx, cy] = parameters[..] else { panic!("a pinhole has 4 parameters") };
        Self { fx, fy, cx, cy }
    }
}
