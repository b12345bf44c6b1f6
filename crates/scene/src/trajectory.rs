//! The ego vehicle's path.

use ommatidia_geometry::{Duration, Ego, Pose, Timestamp, World};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Who says where the vehicle was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoseSource {
    /// Came with the recording, made by someone else.
    Dataset,
    /// Satellite navigation, possibly with inertial aiding.
    Gnss,
    /// Wheel odometry.
    Wheel,
    /// Estimated from the images by `omma label`.
    Odometry,
    /// Exact, from a simulator.
    Simulation,
}

/// What fixes the length of a metre in a trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Baselines between cameras, lidar, wheels or satellites.
    Metric,
    /// The known height of the cameras over flat ground.
    CameraHeight,
    /// Nothing: lengths are right up to one unknown factor.
    Unknown,
}

/// Where the vehicle was at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PoseSample {
    /// When.
    pub timestamp: Timestamp,
    /// Where.
    pub world_from_ego: Pose<World, Ego>,
}

/// Poses in strictly ascending time.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// Who says so.
    pub source: PoseSource,
    /// What fixes its scale.
    pub scale: Scale,
    samples: Vec<PoseSample>,
}

/// Why poses make no trajectory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrajectoryError {
    /// Time stands still or runs backwards.
    #[error(
        "pose {index} at {timestamp} s is not after the one before it; sort the poses by time and drop repeats"
    )]
    NotAscending {
        /// Which pose, from 0.
        index: usize,
        /// Its time.
        timestamp: Timestamp,
    },
    /// NaN or infinity.
    #[error("pose {index} at {timestamp} s holds a number that is not finite")]
    NotFinite {
        /// Which pose, from 0.
        index: usize,
        /// Its time.
        timestamp: Timestamp,
    },
}

impl Trajectory {
    /// From samples in ascending time.
    ///
    /// # Errors
    /// A pose that is not finite or not after its predecessor.
    pub fn new(
        source: PoseSource,
        scale: Scale,
        samples: Vec<PoseSample>,
    ) -> Result<Self, TrajectoryError> {
        for (index, sample) in samples.iter().enumerate() {
            let timestamp = sample.timestamp;
            if !sample.world_from_ego.is_finite() {
                return Err(TrajectoryError::NotFinite { index, timestamp });
            }
            if index > 0 && samples[index - 1].timestamp >= timestamp {
                return Err(TrajectoryError::NotAscending { index, timestamp });
            }
        }
        Ok(Self { source, scale, samples })
    }

    /// The samples, ascending in time.
    pub fn samples(&self) -> &[PoseSample] {
        &self.samples
    }

    /// The pose at a time, interpolated on SE(3) between neighbours; `None` outside the samples' span.
    pub fn at(&self, timestamp: Timestamp) -> Option<Pose<World, Ego>> {
        let after = self.samples.partition_point(|sample| sample.timestamp < timestamp);
        let next = self.samples.get(after)?;
        if next.timestamp == timestamp {
            return Some(next.world_from_ego);
        }
        let previous = &self.samples[after.checked_sub(1)?];
        let span = (next.timestamp - previous.timestamp).as_secs_f64();
        let share = (timestamp - previous.timestamp).as_secs_f64() / span;
        Some(previous.world_from_ego.interpolate(&next.world_from_ego, share))
    }

    /// Like [`Self::at`], and up to `reach` before the first and after the last sample at the speed there.
    /// Sensors of one frame are exposed at slightly different times, so the last frame's may lie outside.
    pub fn near(&self, timestamp: Timestamp, reach: Duration) -> Option<Pose<World, Ego>> {
        if let Some(pose) = self.at(timestamp) {
            return Some(pose);
        }
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        let before = timestamp < first.timestamp;
        let gap = if before { first.timestamp - timestamp } else { timestamp - last.timestamp };
        if gap > reach {
            return None;
        }
        let end = if before {
            self.samples.get(..2)
        } else {
            self.samples.get(self.samples.len().wrapping_sub(2)..)
        };
        let Some([a, b]) = end else { return Some(first.world_from_ego) };
        let share =
            (timestamp - a.timestamp).as_secs_f64() / (b.timestamp - a.timestamp).as_secs_f64();
        Some(a.world_from_ego.interpolate(&b.world_from_ego, share))
    }

