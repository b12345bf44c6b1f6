//! What was left out, and why.

use std::collections::BTreeMap;

use ommatidia_scene::Skipped;
use serde::{Deserialize, Serialize};

/// Reasons that the odometry leaves data out or goes without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Reason {
    NoImages,
    MissingImage,
    RepeatedImages,
    NothingToFollow,
    NoCommonMotion,
    OutsidePrior,
    SmoothingFailed,
}

impl Reason {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoImages => ("frame", "no camera delivered an image; pose predicted"),
            Self::MissingImage => ("image", "not delivered; the frame's other cameras were used"),
            Self::RepeatedImages => {
                ("frame", "all images repeat the frame before, byte for byte; pose predicted")
            }
            Self::NothingToFollow => ("frame", "too little texture to follow; pose predicted"),
            Self::NoCommonMotion => ("frame", "too few points agree on a motion; pose predicted"),
            Self::OutsidePrior => ("frame", "outside the given trajectory; no prior used"),
            Self::SmoothingFailed => {
                ("keyframes", "smoothing did not improve them; left as driven")
            }
        }
    }
}

/// Counts by reason.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Account(BTreeMap<Reason, u64>);

impl Account {
    pub(super) fn add(&mut self, reason: Reason) {
        *self.0.entry(reason).or_default() += 1;
    }

    pub(super) fn count(&self, reason: Reason) -> u64 {
        self.0.get(&reason).copied().unwrap_or_default()
    }

    pub(super) fn skipped(&self) -> Vec<Skipped> {
        let entry = |(reason, &count): (&Reason, &u64)| {
            let (what, why) = reason.words();
            Skipped { what: what.to_owned(), why: why.to_owned(), count }
        };
        self.0.iter().map(entry).collect()
    }
}
