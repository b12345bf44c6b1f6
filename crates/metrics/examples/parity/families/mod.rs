//! Each metric family as a function from JSON to named figures: one file a family, one line in [`FAMILIES`].
//!
//! The example `parity` and the test of the same name run them. JSON has no NaN or infinity: both sides write
//! `"nan"`, `"inf"` and `"-inf"`.

mod argoverse2;
mod birds_eye;
mod calibration;
mod image_lanes;
mod instances;
mod keypoints;
mod kitti_object;
mod map_lines;
mod nuscenes_detection;
mod nuscenes_tracking;
mod occupancy;
mod openlane;
mod panoptic;
mod pixels;
mod reconstruction;
mod samota;
mod semantics;
mod statistics;
mod tracking;
mod trajectory;
mod waymo_detection;
mod waymo_occupancy;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Figures by name.
pub(crate) type Figures = BTreeMap<String, f64>;

type Family = fn(Value) -> Result<Figures, String>;

/// Families by name, which is also that of `bench/metrics/families/NAME.py` and `tests/parity/NAME.json`.
pub(crate) const FAMILIES: &[(&str, Family)] = &[
    ("argoverse2", argoverse2::run),
    ("birds_eye", birds_eye::run),
    ("calibration", calibration::run),
    ("image_lanes", image_lanes::run),
    ("instances", instances::run),
    ("keypoints", keypoints::run),
    ("kitti_object", kitti_object::run),
    ("map_lines", map_lines::run),
    ("nuscenes_detection", nuscenes_detection::run),
    ("nuscenes_tracking", nuscenes_tracking::run),
    ("occupancy", occupancy::run),
    ("openlane", openlane::run),
    ("panoptic", panoptic::run),
    ("pixels", pixels::run),
    ("reconstruction", reconstruction::run),
    ("samota", samota::run),
    ("semantics", semantics::run),
    ("statistics", statistics::run),
    ("tracking", tracking::run),
    ("trajectory", trajectory::run),
    ("waymo_detection", waymo_detection::run),
    ("waymo_occupancy", waymo_occupancy::run),
];

/// The figures of a family on an input.
///
/// # Errors
/// An unknown family, an input that is not the family's, or what the metric says.
pub(crate) fn run(family: &str, input: Value) -> Result<Figures, String> {
    let found = FAMILIES.iter().find(|(name, _)| *name == family);
    let (_, run) = found.ok_or_else(|| format!("there is no family {family:?}"))?;
    run(input)
}

/// The typed input of a family.
fn parse<T: DeserializeOwned>(input: Value) -> Result<T, String> {
    serde_json::from_value(input).map_err(|cause| format!("input: {cause}"))
}

/// A number as JSON.
#[allow(dead_code, reason = "the test has no use for it")]
pub(crate) fn to_json(number: f64) -> Value {
    match number {
        x if x.is_nan() => "nan".into(),
        f64::INFINITY => "inf".into(),
        f64::NEG_INFINITY => "-inf".into(),
        x => x.into(),
    }
}

/// A number from JSON, in a field `#[serde(transparent)]` of the input: `Number(x)`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub(crate) struct Number(pub(crate) f64);

impl TryFrom<Value> for Number {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let number = match &value {
            Value::Null => Some(f64::NAN),
            Value::String(word) => word.parse().ok(),
            other => other.as_f64(),
        };
        number.map(Self).ok_or_else(|| format!("{value} is not a number"))
    }
}
