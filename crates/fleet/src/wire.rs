//! What vehicles and servers say to each other, with its bounds.
//!
//! A server tells all vehicles of a group the same [`Document`]; each finds out by itself
//! ([`Document::wanted`]) what it means for it. Vehicles report in [`Batch`]es.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::cohort;
use crate::filter::{Attributes, Filter, Value};
use crate::rollout::MEASURES;

/// Longest name of a vehicle, rollout, person or release, bytes.
pub const MAX_NAME: usize = 64;
/// Longest name of a group, bytes.
pub const MAX_GROUP: usize = 32;
/// Most attributes of a vehicle.
pub const MAX_ATTRIBUTES: usize = 16;
/// Longest name of an attribute, bytes.
pub const MAX_ATTRIBUTE_NAME: usize = 32;
/// Longest text of an attribute, bytes.
pub const MAX_ATTRIBUTE_TEXT: usize = 64;
/// Most reports in a batch.
pub const MAX_REPORTS: usize = 256;
/// Longest time that one report covers, seconds.
pub const MAX_REPORT_SECONDS: u32 = 86_400;
/// Most events of a measure in one report. More is a broken counter, not a drive.
pub const MAX_REPORT_EVENTS: u32 = 10_000;
/// Largest batch as sent, bytes.
pub const MAX_BATCH_BYTES: usize = 64 << 10;
/// Largest batch when decompressed, bytes.
pub const MAX_BATCH_TEXT: usize = 256 << 10;

/// Checks the name of a vehicle, rollout, person or release: letters, digits, dots, underscores and
/// hyphens, beginning with a letter or digit.
///
/// # Errors
/// [`Error::Message`].
pub fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let good = name.bytes().all(inside)
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if good && name.len() <= MAX_NAME {
        return Ok(());
    }
    let problem = format!(
        "must be 1 to {MAX_NAME} letters, digits, dots, underscores and hyphens, and begin with a letter or digit"
    );
    Err(Error::Message { what, problem })
}

/// Checks the name of a group: small letters, digits and hyphens.
///
/// # Errors
/// [`Error::Message`].
pub fn check_group(name: &str) -> Result<(), Error> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=MAX_GROUP).contains(&name.len()) && name.bytes().all(inside) {
        return Ok(());
    }
    let problem = format!("must be 1 to {MAX_GROUP} small letters, digits and hyphens");
    Err(Error::Message { what: "group", problem })
}

/// Checks attributes: few, short, of names that a filter can say.
///
/// # Errors
/// [`Error::Message`].
pub fn check_attributes(attributes: &Attributes) -> Result<(), Error> {
    let fail = |problem: String| Err(Error::Message { what: "attributes", problem });
    if attributes.len() > MAX_ATTRIBUTES {
        return fail(format!("must be at most {MAX_ATTRIBUTES}"));
    }
    for (name, value) in attributes {
        let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let good = name.bytes().all(inside)
            && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !good || name.len() > MAX_ATTRIBUTE_NAME || name == "id" {
            return fail(format!(
                "names must be 1 to {MAX_ATTRIBUTE_NAME} small letters, digits and underscores, begin with a letter, and not be id"
            ));
        }
        match value {
            Value::Number(number) if number.is_finite() => {}
            Value::Text(text) if text.len() <= MAX_ATTRIBUTE_TEXT && !text.contains('\0') => {}
            _ => {
                return fail(format!(
                    "{name} must be a finite number or a text of at most {MAX_ATTRIBUTE_TEXT} bytes"
                ));
            }
        }
    }
    Ok(())
}

/// How the rollouts of a group stand: the same for all of its vehicles, so that any cache can keep it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Of this form; 1.
    pub format: u32,
    /// Whose it is.
    pub group: String,
    /// Rises with every change. A vehicle does not go back.
    pub version: u64,
    /// Seconds until a vehicle should ask again.
    pub poll_seconds: u32,
    /// From the oldest to the newest.
    pub rollouts: Vec<Offer>,
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Its name: with a vehicle's, the vehicle's place in it.
    pub rollout: String,
    /// What it brings.
    pub release: String,
    /// For which vehicles.
    pub filter: Filter,
    /// Millionths of them that it reached.
    pub reach: u32,
    /// Whether vehicles that do not have it yet still get it.
    pub offers: bool,
    /// Whether those that have it must leave it.
    pub stopped: bool,
}

