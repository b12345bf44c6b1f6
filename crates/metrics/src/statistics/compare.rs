//! What became better or worse between two runs, beyond noise.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::pooled::{self, Side};
use super::units::value_of;
use super::{
    Better, BootstrapConfig, Interval, MetricRule, PermutationConfig, Record, Run, Share, Unit,
    Units, bootstrap, sign_flip_p_value,
};
use crate::Error;

/// How two runs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompareConfig {
    /// Chance of calling anything a change where nothing changed, over all metrics; 0.05.
    pub significance: f64,
    /// Intervals of the differences.
    pub bootstrap: BootstrapConfig,
    /// The test.
    pub permutation: PermutationConfig,
}

impl Default for CompareConfig {
    fn default() -> Self {
        Self {
            significance: 0.05,
            bootstrap: BootstrapConfig::default(),
            permutation: PermutationConfig::default(),
        }
    }
}

/// What a difference amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Better beyond noise.
    Better,
    /// Worse beyond noise.
    Worse,
    /// Equal on every unit.
    Same,
    /// Different, but no more than noise makes it, or too few units to tell.
    Noise,
}

/// One metric in both runs, over the records that both have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The metric.
    pub metric: String,
    /// Which way it is better.
    pub better: Better,
    /// Its value in the earlier run.
    pub before: f64,
    /// Its value in this one.
    pub after: f64,
    /// `after - before`.
    pub difference: f64,
    /// Confidence interval of the difference; `None` below two units.
    pub interval: Option<Interval>,
    /// Two-sided p-value of the exchange test.
    pub p_value: f64,
    /// The same, corrected for the number of metrics. Holm 1979.
    pub p_adjusted: f64,
    /// What it amounts to.
    pub verdict: Verdict,
}

/// All metrics that both runs have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// One per metric, by name.
    pub changes: Vec<Change>,
    /// What was resampled.
    pub unit: Unit,
    /// How many.
    pub units: usize,
    /// Records that only the earlier run has; they are left out.
    pub only_before: usize,
    /// Records that only this run has; they are left out.
    pub only_after: usize,
}

impl Comparison {
    /// Metrics with this verdict.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.verdict == verdict)
    }
}

/// Compares two runs on the scenes and frames that both have.
///
/// # Errors
/// [`Error::Runs`] where they are of different kinds, one holds a record twice, or they share nothing.
pub fn compare(before: &Run, after: &Run, config: &CompareConfig) -> Result<Comparison, Error> {
    if before.kind != after.kind {
        let what = format!("one is of {} and the other of {}", before.kind, after.kind);
        return Err(Error::Runs { what });
    }
    let (old, new) = (by_key(before)?, by_key(after)?);
    let common: BTreeSet<_> = old.keys().filter(|key| new.contains_key(*key)).copied().collect();
    if common.is_empty() {
        let what = format!(
            "they have no scene and frame in common ({} and {} records); evaluate both on the same data",
            old.len(),
            new.len()
        );
        return Err(Error::Runs { what });
    }
    let metrics = after.rules.iter().filter(|(name, _)| before.rules.contains_key(*name));
    let both_parts = before.parts.as_ref().zip(after.parts.as_ref());
    let tests = metrics.clone().count() + both_parts.map_or(0, |(parts, _)| parts.names().len());
    let (old_units, new_units) = (
        Units::for_test(common.iter().map(|key| old[key]), tests, config.significance),
        Units::for_test(common.iter().map(|key| new[key]), tests, config.significance),
    );
    let mut changes: Vec<Change> = metrics
        .filter_map(|(name, &rule)| {
            change(name, rule, &old_units.shares(name), &new_units.shares(name), config)
        })
        .collect();
    if let Some((old_parts, new_parts)) = both_parts {
        let side = |run: &Run, parts, units: &Units<'_>| Side {
            parts,
            records: run.records.len(),
            units: indices(run, units),
        };
        let old = side(before, old_parts, &old_units);
        changes.splice(0..0, pooled::changes(&old, &side(after, new_parts, &new_units), config)?);
    }
    judge(&mut changes, config.significance);
    Ok(Comparison {
        changes,
        unit: new_units.unit,
        units: new_units.len(),
        only_before: old.len() - common.len(),
        only_after: new.len() - common.len(),
    })
}

