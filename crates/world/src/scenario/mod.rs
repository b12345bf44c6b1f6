//! What a drive shall be like: place, light, weather, traffic, and events that are pinned. Whatever a
//! scenario leaves out follows from the seed.

mod build;
mod event;
#[cfg(test)]
#[path = "tests.rs"]
mod hazards;
mod library;

use serde::{Deserialize, Serialize};

pub use build::Report;
pub(crate) use event::stopping_m;
pub use event::{Event, Hiding, Side, Vehicle};
pub use library::{NAMED, Named};

use crate::Error;
use crate::actors::{Item, Species};
use crate::look::Environment;
use crate::noise::{Stream, mix};
use crate::roads::{Junctions, NetworkOptions, Setting};

/// A scenario. TOML on disk; every key may be left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// One line on what happens.
    pub description: String,
    /// Length of the clip, seconds, 1 to 300; 20 if left out.
    pub duration_s: Option<f64>,
    /// Roads.
    pub place: Place,
    /// Light and weather.
    pub light: Light,
    /// Other road users.
    pub traffic: TrafficOptions,
    /// The vehicle that carries the rig.
    pub ego: EgoOptions,
    /// What happens for certain.
    #[serde(rename = "event")]
    pub events: Vec<Event>,
}

/// Roads; see [`NetworkOptions`] for units and bounds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Place {
    /// Kind of place.
    pub setting: Option<Setting>,
    /// Length of the main road, metres; long enough for the drive if left out.
    pub length_m: Option<f64>,
    /// Lanes each way on the main road.
    pub lanes: Option<u32>,
    /// Largest curvature of the main road, 1/m.
    pub curvature_per_m: Option<f64>,
    /// Largest grade of hills, metres a metre.
    pub grade: Option<f64>,
    /// Junctions along the main road, in order.
    pub junctions: Option<Vec<Junctions>>,
    /// Kerbside parking.
    pub parking: Option<bool>,
    /// Bicycle lanes.
    pub bicycle_lanes: Option<bool>,
    /// Building sites beside the road, 0 to 10.
    pub works: Option<u32>,
}

/// Times of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// Sun high enough not to dazzle.
    Day,
    /// Sun just over the horizon, ahead of the ego.
    LowSun,
    /// Sun just below the horizon.
    Dusk,
    /// Dark.
    Night,
}

/// Light and weather.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Light {
    /// Time of day.
    pub time: Option<Time>,
    /// Share of the sky that clouds cover, 0 to 1.
    pub cloud: Option<f64>,
    /// Rain, mm/h, 0 to 100.
    pub rain_mm_h: Option<f64>,
    /// Distance at which contrast falls to 5 %, metres, 20 to 50,000.
    pub visibility_m: Option<f64>,
    /// Wetness of the ground, 0 to 1; follows the rain if left out.
    pub wetness: Option<f64>,
}

/// Other road users.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrafficOptions {
    /// Vehicles on a kilometre of lane, 0 to 60.
    pub vehicles_per_km: Option<f64>,
    /// Share of lorries and buses, 0 to 1.
    pub heavy: Option<f64>,
    /// People on a hundred metres of pavement, 0 to 20.
    pub people_per_100_m: Option<f64>,
    /// Share of children among them, 0 to 1.
    pub children: Option<f64>,
    /// Cyclists on a kilometre of lane, 0 to 10.
    pub cyclists_per_km: Option<f64>,
    /// Share of parking places that are taken, 0 to 1.
    pub parked: Option<f64>,
}

/// The vehicle that carries the rig.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgoOptions {
    /// Wished speed, m/s, 2 to 45; the speed limit if left out.
    pub speed_m_s: Option<f64>,
    /// Where it turns at junctions; straight on if left out.
    pub turn: Option<Side>,
    /// Drives in the leftmost instead of the rightmost lane.
    pub left_lane: Option<bool>,
}

/// Largest number of events in a scenario.
const MOST_EVENTS: usize = 16;

/// A value within its bounds, or an error that names it.
pub(crate) fn within(key: &str, value: f64, low: f64, high: f64) -> Result<(), Error> {
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::ScenarioValue { key: key.to_owned(), value, low, high })
}

