//! Wheel odometry from the ticks of the two rear wheels.

use ommatidia_scene::WheelSample;
use serde::{Deserialize, Serialize};

use super::{HALF_STEP_S, Journey, SensorError, bounded};
use crate::noise::Stream;

/// Rear wheels with tick counters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wheels {
    /// Readings a second.
    pub rate_hz: f64,
    /// Way between two ticks, metres; 0 for none.
    pub tick_m: f64,
    /// Standard deviation of each wheel's scale: its radius is not what the controller thinks.
    pub scale_error: f64,
    /// Between the wheels, metres.
    pub track_m: f64,
    /// Slip at an acceleration of 1 g: driven wheels turn faster, braked ones slower than the road.
    pub slip_per_g: f64,
}

impl Default for Wheels {
    /// 48 teeth with both edges on a wheel of 2 m (common ABS rings); radius errors and slip in the range of
    /// Gustafsson 2010, *Rotational speed sensors*, section on virtual sensors.
    fn default() -> Self {
        Self {
            rate_hz: 50.0,
            tick_m: 2.0 / 96.0,
            scale_error: 0.004,
            track_m: 1.58,
            slip_per_g: 0.05,
        }
    }
}

impl Wheels {
    pub(super) fn check(&self) -> Result<(), SensorError> {
        bounded(
            "wheels",
            &[
                ("rate_hz", self.rate_hz, 1.0, 1000.0),
                ("tick_m", self.tick_m, 0.0, 1.0),
                ("scale_error", self.scale_error, 0.0, 0.5),
                ("track_m", self.track_m, 0.3, 4.0),
                ("slip_per_g", self.slip_per_g, 0.0, 1.0),
            ],
        )
    }

    /// The counters are read at the rate; speed is their difference since the reading before. The first
    /// reading is at the end of the first interval.
    pub(super) fn record(&self, journey: &Journey<'_>, seed: u64) -> Vec<WheelSample> {
        let mut stream = Stream::new(seed);
        // Left, right.
        let scale = [(); 2].map(|()| 1.0 + self.scale_error * stream.normal());
        let interval = 1.0 / self.rate_hz;
        let (mut way_m, mut ticks_m) = ([0.0f64; 2], [0.0f64; 2]);
        let mut samples = Vec::new();
        for (time_s, timestamp) in journey.times(self.rate_hz).skip(1) {
            let middle = time_s - 0.5 * interval;
            let (velocity, yaw_rate) = journey.velocity(middle);
            let sooner = journey.velocity(middle - HALF_STEP_S).0.x;
            let later = journey.velocity(middle + HALF_STEP_S).0.x;
            let slip = self.slip_per_g * (later - sooner) / (2.0 * HALF_STEP_S) / 9.81;
            let mut speeds = [0.0; 2];
            for (wheel, side) in [-0.5, 0.5].into_iter().enumerate() {
                let rolled = velocity.x + side * self.track_m * yaw_rate;
                way_m[wheel] += rolled * (1.0 + slip) * scale[wheel] * interval;
                let counted = if self.tick_m > 0.0 {
                    (way_m[wheel] / self.tick_m).floor() * self.tick_m
                } else {
                    way_m[wheel]
                };
                speeds[wheel] = (counted - ticks_m[wheel]) / interval;
                ticks_m[wheel] = counted;
            }
            samples.push(WheelSample {
                timestamp,
                speed_m_s: 0.5 * (speeds[0] + speeds[1]),
                yaw_rate_rad_s: (speeds[1] - speeds[0]) / self.track_m,
            });
        }
        samples
    }
}
