//! The events.

use super::calendar::Calendar;
use super::{Outcome, Random, Scenario, Step};
use crate::Error;
use crate::cohort::MILLION;
use crate::rollout::{MEASURES, Phase, Reports, Rollout};

/// What a vehicle runs or is about to.
const OLD: u8 = 0;
const FETCHED: u8 = 1;
const NEW: u8 = 2;

struct Fleet<'a> {
    scenario: &'a Scenario,
    rollout: Rollout,
    /// Per vehicle: its release, and how many drives it began.
    release: Vec<u8>,
    begun: Vec<u16>,
    new: Reports,
    old: Reports,
    outcome: Outcome,
}

/// Simulates until the rollout ends and, if it went through, until the end of its last stage.
///
/// # Errors
/// [`Error::Setting`].
pub fn run(scenario: &Scenario) -> Result<Outcome, Error> {
    scenario.validate()?;
    let mut fleet = Fleet::new(scenario)?;
    let mut calendar = Calendar::new(scenario.vehicles);
    for vehicle in 0..scenario.vehicles {
        let mut random = fleet.habits(vehicle);
        let first = random.unit() * 60.0 * scenario.between_drives_hours;
        calendar.schedule(vehicle, 1 + first as usize);
    }
    let (mut due, mut minute) = (Vec::new(), 0u64);
    while (minute as f64) < 60.0 * scenario.limit_hours {
        minute += 1;
        calendar.advance(&mut due);
        for &vehicle in &due {
            let ahead = fleet.drive(vehicle);
            calendar.schedule(vehicle, ahead);
        }
        if minute.is_multiple_of(60) && !fleet.hour(minute as f64 / 60.0) {
            break;
        }
    }
    Ok(fleet.end(minute as f64 / 60.0))
}

impl<'a> Fleet<'a> {
    fn new(scenario: &'a Scenario) -> Result<Self, Error> {
        let rollout = Rollout::new(scenario.plan.clone())?;
        let first = Step { hours: 0.0, stage: 0, reach: rollout.reach(), touched: 0 };
        let outcome = Outcome {
            phase: Phase::Running,
            stage: 0,
            hours: 0.0,
            touched: 0,
            new_events: [0; MEASURES.len()],
            bytes_with_deltas: 0,
            bytes_without_deltas: 0,
            drives: 0,
            steps: vec![first],
        };
        let (new, old) = (Reports::default(), Reports::default());
        let vehicles = scenario.vehicles as usize;
        let (release, begun) = (vec![OLD; vehicles], vec![0; vehicles]);
        Ok(Self { scenario, rollout, release, begun, new, old, outcome })
    }

    /// What never changes of a vehicle. Its place is drawn here and not hashed from a name, for speed.
    fn habits(&self, vehicle: u32) -> Random {
        Random::new(self.scenario.seed, u64::from(vehicle) << 16)
    }

    /// A drive, from asking to its end; minutes until the next.
    fn drive(&mut self, vehicle: u32) -> usize {
        let scenario = self.scenario;
        let at = vehicle as usize;
        self.outcome.drives += 1;
        self.begun[at] = self.begun[at].wrapping_add(1);
        let mut habits = self.habits(vehicle);
        let _first = habits.unit();
        let place = (habits.unit() * f64::from(MILLION)) as u32;
        let takes_delta = habits.unit() < scenario.delta_share;
        let pace = 2f64.powf(2.0 * habits.unit() - 1.0);
        self.ask(at, place, takes_delta);
        let purpose = u64::from(vehicle) << 16 | u64::from(self.begun[at]);
        let mut random = Random::new(!scenario.seed, purpose);
        let hours = 2.0 * scenario.drive_hours * random.unit();
        self.count(at, hours, &mut random);
        let between = 2.0 * scenario.between_drives_hours * pace * random.unit();
        (60.0 * (hours + between)) as usize
    }

