//! Minimal and least-squares solvers, on bearings (unit rays in a camera's frame), so that they
//! serve every central camera model. Only [`fundamental`] speaks pixels: it is for unknown
//! calibration.
//!
//! Each solver answers [`crate::Error`] to too few, non-finite or degenerate data and never panics
//! on them. An angle on bearings stands for pixels divided by the focal length.

mod levenberg;
mod linear;
mod polynomial;
#[cfg(test)]
pub(crate) mod testing;

pub mod essential;
pub mod fundamental;
pub mod homography;
pub mod p3p;
pub mod pnp;
pub mod relative_pose;
pub mod rotation;
pub mod umeyama;

pub use essential::{decompose_essential, essential_matrix, five_point, nearest_essential};
pub use fundamental::{PixelPair, eight_point, sampson_px, seven_point};
pub use homography::{Homography, PlaneMotion, homography};
pub use p3p::p3p;
pub(crate) use pnp::angle_rad;
pub use pnp::{PoseRefinementConfig, RefinedPose, RigObservation, refine_pose};
pub use relative_pose::{RelativePose, relative_poses};
pub use rotation::rotation_between;
pub use umeyama::{ScaleMode, Similarity, umeyama};

use nalgebra::{Point3, Unit, Vector3};

use crate::Error;

/// One scene point seen twice: its rays in the first and in the second camera's frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BearingPair {
    /// Ray in the first camera.
    pub first: Unit<Vector3<f64>>,
    /// Ray in the second camera.
    pub second: Unit<Vector3<f64>>,
}

/// A known point (metres, in the frame whose pose is sought) and the ray under which it is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointBearing {
    /// Metres.
    pub point: Point3<f64>,
    /// Ray in the camera.
    pub bearing: Unit<Vector3<f64>>,
}

impl BearingPair {
    /// From two vectors of any positive length; `None` if one is zero or not finite.
    pub fn new(first: Vector3<f64>, second: Vector3<f64>) -> Option<Self> {
        Some(Self { first: direction(first)?, second: direction(second)? })
    }

    fn is_finite(&self) -> bool {
        self.first.iter().chain(self.second.iter()).all(|x| x.is_finite())
    }
}

impl PointBearing {
    fn is_finite(&self) -> bool {
        self.point.iter().chain(self.bearing.iter()).all(|x| x.is_finite())
    }
}

fn direction(v: Vector3<f64>) -> Option<Unit<Vector3<f64>>> {
    let norm = v.norm();
    (norm.is_finite() && norm > 0.0).then(|| Unit::new_unchecked(v / norm))
}

/// Enough data, all of them finite.
fn check_data<T>(
    estimator: &'static str,
    data: &[T],
    need: usize,
    is_finite: impl Fn(&T) -> bool,
) -> Result<(), Error> {
    if data.len() < need {
        return Err(Error::TooFewData { estimator, have: data.len(), need });
    }
    match data.iter().position(|datum| !is_finite(datum)) {
        Some(index) => Err(Error::NotFinite { estimator, index }),
        None => Ok(()),
    }
}
