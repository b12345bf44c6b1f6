//! A fleet of millions through a rollout, event by event.
//!
//! Each vehicle sleeps until its next drive. When a drive begins it asks once: what it downloaded before is
//! activated, and if its place is within reach it starts to download. During the drive it may meet events
//! of each measure, at the rate of the release it runs. Reports are gathered hourly, from both releases,
//! and the rollout judges them. The next drive is drawn from the vehicle's own habits.
//!
//! Everything random follows from the seed, the vehicle and the drive; the order of events within a
//! minute is that of the vehicles' numbers.

mod calendar;
mod random;
mod run;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::rollout::{MEASURES, Plan};

pub use random::Random;
pub use run::run;

/// What is simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Vehicles.
    pub vehicles: u32,
    /// Mean time between the begins of a vehicle's drives, hours. Vehicles differ from half to twice it.
    pub between_drives_hours: f64,
    /// Mean length of a drive, hours.
    pub drive_hours: f64,
    /// Events per hour of the old release, by measure.
    pub rates_per_hour: [f64; MEASURES.len()],
    /// How many times as often they are with the new release.
    pub new_ratio: [f64; MEASURES.len()],
    /// Size of the bundle, bytes.
    pub bundle_bytes: u64,
    /// Size of the delta from the release before, bytes.
    pub delta_bytes: u64,
    /// Share of vehicles that run the release before and can take the delta.
    pub delta_share: f64,
    /// Longest time that is simulated, hours.
    pub limit_hours: f64,
    /// How it is rolled out.
    pub plan: Plan,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Scenario {
    /// A release whose network crashes three times as often, in a fleet of five million: two drives a
    /// day of 40 minutes, a crash in 2000 hours.
    fn default() -> Self {
        Self {
            vehicles: 5_000_000,
            between_drives_hours: 12.0,
            drive_hours: 0.67,
            rates_per_hour: [5e-4, 2e-3, 1e-3, 5e-3],
            new_ratio: [3.0, 1.0, 1.0, 1.0],
            bundle_bytes: 20 << 20,
            delta_bytes: 10 << 20,
            delta_share: 0.9,
            limit_hours: 2000.0,
            plan: Plan::default(),
            seed: 1,
        }
    }
}

impl Scenario {
    /// Checks that it can be run.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let fail =
            |setting, problem: &str| Err(Error::Setting { setting, problem: problem.to_owned() });
        if self.vehicles == 0 {
            return fail("vehicles", "must be 1 or more");
        }
        if !(self.drive_hours > 0.0 && self.between_drives_hours > 2.0 * self.drive_hours) {
            return fail(
                "between_drives_hours",
                "must be more than twice drive_hours, which must be above 0",
            );
        }
        // Twice the mean must fit into the calendar's round.
        if self.between_drives_hours > calendar::ROUND_MINUTES as f64 / 60.0 / 5.0 {
            return fail("between_drives_hours", "must be at most 100 hours");
        }
        let rates = self.rates_per_hour.iter().chain(&self.new_ratio);
        if !rates.clone().all(|rate| (0.0..=1000.0).contains(rate)) {
            return fail("rates_per_hour and new_ratio", "must lie between 0 and 1000");
        }
        if !(0.0..=1.0).contains(&self.delta_share) {
            return fail("delta_share", "must lie between 0 and 1");
        }
        if !(self.limit_hours > 0.0 && self.limit_hours <= 100_000.0) {
            return fail("limit_hours", "must lie between 0 and 100000");
        }
        self.plan.validate()
    }
}

/// A moment of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Hours since its start.
    pub hours: f64,
    /// Stage, from 0.
    pub stage: usize,
    /// Millionths of the fleet within reach.
    pub reach: u32,
    /// Vehicles that ran the new release by then.
    pub touched: u32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// How the rollout ended.
    pub phase: crate::rollout::Phase,
    /// Stage at its end, from 0.
    pub stage: usize,
    /// When it ended, hours.
    pub hours: f64,
    /// Vehicles that ran the new release.
    pub touched: u32,
    /// Events with the new release, by measure.
    pub new_events: [u64; MEASURES.len()],
    /// Bytes served with deltas.
    pub bytes_with_deltas: u64,
    /// Bytes served without.
    pub bytes_without_deltas: u64,
    /// Drives that were simulated.
    pub drives: u64,
    /// When each stage began.
    pub steps: Vec<Step>,
}
