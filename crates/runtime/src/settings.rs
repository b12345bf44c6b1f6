//! What may be chosen about a run.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What may be chosen about a run; on disk as TOML.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Frames are taken at this rate, Hz; left out: whenever one arrives.
    pub rate_hz: Option<f64>,
    /// From a frame's arrival to its vector space, milliseconds. A later answer counts as late, and a frame
    /// that is older before its turn is dropped.
    pub budget_ms: f64,
    /// Health is reported every so many seconds.
    pub report_s: f64,
    /// The run ends when no frame arrives for so many seconds.
    pub silent_s: f64,
    /// What is not put up with.
    pub watchdog: Limits,
}

/// What the watchdog does not put up with, and when a release has proved itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// A frame is in the network for so many budgets: it hangs.
    pub hang_budgets: f64,
    /// The network fails on so many frames in a row.
    pub errors_in_row: u32,
    /// Latency and outputs are judged over so many frames together.
    pub window: u64,
    /// Most that the 99th percentile of a window's latency may be, as a share of the budget.
    pub p99_budgets: f64,
    /// Most that the distribution of an output may be off the reference: largest difference of the two
    /// cumulative distributions, 0 to 1.
    pub drift: f64,
    /// A release on trial is confirmed after so many frames without a breach, ...
    pub confirm_frames: u64,
    /// ... and so many seconds.
    pub confirm_s: f64,
}

impl Default for Settings {
    /// Cameras of 10 Hz whose frame is answered before the next but one comes: nuScenes' key frames come at
    /// 2 Hz, Waymo's and Argoverse's cameras run at 10 and 20 Hz.
    fn default() -> Self {
        Self {
            rate_hz: None,
            budget_ms: 100.0,
            report_s: 5.0,
            silent_s: 10.0,
            watchdog: Limits::default(),
        }
    }
}

impl Default for Limits {
    /// 5 s at a budget of 100 ms for a hang; a window of 20 s at 10 Hz, in which two late frames make no 99th
    /// percentile; a minute for a confirmation. The distance of two samples of one distribution is below
    /// 0.02 with more than 99.9 % probability for windows of 10,000 independent values (Kolmogorov 1933);
    /// pixels of one drive are far from independent, so that the default only stops gross drift.
    fn default() -> Self {
        Self {
            hang_budgets: 50.0,
            errors_in_row: 10,
            window: 200,
            p99_budgets: 1.0,
            drift: 0.35,
            confirm_frames: 600,
            confirm_s: 60.0,
        }
    }
}

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Store`] and [`Error::Settings`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ommatidia_store::Error::read(path, cause))?;
        let fail = |what: String| Error::Settings { path: path.to_owned(), what };
        let settings: Self = toml::from_str(&text).map_err(|cause| fail(cause.to_string()))?;
        settings.check().map_err(fail)?;
        Ok(settings)
    }

    /// Whether the numbers can be used; the first that cannot, in words.
    ///
    /// # Errors
    /// Which setting, and what it must be.
    pub fn check(&self) -> Result<(), String> {
        let limits = &self.watchdog;
        let bounded = [
            ("rate_hz", self.rate_hz.unwrap_or(1.0), 1e-3, 1e4),
            ("budget_ms", self.budget_ms, 1e-3, 1e6),
            ("report_s", self.report_s, 1e-3, 1e6),
            ("silent_s", self.silent_s, 1e-3, 1e6),
            ("watchdog.hang_budgets", limits.hang_budgets, 1.0, 1e6),
            ("watchdog.p99_budgets", limits.p99_budgets, 1e-3, 1e6),
            ("watchdog.drift", limits.drift, 0.0, 1.0),
            ("watchdog.confirm_s", limits.confirm_s, 0.0, 1e9),
            ("watchdog.errors_in_row", f64::from(limits.errors_in_row), 1.0, 1e9),
            ("watchdog.window", limits.window as f64, 1.0, 1e9),
        ];
        for (name, value, least, most) in bounded {
            if !(least..=most).contains(&value) {
                return Err(format!("{name} is {value}; give {least} to {most}"));
            }
        }
        Ok(())
    }

    /// [`Self::budget_ms`].
    pub fn budget(&self) -> Duration {
        Duration::from_secs_f64(self.budget_ms / 1e3)
    }

    /// Between two ticks, where there is a rate.
    pub fn period(&self) -> Option<Duration> {
        self.rate_hz.map(|rate_hz| Duration::from_secs_f64(1.0 / rate_hz))
    }

    /// How long a frame may be in the network before it hangs.
    pub fn hang(&self) -> Duration {
        Duration::from_secs_f64(self.budget_ms / 1e3 * self.watchdog.hang_budgets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let check = |text: &str, words: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("run.toml");
            std::fs::write(&path, text).unwrap();
            let told = Settings::read(&path).err().map(|error| error.to_string());
            assert_eq!(told.is_some(), !words.is_empty(), "{told:?}");
            let told = told.unwrap_or_default();
            assert!(words.iter().all(|word| told.contains(word)), "{told}");
        };
        check("", &[]);
        check("rate_hz = 10.0\nbudget_ms = 50.0\n[watchdog]\ndrift = 0.5", &[]);
        check("budget_ms = 0.0", &["run.toml", "budget_ms", "give"]);
        check("budget_ms = nan", &["budget_ms"]);
        check("[watchdog]\ndrift = 2.0", &["watchdog.drift"]);
        check("[watchdog]\nwindow = 0", &["watchdog.window"]);
        check("bugdet_ms = 1.0", &["bugdet_ms"]);
    }
}
