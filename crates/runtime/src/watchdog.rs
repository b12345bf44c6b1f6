//! When a release is not to be run any longer, and when it has proved itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ommatidia_onnx::engines::Value;
use serde::Serialize;

use crate::Settings;
use crate::histogram::Histogram;
use crate::sketch::Sketches;

/// Why a release is not to be run any longer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "breach")]
pub enum Breach {
    /// A frame stays in the network.
    Hang {
        /// For so long, seconds.
        seconds: f64,
    },
    /// The network fails on frame after frame.
    Errors {
        /// How many in a row.
        count: u32,
        /// What it said of the last.
        last: String,
    },
    /// It is too slow.
    Latency {
        /// 99th percentile of a window, milliseconds.
        p99_ms: f64,
        /// What it may be, milliseconds.
        most_ms: f64,
    },
    /// An output is distributed otherwise than at release.
    Drift {
        /// Its name.
        output: String,
        /// Largest difference of the cumulative distributions.
        distance: f64,
        /// What it may be.
        most: f64,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hang { seconds } => {
                write!(f, "hang: a frame is in the network for {seconds:.1} s")
            }
            Self::Errors { count, last } => {
                write!(f, "errors: {count} frames failed in a row, the last with {last}")
            }
            Self::Latency { p99_ms, most_ms } => {
                write!(f, "latency: p99 is {p99_ms:.1} ms, more than {most_ms:.1} ms")
            }
            Self::Drift { output, distance, most } => {
                write!(
                    f,
                    "drift: output {output} is {distance:.3} off the reference, more than {most}"
                )
            }
        }
    }
}

/// Watches over answers and errors. Whether something hangs, [`Heart`] tells.
pub struct Watchdog {
    settings: Settings,
    reference: Option<Sketches>,
    errors: u32,
    latency: Histogram,
    outputs: Sketches,
    /// Since the last breach.
    sound: u64,
    since: Option<Duration>,
}

impl Watchdog {
    /// Drift is watched where there is a reference.
    pub fn new(settings: &Settings, reference: Option<Sketches>) -> Self {
        Self {
            settings: settings.clone(),
            reference,
            errors: 0,
            latency: Histogram::default(),
            outputs: Sketches::default(),
            sound: 0,
            since: None,
        }
    }

    /// The network failed on a frame.
    pub fn failure(&mut self, cause: &str) -> Option<Breach> {
        self.errors += 1;
        if self.errors < self.settings.watchdog.errors_in_row {
            return None;
        }
        let count = std::mem::take(&mut self.errors);
        self.broken(Breach::Errors { count, last: cause.to_owned() })
    }

    /// The network answered. Judges whenever a window is full.
    pub fn answer(
        &mut self,
        now: Duration,
        latency: Duration,
        outputs: &[Value],
    ) -> Option<Breach> {
        let limits = &self.settings.watchdog;
        self.errors = 0;
        self.latency.add(latency);
        if self.reference.is_some() {
            self.outputs.add(outputs);
        }
        self.sound += 1;
        self.since.get_or_insert(now);
        if self.latency.count() < limits.window {
            return None;
        }
        let p99_ms = 1e3 * self.latency.quantile(0.99).as_secs_f64();
        let most_ms = self.settings.budget_ms * limits.p99_budgets;
        let slow = (p99_ms > most_ms).then_some(Breach::Latency { p99_ms, most_ms });
        let breach = slow.or_else(|| self.drift());
        self.latency = Histogram::default();
        self.outputs = Sketches::default();
        breach.and_then(|breach| self.broken(breach))
    }

    /// The output that is furthest off the reference, if it is too far.
    fn drift(&self) -> Option<Breach> {
        let most = self.settings.watchdog.drift;
        let distances = self.outputs.iter().filter_map(|(name, found)| {
            let wanted = self.reference.as_ref()?.get(name)?;
            Some((name, found.distance(wanted)))
        });
        let worst = distances.max_by(|a, b| a.1.total_cmp(&b.1));
        let (output, distance) = worst.filter(|(_, distance)| *distance > most)?;
        Some(Breach::Drift { output: output.to_owned(), distance, most })
    }

    fn broken(&mut self, breach: Breach) -> Option<Breach> {
        (self.sound, self.since) = (0, None);
        Some(breach)
    }

    /// Whether it ran so long without a breach that it may be confirmed.
    pub fn has_proved_itself(&self, now: Duration) -> bool {
        let limits = &self.settings.watchdog;
        let window = limits.confirm_frames.max(limits.window);
        let seconds = self.since.map_or(0.0, |since| now.saturating_sub(since).as_secs_f64());
        self.sound >= window && seconds >= limits.confirm_s
    }
}

