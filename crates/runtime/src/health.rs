//! What is known about a run, in memory that does not grow with it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ommatidia_scene::Skipped;
use serde::Serialize;

use crate::histogram::{Histogram, Latency};
use crate::perceive::{Perceived, Spans};
use crate::sketch::{Sketches, Spread};

/// Why a frame gave no vector space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dropped {
    /// A newer one came before its turn.
    Superseded,
    /// It was older than the budget before its turn.
    Stale,
    /// It could not be read.
    Unreadable,
    /// The network failed on it.
    Failed,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Superseded => "a newer frame came before its turn",
            Self::Stale => "older than the budget before its turn",
            Self::Unreadable => "could not be read",
            Self::Failed => "the network failed on it",
        })
    }
}

/// Frames that are listed by name; of others the reason is counted.
const MOST_NAMED: usize = 32;

/// What is known about a run.
#[derive(Debug, Default)]
pub struct Health {
    arrived: u64,
    out: u64,
    late: u64,
    dark: u64,
    idle_ticks: u64,
    missed_ticks: u64,
    dropped: BTreeMap<Dropped, u64>,
    skipped: BTreeMap<(String, String), u64>,
    skipped_beyond: u64,
    latency: Histogram,
    read: Histogram,
    prepare: Histogram,
    engine: Histogram,
    decode: Histogram,
    outputs: Sketches,
}

/// [`Health`] at one time, for people and machines.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Since the run began, seconds.
    pub seconds: f64,
    /// Frames that came.
    pub arrived: u64,
    /// Vector spaces that came of them.
    pub out: u64,
    /// Of them later than the budget.
    pub late: u64,
    /// Frames that gave none, by reason.
    pub dropped: BTreeMap<Dropped, u64>,
    /// Vector spaces per second.
    pub out_per_s: f64,
    /// Pictures that a camera did not deliver.
    pub dark_pictures: u64,
    /// Ticks without a new frame.
    pub idle_ticks: u64,
    /// Ticks that passed while a frame was in the network.
    pub missed_ticks: u64,
    /// From a frame's arrival to its vector space, milliseconds.
    pub latency_ms: Latency,
    /// Where it goes, milliseconds.
    pub parts_ms: BTreeMap<&'static str, Latency>,
    /// What the network's outputs are like.
    pub outputs: BTreeMap<String, Spread>,
    /// What was left out by name.
    pub skipped: Vec<Skipped>,
}

impl Health {
    /// Frames came.
    pub(crate) fn arrive(&mut self, frames: u64) {
        self.arrived += frames;
    }

    /// Frames gave nothing.
    pub(crate) fn drop(&mut self, why: Dropped, frames: u64) {
        if frames > 0 {
            *self.dropped.entry(why).or_default() += frames;
        }
    }

    /// What was left out, by name while there are few.
    pub(crate) fn skip(&mut self, what: String, why: &str) {
        let key = (what, why.to_owned());
        if self.skipped.len() < MOST_NAMED || self.skipped.contains_key(&key) {
            *self.skipped.entry(key).or_default() += 1;
        } else {
            self.skipped_beyond += 1;
        }
    }

    pub(crate) fn tick(&mut self, idle: u64, missed: u64) {
        self.idle_ticks += idle;
        self.missed_ticks += missed;
    }

    pub(crate) fn read(&mut self, time: Duration, dark: usize) {
        self.read.add(time);
        self.dark += dark as u64;
    }

    /// A vector space came out.
    pub(crate) fn answer(&mut self, perceived: &Perceived, latency: Duration, late: bool) {
        self.out += 1;
        self.late += u64::from(late);
        self.latency.add(latency);
        let Spans { prepare, engine, decode } = perceived.spans;
        self.prepare.add(prepare);
        self.engine.add(engine);
        self.decode.add(decode);
        self.outputs.add(&perceived.outputs);
    }

    /// Vector spaces that came out.
    pub fn out(&self) -> u64 {
        self.out
    }

    /// Frames that gave none for a reason.
    pub fn dropped(&self, why: Dropped) -> u64 {
        self.dropped.get(&why).copied().unwrap_or(0)
    }

    /// What the network's outputs were like, over the whole run.
    pub fn outputs(&self) -> &Sketches {
        &self.outputs
    }

    /// At a time since the run began.
    pub fn report(&self, since: Duration) -> Report {
        let seconds = since.as_secs_f64();
        let skipped = self.skipped.iter().map(|((what, why), &count)| Skipped {
            what: what.clone(),
            why: why.clone(),
            count,
        });
        let beyond = Skipped {
            what: "more of these".to_owned(),
            why: "only the first are named".to_owned(),
            count: self.skipped_beyond,
        };
        let parts = [
            ("read", &self.read),
            ("prepare", &self.prepare),
            ("engine", &self.engine),
            ("decode", &self.decode),
        ];
        let spread = self.outputs.iter().map(|(name, sketch)| (name.to_owned(), sketch.spread()));
        Report {
            seconds,
            arrived: self.arrived,
            out: self.out,
            late: self.late,
            dropped: self.dropped.clone(),
            out_per_s: if seconds > 0.0 { self.out as f64 / seconds } else { 0.0 },
            dark_pictures: self.dark,
            idle_ticks: self.idle_ticks,
            missed_ticks: self.missed_ticks,
            latency_ms: self.latency.latency(),
            parts_ms: parts.map(|(name, times)| (name, times.latency())).into(),
            outputs: spread.collect(),
            skipped: skipped.chain((beyond.count > 0).then_some(beyond)).collect(),
        }
    }
}
