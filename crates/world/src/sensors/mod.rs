//! Sensors of motion: inertial unit, wheels, satellite navigation, with their errors.
//!
//! A drive's readings are made in one go, since biases and correlated errors wander over time. Each
//! sensor has random numbers of its own: changing one leaves the others as they were.

mod gnss;
mod imu;
#[cfg(test)]
mod tests;
mod wheels;

pub use gnss::Gnss;
pub use imu::Imu;
pub use wheels::Wheels;

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Duration, Ego, Pose, Timestamp, World, frames};
use ommatidia_scene::MotionReadings;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::motion::Motion;
use crate::noise::mix;

/// All sensors of motion of a vehicle.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MotionSensors {
    /// Inertial unit.
    pub imu: Imu,
    /// Wheel odometry.
    pub wheels: Wheels,
    /// Satellite navigation.
    pub gnss: Gnss,
}

/// Why sensors cannot be simulated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SensorError {
    /// A number is out of bounds.
    #[error("{sensor}: {field} is {value}; it must be {low} to {high}")]
    OutOfBounds {
        /// Which sensor.
        sensor: &'static str,
        /// Name of the field.
        field: &'static str,
        /// What it is.
        value: f64,
        /// Least that is accepted.
        low: f64,
        /// Most that is accepted.
        high: f64,
    },
}

/// The drive that sensors take part in.
#[derive(Clone, Copy)]
pub struct Journey<'a> {
    /// `site_from_ego` over time; z of the site points up.
    pub ego: &'a Motion<Ego>,
    /// From the site's world to the clip's, in which positions are reported.
    pub world_from_site: Pose<World, World>,
    /// Mounting of the inertial unit; without it there are no readings of it.
    pub ego_from_imu: Option<Pose<Ego, frames::Imu>>,
    /// From time 0 on, seconds.
    pub duration_s: f64,
    /// Share of the sky that buildings hide from a point of the site, 0 to 1: where signals are reflected
    /// or lost.
    pub sky_blocked: &'a (dyn Fn(&Point3<f64>) -> f64 + Sync),
}

impl MotionSensors {
    /// All readings of a drive, in ascending time.
    ///
    /// # Errors
    /// A number of the configuration is out of bounds.
    pub fn record(&self, journey: &Journey<'_>, seed: u64) -> Result<MotionReadings, SensorError> {
        self.imu.check()?;
        self.wheels.check()?;
        self.gnss.check()?;
        let of = |salt: u64| mix(seed ^ mix(salt));
        Ok(MotionReadings {
            imu: self.imu.record(journey, of(0x1b0)),
            wheels: self.wheels.record(journey, of(0x3e1)),
            gnss: self.gnss.record(journey, of(0x695)),
        })
    }
}

/// The readings later than `after` up to `until`: what a frame at `until` holds.
pub fn between(all: &MotionReadings, after: Timestamp, until: Timestamp) -> MotionReadings {
    fn part<T: Copy>(
        all: &[T],
        time: impl Fn(&T) -> Timestamp,
        [after, until]: [Timestamp; 2],
    ) -> Vec<T> {
        let from = all.partition_point(|reading| time(reading) <= after);
        let to = all.partition_point(|reading| time(reading) <= until);
        all[from..to.max(from)].to_vec()
    }
    MotionReadings {
        imu: part(&all.imu, |reading| reading.timestamp, [after, until]),
        wheels: part(&all.wheels, |reading| reading.timestamp, [after, until]),
        gnss: part(&all.gnss, |reading| reading.timestamp, [after, until]),
    }
}

/// Half the time over which motion is differentiated, seconds: sensors filter above some 10 Hz, and keyed
/// motion has steps of velocity.
const HALF_STEP_S: f64 = 0.05;

impl Journey<'_> {
    /// Times of a sensor with this rate, from 0 to the end.
    fn times(&self, rate_hz: f64) -> impl Iterator<Item = (f64, Timestamp)> + use<> {
        let count = (self.duration_s * rate_hz + 1e-9).floor().max(0.0) as usize + 1;
        (0..count).map(move |i| {
            let time_s = i as f64 / rate_hz;
            (time_s, Timestamp::default() + Duration::from_secs_f64(time_s))
        })
    }

    /// A time whose neighbours are within the drive: motion stands outside of it.
    fn inner(&self, time_s: f64) -> f64 {
        let last = (self.duration_s - HALF_STEP_S).max(HALF_STEP_S);
        time_s.clamp(HALF_STEP_S, last)
    }

    /// Velocity of the ego frame's origin in `Ego`, m/s, and its turn about z, rad/s.
    fn velocity(&self, time_s: f64) -> (Vector3<f64>, f64) {
        let time_s = self.inner(time_s);
        let (before, after) =
            (self.ego.at(time_s - HALF_STEP_S), self.ego.at(time_s + HALF_STEP_S));
        let moved = (after.translation - before.translation) / (2.0 * HALF_STEP_S);
        let turned =
            (before.rotation.inverse() * after.rotation).scaled_axis() / (2.0 * HALF_STEP_S);
        let ego_from_site = self.ego.at(time_s).inverse();
        (ego_from_site.rotate(&moved), turned.z)
    }
}

fn bounded(
    sensor: &'static str,
    bounds: &[(&'static str, f64, f64, f64)],
) -> Result<(), SensorError> {
    for &(field, value, low, high) in bounds {
        // Also catches NaN.
        if !(low..=high).contains(&value) {
            return Err(SensorError::OutOfBounds { sensor, field, value, low, high });
        }
    }
    Ok(())
}
