//! Progress bars on standard error.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ommatidia_label::pipeline::Observer;

use crate::args::Common;
use crate::interrupt;

/// A bar with rate and time left; nothing with `--quiet` or without a terminal.
pub(crate) fn bar(common: &Common, what: &str, total: Option<u64>) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total)
            .with_style(style("{bar:30.cyan/dim} {pos}/{len} {per_sec}, {eta} left")),
        None => ProgressBar::new_spinner().with_style(style("{spinner} {pos} {per_sec}")),
    };
    if common.quiet {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_prefix(format!("{what:<12}"))
}

/// A bar with time left and a message.
pub(crate) fn bar_with_message(common: &Common, what: &str, total: u64) -> ProgressBar {
    let bar = bar(common, what, Some(total));
    bar.set_style(style("{bar:20.cyan/dim} {pos}/{len} {msg}, {eta} left"));
    bar
}

fn style(rest: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!("{{prefix}} {rest}"))
        .expect("the template is a constant that every bar uses")
}

/// Shows the labeller's stages as bars and keeps each one's wall time.
pub(crate) struct StageBars<'a> {
    common: &'a Common,
    running: Mutex<Option<(ProgressBar, Instant)>>,
    seconds: Mutex<Vec<(String, f64)>>,
    _resumable: interrupt::Resumable,
}

impl<'a> StageBars<'a> {
    pub(crate) fn new(common: &'a Common) -> Self {
        Self {
            common,
            running: Mutex::default(),
            seconds: Mutex::default(),
            _resumable: interrupt::Resumable::begin(),
        }
    }

    /// Wall time of a stage that ran, seconds. Stages of one walk share its time equally.
    pub(crate) fn seconds(&self, stage: &str) -> f64 {
        let seconds = self.seconds.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let share = |(names, seconds): &(String, f64)| {
            let names: Vec<&str> = names.split('+').collect();
            if names.contains(&stage) { seconds / names.len() as f64 } else { 0.0 }
        };
        seconds.iter().map(share).fold(0.0, |sum, share| sum + share)
    }
}

impl Observer for StageBars<'_> {
    fn begin(&self, stage: &str, frames: usize) {
        let bar = bar(self.common, stage, Some(frames as u64));
        *self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) =
            Some((bar, Instant::now()));
    }

    fn advance(&self, frames_done: usize) {
        if let Some((bar, _)) =
            &*self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        {
            bar.set_position(frames_done as u64);
        }
    }

    fn end(&self, stage: &str) {
        let running = self.running.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some((bar, since)) = running {
            bar.finish_and_clear();
            let mut seconds = self.seconds.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            seconds.push((stage.to_owned(), since.elapsed().as_secs_f64()));
        }
    }

    fn interrupted(&self) -> bool {
        interrupt::asked()
    }
}