    fn ask(&mut self, at: usize, place: u32, takes_delta: bool) {
        let within = place < self.rollout.reach();
        let release = &mut self.release[at];
        match *release {
            FETCHED if within => {
                *release = NEW;
                self.outcome.touched += 1;
            }
            // Rolled back before it was activated, or after: the old slot is still there.
            FETCHED | NEW if !within => *release = OLD,
            OLD if within && self.rollout.offers() => {
                *release = FETCHED;
                let whole = self.scenario.bundle_bytes;
                self.outcome.bytes_without_deltas += whole;
                self.outcome.bytes_with_deltas +=
                    if takes_delta { self.scenario.delta_bytes } else { whole };
            }
            _ => {}
        }
    }

    fn count(&mut self, at: usize, hours: f64, random: &mut Random) {
        let is_new = self.release[at] == NEW;
        let reports = if is_new { &mut self.new } else { &mut self.old };
        reports.hours += hours;
        for measure in 0..MEASURES.len() {
            let ratio = if is_new { self.scenario.new_ratio[measure] } else { 1.0 };
            let events = random.poisson(hours * ratio * self.scenario.rates_per_hour[measure]);
            reports.events[measure] += events;
            if is_new {
                self.outcome.new_events[measure] += events;
            }
        }
    }

    /// Judges the last hour; whether the rollout goes on.
    fn hour(&mut self, hours: f64) -> bool {
        let (new, old) = (std::mem::take(&mut self.new), std::mem::take(&mut self.old));
        let stage = self.rollout.stage();
        self.rollout.report(1.0, &new, &old);
        if self.rollout.stage() != stage {
            let (stage, reach) = (self.rollout.stage(), self.rollout.reach());
            self.outcome.steps.push(Step { hours, stage, reach, touched: self.outcome.touched });
        }
        *self.rollout.phase() == Phase::Running
    }

    fn end(mut self, hours: f64) -> Outcome {
        self.outcome.phase = self.rollout.phase().clone();
        self.outcome.stage = self.rollout.stage();
        self.outcome.hours = hours;
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fleet in which few vehicles meet as many events as many do by default.
    fn small() -> Scenario {
        let rates_per_hour = [1e-2, 4e-2, 2e-2, 1e-1];
        Scenario { vehicles: 200_000, rates_per_hour, ..Scenario::default() }
    }

    #[test]
    fn bad_releases_are_stopped_early_and_touch_few() {
        let outcome = run(&small()).unwrap();
        assert!(matches!(&outcome.phase, Phase::RolledBack { reason } if reason.contains("crash")));
        assert!(outcome.stage <= 1 && outcome.touched < 2_100, "{outcome:?}");
        let saved = outcome.bytes_with_deltas as f64 / outcome.bytes_without_deltas as f64;
        assert!((0.5..0.6).contains(&saved), "{saved}");
    }

    #[test]
    fn sound_releases_reach_the_fleet() {
        let outcome = run(&Scenario { new_ratio: [1.0; 4], ..small() }).unwrap();
        assert_eq!(outcome.phase, Phase::Done, "{outcome:?}");
        assert_eq!(outcome.steps.len(), 4);
        assert!(outcome.touched > 100_000, "{outcome:?}");
        for step in &outcome.steps[1..] {
            let reach = step.reach as f64 / f64::from(MILLION) * 200_000.0;
            assert!(f64::from(step.touched) < reach, "{step:?}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_rollout() {
        let scenario = Scenario { vehicles: 20_000, limit_hours: 200.0, ..Scenario::default() };
        assert_eq!(run(&scenario).unwrap(), run(&scenario).unwrap());
        let other = Scenario { seed: 2, ..scenario.clone() };
        assert_ne!(run(&scenario).unwrap(), run(&other).unwrap());
    }

    #[test]
    fn scenarios_that_make_no_sense_are_refused() {
        let check = |spoil: fn(&mut Scenario)| {
            let mut scenario = small();
            spoil(&mut scenario);
            assert!(run(&scenario).is_err());
        };
        check(|scenario| scenario.vehicles = 0);
        check(|scenario| scenario.between_drives_hours = 1000.0);
        check(|scenario| scenario.drive_hours = 0.0);
        check(|scenario| scenario.new_ratio[0] = f64::NAN);
        check(|scenario| scenario.delta_share = 2.0);
        check(|scenario| scenario.limit_hours = f64::INFINITY);
    }
}
