//! Stages that advance, pause and stop by themselves.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::cohort::MILLION;
use crate::gate::{Arm, GateSettings, SequentialTest, Verdict};

/// What is counted, in the order of [`Reports::events`].
pub const MEASURES: [&str; 4] = ["crash", "latency", "drift", "disagreement"];

/// A part of the fleet, and what must be ruled out before the next.
///
/// Few vehicles meet few events: to show that a release is at most half again as bad takes some seventy
/// events of the new release, to show that it is less than four times as bad takes five. Early stages rule
/// out gross harm within days, late ones the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Millionths of the fleet.
    pub reach: u32,
    /// Ratio of rates that must not go through.
    pub worse: f64,
}

/// How a release is rolled out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Rising; the last is usually all of the fleet.
    pub stages: Vec<Stage>,
    /// Shortest time in a stage, hours: what needs a day to show must have one. Whether a stage is sound is
    /// asked when this has passed, of all that was reported in it.
    pub least_hours: f64,
    /// Time after which a stage without a verdict waits for a person, hours.
    pub patience_hours: f64,
    /// How often a release as good as the old may be stopped in a stage.
    pub false_alarm: f64,
    /// How often a release that is worse by a stage's ratio may pass it.
    pub miss: f64,
}

impl Default for Plan {
    /// 0.1, 1, 10 and 100 %; at least a day each; one sound release in 100 is stopped in a stage, one in
    /// 1000 that is worse by the ratio passes it.
    fn default() -> Self {
        let stage = |reach, worse| Stage { reach, worse };
        Self {
            stages: vec![
                stage(1_000, 4.0),
                stage(10_000, 2.0),
                stage(100_000, 1.5),
                stage(MILLION, 1.5),
            ],
            least_hours: 24.0,
            patience_hours: 336.0,
            false_alarm: 0.01,
            miss: 0.001,
        }
    }
}

impl Plan {
    /// Checks that stages rise and times make sense.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let fail =
            |setting, problem: &str| Err(Error::Setting { setting, problem: problem.to_owned() });
        let first = self.stages.first().is_some_and(|stage| stage.reach > 0);
        let last = self.stages.last().is_some_and(|stage| stage.reach <= MILLION);
        if !first || !last || !self.stages.is_sorted_by(|a, b| a.reach < b.reach) {
            return fail("stages", "must rise from above 0 to at most 1000000 millionths");
        }
        if !(self.least_hours >= 0.0 && self.patience_hours > self.least_hours) {
            return fail(
                "patience_hours",
                "must be longer than least_hours, which must not be negative",
            );
        }
        self.stages.iter().try_for_each(|stage| self.gate(stage).validate())
    }

    fn gate(&self, stage: &Stage) -> GateSettings {
        GateSettings { worse: stage.worse, false_alarm: self.false_alarm, miss: self.miss }
    }
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reaching more vehicles.
    Running,
    /// Waits for a person; reaches no vehicle more.
    Paused {
        /// Why.
        reason: String,
    },
    /// Stopped for good: directors revoke the release, and vehicles that run it return to their own last
    /// good one.
    RolledBack {
        /// Why.
        reason: String,
    },
    /// Every stage was passed. As long as some vehicles run the old release both are compared still, and
    /// what turns out worse is rolled back.
    Done,
}

/// What vehicles reported in a stretch of time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reports {
    /// Hours driven.
    pub hours: f64,
    /// Events by measure.
    pub events: [u64; MEASURES.len()],
}

/// A rollout under way. One that is read from a file is checked as a new one is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Record")]
pub struct Rollout {
    plan: Plan,
    phase: Phase,
    stage: usize,
    hours_in_stage: f64,
    /// Since somebody with the old release was last heard of, while others were.
    hours_without_old: f64,
    tests: [SequentialTest; MEASURES.len()],
}

/// A [`Rollout`] that nobody has checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    plan: Plan,
    phase: Phase,
    stage: usize,
    hours_in_stage: f64,
    #[serde(default)]
    hours_without_old: f64,
    tests: [SequentialTest; MEASURES.len()],
}

impl TryFrom<Record> for Rollout {
    type Error = Error;

    fn try_from(record: Record) -> Result<Self, Error> {
        let Record { plan, phase, stage, hours_in_stage, hours_without_old, tests } = record;
        plan.validate()?;
        if stage >= plan.stages.len() {
            let problem = format!("{stage} is none of the plan's {}", plan.stages.len());
            return Err(Error::Setting { setting: "stage", problem });
        }
        for (setting, hours) in
            [("hours_in_stage", hours_in_stage), ("hours_without_old", hours_without_old)]
        {
            if !(hours >= 0.0 && hours.is_finite()) {
                return Err(Error::Setting { setting, problem: format!("{hours} is no time") });
            }
        }
        Ok(Self { plan, phase, stage, hours_in_stage, hours_without_old, tests })
    }
}