/// What a document means for a vehicle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted<'a> {
    /// Nothing: go on as before.
    Nothing,
    /// Run that release; fetch it if it is not there.
    Run(&'a Offer),
    /// Leave the running release for the one before it.
    Leave(&'a Offer),
}

impl Document {
    /// What the vehicle should run: of the rollouts that are for it and reached its place, the newest.
    pub fn wanted(&self, vehicle: &str, attributes: &Attributes, running: &str) -> Wanted<'_> {
        let mut stopped = None;
        for offer in self.rollouts.iter().rev() {
            if !offer.filter.matches(vehicle, attributes) {
                continue;
            }
            let runs = offer.release == running;
            if offer.stopped {
                stopped = stopped.or(runs.then_some(offer));
                continue;
            }
            let within = cohort::place(&offer.rollout, vehicle) < offer.reach;
            if within && (offer.offers || runs) {
                return Wanted::Run(offer);
            }
        }
        stopped.map_or(Wanted::Nothing, Wanted::Leave)
    }
}

/// Events of a stretch of driving.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// Ends of the network's process that nobody asked for.
    pub crash: u32,
    /// Frames, or stretches of them, later than the budget.
    pub latency: u32,
    /// Times that outputs drifted.
    pub drift: u32,
    /// Times that two networks, or network and driver, disagreed.
    pub disagreement: u32,
}

impl Events {
    /// In the order of [`MEASURES`].
    pub fn counts(&self) -> [u64; MEASURES.len()] {
        [self.crash, self.latency, self.drift, self.disagreement].map(u64::from)
    }
}

/// A stretch of driving with one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The vehicle's number of it, from 1. A report that is sent again keeps it, and counts once.
    pub sequence: u64,
    /// What ran.
    pub release: String,
    /// When it ended by the vehicle's clock, seconds since 1970.
    pub at: u64,
    /// How long it was, seconds.
    pub seconds: u32,
    /// What happened.
    pub events: Events,
}

impl Report {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`Error::Message`].
    pub fn validate(&self) -> Result<(), Error> {
        let fail = |what, problem: String| Err(Error::Message { what, problem });
        // Databases count with a sign.
        if self.sequence == 0 || self.sequence > i64::MAX as u64 || self.at > i64::MAX as u64 {
            return fail(
                "sequence and at",
                format!("must be at most {}, sequence from 1", i64::MAX),
            );
        }
        check_name("release", &self.release)?;
        if self.seconds > MAX_REPORT_SECONDS {
            return fail("seconds", format!("must be at most {MAX_REPORT_SECONDS}"));
        }
        if self.events.counts().iter().any(|count| *count > u64::from(MAX_REPORT_EVENTS)) {
            return fail("events", format!("must be at most {MAX_REPORT_EVENTS} of a kind"));
        }
        Ok(())
    }
}

/// Reports that a vehicle sends together; JSON, compressed with zstd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// At most [`MAX_REPORTS`].
    pub reports: Vec<Report>,
}

