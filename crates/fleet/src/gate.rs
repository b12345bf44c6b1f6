//! Whether the new release is worse, asked after every batch of reports and not once at a set time.
//!
//! Events (crashes, late frames, drifting outputs, disagreements) come from vehicles on the new release
//! and, at the same time, from vehicles still on the old one. Given that an event happened, it came from a
//! new one with probability `q = r n / (r n + m)`, where `n` and `m` are the hours that both drove and `r`
//! is the ratio of the rates. The base rate, weekends and weather cancel out. Wald's sequential
//! probability ratio test (Wald 1945, "Sequential Tests of Statistical Hypotheses") weighs `r = worse`
//! against `r = 1`: looking at it as often as one likes does not raise the rate of errors above what was
//! asked for, which a bare threshold cannot say. Conditioning on exposures: Kulldorff et al. 2011, "A
//! maximized sequential probability ratio test for drug and vaccine safety surveillance".
//!
//! Harm may show late: memory that leaks crashes hours after the start. So only `worse` is final. The weight
//! never falls below the lower boundary (Page 1954, "Continuous inspection schemes"): however long a release
//! was sound, what comes then is judged as if it had just been found so. It stops being sound when the weight
//! is back where it began, and from the lower boundary to the upper is further than from the start.

use serde::{Deserialize, Serialize};

use crate::Error;

/// How a gate judges.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateSettings {
    /// Ratio of rates that must not go through.
    pub worse: f64,
    /// How often a release that is as good as the old may be stopped, over all measures of a stage.
    pub false_alarm: f64,
    /// How often a release that is worse by that ratio may pass a stage.
    pub miss: f64,
}

impl GateSettings {
    /// Checks that errors can be told apart.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let fail =
            |setting, problem: &str| Err(Error::Setting { setting, problem: problem.to_owned() });
        if !(self.worse > 1.0 && self.worse.is_finite()) {
            return fail("worse", "must be a ratio above 1");
        }
        let share = |value: f64| value > 0.0 && value < 0.5;
        if !share(self.false_alarm) || !share(self.miss) {
            return fail("false_alarm and miss", "must lie between 0 and 0.5");
        }
        Ok(())
    }
}

/// What is known of a measure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not enough to say.
    #[default]
    Open,
    /// Not worse by the ratio, by all that was reported so far.
    Sound,
    /// Worse; for good.
    Worse,
}

/// What was reported of one release in one batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Arm {
    /// Hours driven.
    pub hours: f64,
    /// Events.
    pub events: u64,
}

/// The test of one measure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequentialTest {
    log_ratio: f64,
    verdict: Verdict,
}

impl SequentialTest {
    /// Adds a batch in which exposures stood in one proportion. `measures`: how many tests share the
    /// rate of false alarms (Bonferroni).
    pub fn add(&mut self, settings: &GateSettings, measures: usize, new: Arm, old: Arm) -> Verdict {
        if self.verdict != Verdict::Worse && new.hours > 0.0 && old.hours > 0.0 {
            let probability = |ratio: f64| ratio * new.hours / (ratio * new.hours + old.hours);
            let (worse, same) = (probability(settings.worse), probability(1.0));
            self.log_ratio += new.events as f64 * (worse / same).ln();
            self.log_ratio += old.events as f64 * ((1.0 - worse) / (1.0 - same)).ln();
            let false_alarm = settings.false_alarm / measures.max(1) as f64;
            // Wald's boundaries: inside them nothing is decided.
            let upper = ((1.0 - settings.miss) / false_alarm).ln();
            let lower = (settings.miss / (1.0 - false_alarm)).ln();
            self.log_ratio = self.log_ratio.max(lower);
            self.verdict = match self.verdict {
                _ if self.log_ratio >= upper => Verdict::Worse,
                _ if self.log_ratio <= lower => Verdict::Sound,
                Verdict::Sound if self.log_ratio < 0.0 => Verdict::Sound,
                _ => Verdict::Open,
            };
        }
        self.verdict
    }

