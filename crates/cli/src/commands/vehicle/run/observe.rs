//! What is done with what comes out: labels, health, the slot.

use std::path::PathBuf;
use std::time::Duration;

use ommatidia_geometry::Timestamp;
use ommatidia_runtime::Error;
use ommatidia_runtime::health::{Health, Report};
use ommatidia_runtime::schedule::{Answer, Observer};
use ommatidia_runtime::watchdog::Breach;
use ommatidia_store::atomic;
use ommatidia_store::labels::SpaceWriter;
use serde::Serialize;

use super::slot::Slot;
use crate::interrupt;

/// What is done with what comes out.
pub(super) struct Keeper<'a> {
    pub(super) slot: Option<&'a Slot>,
    pub(super) writer: Option<SpaceWriter>,
    /// Times of what was written.
    pub(super) written: Vec<Timestamp>,
    pub(super) health: Option<PathBuf>,
    pub(super) about: About,
    pub(super) most_frames: Option<u64>,
    pub(super) most_seconds: Option<f64>,
}

/// A run, for its reports.
#[derive(Debug, Clone, Serialize)]
pub(super) struct About {
    pub(super) release: String,
    pub(super) engine: &'static str,
    pub(super) cameras: usize,
    pub(super) on_trial: bool,
    /// The release was kept after a good run.
    pub(super) confirmed: bool,
    /// What the watchdog saw: each kind once.
    pub(super) breaches: Vec<Breach>,
    /// Why the run ended.
    pub(super) end: Option<&'static str>,
    pub(super) reason: Option<String>,
    /// What became of a slot that failed.
    pub(super) slot: Option<String>,
    /// The last things that went wrong with cameras.
    pub(super) complaints: Vec<String>,
}

/// What is written and printed.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    #[serde(flatten)]
    pub(super) about: &'a About,
    #[serde(flatten)]
    pub(super) report: Report,
    /// Memory of this process, bytes, where the system tells.
    pub(super) memory_bytes: Option<u64>,
    pub(super) memory_peak_bytes: Option<u64>,
}

impl Keeper<'_> {
    pub(super) fn summary(&self, since: Duration, health: &Health) -> Summary<'_> {
        let [memory_bytes, memory_peak_bytes] = memory();
        let report = health.report(since);
        Summary { about: &self.about, report, memory_bytes, memory_peak_bytes }
    }
}

impl Observer for Keeper<'_> {
    fn answer(&mut self, answer: &Answer<'_>) -> Result<(), Error> {
        if let Some(writer) = &mut self.writer {
            writer.write(self.written.len() as u32, answer.space)?;
            self.written.push(answer.captured);
        }
        Ok(())
    }

    fn report(&mut self, since: Duration, health: &Health) -> Result<(), Error> {
        if let Some(path) = &self.health {
            atomic::write_json(path, &self.summary(since, health))?;
        }
        Ok(())
    }

    fn proved(&mut self) -> Result<(), Error> {
        if let Some(slot) = self.slot.filter(|slot| slot.on_trial()) {
            self.about.confirmed = slot.confirm()?;
        }
        Ok(())
    }

    fn breach(&mut self, breach: &Breach) -> bool {
        tracing::warn!("{breach}");
        let kind = std::mem::discriminant(breach);
        if !self.about.breaches.iter().any(|known| std::mem::discriminant(known) == kind) {
            self.about.breaches.push(breach.clone());
        }
        self.slot.is_some()
    }

    fn stops(&self, since: Duration, health: &Health) -> bool {
        interrupt::asked()
            || self.most_frames.is_some_and(|most| health.out() >= most)
            || self.most_seconds.is_some_and(|most| since.as_secs_f64() >= most)
    }
}

/// Memory now and at most, bytes, where the system tells.
fn memory() -> [Option<u64>; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ["VmRSS:", "VmHWM:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(1024 * kib)
    })
}