impl Batch {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`Error::Message`].
    pub fn validate(&self) -> Result<(), Error> {
        if !(1..=MAX_REPORTS).contains(&self.reports.len()) {
            let problem = format!("must be 1 to {MAX_REPORTS}");
            return Err(Error::Message { what: "reports", problem });
        }
        self.reports.iter().try_for_each(Report::validate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cohort::MILLION;

    fn offer(rollout: &str, release: &str, filter: &str, reach: u32) -> Offer {
        Offer {
            rollout: rollout.to_owned(),
            release: release.to_owned(),
            filter: Filter::parse(filter).unwrap(),
            reach,
            offers: true,
            stopped: false,
        }
    }

    fn document(rollouts: Vec<Offer>) -> Document {
        Document { format: 1, group: "cars".to_owned(), version: 1, poll_seconds: 60, rollouts }
    }

    #[test]
    fn a_vehicle_runs_the_newest_release_that_reached_it() {
        let eu = Attributes::from([("region".to_owned(), Value::Text("eu".to_owned()))]);
        let mut offers = vec![
            offer("first", "net-1", "TRUE", MILLION),
            offer("second", "net-2", "region = 'eu'", MILLION),
        ];
        let release = |offers: &[Offer], attributes: &Attributes, running: &str| match document(
            offers.to_vec(),
        )
        .wanted("VIN1", attributes, running)
        {
            Wanted::Run(offer) => offer.release.clone(),
            Wanted::Leave(offer) => format!("not {}", offer.release),
            Wanted::Nothing => String::new(),
        };
        assert_eq!(release(&offers, &eu, "net-0"), "net-2");
        assert_eq!(release(&offers, &Attributes::new(), "net-0"), "net-1");
        offers[1].reach = 0;
        assert_eq!(release(&offers, &eu, "net-0"), "net-1");
        // Paused: who has it keeps it, nobody else gets it.
        (offers[1].reach, offers[1].offers) = (MILLION, false);
        assert_eq!(release(&offers, &eu, "net-2"), "net-2");
        assert_eq!(release(&offers, &eu, "net-1"), "net-1");
        // Stopped: back to the release before, which the vehicle knows where no rollout does.
        offers[1].stopped = true;
        assert_eq!(release(&offers, &eu, "net-2"), "net-1");
        assert_eq!(release(&offers[1..], &eu, "net-2"), "not net-2");
        assert_eq!(release(&offers[1..], &eu, "net-0"), "");
    }

    #[test]
    fn stages_reach_the_vehicles_whose_place_is_low() {
        let document = document(vec![offer("r", "net-1", "TRUE", 100_000)]);
        let reached = (0..2000)
            .filter(|i| {
                let vehicle = format!("VIN{i}");
                document.wanted(&vehicle, &Attributes::new(), "net-0") != Wanted::Nothing
            })
            .count();
        assert!((150..250).contains(&reached), "{reached}");
    }

    #[test]
    fn messages_out_of_bounds_are_refused() {
        let good = Report {
            sequence: 1,
            release: "net-1".to_owned(),
            at: 1,
            seconds: 60,
            events: Events::default(),
        };
        let check = |good_one: bool, spoil: fn(&mut Report)| {
            let mut report = good.clone();
            spoil(&mut report);
            assert_eq!(Batch { reports: vec![report] }.validate().is_ok(), good_one);
        };
        check(true, |_| {});
        check(false, |report| report.sequence = 0);
        check(false, |report| report.sequence = u64::MAX);
        check(false, |report| report.release = "net 1".to_owned());
        check(false, |report| report.release = "x".repeat(65));
        check(false, |report| report.seconds = MAX_REPORT_SECONDS + 1);
        check(false, |report| report.events.drift = MAX_REPORT_EVENTS + 1);
        assert!(Batch { reports: vec![] }.validate().is_err());
        assert!(Batch { reports: vec![good; MAX_REPORTS + 1] }.validate().is_err());
        let attributes = |name: &str, value| Attributes::from([(name.to_owned(), value)]);
        assert!(check_attributes(&attributes("a1_b", Value::Number(1.0))).is_ok());
        for bad in ["", "A", "1a", "a-b", "id", &"a".repeat(33)] {
            assert!(check_attributes(&attributes(bad, Value::Number(1.0))).is_err(), "{bad}");
        }
        assert!(check_attributes(&attributes("a", Value::Number(f64::NAN))).is_err());
        assert!(check_attributes(&attributes("a", Value::Text("x".repeat(65)))).is_err());
        assert!(check_group("eu-cars-2").is_ok());
        assert!(check_group("EU").is_err() && check_group("../x").is_err());
        assert!(check_name("x", ".hidden").is_err() && check_name("x", "a/b").is_err());
    }
}
