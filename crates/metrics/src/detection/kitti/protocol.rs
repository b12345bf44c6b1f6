//! Settings of KITTI object detection.

use serde::{Deserialize, Serialize};

use crate::Protocol;

/// Most steps of recall; precision is sampled at each.
const MAX_RECALL_STEPS: usize = 1000;

/// Settings of KITTI object detection; [`Protocol::named`] has `kitti_object`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KittiProtocol {
    /// Steps from recall 0 to 1 at which precision is sampled; a multiple of ten.
    pub recall_steps: usize,
    /// What counts, from easy to hard.
    pub difficulties: Vec<Difficulty>,
    /// Classes.
    pub classes: Vec<KittiClass>,
}

/// True boxes that count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difficulty {
    /// Its name.
    pub name: String,
    /// Higher than this in the image, pixels; lower predictions are neither right nor wrong.
    pub min_height_px: f64,
    /// Occluded at most this much, 0 to 3.
    pub max_occlusion: i32,
    /// Truncated at most this much, 0 to 1.
    pub max_truncation: f64,
}

/// Settings of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KittiClass {
    /// Its name.
    pub name: String,
    /// Classes so alike that finding them is neither right nor wrong.
    pub neighbours: Vec<String>,
    /// A match overlaps more than this.
    pub min_overlap: f64,
}

impl Protocol for KittiProtocol {
    const KIND: &'static str = "KITTI detection";
    const NAMED: &'static [(&'static str, &'static str)] =
        &[("kitti_object", include_str!("../../../protocols/kitti_object.toml"))];

    fn check(&self) -> Result<(), String> {
        let steps = self.recall_steps;
        if !(10..=MAX_RECALL_STEPS).contains(&steps) || !steps.is_multiple_of(10) {
            return Err(format!(
                "recall_steps is {steps}; choose a multiple of 10 up to {MAX_RECALL_STEPS}"
            ));
        }
        if self.difficulties.is_empty() || self.classes.is_empty() {
            return Err("needs at least one difficulty and one class".to_owned());
        }
        match self.classes.iter().find(|class| !(0.0..1.0).contains(&class.min_overlap)) {
            Some(class) => Err(format!("class {:?}: min_overlap must be in [0, 1)", class.name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_protocols_are_valid() {
        crate::protocol::check_named::<KittiProtocol>();
    }

    #[test]
    fn the_number_of_recall_steps_is_bounded() {
        let named = KittiProtocol::parse("p", KittiProtocol::NAMED[0].1).unwrap();
        let check = |recall_steps, fits| {
            let found = KittiProtocol { recall_steps, ..named.clone() }.check();
            assert_eq!(found.is_ok(), fits, "{recall_steps}: {found:?}");
        };
        check(0, false);
        check(11, false);
        check(40, true);
        check(MAX_RECALL_STEPS, true);
        check(MAX_RECALL_STEPS + 10, false);
    }
}
