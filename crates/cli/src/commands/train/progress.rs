//! What a training shows while it runs.

use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::ProgressBar;
use ommatidia_train::{Observer, StepLine};

use crate::args::Common;
use crate::{interrupt, progress};

/// Shows a bar with loss, rate, share of waiting and time left; holds the clock and the wish to stop.
pub(super) struct Watch {
    bar: ProgressBar,
    quiet: bool,
    _resumable: interrupt::Resumable,
}

/// Without a terminal, a line after so many steps.
const LINE_EVERY: u64 = 20;

impl Watch {
    /// Shows nothing unless this is the first rank.
    pub(super) fn new(common: &Common, steps: u64, first: bool) -> Self {
        let bar = if first {
            progress::bar_with_message(common, "train", steps)
        } else {
            ProgressBar::hidden()
        };
        Self { bar, quiet: common.quiet || !first, _resumable: interrupt::Resumable::begin() }
    }

    fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        if self.bar.is_hidden() { eprintln!("{line}") } else { self.bar.println(line) }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Watch {
    fn unix_seconds(&self) -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }

    fn interrupted(&self) -> bool {
        interrupt::asked()
    }

    fn stepped(&self, line: &StepLine<'_>) {
        let text = format!(
            "loss {:.4}, {:.2} samples/s, {:.0} % waiting",
            line.report.loss,
            line.samples_per_s,
            100.0 * line.data_wait_share
        );
        if self.bar.position() == 0 {
            // Steps of earlier starts are no measure of this one's rate.
            self.bar.reset_eta();
        }
        self.bar.set_position(line.step);
        if self.bar.is_hidden() && line.step.is_multiple_of(LINE_EVERY) {
            self.say(&format!("step {}/{}: {text}, rate {:.2e}", line.step, line.steps, line.rate));
        }
        self.bar.set_message(text);
    }

    fn validating(&self, done: usize, of: usize) {
        self.bar.set_message(format!("validating {done}/{of}"));
    }

    fn validated(&self, step: u64, scores: &[(String, f64)]) {
        let shown: Vec<String> =
            scores.iter().take(6).map(|(name, value)| format!("{name} {value:.4}")).collect();
        self.say(&format!("step {step}: validation {}", shown.join(", ")));
    }
}
