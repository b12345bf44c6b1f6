//! Figures that are no ratio of sums: mAP, NDS, HOTA. They are had again from the parts of the records drawn.

use std::cell::RefCell;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::compare::Change;
use super::{
    Better, BootstrapConfig, CompareConfig, PermutationConfig, Verdict, bootstrap,
    sign_flip_p_value,
};
use crate::Error;
use crate::detection::nuscenes::{DetectionProtocol, PartsPool, SampleParts};
use crate::tracking::{SequenceParts, hota_of};

/// Resamples of such figures: each takes a walk over all predictions.
const RESAMPLES: usize = 999;

/// What each record of a run has in figures that are no ratio of sums; in the order of the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Parts {
    /// nuScenes' mAP and NDS.
    Detection {
        /// The settings.
        protocol: Box<DetectionProtocol>,
        /// A record each.
        samples: Vec<SampleParts>,
    },
    /// HOTA, its detection and its association accuracy.
    Tracking {
        /// A record each.
        sequences: Vec<SequenceParts>,
    },
}

impl Parts {
    /// Names of the figures; higher is better.
    pub fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Detection { .. } => &["map", "nds"],
            Self::Tracking { .. } => &["hota", "deta", "assa"],
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Detection { samples, .. } => samples.len(),
            Self::Tracking { sequences } => sequences.len(),
        }
    }
}

/// A run's parts, and which records of it are compared.
pub(super) struct Side<'a> {
    pub(super) parts: &'a Parts,
    pub(super) records: usize,
    /// Indices of the records of each unit.
    pub(super) units: Vec<Vec<usize>>,
}

type Values<'a> = Box<dyn Fn(&[u32]) -> Vec<f64> + 'a>;

/// Figures of the records of both sides, those of `old` first, each counted as often as is said.
fn values<'a>(old: &Side<'a>, new: &Side<'a>) -> Result<Values<'a>, Error> {
    let fail = |what: &str| Error::Runs { what: what.to_owned() };
    if old.parts.len() != old.records || new.parts.len() != new.records {
        return Err(fail("a run's parts are not as many as its records; make it anew"));
    }
    match (old.parts, new.parts) {
        (
            Parts::Detection { protocol, samples },
            Parts::Detection { protocol: other, samples: more },
        ) => {
            if protocol != other {
                return Err(fail("they were evaluated by different protocols"));
            }
            let pool = PartsPool::new(protocol, samples.iter().chain(more).collect());
            let pool = pool.map_err(|what| fail(&what))?;
            Ok(Box::new(move |counts| pool.map_and_nds(counts).to_vec()))
        }
        (Parts::Tracking { sequences }, Parts::Tracking { sequences: more }) => {
            let all: Vec<&SequenceParts> = sequences.iter().chain(more).collect();
            Ok(Box::new(move |counts| hota_of(&all, counts).to_vec()))
        }
        _ => Err(fail("their parts are of different figures")),
    }
}

/// The change of each figure, not yet judged.
pub(super) fn changes(
    old: &Side<'_>,
    new: &Side<'_>,
    config: &CompareConfig,
) -> Result<Vec<Change>, Error> {
    let values = values(old, new)?;
    let known: RefCell<HashMap<Vec<u32>, Vec<f64>>> = RefCell::default();
    // Every figure draws the same: it is had once for all of them.
    let figure = |figure: usize, counts: Vec<u32>| -> f64 {
        if let Some(found) = known.borrow().get(&counts) {
            return found[figure];
        }
        let found = values(&counts);
        let value = found[figure];
        known.borrow_mut().insert(counts, found);
        value
    };
    let (units, records) = (old.units.len(), old.records + new.records);
    let counts = |chosen: &mut dyn Iterator<Item = (bool, usize)>| {
        let mut counts = vec![0; records];
        for (is_new, unit) in chosen {
            let (side, offset) = if is_new { (new, old.records) } else { (old, 0) };
            side.units[unit].iter().for_each(|&record| counts[offset + record] += 1);
        }
        counts
    };
    let resamples = |given: usize| given.min(RESAMPLES);
    let draws =
        BootstrapConfig { resamples: resamples(config.bootstrap.resamples), ..config.bootstrap };
    let flips = PermutationConfig {
        resamples: resamples(config.permutation.resamples),
        ..config.permutation
    };
    let change = |(index, name): (usize, &&'static str)| {
        let of = |is_new: bool, drawn: &[usize]| {
            figure(index, counts(&mut drawn.iter().map(|&unit| (is_new, unit))))
        };
        let all: Vec<usize> = (0..units).collect();
        let (before, after) = (of(false, &all), of(true, &all));
        let interval = bootstrap(units, &draws, |drawn| Some(of(true, drawn) - of(false, drawn)));
        let p_value = sign_flip_p_value(units, &flips, |exchanged| {
            let value = |is_new: bool| {
                let chosen =
                    exchanged.iter().enumerate().map(|(unit, &flip)| (flip != is_new, unit));
                figure(index, counts(&mut { chosen }))
            };
            Some(value(true) - value(false))
        });
        Change {
            metric: (*name).to_owned(),
            better: Better::Higher,
            before,
            after,
            difference: after - before,
            interval,
            p_value: p_value.unwrap_or(1.0),
            p_adjusted: p_value.unwrap_or(1.0),
            verdict: if old.parts == new.parts { Verdict::Same } else { Verdict::Noise },
        }
    };
    Ok(old.parts.names().iter().enumerate().map(change).collect())
}