impl Rollout {
    /// Begins with the first stage.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(plan: Plan) -> Result<Self, Error> {
        plan.validate()?;
        let tests = Default::default();
        let (hours_in_stage, hours_without_old) = (0.0, 0.0);
        Ok(Self { plan, phase: Phase::Running, stage: 0, hours_in_stage, hours_without_old, tests })
    }

    /// How it stands.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Number of the stage, from 0.
    pub fn stage(&self) -> usize {
        self.stage
    }

    /// Millionths of the fleet that run the new release when they ask: the whole answer to a poll, for all
    /// vehicles alike.
    pub fn reach(&self) -> u32 {
        match self.phase {
            Phase::RolledBack { .. } => 0,
            _ => self.plan.stages[self.stage].reach,
        }
    }

    /// Whether vehicles below [`Self::reach`] that have not got it yet still get it.
    pub fn offers(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Done)
    }

    /// Takes the reports of the last `hours` from vehicles on the new release and on the old one.
    pub fn report(&mut self, hours: f64, new: &Reports, old: &Reports) {
        if matches!(self.phase, Phase::RolledBack { .. }) {
            return;
        }
        self.hours_in_stage += hours;
        if old.hours > 0.0 {
            self.hours_without_old = 0.0;
        } else if new.hours > 0.0 {
            self.hours_without_old += hours;
        }
        let gate = self.plan.gate(&self.plan.stages[self.stage]);
        let mut sound = true;
        for (i, test) in self.tests.iter_mut().enumerate() {
            let arm = |reports: &Reports| Arm { hours: reports.hours, events: reports.events[i] };
            match test.add(&gate, MEASURES.len(), arm(new), arm(old)) {
                Verdict::Worse => {
                    let reason = format!("{} is worse than before", MEASURES[i]);
                    self.phase = Phase::RolledBack { reason };
                    return;
                }
                Verdict::Open => sound = false,
                Verdict::Sound => {}
            }
        }
        if self.phase != Phase::Running || self.hours_in_stage < self.plan.least_hours {
            return;
        }
        // Everybody has it: nothing is left to compare with, or to spare.
        let everybody =
            self.reach() == MILLION && self.hours_without_old >= self.plan.least_hours.max(1.0);
        if sound || everybody {
            self.advance();
        } else if self.hours_in_stage >= self.plan.patience_hours {
            let open =
                self.tests.iter().zip(MEASURES).filter(|(test, _)| test.verdict() == Verdict::Open);
            let open: Vec<_> = open.map(|(_, measure)| measure).collect();
            self.phase = Phase::Paused { reason: format!("no verdict on {}", open.join(", ")) };
        }
    }

    fn advance(&mut self) {
        if self.stage + 1 == self.plan.stages.len() {
            self.phase = Phase::Done;
            return;
        }
        self.stage += 1;
        self.hours_in_stage = 0.0;
        self.tests = Default::default();
    }

    /// A person stops it for good; at once, whatever the stage.
    pub fn emergency_stop(&mut self, reason: &str) {
        self.phase = Phase::RolledBack { reason: format!("emergency stop: {reason}") };
    }

    /// A person halts it: it reaches no vehicle more until [`Self::resume`]. Whether it was running.
    pub fn pause(&mut self, reason: &str) -> bool {
        let running = self.phase == Phase::Running;
        if running {
            self.phase = Phase::Paused { reason: reason.to_owned() };
        }
        running
    }

    /// How it is rolled out.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A person lets a paused stage go on, from its beginning. Whether it was paused.
    pub fn resume(&mut self) -> bool {
        let paused = matches!(self.phase, Phase::Paused { .. });
        if paused {
            self.phase = Phase::Running;
            self.hours_in_stage = 0.0;
            self.tests = Default::default();
        }
        paused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(hours: f64, rate: f64) -> Reports {
        Reports { hours, events: [(hours * rate) as u64; MEASURES.len()] }
    }

    fn rollout() -> Rollout {
        Rollout::new(Plan::default()).unwrap()
    }

    #[test]
    fn sound_releases_go_through_all_stages_and_no_faster_than_planned() {
        let mut rollout = rollout();
        let (mut hours, mut reaches) = (0, vec![rollout.reach()]);
        while *rollout.phase() == Phase::Running {
            rollout.report(1.0, &reports(1e5, 0.01), &reports(1e5, 0.01));
            hours += 1;
            if *reaches.last().unwrap() != rollout.reach() {
                reaches.push(rollout.reach());
            }
        }
        assert_eq!((rollout.phase(), hours), (&Phase::Done, 96));
        assert_eq!(reaches, [1_000, 10_000, 100_000, MILLION]);
    }

    #[test]
    fn worse_releases_are_rolled_back_before_the_stage_has_had_its_time() {
        let mut rollout = rollout();
        rollout.report(1.0, &reports(1e5, 0.05), &reports(1e5, 0.01));
        assert!(
            matches!(rollout.phase(), Phase::RolledBack { reason } if reason.contains("crash"))
        );
        assert_eq!((rollout.reach(), rollout.offers()), (0, false));
        rollout.report(1.0, &reports(1e9, 0.0), &reports(1e5, 0.01));
        assert!(matches!(rollout.phase(), Phase::RolledBack { .. }), "nothing brings it back");
    }

    #[test]
    fn what_is_sound_at_first_is_judged_on_until_the_stage_has_had_its_time() {
        let mut rollout = rollout();
        for _ in 0..23 {
            rollout.report(1.0, &reports(1e5, 0.01), &reports(1e5, 0.01));
        }
        assert_eq!((rollout.phase(), rollout.stage()), (&Phase::Running, 0));
        rollout.report(1.0, &reports(1e5, 0.05), &reports(1e5, 0.01));
        assert!(matches!(rollout.phase(), Phase::RolledBack { .. }), "{rollout:?}");
    }

    #[test]
    fn vehicles_that_still_run_the_old_release_judge_the_new_one_after_the_last_stage() {
        let mut rollout = rollout();
        while *rollout.phase() == Phase::Running {
            rollout.report(1.0, &reports(1e5, 0.01), &reports(1e5, 0.01));
        }
        assert_eq!(rollout.phase(), &Phase::Done);
        rollout.report(1.0, &reports(1e5, 0.03), &reports(1e5, 0.01));
        assert!(matches!(rollout.phase(), Phase::RolledBack { .. }), "{rollout:?}");
    }

    #[test]
    fn records_of_rollouts_are_checked_when_they_are_read() {
        let mut rollout = rollout();
        rollout.report(1.0, &reports(1e5, 0.01), &reports(1e5, 0.01));
        let whole = serde_json::to_value(&rollout).unwrap();
        assert_eq!(serde_json::from_value::<Rollout>(whole.clone()).unwrap(), rollout);
        let check = |pointer: &str, bad: serde_json::Value, expected: &str| {
            let mut record = whole.clone();
            *record.pointer_mut(pointer).unwrap() = bad;
            let error = serde_json::from_value::<Rollout>(record).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("/stage", 4.into(), "4 is none of the plan's 4");
        check("/hours_in_stage", (-1.0).into(), "is no time");
        check("/plan/stages", serde_json::json!([]), "must rise");
        check("/tests/0/verdict", "fine".into(), "unknown variant");
    }

    #[test]
    fn when_everybody_has_it_nothing_is_left_to_compare() {
        let mut rollout = rollout();
        while rollout.reach() < MILLION {
            rollout.report(1.0, &reports(1e5, 0.01), &reports(1e5, 0.01));
        }
        let silence = Reports::default();
        for hour in 0..30 {
            assert_eq!(*rollout.phase() == Phase::Done, hour >= 24, "hour {hour}");
            rollout.report(1.0, &reports(10.0, 0.0), &silence);
        }
    }

    #[test]
    fn a_stage_without_a_verdict_waits_for_a_person() {
        let mut rollout = rollout();
        for _ in 0..400 {
            rollout.report(1.0, &reports(10.0, 0.0), &reports(10.0, 0.0));
        }
        assert!(
            matches!(rollout.phase(), Phase::Paused { reason } if reason.contains("crash, latency"))
        );
        assert!(!rollout.offers() && rollout.reach() == 1_000);
        assert!(rollout.resume() && !rollout.resume());
        assert!(rollout.pause("holidays") && !rollout.pause("again") && !rollout.offers());
        assert!(rollout.resume() && rollout.offers());
        rollout.emergency_stop("fire");
        assert_eq!(rollout.reach(), 0);
    }

    #[test]
    fn plans_that_make_no_sense_are_refused() {
        let check = |spoil: fn(&mut Plan)| {
            let mut plan = Plan::default();
            spoil(&mut plan);
            assert!(Rollout::new(plan).is_err());
        };
        check(|plan| plan.stages.clear());
        check(|plan| plan.stages[1].reach = 1_000);
        check(|plan| plan.stages[3].reach = MILLION + 1);
        check(|plan| plan.patience_hours = 1.0);
        check(|plan| plan.stages[0].worse = 1.0);
        check(|plan| plan.miss = 0.0);
    }
}
