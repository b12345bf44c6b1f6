//! Handing out a drive's poses frame by frame.

use ommatidia_geometry::{Ego, Pose, Timestamp, World};
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

    /// All samples, in ascending time.
    pub(crate) fn into_samples(self) -> Vec<PoseSample> {
        self.samples
    }

    /// The pose at a time, interpolated; outside the samples' span the closest one.
    pub(crate) fn at(&self, timestamp: Timestamp) -> Option<Pose<World, Ego>> {
        let after = self.samples.partition_point(|sample| sample.timestamp < timestamp);
        let next = self.samples.get(after).or(self.samples.last())?;
        let previous = &self.samples[after.saturating_sub(1)];
        let span = (next.timestamp - previous.timestamp).as_secs_f64();
        if span <= 0.0 || next.timestamp <= timestamp {
            return Some(next.world_from_ego);
        }
        let share = (timestamp - previous.timestamp).as_secs_f64() / span;
        Some(previous.world_from_ego.interpolate(&next.world_from_ego, share.max(0.0)))
    }

    /// The samples not given yet, up to and with `end`.
    pub(crate) fn until(&mut self, end: Timestamp) -> Vec<PoseSample> {
        let rest = &self.samples[self.given..];
        let taken = rest[..rest.partition_point(|sample| sample.timestamp <= end)].to_vec();
        self.given += taken.len();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{UnitQuaternion, Vector3};

    fn queue(times: &[i64]) -> PoseQueue {
        let sample = |&time: &i64| PoseSample {
            timestamp: Timestamp(time),
            world_from_ego: Pose::new(
                UnitQuaternion::identity(),
                Vector3::new(time as f64, 0.0, 0.0),
            ),
        };
        PoseQueue::new(times.iter().map(sample).collect())
    }

    #[test]
    fn gives_each_sample_once_in_order() {
        let mut queue = queue(&[30, 10, 20, 10]);
        let times = |samples: Vec<PoseSample>| -> Vec<i64> {
            samples.iter().map(|sample| sample.timestamp.0).collect()
        };
        assert_eq!(times(queue.until(Timestamp(20))), [10, 20]);
        assert!(queue.until(Timestamp(25)).is_empty());
        assert_eq!(times(queue.until(Timestamp(90))), [30]);
    }

    #[test]
    fn interpolates_and_stops_at_the_ends() {
        let queue = queue(&[10, 20, 30]);
        for (time, expected) in
            [(5, 10.0), (10, 10.0), (14, 14.0), (20, 20.0), (29, 29.0), (40, 30.0)]
        {
            let x = queue.at(Timestamp(time)).unwrap().translation.x;
            assert!((x - expected).abs() < 1e-9, "{time}: {x}");
        }
        assert!(PoseQueue::new(Vec::new()).at(Timestamp(0)).is_none());
    }
}