/// Of each unit where its records are in their run.
fn indices(run: &Run, units: &Units<'_>) -> Vec<Vec<usize>> {
    let key = |record: &Record| (record.scene.clone(), record.frame.clone());
    let place: BTreeMap<_, usize> =
        run.records.iter().enumerate().map(|(index, record)| (key(record), index)).collect();
    let of = |group: &Vec<&Record>| group.iter().map(|record| place[&key(record)]).collect();
    units.groups().iter().map(of).collect()
}

fn by_key(run: &Run) -> Result<BTreeMap<(&str, &str), &Record>, Error> {
    let mut found = BTreeMap::new();
    for record in &run.records {
        if found.insert((&record.scene[..], &record.frame[..]), record).is_some() {
            let what = format!("{} {} is recorded twice", record.scene, record.frame);
            return Err(Error::Runs { what });
        }
    }
    Ok(found)
}

/// The difference, its interval and its p-value; `None` where a side says nothing about the metric.
fn change(
    name: &str,
    rule: MetricRule,
    old: &[Share],
    new: &[Share],
    config: &CompareConfig,
) -> Option<Change> {
    let of = |shares: &[Share]| value_of(rule, shares.iter().copied());
    let (before, after) = (of(old)?, of(new)?);
    let interval = bootstrap(old.len(), &config.bootstrap, |drawn| {
        let value = |shares: &[Share]| value_of(rule, drawn.iter().map(|&i| shares[i]));
        Some(value(new)? - value(old)?)
    });
    let p_value = sign_flip_p_value(old.len(), &config.permutation, |exchanged| {
        let value = |side: bool| {
            let pick = |(i, &flip): (usize, &bool)| if flip == side { new[i] } else { old[i] };
            value_of(rule, exchanged.iter().enumerate().map(pick))
        };
        Some(value(false)? - value(true)?)
    })?;
    let same = old == new;
    Some(Change {
        metric: name.to_owned(),
        better: rule.better,
        before,
        after,
        difference: after - before,
        interval,
        p_value,
        p_adjusted: p_value,
        verdict: if same { Verdict::Same } else { Verdict::Noise },
    })
}

