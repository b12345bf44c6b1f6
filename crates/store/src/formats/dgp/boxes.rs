//! Three-dimensional boxes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ommatidia_geometry::{Ego, Lidar, Pose, frames};
use ommatidia_scene::{ClassId, Object, Taxonomy, TrackId};

use super::schema::{self, BoxAnnotation, Boxes};
use crate::Error;
use crate::formats::common::inputs::{Inputs, MAX_TEXT_BYTES, parse_json, read_bounded};
use crate::formats::common::sanity;
use crate::formats::common::skips::Skips;

/// Largest side of a box, metres.
const MAX_SIDE_M: f64 = 1000.0;

/// The data set's classes by number.
#[derive(Default)]
pub(super) struct Ontology(BTreeMap<i64, (String, Option<ClassId>)>);

impl Ontology {
    /// Reads an ontology and maps its names onto ours.
    pub(super) fn read(path: &Path, inputs: &mut Inputs) -> Result<Self, Error> {
        let taxonomy = Taxonomy::driving();
        let ontology: schema::Ontology = inputs.json(path, "it names the classes of the boxes")?;
        let mapped = ontology.items.into_iter().map(|item| {
            let class = taxonomy.from_foreign("dgp", &item.name);
            (item.id, (item.name, class))
        });
        Ok(Self(mapped.collect()))
    }
}

/// The boxes of one scan in the ego frame. DGP gives no velocities.
pub(super) fn read(
    path: &Path,
    ego_from_lidar: Pose<Ego, Lidar>,
    ontology: &Ontology,
    skips: &mut Skips,
) -> Result<Vec<Object>, Error> {
    let bytes = read_bounded(path, MAX_TEXT_BYTES, "a lidar datum of the scene refers to it")?;
    let boxes: Boxes = parse_json(path, &bytes)?;
    let mut tracks = BTreeSet::new();
    let mut objects = Vec::with_capacity(boxes.annotations.len());
    for (index, annotation) in boxes.annotations.iter().enumerate() {
        if !tracks.insert(annotation.instance_id) {
            skips.add("boxes", "another box of the scan has the same track", 1);
            continue;
        }
        let lidar_from_object = lidar_from_object(annotation, path, index)?;
        let class = class_of(annotation, ontology, path, index, skips)?;
        objects.push(Object {
            track: Some(TrackId(annotation.instance_id)),
            class,
            ego_from_object: ego_from_lidar * lidar_from_object,
            size_m: size(annotation),
            velocity_m_s: None,
            keypoints: Vec::new(),
            confidence: 1.0,
            lidar_points: Some(annotation.num_points),
        });
    }
    Ok(objects)
}

fn size(annotation: &BoxAnnotation) -> [f64; 3] {
    [annotation.cuboid.length, annotation.cuboid.width, annotation.cuboid.height]
}

fn lidar_from_object(
    annotation: &BoxAnnotation,
    path: &Path,
    index: usize,
) -> Result<Pose<Lidar, frames::Object>, Error> {
    let what = format!("annotation {index}");
    if !size(annotation).iter().all(|side| (0.0..=MAX_SIDE_M).contains(side)) {
        let what = format!("{what}: the size {:?} m is none of a box", size(annotation));
        return Err(Error::source(path, what));
    }
    sanity::place(annotation.cuboid.pose.pose(), path, &what)
}

fn class_of(
    annotation: &BoxAnnotation,
    ontology: &Ontology,
    path: &Path,
    index: usize,
    skips: &mut Skips,
) -> Result<ClassId, Error> {
    match ontology.0.get(&annotation.class_id) {
        Some((_, Some(class))) => Ok(*class),
        Some((name, None)) => {
            skips.add("classes of boxes", format!("the taxonomy does not map {name}"), 1);
            Ok(ClassId::UNKNOWN)
        }
        None => {
            let what = format!(
                "annotation {index}: the ontology has no class {}; it belongs to another scene",
                annotation.class_id
            );
            Err(Error::source(path, what))
        }
    }
}