    /// What is known.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Random;

    /// Share of trials that end as worse, and as sound, for a true ratio of rates.
    fn outcomes(ratio: f64, trials: u32) -> (f64, f64) {
        let settings = GateSettings { worse: 1.5, false_alarm: 0.05, miss: 0.05 };
        let mut random = Random::new(7, 0);
        let (mut worse, mut sound) = (0, 0);
        for _ in 0..trials {
            let mut test = SequentialTest::default();
            for hour in 0..4000 {
                // The base rate swings over the day; exposures change as the rollout goes on.
                let base = 0.002 * (1.0 + f64::from(hour % 24) / 24.0);
                let new = Arm { hours: 100.0 + f64::from(hour), events: 0 };
                let old = Arm { hours: 900.0, events: 0 };
                let events = |random: &mut Random, mean: f64| random.poisson(mean);
                let new = Arm { events: events(&mut random, base * ratio * new.hours), ..new };
                let old = Arm { events: events(&mut random, base * old.hours), ..old };
                match test.add(&settings, 1, new, old) {
                    Verdict::Open => continue,
                    Verdict::Worse => worse += 1,
                    Verdict::Sound => sound += 1,
                }
                break;
            }
        }
        (f64::from(worse) / f64::from(trials), f64::from(sound) / f64::from(trials))
    }

    #[test]
    fn errors_stay_within_what_was_asked_for() {
        let (worse, sound) = outcomes(1.0, 2000);
        assert!(worse < 0.06 && sound > 0.93, "as good: {worse} {sound}");
        let (worse, sound) = outcomes(1.5, 2000);
        assert!(worse > 0.93 && sound < 0.06, "worse: {worse} {sound}");
        let (worse, _) = outcomes(3.0, 500);
        assert!(worse > 0.99, "much worse: {worse}");
    }

    /// A leak crashes from some hour on, after the release was found sound.
    #[test]
    fn harm_that_shows_late_is_found() {
        let settings = GateSettings { worse: 1.5, false_alarm: 0.01, miss: 0.001 };
        let mut test = SequentialTest::default();
        let old = Arm { hours: 1e4, events: 100 };
        for _ in 0..1000 {
            let verdict = test.add(&settings, 4, Arm { hours: 1e4, events: 100 }, old);
            assert_ne!(verdict, Verdict::Worse);
        }
        assert_eq!(test.verdict(), Verdict::Sound);
        let leaking = Arm { hours: 1e4, events: 300 };
        assert_eq!(test.add(&settings, 4, leaking, old), Verdict::Worse);
        assert_eq!(test.add(&settings, 4, Arm { hours: 1e9, events: 0 }, old), Verdict::Worse);
    }

    /// A month of hourly looks at a release that is as good: the boundary below does not bring alarms.
    #[test]
    fn judging_on_does_not_stop_sound_releases() {
        let settings = GateSettings { worse: 1.5, false_alarm: 0.01, miss: 0.001 };
        let mut random = Random::new(11, 0);
        let mut stopped = 0;
        for _ in 0..300 {
            let mut test = SequentialTest::default();
            for _ in 0..720 {
                let arm = |random: &mut Random| Arm { hours: 500.0, events: random.poisson(5.0) };
                let (new, old) = (arm(&mut random), arm(&mut random));
                test.add(&settings, 1, new, old);
            }
            stopped += u32::from(test.verdict() == Verdict::Worse);
        }
        assert!(stopped <= 6, "{stopped} of 300");
    }

    #[test]
    fn without_both_arms_nothing_is_decided() {
        let mut test = SequentialTest::default();
        let settings = GateSettings { worse: 1.5, false_alarm: 0.01, miss: 0.001 };
        let many = Arm { hours: 1e6, events: 1_000_000 };
        assert_eq!(test.add(&settings, 1, many, Arm::default()), Verdict::Open);
        assert_eq!(test.add(&settings, 1, Arm::default(), many), Verdict::Open);
    }
}
