//! Distances between seen and projected points.

use nalgebra::Point3;
use ommatidia_geometry::{CameraModel, Intrinsics};
use serde::Serialize;

use crate::Error;

/// A known point, seen by a camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The point in the camera's frame, metres.
    pub p_in_camera: [f64; 3],
    /// Where it was seen, pixels.
    pub pixel: [f64; 2],
}

/// Reprojection errors, pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReprojectionReport {
    /// Root of the mean square distance over points: what OpenCV's `calibrateCamera` returns.
    pub rms_px: f64,
    /// Mean distance.
    pub mean_px: f64,
    /// Largest distance.
    pub max_px: f64,
    /// Points compared.
    pub points: usize,
    /// Points that the model does not project, such as those behind a pinhole; they are left out.
    pub skipped: usize,
}

/// Compares observations with where a camera projects them.
///
/// # Errors
/// A number that is not finite, or no point that the camera projects.
pub fn reprojection(
    intrinsics: &Intrinsics,
    observations: &[Observation],
) -> Result<ReprojectionReport, Error> {
    let is_bad = |o: &Observation| o.p_in_camera.iter().chain(&o.pixel).any(|x| !x.is_finite());
    if let Some(row) = observations.iter().position(is_bad) {
        return Err(Error::row("prediction", format!("observation {row}"), "is not finite"));
    }
    let distance = |o: &Observation| {
        let projected = intrinsics.project(&Point3::from(o.p_in_camera))?;
        Some((projected.x - o.pixel[0]).hypot(projected.y - o.pixel[1]))
    };
    let found: Vec<f64> = observations.iter().filter_map(distance).collect();
    if found.is_empty() {
        let what = format!("none of {} points is in view", observations.len());
        return Err(Error::row("prediction", "camera", what));
    }
    let n = found.len() as f64;
    Ok(ReprojectionReport {
        rms_px: (found.iter().map(|d| d * d).sum::<f64>() / n).sqrt(),
        mean_px: found.iter().sum::<f64>() / n,
        max_px: found.iter().copied().fold(0.0, f64::max),
        points: found.len(),
        skipped: observations.len() - found.len(),
    })
}
