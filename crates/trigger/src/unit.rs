//! Types of values: units keep metres from being compared with seconds.

use std::fmt;

/// Powers of metres and seconds; angles and shares have neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unit {
    /// Power of metres.
    pub m: i8,
    /// Power of seconds.
    pub s: i8,
}

impl Unit {
    /// A plain number.
    pub const ONE: Self = Self { m: 0, s: 0 };
    /// Metres.
    pub const M: Self = Self { m: 1, s: 0 };
    /// Seconds.
    pub const S: Self = Self { m: 0, s: 1 };
    /// Metres per second.
    pub const M_S: Self = Self { m: 1, s: -1 };
    /// Metres per second squared.
    pub const M_S2: Self = Self { m: 1, s: -2 };
    /// Radians per second.
    pub const PER_S: Self = Self { m: 0, s: -1 };

    /// A unit as it is written behind a number, and its size in metres, seconds and radians.
    pub(crate) fn named(name: &str) -> Option<(f64, Self)> {
        let degree = std::f64::consts::PI / 180.0;
        Some(match name {
            "m" => (1.0, Self::M),
            "km" => (1000.0, Self::M),
            "s" => (1.0, Self::S),
            "ms" => (1e-3, Self::S),
            "min" => (60.0, Self::S),
            "m/s" => (1.0, Self::M_S),
            "km/h" => (1.0 / 3.6, Self::M_S),
            "m/s2" => (1.0, Self::M_S2),
            "deg" => (degree, Self::ONE),
            "deg/s" => (degree, Self::PER_S),
            _ => return None,
        })
    }

    /// Of a product; `None` past the powers that are kept.
    pub(crate) fn times(self, other: Self) -> Option<Self> {
        Some(Self { m: self.m.checked_add(other.m)?, s: self.s.checked_add(other.s)? })
    }

    /// Of a quotient.
    pub(crate) fn over(self, other: Self) -> Option<Self> {
        Some(Self { m: self.m.checked_sub(other.m)?, s: self.s.checked_sub(other.s)? })
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = |name: &str, power: i8| match power.unsigned_abs() {
            0 => String::new(),
            1 => name.to_owned(),
            power => format!("{name}{power}"),
        };
        let above = [("m", self.m), ("s", self.s)]
            .map(|(n, p)| if p > 0 { power(n, p) } else { String::new() });
        let below = [("m", self.m), ("s", self.s)]
            .map(|(n, p)| if p < 0 { power(n, p) } else { String::new() });
        match (above.concat(), below.concat()) {
            (above, below) if above.is_empty() && below.is_empty() => write!(f, "a plain number"),
            (above, below) if below.is_empty() => write!(f, "{above}"),
            (above, below) if above.is_empty() => write!(f, "1/{below}"),
            (above, below) => write!(f, "{above}/{below}"),
        }
    }
}

/// What an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A class of the taxonomy.
    Class,
    /// A number of a unit.
    Number(Unit),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => write!(f, "true or false"),
            Self::Class => write!(f, "a class"),
            Self::Number(unit) => unit.fmt(f),
        }
    }
}
