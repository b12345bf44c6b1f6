//! Time as integer nanoseconds on one clock per clip.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds on the clip's clock. The epoch is the recording's own.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A signed span of time in nanoseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Duration(pub i64);

const NANOS_PER_SECOND: f64 = 1e9;

impl Timestamp {
    /// The time `seconds_s` after the epoch, rounded to the nearest nanosecond.
    pub fn from_secs_f64(seconds_s: f64) -> Self {
        Self((seconds_s * NANOS_PER_SECOND).round() as i64)
    }

    /// Seconds since the epoch. Above 2^53 ns (104 days) this loses nanoseconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND
    }
}

impl Duration {
    /// The span of `seconds_s`, rounded to the nearest nanosecond.
    pub fn from_secs_f64(seconds_s: f64) -> Self {
        Self((seconds_s * NANOS_PER_SECOND).round() as i64)
    }

    /// The span in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND
    }

    /// The span without its sign.
    pub fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }
}

impl Sub for Timestamp {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0.div_euclid(1_000_000_000), self.0.rem_euclid(1_000_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_keeps_nanoseconds_on_both_sides_of_the_epoch() {
        for (nanos, expected) in
            [(1_500_000_001, "1.500000001"), (0, "0.000000000"), (-1, "-1.999999999")]
        {
            assert_eq!(Timestamp(nanos).to_string(), expected);
        }
    }

    #[test]
    fn differences_add_back() {
        let (early, late) = (Timestamp(5), Timestamp(12));
        assert_eq!(early + (late - early), late);
        assert_eq!(late - (late - early), early);
    }
}
