//! Errors of calibrations, and of confidences.

mod confidence;
mod extrinsics;
mod reprojection;

pub use confidence::{Bin, ConfidenceProtocol, ConfidenceReport, evaluate_confidences};
pub use extrinsics::{IntrinsicsError, PoseError, intrinsics_error, pose_error};
pub use reprojection::{Observation, ReprojectionReport, reprojection};