    /// How far outside a trajectory's span sensors are still placed: a rig's cameras and lidars are
    /// exposed within this of each other.
    pub const REACH: Duration = Duration(200_000_000);

    /// The vehicle's motion between two times, each at most [`Self::REACH`] outside the span.
    pub fn motion(&self, from: Timestamp, to: Timestamp) -> Option<Pose<Ego, Ego>> {
        Some(self.near(from, Self::REACH)?.inverse() * self.near(to, Self::REACH)?)
    }

    /// Length of the path through all samples, metres.
    pub fn path_m(&self) -> f64 {
        let step = |pair: &[PoseSample]| {
            (pair[1].world_from_ego.translation - pair[0].world_from_ego.translation).norm()
        };
        self.samples.windows(2).map(step).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Vector3;
    use ommatidia_geometry::so3;

    fn sample(time: i64, x: f64, yaw_rad: f64) -> PoseSample {
        let rotation = so3::exp(&Vector3::new(0.0, 0.0, yaw_rad));
        PoseSample {
            timestamp: Timestamp(time),
            world_from_ego: Pose::new(rotation, Vector3::new(x, 0.0, 0.0)),
        }
    }

    fn build(samples: Vec<PoseSample>) -> Result<Trajectory, TrajectoryError> {
        Trajectory::new(PoseSource::Dataset, Scale::Metric, samples)
    }

    #[test]
    fn interpolates_between_and_not_beyond() {
        let path =
            build(vec![sample(0, 0.0, 0.0), sample(10, 2.0, 0.0), sample(30, 2.0, 0.4)]).unwrap();
        assert_eq!(path.at(Timestamp(5)).unwrap().translation.x, 1.0);
        assert!((path.at(Timestamp(20)).unwrap().rotation.angle() - 0.2).abs() < 1e-12);
        assert_eq!(path.at(Timestamp(30)).unwrap(), path.samples()[2].world_from_ego);
        assert!(path.at(Timestamp(-1)).is_none() && path.at(Timestamp(31)).is_none());
        assert!((path.path_m() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn reaches_a_little_beyond_its_ends_at_the_speed_there() {
        let path =
            build(vec![sample(0, 0.0, 0.0), sample(10, 2.0, 0.0), sample(20, 5.0, 0.0)]).unwrap();
        let x = |time: i64| path.near(Timestamp(time), Duration(5)).map(|pose| pose.translation.x);
        for (time, expected) in
            [(-5, Some(-1.0)), (-6, None), (5, Some(1.0)), (24, Some(6.2)), (26, None)]
        {
            match (x(time), expected) {
                (Some(x), Some(expected)) => assert!((x - expected).abs() < 1e-12, "{x} at {time}"),
                (x, expected) => assert_eq!(x, expected, "at {time}"),
            }
        }
        let moved = path.motion(Timestamp(5), Timestamp(24)).unwrap();
        assert!((moved.translation.x - 5.2).abs() < 1e-12);
        let parked = build(vec![sample(0, 3.0, 0.0)]).unwrap();
        assert_eq!(parked.near(Timestamp(4), Duration(5)).unwrap().translation.x, 3.0);
    }

    #[test]
    fn bad_samples_are_named() {
        let twice = build(vec![sample(0, 0.0, 0.0), sample(0, 1.0, 0.0)]);
        assert_eq!(twice, Err(TrajectoryError::NotAscending { index: 1, timestamp: Timestamp(0) }));
        let nan = build(vec![sample(7, f64::NAN, 0.0)]);
        assert_eq!(nan, Err(TrajectoryError::NotFinite { index: 0, timestamp: Timestamp(7) }));
    }
}
