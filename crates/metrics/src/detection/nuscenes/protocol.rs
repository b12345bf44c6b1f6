//! Settings of nuScenes detection.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use crate::Protocol;
use crate::detection::check_matching_distances;

/// An error of true positives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TruePositiveError {
    /// Distance of the centres in the ground plane, metres (ATE).
    Translation,
    /// 1 - IoU of the boxes after aligning place and orientation (ASE).
    Scale,
    /// Smallest angle between the headings, radians (AOE).
    Orientation,
    /// Distance of the velocities in the ground plane, m/s (AVE).
    Velocity,
    /// 1 - share of right attributes (AAE).
    Attribute,
}

impl TruePositiveError {
    /// All, in the devkit's order.
    pub const ALL: [Self; 5] =
        [Self::Translation, Self::Scale, Self::Orientation, Self::Velocity, Self::Attribute];
}

/// Settings of nuScenes detection; [`Protocol::named`] has `detection_cvpr_2019`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionProtocol {
    /// A prediction matches a box closer than this in the ground plane, metres; one average precision for each.
    pub matching_distances_m: Vec<f64>,
    /// The one whose matches the errors are taken of.
    pub error_matching_distance_m: f64,
    /// Recalls up to this do not count.
    pub min_recall: f64,
    /// Precision up to this does not count.
    pub min_precision: f64,
    /// Most predictions of a sample.
    pub max_boxes_per_sample: usize,
    /// Weight of mAP in NDS; each of the five errors has 1.
    pub mean_ap_weight: f64,
    /// Attributes that boxes may have.
    pub attributes: Vec<String>,
    /// Classes, in the order of the report.
    pub classes: Vec<DetectionClass>,
}

/// Settings of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionClass {
    /// Its name.
    pub name: String,
    /// Boxes this far from the ego vehicle or farther do not count, metres in the ground plane.
    pub range_m: f64,
    /// Boxes whose centre lies in a bicycle rack do not count.
    #[serde(default)]
    pub not_in_bicycle_racks: bool,
    /// Headings that differ by this are equal: half a turn for what has no front.
    #[serde(default = "full_turn")]
    pub orientation_period_rad: f64,
    /// Errors that have no meaning for the class.
    #[serde(default)]
    pub undefined_errors: Vec<TruePositiveError>,
}

fn full_turn() -> f64 {
    TAU
}

impl Protocol for DetectionProtocol {
    const KIND: &'static str = "detection";
    const NAMED: &'static [(&'static str, &'static str)] =
        &[("detection_cvpr_2019", include_str!("../../../protocols/detection_cvpr_2019.toml"))];

    fn check(&self) -> Result<(), String> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if self.classes.is_empty() {
            return Err("needs at least one class".to_owned());
        }
        check_matching_distances(&self.matching_distances_m)?;
        if !self.matching_distances_m.contains(&self.error_matching_distance_m) {
            return Err("error_matching_distance_m must be one of matching_distances_m".to_owned());
        }
        if !(0.0..1.0).contains(&self.min_precision) || !(0.0..1.0).contains(&self.min_recall) {
            return Err("min_recall and min_precision must be in [0, 1)".to_owned());
        }
        if !(self.mean_ap_weight.is_finite() && self.mean_ap_weight >= 0.0) {
            return Err("mean_ap_weight must not be negative".to_owned());
        }
        for (i, class) in self.classes.iter().enumerate() {
            if self.classes[..i].iter().any(|other| other.name == class.name) {
                return Err(format!("class {:?} occurs twice", class.name));
            }
            if !positive(class.range_m) || !positive(class.orientation_period_rad) {
                return Err(format!("class {:?}: range and period must be positive", class.name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_protocols_are_valid() {
        crate::protocol::check_named::<DetectionProtocol>();
    }

    #[test]
    fn contradictions_are_refused() {
        let text = DetectionProtocol::NAMED[0].1;
        let check = |from: &str, to: &str, expected: &str| {
            assert!(text.contains(from), "{from}");
            let cause = DetectionProtocol::parse("p", &text.replacen(from, to, 1)).unwrap_err();
            assert!(cause.to_string().contains(expected), "{cause}");
        };
        check(
            "error_matching_distance_m = 2.0",
            "error_matching_distance_m = 3.0",
            "must be one of",
        );
        check("name = \"truck\"", "name = \"car\"", "occurs twice");
        check("range_m = 50.0", "range_m = -1.0", "must be positive");
        check("min_precision = 0.1", "min_precision = 1.0", "[0, 1)");
    }
}
