//! Settings of KITTI object detection.

use serde::{Deserialize, Serialize};

use crate::Protocol;

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
        if self.recall_steps == 0 || !self.recall_steps.is_multiple_of(10) {
            return Err("recall_steps must be a multiple of 10".to_owned());
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
    #[test]
    fn named_protocols_are_valid() {
        crate::protocol::check_named::<super::KittiProtocol>();
    }
}