/// Since when a frame is in the network; read by whoever watches from another thread.
#[derive(Debug, Default)]
pub struct Heart {
    /// Nanoseconds on the run's clock and 1; 0 between frames.
    since: AtomicU64,
}

impl Heart {
    /// A frame goes into the network.
    pub fn begin(&self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX - 1);
        self.since.store(nanos + 1, Ordering::SeqCst);
    }

    /// It came out.
    pub fn end(&self) {
        self.since.store(0, Ordering::SeqCst);
    }

    /// Whether a frame is in the network for too long.
    pub fn hangs(&self, now: Duration, settings: &Settings) -> Option<Breach> {
        let since = self.since.load(Ordering::SeqCst).checked_sub(1)?;
        let busy = now.saturating_sub(Duration::from_nanos(since));
        (busy > settings.hang()).then_some(Breach::Hang { seconds: busy.as_secs_f64() })
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_onnx::engines::Numbers;

    use super::*;
    use crate::settings::Limits;

    fn settings() -> Settings {
        let watchdog = Limits {
            window: 4,
            errors_in_row: 3,
            confirm_frames: 8,
            confirm_s: 2.0,
            ..Limits::default()
        };
        Settings { watchdog, ..Settings::default() }
    }

    fn output(value: f32) -> Vec<Value> {
        let data = Numbers::Floats(vec![value; 8]);
        vec![Value { name: "depth".to_owned(), shape: vec![8], data }]
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn errors_count_in_a_row_only() {
        let mut dog = Watchdog::new(&settings(), None);
        assert_eq!(dog.failure("a"), None);
        assert_eq!(dog.failure("b"), None);
        assert_eq!(dog.answer(MS, MS, &[]), None);
        assert_eq!(dog.failure("c"), None);
        assert_eq!(dog.failure("d"), None);
        let told = dog.failure("no memory").unwrap().to_string();
        assert!(told.contains("3 frames failed in a row") && told.contains("no memory"), "{told}");
    }

    #[test]
    fn latency_is_judged_by_windows() {
        let mut dog = Watchdog::new(&settings(), None);
        let slow = Duration::from_millis(150);
        for latency in [MS, slow, MS] {
            assert_eq!(dog.answer(MS, latency, &[]), None);
        }
        let breach = dog.answer(MS, MS, &[]);
        assert!(matches!(breach, Some(Breach::Latency { most_ms: 100.0, .. })), "{breach:?}");
        // The next window is judged by itself.
        assert!((0..12).all(|_| dog.answer(MS, MS, &[]).is_none()));
    }

    #[test]
    fn drift_is_measured_against_the_reference() {
        let mut reference = Sketches::default();
        reference.add(&output(1.0));
        let check = |value: f32, drifts: bool| {
            let mut dog = Watchdog::new(&settings(), Some(reference.clone()));
            let breach = (0..4).find_map(|_| dog.answer(MS, MS, &output(value)));
            assert_eq!(breach.is_some(), drifts, "{breach:?}");
        };
        check(1.0, false);
        check(3.0, true);
        let mut dog = Watchdog::new(&settings(), None);
        assert!((0..8).all(|_| dog.answer(MS, MS, &output(9.0)).is_none()), "no reference");
    }

    #[test]
    fn a_release_proves_itself_in_frames_and_seconds() {
        let mut dog = Watchdog::new(&settings(), None);
        let at = |s: u64| Duration::from_secs(s);
        for second in 0..7 {
            dog.answer(at(second), MS, &[]);
            assert!(!dog.has_proved_itself(at(second)), "too few frames");
        }
        dog.answer(at(7), MS, &[]);
        assert!(dog.has_proved_itself(at(7)));
        (0..3).for_each(|_| drop(dog.failure("it fell")));
        assert!(!dog.has_proved_itself(at(8)), "a breach begins anew");
        (0..8).for_each(|_| drop(dog.answer(at(9), MS, &[])));
        assert!(!dog.has_proved_itself(at(10)), "too few seconds");
        assert!(dog.has_proved_itself(at(11)));
    }

    #[test]
    fn a_frame_that_stays_hangs() {
        let (heart, settings) = (Heart::default(), settings());
        assert_eq!(heart.hangs(Duration::from_secs(99), &settings), None);
        heart.begin(Duration::ZERO);
        assert_eq!(heart.hangs(Duration::from_secs(5), &settings), None);
        let breach = heart.hangs(Duration::from_millis(5100), &settings);
        assert_eq!(breach, Some(Breach::Hang { seconds: 5.1 }));
        heart.end();
        assert_eq!(heart.hangs(Duration::from_secs(99), &settings), None);
    }
}
