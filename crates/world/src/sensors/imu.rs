//! The inertial unit.

use nalgebra::Vector3;
use ommatidia_geometry::{Pose, World, frames};
use ommatidia_scene::ImuSample;
use serde::{Deserialize, Serialize};

use super::{HALF_STEP_S, Journey, SensorError, bounded};
use crate::noise::{Stream, mix};

/// Standard gravity, m/s².
const GRAVITY_M_S2: f64 = 9.806_65;

/// Accelerometer and gyroscope: white noise on a bias that walks (Woodman 2007, sections 3.2 and 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Imu {
    /// Readings a second.
    pub rate_hz: f64,
    /// White noise of the accelerometer, m/s² / sqrt(Hz).
    pub acceleration_noise: f64,
    /// Random walk of its bias, m/s³ / sqrt(Hz).
    pub acceleration_walk: f64,
    /// Standard deviation of its bias at the start, m/s².
    pub acceleration_bias: f64,
    /// White noise of the gyroscope, rad/s / sqrt(Hz).
    pub gyro_noise: f64,
    /// Random walk of its bias, rad/s² / sqrt(Hz).
    pub gyro_walk: f64,
    /// Standard deviation of its bias at the start, rad/s.
    pub gyro_bias: f64,
}

impl Default for Imu {
    /// Noise and walk as measured on the BMI160 of TUM VI (Schubert et al. 2018, Allan deviations);
    /// biases of that chip's data sheet (40 mg and 3 degrees/s zero offset), a tenth left by calibration.
    fn default() -> Self {
        Self {
            rate_hz: 100.0,
            acceleration_noise: 1.4e-3,
            acceleration_walk: 8.6e-5,
            acceleration_bias: 0.04,
            gyro_noise: 8.0e-5,
            gyro_walk: 2.2e-6,
            gyro_bias: 0.005,
        }
    }
}

/// A bias that walks, with white noise on it.
struct Drift {
    bias: Vector3<f64>,
    step: f64,
    white: f64,
    stream: Stream,
}

impl Drift {
    fn new(start: f64, walk: f64, noise: f64, rate_hz: f64, seed: u64) -> Self {
        let mut stream = Stream::new(seed);
        let bias = Vector3::from_fn(|_, _| start * stream.normal());
        Self { bias, step: walk / rate_hz.sqrt(), white: noise * rate_hz.sqrt(), stream }
    }

    fn next(&mut self) -> Vector3<f64> {
        let stream = &mut self.stream;
        self.bias += Vector3::from_fn(|_, _| self.step * stream.normal());
        self.bias + Vector3::from_fn(|_, _| self.white * stream.normal())
    }
}

impl Imu {
    pub(super) fn check(&self) -> Result<(), SensorError> {
        bounded(
            "imu",
            &[
                ("rate_hz", self.rate_hz, 1.0, 2000.0),
                ("acceleration_noise", self.acceleration_noise, 0.0, 10.0),
                ("acceleration_walk", self.acceleration_walk, 0.0, 10.0),
                ("acceleration_bias", self.acceleration_bias, 0.0, 10.0),
                ("gyro_noise", self.gyro_noise, 0.0, 10.0),
                ("gyro_walk", self.gyro_walk, 0.0, 10.0),
                ("gyro_bias", self.gyro_bias, 0.0, 10.0),
            ],
        )
    }

    pub(super) fn record(&self, journey: &Journey<'_>, seed: u64) -> Vec<ImuSample> {
        let Some(ego_from_imu) = journey.ego_from_imu else {
            return Vec::new();
        };
        let rate = self.rate_hz;
        let mut acceleration = Drift::new(
            self.acceleration_bias,
            self.acceleration_walk,
            self.acceleration_noise,
            rate,
            mix(seed ^ 1),
        );
        let mut turn =
            Drift::new(self.gyro_bias, self.gyro_walk, self.gyro_noise, rate, mix(seed ^ 2));
        let reading = |(time_s, timestamp)| {
            let (force, rate) = felt(journey, ego_from_imu, time_s);
            ImuSample {
                timestamp,
                acceleration_m_s2: (force + acceleration.next()).into(),
                angular_velocity_rad_s: (rate + turn.next()).into(),
            }
        };
        journey.times(self.rate_hz).map(reading).collect()
    }
}

/// Specific force (m/s²) and angular velocity (rad/s) in the frame `Imu`, by central differences of its
/// own path: the lever arm to the rear axle is in it.
fn felt(
    journey: &Journey<'_>,
    ego_from_imu: Pose<ommatidia_geometry::Ego, frames::Imu>,
    time_s: f64,
) -> (Vector3<f64>, Vector3<f64>) {
    let time_s = journey.inner(time_s);
    let at = |t: f64| -> Pose<World, frames::Imu> { journey.ego.at(t) * ego_from_imu };
    let (before, here, after) = (at(time_s - HALF_STEP_S), at(time_s), at(time_s + HALF_STEP_S));
    let bend = after.translation - 2.0 * here.translation + before.translation;
    let acceleration = bend / (HALF_STEP_S * HALF_STEP_S);
    let force = here.inverse().rotate(&(acceleration + GRAVITY_M_S2 * Vector3::z()));
    let turned = (before.rotation.inverse() * after.rotation).scaled_axis();
    (force, turned / (2.0 * HALF_STEP_S))
}
