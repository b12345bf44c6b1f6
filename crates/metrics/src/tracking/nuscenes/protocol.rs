//! Settings of nuScenes tracking.

use serde::{Deserialize, Serialize};

use crate::Protocol;

/// Most recalls; the matches of a class are walked once for each.
const MAX_THRESHOLDS: usize = 1000;

/// Settings of nuScenes tracking; [`Protocol::named`] has `tracking_nips_2019`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmotaProtocol {
    /// A prediction may match a box closer than this in the ground plane, metres.
    pub matching_distance_m: f64,
    /// The least recall that counts.
    pub min_recall: f64,
    /// Number of recalls from there to 1.
    pub thresholds: usize,
    /// Most predictions of a sample.
    pub max_boxes_per_sample: usize,
    /// MOTAR of a recall that is not reached.
    pub worst_amota: f64,
    /// MOTP of a recall that is not reached, metres.
    pub worst_amotp_m: f64,
    /// False alarms per hundred frames where nothing is found.
    pub worst_false_alarms: f64,
    /// Time to the first match, and longest gap, where nothing is found, seconds.
    pub worst_duration_s: f64,
    /// Classes.
    pub classes: Vec<TrackedClass>,
}

/// Settings of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackedClass {
    /// Its name.
    pub name: String,
    /// Boxes this far from the ego vehicle or farther do not count, metres in the ground plane.
    pub range_m: f64,
    /// Boxes whose centre lies in a bicycle rack do not count.
    #[serde(default)]
    pub not_in_bicycle_racks: bool,
}

impl Protocol for AmotaProtocol {
    const KIND: &'static str = "tracking";
    const NAMED: &'static [(&'static str, &'static str)] =
        &[("tracking_nips_2019", include_str!("../../../protocols/tracking_nips_2019.toml"))];

    fn check(&self) -> Result<(), String> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if self.classes.is_empty() {
            return Err("needs at least one class".to_owned());
        }
        if !(2..=MAX_THRESHOLDS).contains(&self.thresholds) {
            let found = self.thresholds;
            return Err(format!("thresholds is {found}; choose 2 to {MAX_THRESHOLDS}"));
        }
        if !positive(self.matching_distance_m) || !(0.0..1.0).contains(&self.min_recall) {
            return Err("matching_distance_m must be positive, min_recall in [0, 1)".to_owned());
        }
        for (i, class) in self.classes.iter().enumerate() {
            if self.classes[..i].iter().any(|other| other.name == class.name) {
                return Err(format!("class {:?} occurs twice", class.name));
            }
            if !positive(class.range_m) {
                return Err(format!("class {:?}: the range must be positive", class.name));
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
        crate::protocol::check_named::<AmotaProtocol>();
    }

    #[test]
    fn the_number_of_thresholds_is_bounded() {
        let named = AmotaProtocol::parse("p", AmotaProtocol::NAMED[0].1).unwrap();
        let check = |thresholds, fits| {
            let found = AmotaProtocol { thresholds, ..named.clone() }.check();
            assert_eq!(found.is_ok(), fits, "{thresholds}: {found:?}");
        };
        check(1, false);
        check(2, true);
        check(MAX_THRESHOLDS, true);
        check(MAX_THRESHOLDS + 1, false);
    }
}
