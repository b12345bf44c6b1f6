//! Which vehicles a rollout is for: a bounded part of SQL's `WHERE` over their attributes.
//!
//! ```
//! use ommatidia_fleet::filter::{Attributes, Filter, Value};
//! let filter = Filter::parse("region IN ('eu', 'uk') AND memory_gb >= 8 AND NOT model LIKE 'proto%'").unwrap();
//! let vehicle = Attributes::from([
//!     ("region".to_owned(), Value::Text("eu".to_owned())),
//!     ("memory_gb".to_owned(), Value::Number(16.0)),
//! ]);
//! assert!(filter.matches("VIN1", &vehicle));
//! ```
//!
//! A filter is read here and evaluated by vehicles themselves; a server that wants to list who matches
//! makes statements with parameters of its [`Term`]s, in which nothing that a person wrote is spliced.
//! A comparison with an attribute that a vehicle lacks, or has of the other kind, is false; there is no
//! third truth value. `id` is the vehicle's name. Numbers are ordered, texts are not.

mod parse;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Longest filter, bytes.
pub const MAX_TEXT: usize = 2048;
/// Most comparisons in a filter.
pub const MAX_TERMS: usize = 64;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 16;
/// Most values in a list.
pub const MAX_ITEMS: usize = 256;

/// What is known of a vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number; finite.
    Number(f64),
    /// A text.
    Text(String),
}

/// What is known of a vehicle, by name.
pub type Attributes = BTreeMap<String, Value>;

/// How numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `=`
    Equal,
    /// `!=` or `<>`
    Other,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Compare {
    /// Its spelling in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Other => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Other => a != b,
            Self::Less => a < b,
            Self::AtMost => a <= b,
            Self::More => a > b,
            Self::AtLeast => a >= b,
        }
    }
}

/// What is asked of one attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The vehicle has it.
    Known,
    /// It is a number that compares so.
    Number(Compare, f64),
    /// It is this text.
    Text(String),
    /// It is another text.
    OtherText(String),
    /// It is a text that begins so.
    Prefix(String),
    /// It is one of these.
    In(Vec<Value>),
}

/// A part of a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// Every vehicle.
    True,
    /// Vehicles that the part does not match.
    Not(Box<Term>),
    /// Vehicles that all parts match.
    And(Vec<Term>),
    /// Vehicles that some part matches.
    Or(Vec<Term>),
    /// Vehicles with such an attribute.
    Attribute(String, Test),
}

/// A filter that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter {
    text: String,
    root: Term,
}

impl TryFrom<String> for Filter {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.text
    }
}

impl Filter {
    /// Reads a filter. `TRUE` is every vehicle.
    ///
    /// # Errors
    /// [`Error::Filter`] with the byte at which it cannot go on.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self { text: text.to_owned(), root: parse::parse(text)? })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it says.
    pub fn root(&self) -> &Term {
        &self.root
    }

    /// Whether it is for that vehicle.
    pub fn matches(&self, vehicle: &str, attributes: &Attributes) -> bool {
        matches(&self.root, vehicle, attributes)
    }
}

fn matches(term: &Term, vehicle: &str, attributes: &Attributes) -> bool {
    match term {
        Term::True => true,
        Term::Not(inner) => !matches(inner, vehicle, attributes),
        Term::And(parts) => parts.iter().all(|part| matches(part, vehicle, attributes)),
        Term::Or(parts) => parts.iter().any(|part| matches(part, vehicle, attributes)),
        Term::Attribute(name, test) if name == "id" => {
            passes(test, &Value::Text(vehicle.to_owned()))
        }
        Term::Attribute(name, test) => {
            attributes.get(name).is_some_and(|value| passes(test, value))
        }
    }
}

fn passes(test: &Test, value: &Value) -> bool {
    match (test, value) {
        (Test::Known, _) => true,
        (Test::Number(compare, than), Value::Number(number)) => compare.holds(*number, *than),
        (Test::Text(wanted), Value::Text(text)) => text == wanted,
        (Test::OtherText(other), Value::Text(text)) => text != other,
        (Test::Prefix(prefix), Value::Text(text)) => text.starts_with(prefix.as_str()),
        (Test::In(values), value) => values.contains(value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, expected: bool) {
        let vehicle = Attributes::from([
            ("region".to_owned(), Value::Text("eu".to_owned())),
            ("model".to_owned(), Value::Text("Größe'7".to_owned())),
            ("memory_gb".to_owned(), Value::Number(8.0)),
        ]);
        let parsed = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(parsed.matches("VIN1", &vehicle), expected, "{filter}");
    }

    #[test]
    fn filters_say_which_vehicles() {
        check("TRUE", true);
        check("region = 'eu'", true);
        check("REGION = 'EU'", false);
        check("region <> 'uk' and memory_gb >= 8", true);
        check("region != 'eu' OR memory_gb < 8.5", true);
        check("region = 'eu' OR region = 'uk' AND memory_gb > 100", true);
        check("(region = 'eu' OR region = 'uk') AND memory_gb > 100", false);
        check("NOT (NOT memory_gb <= 8)", true);
        check("memory_gb IN (4, 8, 16)", true);
        check("region NOT IN ('us', 'cn')", true);
        check("model LIKE 'Größe''%'", true);
        check("model NOT LIKE 'G%'", false);
        check("id IN ('VIN1', 'VIN2')", true);
        check("memory_gb = 8e0 AND memory_gb > -1", true);
        // What a vehicle lacks, or has of the other kind, compares with nothing.
        check("colour = 'red'", false);
        check("colour != 'red'", false);
        check("colour NOT IN ('red')", false);
        check("NOT colour = 'red'", true);
        check("colour IS NULL AND region IS NOT NULL", true);
        check("region > 1 OR memory_gb = '8' OR memory_gb != '7'", false);
    }

    #[test]
    fn filters_survive_json() {
        let filter = Filter::parse("a = 'x' AND b IN (1, 2)").unwrap();
        let text = String::from(filter.clone());
        assert_eq!(Filter::try_from(text).unwrap(), filter);
    }
}