impl Scenario {
    /// Reads a scenario from TOML and checks it.
    ///
    /// # Errors
    /// Text that is no TOML, keys that do not exist, values out of their bounds: with key and bounds.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let scenario: Self = toml::from_str(text)
            .map_err(|cause| Error::ScenarioText { reason: cause.to_string() })?;
        scenario.check()?;
        Ok(scenario)
    }

    /// A named scenario of the library ([`NAMED`]).
    ///
    /// # Errors
    /// No scenario has this name; the error lists those that there are.
    pub fn named(name: &str) -> Result<Self, Error> {
        let found = NAMED.iter().find(|named| named.name == name);
        let Some(named) = found else {
            let known: Vec<&str> = NAMED.iter().map(|named| named.name).collect();
            return Err(Error::UnknownScenario { name: name.to_owned(), known: known.join(", ") });
        };
        Self::parse(named.toml)
    }

    /// Whether every value lies within its bounds and the events are possible.
    ///
    /// # Errors
    /// The first key that is not, with its value and bounds.
    pub fn check(&self) -> Result<(), Error> {
        let optional = |key: &str, value: Option<f64>, low: f64, high: f64| {
            value.map_or(Ok(()), |value| within(key, value, low, high))
        };
        optional("duration_s", self.duration_s, 1.0, 300.0)?;
        optional("place.works", self.place.works.map(f64::from), 0.0, 10.0)?;
        optional("light.cloud", self.light.cloud, 0.0, 1.0)?;
        optional("light.rain_mm_h", self.light.rain_mm_h, 0.0, 100.0)?;
        optional("light.visibility_m", self.light.visibility_m, 20.0, 50_000.0)?;
        optional("light.wetness", self.light.wetness, 0.0, 1.0)?;
        optional("traffic.vehicles_per_km", self.traffic.vehicles_per_km, 0.0, 60.0)?;
        optional("traffic.heavy", self.traffic.heavy, 0.0, 1.0)?;
        optional("traffic.people_per_100_m", self.traffic.people_per_100_m, 0.0, 20.0)?;
        optional("traffic.children", self.traffic.children, 0.0, 1.0)?;
        optional("traffic.cyclists_per_km", self.traffic.cyclists_per_km, 0.0, 10.0)?;
        optional("traffic.parked", self.traffic.parked, 0.0, 1.0)?;
        optional("ego.speed_m_s", self.ego.speed_m_s, 2.0, 45.0)?;
        within("event (their number)", self.events.len() as f64, 0.0, MOST_EVENTS as f64)?;
        let ego_m_s = self.ego.speed_m_s.unwrap_or(13.9);
        for event in &self.events {
            event.check(ego_m_s, self.duration_s())?;
        }
        self.check_place()?;
        self.network(0).check()
    }

    /// The place has what turns and events need.
    fn check_place(&self) -> Result<(), Error> {
        let conflict = |what: String| Err(Error::ScenarioConflict { what });
        let motorway = self.place.setting == Some(Setting::Motorway);
        let turns = matches!(self.ego.turn, Some(Side::Left | Side::Right));
        if turns && motorway {
            return conflict(
                "`ego.turn` needs junctions, and a motorway has none to turn at".into(),
            );
        }
        if turns && self.place.junctions.as_ref().is_some_and(Vec::is_empty) {
            let what = "`ego.turn` needs junctions, and `place.junctions` is empty; give it one";
            return conflict(what.into());
        }
        for event in &self.events {
            let name = event.name();
            if motorway && event.is_at_street() {
                let what = "happens on streets; a motorway has no kerb: choose another";
                return conflict(format!("`{name}` {what} `place.setting`"));
            }
            if event.needs_two_lanes() && self.place.lanes == Some(1) {
                let what = "needs a second lane in the ego's direction; `place.lanes` is 1, give 2";
                return conflict(format!("`{name}` {what} or more"));
            }
        }
        Ok(())
    }

    /// Length of the clip, seconds.
    pub fn duration_s(&self) -> f64 {
        self.duration_s.unwrap_or(20.0)
    }

    /// The road network to ask for.
    pub(crate) fn network(&self, seed: u64) -> NetworkOptions {
        let mut stream = Stream::new(mix(seed ^ 0x7363_6501));
        let place = &self.place;
        let drawn = match stream.range(0.0, 1.0) {
            d if d < 0.45 => Setting::Urban,
            d if d < 0.7 => Setting::Suburban,
            d if d < 0.85 => Setting::Rural,
            _ => Setting::Motorway,
        };
        // What happens on streets, or turns at junctions, is not drawn onto a motorway.
        let on_street = matches!(self.ego.turn, Some(Side::Left | Side::Right))
            || self.events.iter().any(Event::is_at_street);
        let setting = place.setting.unwrap_or(match drawn {
            Setting::Motorway if on_street => Setting::Urban,
            drawn => drawn,
        });
        let speed_m_s = self.ego.speed_m_s.unwrap_or(match setting {
            Setting::Urban | Setting::Suburban => 14.0,
            Setting::Rural => 28.0,
            Setting::Motorway => 36.0,
        });
        let drive_m = speed_m_s * (self.duration_s() + 5.0) + 160.0;
        NetworkOptions {
            setting,
            length_m: place.length_m.unwrap_or(drive_m.clamp(250.0, 5000.0)),
            lanes: place.lanes,
            curvature_per_m: place.curvature_per_m,
            grade: place.grade,
            junctions: place.junctions.clone(),
            parking: place.parking,
            bicycle_lanes: place.bicycle_lanes,
        }
    }

    /// Light and weather; `ahead_rad` is the ego's direction at the start, for a low sun.
    pub(crate) fn environment(&self, seed: u64, ahead_rad: f64) -> Environment {
        let mut stream = Stream::new(mix(seed ^ 0x7363_6502));
        let dice = stream.range(0.0, 1.0);
        let drawn = if dice < 0.7 {
            Time::Day
        } else if dice < 0.85 {
            Time::Dusk
        } else {
            Time::Night
        };
        let around = stream.range(-3.1, 3.1);
        let (elevation, azimuth) = match self.light.time.unwrap_or(drawn) {
            Time::Day => (stream.range(0.35, 1.05), around),
            Time::LowSun => (stream.range(0.06, 0.12), ahead_rad + stream.range(-0.25, 0.25)),
            Time::Dusk => (stream.range(-0.09, -0.02), around),
            Time::Night => (-0.5, around),
        };
        let rain_mm_h = self.light.rain_mm_h.unwrap_or_else(|| {
            if stream.range(0.0, 1.0) < 0.15 { stream.range(0.5, 12.0) } else { 0.0 }
        });
        let clear = 20_000.0 / (1.0 + 1.2 * rain_mm_h);
        let cloud = self.light.cloud.unwrap_or_else(|| {
            if rain_mm_h > 0.0 { stream.range(0.85, 1.0) } else { stream.range(0.0, 0.8) }
        });
        Environment {
            sun_elevation_rad: elevation,
            sun_azimuth_rad: azimuth,
            cloud,
            rain_mm_h,
            visibility_m: self.light.visibility_m.unwrap_or(clear),
            wetness: self.light.wetness.unwrap_or((0.25 * rain_mm_h).min(1.0)),
        }
    }
}

