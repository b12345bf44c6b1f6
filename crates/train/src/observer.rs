//! Who watches a training: shows progress, holds the clock, and may ask to stop.

use crate::step::StepReport;

/// What a step was like for those who wait for it.
#[derive(Debug, Clone)]
pub struct StepLine<'a> {
    /// Steps that are done, and that there will be.
    pub step: u64,
    /// As far as is known.
    pub steps: u64,
    /// Loss and gradient.
    pub report: &'a StepReport,
    /// Learning rate.
    pub rate: f64,
    /// Samples a second since this start, over all ranks, without validation.
    pub samples_per_s: f64,
    /// Share of that time spent waiting for data.
    pub data_wait_share: f64,
}

/// Watches. The library has no clock of its own.
pub trait Observer {
    /// Seconds since 1970.
    fn unix_seconds(&self) -> f64;

    /// Somebody asked to stop: the state is saved after the step in hand. Looked at while validating too.
    fn interrupted(&self) -> bool;

    /// A step was taken.
    fn stepped(&self, line: &StepLine<'_>);

    /// Validation of so many samples: so many done.
    fn validating(&self, done: usize, of: usize);

    /// Scores on the validation data.
    fn validated(&self, step: u64, scores: &[(String, f64)]);
}
