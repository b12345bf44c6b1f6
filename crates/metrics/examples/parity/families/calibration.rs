//! Confidences, and calibrations of cameras.

use ommatidia_geometry::{Camera, Ego, Intrinsics, Pose};
use ommatidia_metrics::calibration::{
    ConfidenceProtocol, Observation, evaluate_confidences, pose_error, reprojection,
};
use serde::Deserialize;
use serde_json::Value;

use super::{Figures, parse};

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Confidences {
        confidences: Vec<f64>,
        right: Vec<bool>,
        bins: usize,
    },
    Reprojection {
        intrinsics: Intrinsics,
        points: Vec<[f64; 3]>,
        pixels: Vec<[f64; 2]>,
    },
    /// Row-major 3x4 matrices.
    Poses {
        true_pose: Vec<f64>,
        pose: Vec<f64>,
    },
}

pub(super) fn run(input: Value) -> Result<Figures, String> {
    let figures = match parse(input)? {
        Input::Confidences { confidences, right, bins } => {
            let report = evaluate_confidences(&confidences, &right, &ConfidenceProtocol { bins })
                .map_err(|e| e.to_string())?;
            vec![
                ("ECE", report.ece),
                ("MCE", report.mce),
                ("RMSCE", report.rmsce),
                ("Brier", report.brier),
                ("log loss", report.log_loss),
            ]
        }
        Input::Reprojection { intrinsics, points, pixels } => {
            let observations: Vec<Observation> = points
                .into_iter()
                .zip(pixels)
                .map(|(p_in_camera, pixel)| Observation { p_in_camera, pixel })
                .collect();
            let report = reprojection(&intrinsics, &observations).map_err(|e| e.to_string())?;
            vec![("reprojection_rms_px", report.rms_px)]
        }
        Input::Poses { true_pose, pose } => {
            let read = |row: &[f64]| {
                Pose::<Ego, Camera>::from_row_major(row).ok_or_else(|| "no pose".to_owned())
            };
            let found = pose_error(&read(&true_pose)?, &read(&pose)?);
            vec![
                ("rotation_deg", found.rotation_deg),
                ("translation_m", found.translation_m),
                ("direction_deg", found.direction_deg.unwrap_or(f64::NAN)),
            ]
        }
    };
    Ok(figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
