//! What can be asked of a road network.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Kind of place: decides widths, speeds, markings, junctions, and what stands along the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// Rows of buildings, wide pavements, traffic lights, parking bays.
    #[default]
    Urban,
    /// Houses with gardens, narrow pavements, roundabouts.
    Suburban,
    /// Fields and woods, no pavement.
    Rural,
    /// Carriageways apart, hard shoulders, exits and entries.
    Motorway,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "urban" => Ok(Self::Urban),
            "suburban" => Ok(Self::Suburban),
            "rural" => Ok(Self::Rural),
            "motorway" => Ok(Self::Motorway),
            _ => Err(format!("no setting `{text}`; choose urban, suburban, rural or motorway")),
        }
    }
}

/// Kinds of junction along the main road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Junctions {
    /// A side road from one side.
    ThreeWay,
    /// Two roads cross.
    FourWay,
    /// A ring with four arms.
    Roundabout,
    /// A motorway's exit.
    Exit,
    /// A motorway's entry.
    Merge,
}

/// What a road network shall be like. Whatever is `None` follows from the setting and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkOptions {
    /// Kind of place.
    pub setting: Setting,
    /// Length of the main road, metres, 60 to 5,000.
    pub length_m: f64,
    /// Lanes each way on the main road, 1 to 4.
    pub lanes: Option<u32>,
    /// Largest curvature of the main road, 1/m, 0 to 0.05; 0 for a straight road.
    pub curvature_per_m: Option<f64>,
    /// Largest grade of hills, metres a metre, 0 to 0.12.
    pub grade: Option<f64>,
    /// Junctions along the main road, in order, as many as fit; `None` leaves them to the seed, an
    /// empty list asks for none.
    pub junctions: Option<Vec<Junctions>>,
    /// Kerbside parking.
    pub parking: Option<bool>,
    /// Bicycle lanes.
    pub bicycle_lanes: Option<bool>,
}

impl Default for NetworkOptions {
    /// An urban street of half a kilometre.
    fn default() -> Self {
        Self {
            setting: Setting::Urban,
            length_m: 500.0,
            lanes: None,
            curvature_per_m: None,
            grade: None,
            junctions: None,
            parking: None,
            bicycle_lanes: None,
        }
    }
}

impl NetworkOptions {
    /// Whether a network can be made.
    ///
    /// # Errors
    /// Names the value that is out of its range, and the range.
    pub fn check(&self) -> Result<(), Error> {
        let within = |name: &'static str, value: f64, low: f64, high: f64| {
            if value.is_finite() && (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::RoadOption { name, value, low, high })
            }
        };
        within("length_m", self.length_m, 60.0, 5000.0)?;
        within("lanes", f64::from(self.lanes.unwrap_or(1)), 1.0, 4.0)?;
        within("curvature_per_m", self.curvature_per_m.unwrap_or(0.0), 0.0, 0.05)?;
        within("grade", self.grade.unwrap_or(0.0), 0.0, 0.12)?;
        let motorway = self.setting == Setting::Motorway;
        for kind in self.junctions.iter().flatten() {
            if matches!(kind, Junctions::Exit | Junctions::Merge) != motorway {
                return Err(Error::RoadJunction { kind: *kind, setting: self.setting });
            }
        }
        Ok(())
    }
}