/// Holm's step-down correction over the metrics that differ at all, then the verdicts.
fn judge(changes: &mut [Change], significance: f64) {
    let mut order: Vec<usize> =
        (0..changes.len()).filter(|&i| changes[i].verdict != Verdict::Same).collect();
    order.sort_by(|&a, &b| changes[a].p_value.total_cmp(&changes[b].p_value));
    let mut running = 0.0f64;
    for (rank, &i) in order.iter().enumerate() {
        running = running.max((order.len() - rank) as f64 * changes[i].p_value).min(1.0);
        let change = &mut changes[i];
        change.p_adjusted = running;
        if running <= significance && change.difference != 0.0 {
            let improved = (change.difference > 0.0) == (change.better == Better::Higher);
            change.verdict = if improved { Verdict::Better } else { Verdict::Worse };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: &[(&str, MetricRule)] =
        &[("score", MetricRule::SCORE), ("error", MetricRule::ERROR)];

    fn run(values: &[f64]) -> Run {
        let mut run = Run::new("test", RULES);
        run.records = values
            .iter()
            .enumerate()
            .map(|(i, &v)| {
                let share = Share::mean(v, 1.0);
                Record::new(format!("s{i:02}"), "").with("score", share).with("error", share)
            })
            .collect();
        run
    }

    fn verdicts(before: &[f64], after: &[f64]) -> (Verdict, Verdict) {
        let found = compare(&run(before), &run(after), &CompareConfig::default()).unwrap();
        let of = |name| found.changes.iter().find(|c| c.metric == name).unwrap().verdict;
        (of("score"), of("error"))
    }

    #[test]
    fn a_clear_change_is_told_from_noise() {
        let before: Vec<f64> = (0..12).map(|i| 0.5 + 0.03 * f64::from(i % 5)).collect();
        let lifted: Vec<f64> = before.iter().map(|v| v + 0.01).collect();
        let shaken: Vec<f64> = before
            .iter()
            .enumerate()
            .map(|(i, v)| if i % 2 == 0 { v + 0.1 } else { v - 0.1 })
            .collect();
        assert_eq!(verdicts(&before, &lifted), (Verdict::Better, Verdict::Worse));
        assert_eq!(verdicts(&lifted, &before), (Verdict::Worse, Verdict::Better));
        assert_eq!(verdicts(&before, &shaken), (Verdict::Noise, Verdict::Noise));
        assert_eq!(verdicts(&before, &before), (Verdict::Same, Verdict::Same));
    }

    #[test]
    fn three_scenes_prove_nothing() {
        assert_eq!(verdicts(&[0.1, 0.2, 0.3], &[0.9, 0.9, 0.9]), (Verdict::Noise, Verdict::Noise));
    }

    #[test]
    fn only_what_both_have_counts() {
        let (a, mut b) = (run(&[0.5; 8]), run(&[0.5; 9]));
        b.records[8].shares.insert("score".into(), Share::mean(100.0, 1.0));
        let found = compare(&a, &b, &CompareConfig::default()).unwrap();
        assert_eq!((found.only_before, found.only_after, found.units), (0, 1, 8));
        assert!(found.changes.iter().all(|c| c.verdict == Verdict::Same));
    }

    #[test]
    fn what_cannot_be_compared_is_named() {
        let mut other = run(&[0.5; 4]);
        other.kind = "depth".into();
        let config = CompareConfig::default();
        let message = compare(&run(&[0.5; 4]), &other, &config).unwrap_err().to_string();
        assert!(message.contains("test") && message.contains("depth"), "{message}");
        let mut twice = run(&[0.5; 4]);
        twice.records[1] = twice.records[0].clone();
        assert!(
            compare(&twice, &run(&[0.5; 4]), &config).unwrap_err().to_string().contains("twice")
        );
        assert!(compare(&run(&[]), &run(&[0.5]), &config).is_err());
    }

    #[test]
    fn figures_that_are_no_ratio_of_sums_are_compared_too() {
        use crate::tracking::{Frame, Sequence, TrackingProtocol, evaluate};
        let tracked = |similarity: f64| {
            let sequence = |i: usize| {
                let frame = |t: usize| Frame {
                    truth: vec![1],
                    predicted: vec![1],
                    similarity: vec![(similarity + 0.01 * ((3 * i + t) % 5) as f64).min(1.0)],
                };
                Sequence { name: format!("s{i}"), frames: (0..4).map(frame).collect() }
            };
            let sequences: Vec<Sequence> = (0..10).map(sequence).collect();
            let protocol: TrackingProtocol = crate::Protocol::named("mot_challenge").unwrap();
            let report = evaluate(&sequences, &protocol).unwrap();
            let mut run = run(&[0.5; 10]);
            for (record, sequence) in run.records.iter_mut().zip(&sequences) {
                record.scene.clone_from(&sequence.name);
            }
            let hota = report.combined.hota.hota;
            run.parts = Some(crate::statistics::Parts::Tracking { sequences: report.parts });
            (run, hota)
        };
        let ((bad, low), (good, high)) = (tracked(0.5), tracked(0.8));
        let found = compare(&bad, &good, &CompareConfig::default()).unwrap();
        let change = |found: &Comparison, name: &str| {
            found.changes.iter().find(|change| change.metric == name).unwrap().clone()
        };
        let hota = change(&found, "hota");
        assert_eq!((hota.before, hota.after, hota.verdict), (low, high, Verdict::Better));
        assert!(hota.interval.unwrap().low > 0.0, "{hota:?}");
        let back = compare(&good, &bad, &CompareConfig::default()).unwrap();
        assert_eq!(change(&back, "hota").verdict, Verdict::Worse);
        let same = compare(&good, &good, &CompareConfig::default()).unwrap();
        assert_eq!(change(&same, "hota").verdict, Verdict::Same);
        let mut short = good.clone();
        short.parts = Some(crate::statistics::Parts::Tracking { sequences: Vec::new() });
        assert!(compare(&short, &bad, &CompareConfig::default()).is_err());
    }

    proptest! {
        #[test]
        fn exchanging_the_runs_exchanges_the_verdicts(
            pairs in proptest::collection::vec((0.0..1.0f64, 0.0..1.0f64), 6..10),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let config = CompareConfig::default();
            let forth = compare(&run(&a), &run(&b), &config).unwrap();
            let back = compare(&run(&b), &run(&a), &config).unwrap();
            for (f, b) in forth.changes.iter().zip(&back.changes) {
                prop_assert!((f.p_value - b.p_value).abs() < 1e-12);
                prop_assert!((f.difference + b.difference).abs() < 1e-12);
            }
        }
    }
}
