//! Keeping fewer frames than a source has.

use std::path::Path;

use ommatidia_geometry::Timestamp;
use ommatidia_scene::Skipped;

use crate::Error;
use crate::formats::ImportOptions;

/// A frame may come this share of a period early: sensors jitter.
const EARLY_SHARE: f64 = 0.1;

/// Chooses frames at even distances so that about `rate_hz` or fewer remain a second.
pub(crate) struct Thinning {
    rate_hz: Option<f64>,
    kept: Option<Timestamp>,
    dropped: u64,
}

impl Thinning {
    /// As the options ask.
    ///
    /// # Errors
    /// Where the rate is no positive number.
    pub(crate) fn new(options: &ImportOptions, source: &Path) -> Result<Self, Error> {
        let rate_hz = checked_rate(options, source)?;
        Ok(Self { rate_hz, kept: None, dropped: 0 })
    }

    /// Whether the frame at that time stays. To be asked once per frame, in ascending time.
    pub(crate) fn keeps(&mut self, timestamp: Timestamp) -> bool {
        let Some(rate_hz) = self.rate_hz else { return true };
        let late_enough =
            |kept: Timestamp| (timestamp - kept).as_secs_f64() * rate_hz >= 1.0 - EARLY_SHARE;
        let keep = self.kept.is_none_or(late_enough);
        if keep {
            self.kept = Some(timestamp);
        }
        self.dropped += u64::from(!keep);
        keep
    }

    /// The frames that were dropped.
    pub(crate) fn skipped(&self) -> Option<Skipped> {
        let rate_hz = self.rate_hz.filter(|_| self.dropped > 0)?;
        let why = format!("thinned to {rate_hz} Hz as asked");
        Some(Skipped { what: "frames".to_owned(), why, count: self.dropped })
    }
}

/// The rate that the options ask for.
///
/// # Errors
/// Where it is no positive number.
pub(crate) fn checked_rate(options: &ImportOptions, source: &Path) -> Result<Option<f64>, Error> {
    match options.rate_hz {
        Some(rate) if !(rate > 1e-6 && rate < 1e6) => {
            let what = format!("cannot be read at {rate} frames a second; give a positive rate");
            Err(Error::source(source, what))
        }
        rate => Ok(rate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rate_hz: f64, times_ms: &[i64], expected_ms: &[i64]) {
        let options = ImportOptions { rate_hz: Some(rate_hz), ..ImportOptions::default() };
        let mut thinning = Thinning::new(&options, Path::new("source")).unwrap();
        let kept: Vec<i64> = times_ms
            .iter()
            .copied()
            .filter(|ms| thinning.keeps(Timestamp(ms * 1_000_000 + 5)))
            .collect();
        assert_eq!(kept, expected_ms);
        let dropped = (times_ms.len() - expected_ms.len()) as u64;
        assert_eq!(thinning.skipped().map_or(0, |skipped| skipped.count), dropped);
    }

    #[test]
    fn keeps_one_frame_a_period_despite_jitter() {
        check(5.0, &[0, 104, 196, 310, 405, 500, 601], &[0, 196, 405, 601]);
        check(10.0, &[0, 95, 205, 297, 402], &[0, 95, 205, 297, 402]);
        check(1.0, &[0, 5000, 5100, 6000], &[0, 5000, 6000]);
    }

    #[test]
    fn rates_must_be_positive() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let options = ImportOptions { rate_hz: Some(rate), ..ImportOptions::default() };
            assert!(Thinning::new(&options, Path::new("source")).is_err(), "{rate}");
        }
    }
}