/// Names of species in scenario files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnimalName {
    /// A dog.
    Dog,
    /// A roe deer.
    RoeDeer,
    /// A red deer stag.
    Stag,
}

impl From<AnimalName> for Species {
    fn from(name: AnimalName) -> Self {
        match name {
            AnimalName::Dog => Self::Dog,
            AnimalName::RoeDeer => Self::RoeDeer,
            AnimalName::Stag => Self::Stag,
        }
    }
}

/// Names of loose objects in scenario files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemName {
    /// Wooden crate.
    Crate,
    /// Tyre.
    Tyre,
    /// Planks and sacks.
    Load,
    /// Wheeled bin.
    Bin,
}

impl From<ItemName> for Item {
    fn from(name: ItemName) -> Self {
        match name {
            ItemName::Crate => Self::Crate,
            ItemName::Tyre => Self::Tyre,
            ItemName::Load => Self::Load,
            ItemName::Bin => Self::Bin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let message = Scenario::parse(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }

    #[test]
    fn bad_scenarios_are_refused_with_key_value_and_bounds() {
        check("colour = 1", "unknown field `colour`");
        check("duration_s = 0.0", "`duration_s` is 0");
        check("duration_s = nan", "`duration_s` is NaN");
        check("[traffic]\nheavy = 1.5", "`traffic.heavy` is 1.5; choose it from 0 to 1");
        check("[place]\nlanes = 9", "lanes");
        check("[[event]]\nkind = \"flood\"", "unknown variant `flood`");
        check("[[event]]\nkind = \"cut_in\"\ncolour = 3", "unknown field `colour`");
        check("[[event]]\nkind = \"cut_in\"\ngap_m = -2.0", "`cut_in.gap_m` is -2");
        check(
            "[ego]\nspeed_m_s = 30.0\n[[event]]\nkind = \"pedestrian_emerges\"\ndistance_m = 10.0",
            "`pedestrian_emerges.distance_m` is 10",
        );
        check("[[event]]\nkind = \"hard_brake\"\nat_s = 50.0", "`hard_brake.at_s` is 50");
        check("= 3", "line 1");
        check(
            "[place]\nsetting = \"motorway\"\n[[event]]\nkind = \"bus_stop\"",
            "`bus_stop` happens on streets",
        );
        check("[place]\njunctions = []\n[ego]\nturn = \"left\"", "`place.junctions` is empty");
        check("[place]\nsetting = \"motorway\"\n[ego]\nturn = \"right\"", "`ego.turn`");
        check(
            "[place]\nlanes = 1\n[[event]]\nkind = \"cut_in\"",
            "`cut_in` needs a second lane in the ego's direction; `place.lanes` is 1",
        );
    }

    #[test]
    fn an_empty_file_is_a_scenario() {
        let scenario = Scenario::parse("").unwrap();
        assert_eq!(scenario, Scenario::default());
        let first = scenario.network(0);
        assert!((1..20).any(|seed| scenario.network(seed) != first), "seeds choose the place");
        assert_eq!(scenario.environment(4, 0.0), scenario.environment(4, 0.0));
        let stop = Scenario::parse("[[event]]\nkind = \"bus_stop\"").unwrap();
        assert!((0..60).all(|seed| stop.network(seed).setting != Setting::Motorway));
    }
}
