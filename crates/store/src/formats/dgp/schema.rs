//! DGP's JSON: what is read of `dgp/proto/*.proto`.

use std::collections::BTreeMap;

use ommatidia_geometry::Pose;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Scene {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) log: String,
    pub(super) samples: Vec<Sample>,
    pub(super) data: Vec<Datum>,
    /// Kind of annotation to the ontology's key.
    #[serde(default)]
    pub(super) ontologies: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Sample {
    pub(super) id: Id,
    pub(super) datum_keys: Vec<String>,
    pub(super) calibration_key: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Id {
    #[serde(default)]
    pub(super) name: String,
    pub(super) timestamp: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Datum {
    pub(super) id: Id,
    pub(super) key: String,
    pub(super) datum: Kind,
}

/// One of these is there.
#[derive(Debug, Deserialize)]
pub(super) struct Kind {
    pub(super) image: Option<Image>,
    pub(super) point_cloud: Option<PointCloud>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Image {
    pub(super) filename: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pose: Option<Transform>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PointCloud {
    pub(super) filename: String,
    pub(super) point_format: Vec<String>,
    pub(super) pose: Option<Transform>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Transform {
    rotation: Rotation,
    translation: Translation,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Rotation {
    qw: f64,
    qx: f64,
    qy: f64,
    qz: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Translation {
    x: f64,
    y: f64,
    z: f64,
}

impl Transform {
    /// The transform between the frames that the caller knows it to be of.
    pub(super) fn pose<A, B>(self) -> Option<Pose<A, B>> {
        let Rotation { qw, qx, qy, qz } = self.rotation;
        let Translation { x, y, z } = self.translation;
        Pose::from_wxyz([qw, qx, qy, qz], [x, y, z])
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Calibration {
    pub(super) names: Vec<String>,
    pub(super) intrinsics: Vec<Intrinsics>,
    /// Vehicle from sensor.
    pub(super) extrinsics: Vec<Transform>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Intrinsics {
    pub(super) fx: f64,
    pub(super) fy: f64,
    pub(super) cx: f64,
    pub(super) cy: f64,
    #[serde(default)]
    pub(super) skew: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ontology {
    pub(super) items: Vec<OntologyItem>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OntologyItem {
    pub(super) id: i64,
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Boxes {
    pub(super) annotations: Vec<BoxAnnotation>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BoxAnnotation {
    pub(super) class_id: i64,
    pub(super) instance_id: u64,
    #[serde(default)]
    pub(super) num_points: u32,
    #[serde(rename = "box")]
    pub(super) cuboid: Cuboid,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cuboid {
    pub(super) length: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Sensor from box.
    pub(super) pose: Transform,
}
