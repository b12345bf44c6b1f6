//! Satellite navigation.

use nalgebra::{Point3, Vector3};
use ommatidia_scene::GnssSample;
use serde::{Deserialize, Serialize};

use super::{Journey, SensorError, bounded};
use crate::noise::{Stream, mix};

/// A receiver: white noise, an error of the atmosphere that wanders over minutes, reflections between
/// buildings that wander over seconds, and fixes that are missing where little sky is left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gnss {
    /// Fixes a second.
    pub rate_hz: f64,
    /// Standard deviation of the white noise along each horizontal axis, metres.
    pub noise_m: f64,
    /// That of the wandering error, metres.
    pub correlated_m: f64,
    /// Time over which it forgets, seconds.
    pub correlation_s: f64,
    /// That of reflections where half of the sky is hidden, metres; 0 for none.
    pub multipath_m: f64,
    /// Time over which reflections change, seconds.
    pub multipath_s: f64,
    /// Share of hidden sky beyond which there is no fix.
    pub lost_above: f64,
    /// Chance of a missing fix under open sky.
    pub dropout: f64,
    /// Vertical errors over horizontal ones.
    pub vertical: f64,
}

impl Default for Gnss {
    /// Single-frequency positioning under open sky, 95 % within about 4 m; multipath up to tens of
    /// metres between houses (Groves 2013, *Principles of GNSS*, sections 9.3 and 9.4).
    fn default() -> Self {
        Self {
            rate_hz: 5.0,
            noise_m: 0.4,
            correlated_m: 1.2,
            correlation_s: 120.0,
            multipath_m: 6.0,
            multipath_s: 4.0,
            lost_above: 0.85,
            dropout: 0.01,
            vertical: 1.7,
        }
    }
}

/// A first-order Gauss-Markov process (Gelb 1974, Eq. 2.2-66) of deviation 1 in three axes.
struct Wander {
    value: Vector3<f64>,
    keeps: f64,
    stream: Stream,
}

impl Wander {
    fn new(interval_s: f64, correlation_s: f64, seed: u64) -> Self {
        let mut stream = Stream::new(seed);
        let value = Vector3::from_fn(|_, _| stream.normal());
        Self { value, keeps: (-interval_s / correlation_s).exp(), stream }
    }

    fn next(&mut self) -> Vector3<f64> {
        let now = self.value;
        let stream = &mut self.stream;
        let new = Vector3::from_fn(|_, _| stream.normal());
        self.value = now * self.keeps + new * (1.0 - self.keeps * self.keeps).sqrt();
        now
    }
}

impl Gnss {
    pub(super) fn check(&self) -> Result<(), SensorError> {
        bounded(
            "gnss",
            &[
                ("rate_hz", self.rate_hz, 0.01, 100.0),
                ("noise_m", self.noise_m, 0.0, 1000.0),
                ("correlated_m", self.correlated_m, 0.0, 1000.0),
                ("correlation_s", self.correlation_s, 1e-3, 1e6),
                ("multipath_m", self.multipath_m, 0.0, 1000.0),
                ("multipath_s", self.multipath_s, 1e-3, 1e6),
                ("lost_above", self.lost_above, 0.0, 1.0),
                ("dropout", self.dropout, 0.0, 1.0),
                ("vertical", self.vertical, 0.0, 100.0),
            ],
        )
    }

    pub(super) fn record(&self, journey: &Journey<'_>, seed: u64) -> Vec<GnssSample> {
        let interval = 1.0 / self.rate_hz;
        let mut atmosphere = Wander::new(interval, self.correlation_s, mix(seed ^ 1));
        let mut reflected = Wander::new(interval, self.multipath_s, mix(seed ^ 2));
        let mut white = Stream::new(mix(seed ^ 3));
        let mut lost = Stream::new(mix(seed ^ 4));
        let stretch = Vector3::new(1.0, 1.0, self.vertical);
        let mut fixes = Vec::new();
        for (time_s, timestamp) in journey.times(self.rate_hz) {
            let p_in_site = Point3::from(journey.ego.at(time_s).translation);
            let blocked = (journey.sky_blocked)(&p_in_site).clamp(0.0, 1.0);
            let multipath = self.multipath_m * 2.0 * blocked;
            // All numbers are drawn for every fix, so that a lost one does not change those after it.
            let noise = Vector3::from_fn(|_, _| white.normal());
            let error = noise * self.noise_m
                + atmosphere.next() * self.correlated_m
                + reflected.next() * multipath;
            let missing = lost.range(0.0, 1.0) < self.dropout;
            if missing || blocked > self.lost_above {
                continue;
            }
            let p_in_world = journey.world_from_site * (p_in_site + error.component_mul(&stretch));
            // Receivers know their noise and their geometry; most of a reflection escapes them.
            let known = self.noise_m.hypot(self.correlated_m).hypot(0.3 * multipath);
            fixes.push(GnssSample {
                timestamp,
                p_in_world_m: p_in_world.into(),
                deviation_m: (stretch * known).into(),
            });
        }
        fixes
    }
}
