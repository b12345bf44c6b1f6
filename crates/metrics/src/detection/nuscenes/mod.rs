//! nuScenes detection: mAP by centre distance, five errors of true positives, NDS.
//!
//! Caesar et al. 2020, section 3.1; `nuscenes.eval.detection` of nuscenes-devkit 1.2.0, number for number.

mod protocol;

pub use protocol::{DetectionClass, DetectionProtocol, TruePositiveError};
