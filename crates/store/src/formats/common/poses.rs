//! Handing out a drive's poses frame by frame.

use ommatidia_geometry::Timestamp;
use ommatidia_scene::PoseSample;

/// Samples in ascending time, given away front to back.
pub(crate) struct PoseQueue {
    samples: Vec<PoseSample>,
    given: usize,
}

impl PoseQueue {
    /// From samples in any order; of several at one time the first stays.
    pub(crate) fn new(mut samples: Vec<PoseSample>) -> Self {
        samples.sort_by_key(|sample| sample.timestamp);
        samples.dedup_by_key(|sample| sample.timestamp);
        Self { samples, given: 0 }
    }

    /// The samples not given yet, up to and with `end`.
    pub(crate) fn until(&mut self, end: Timestamp) -> Vec<PoseSample> {
        let rest = &self.samples[self.given..];
        let taken = rest[..rest.partition_point(|sample| sample.timestamp <= end)].to_vec();
        self.given += taken.len();
        taken
    }
}
