//! Annotated boxes.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use nalgebra::Vector3;
use ommatidia_geometry::{Pose, Timestamp, World, frames};
use ommatidia_scene::{ClassId, Object, Taxonomy, TrackId, Trajectory};

use super::tables::{Category, Index, Instance, Named, Sample, SampleAnnotation, Tables};
use crate::Error;
use crate::formats::common::sanity;
use crate::formats::common::skips::Skips;

/// Longest span that a velocity is taken over, one-sided. `NuScenes.box_velocity` of the devkit.
const MAX_VELOCITY_SPAN_S: f64 = 1.5;
/// Largest side of a box, metres.
const MAX_SIDE_M: f64 = 1000.0;

/// A box in the world frame.
struct WorldBox {
    track: TrackId,
    class: ClassId,
    world_from_object: Pose<World, frames::Object>,
    size_m: [f64; 3],
    velocity_in_world: Option<Vector3<f64>>,
    lidar_points: u32,
}

/// The boxes of one keyframe.
#[derive(Default)]
pub(super) struct Truth(Vec<WorldBox>);

impl Truth {
    /// The boxes in the ego frame at a time.
    pub(super) fn in_ego(&self, timestamp: Timestamp, trajectory: &Trajectory) -> Vec<Object> {
        // Outside the poses' span the closest one serves: samples are stamped with a measurement.
        let closest = || {
            let samples = trajectory.samples().iter();
            let closest = samples.min_by_key(|sample| (sample.timestamp - timestamp).abs());
            closest.map_or_else(Pose::identity, |sample| sample.world_from_ego)
        };
        let ego_from_world = trajectory.at(timestamp).unwrap_or_else(closest).inverse();
        let object = |world_box: &WorldBox| Object {
            track: Some(world_box.track),
            class: world_box.class,
            ego_from_object: ego_from_world * world_box.world_from_object,
            size_m: world_box.size_m,
            velocity_m_s: world_box.velocity_in_world.map(|v| ego_from_world.rotate(&v).into()),
            keypoints: Vec::new(),
            confidence: 1.0,
            lidar_points: Some(world_box.lidar_points),
        };
        self.0.iter().map(object).collect()
    }
}

/// The scene's annotations with what they refer to.
pub(super) struct Annotations {
    path: PathBuf,
    rows: Index<SampleAnnotation>,
    /// Tokens by sample, in the table's order.
    by_sample: BTreeMap<String, Vec<String>>,
    samples: Index<Sample>,
    /// Position in `instance.json` and class, by instance token.
    instances: HashMap<String, (TrackId, ClassId)>,
    origin_m: Vector3<f64>,
}

impl Annotations {
    pub(super) fn read(
        tables: &mut Tables<'_>,
        samples: Index<Sample>,
        origin_m: Vector3<f64>,
        skips: &mut Skips,
    ) -> Result<Self, Error> {
        let path = tables.path("sample_annotation");
        let rows = tables.optional("sample_annotation", skips, |row: SampleAnnotation| {
            samples.has(&row.sample_token).then_some(row)
        })?;
        let instances = read_instances(tables, &rows, skips)?;
        for name in ["attribute", "visibility"] {
            check_tokens(tables, name, &rows, skips)?;
        }
        let mut by_sample: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in &rows {
            by_sample.entry(row.sample_token.clone()).or_default().push(row.token.clone());
        }
        let rows = Index::new(path.clone(), rows, |row| &row.token)?;
        Ok(Self { path, rows, by_sample, samples, instances, origin_m })
    }

    /// The boxes of a sample.
    pub(super) fn of(&self, sample_token: &str) -> Result<Truth, Error> {
        let tokens = self.by_sample.get(sample_token).map(Vec::as_slice).unwrap_or_default();
        let boxes = tokens.iter().map(|token| self.world_box(self.rows.get(token, "this table")?));
        Ok(Truth(boxes.collect::<Result<_, _>>()?))
    }

    fn world_box(&self, row: &SampleAnnotation) -> Result<WorldBox, Error> {
        let what = format!("row {}", row.token);
        let [width, length, height] = row.size;
        let size_m = [length, width, height];
        if !size_m.iter().all(|side| (0.0..=MAX_SIDE_M).contains(side)) {
            let what = format!("{what}: the size {:?} m is none of a box", row.size);
            return Err(Error::source(&self.path, what));
        }
        let global_from_object = Pose::from_wxyz(row.rotation, row.translation);
        let pose: Pose<World, frames::Object> =
            sanity::place(global_from_object, &self.path, &what)?;
        let Some(&(track, class)) = self.instances.get(&row.instance_token) else {
            let what = format!("{what}: there is no instance {:?}", row.instance_token);
            return Err(Error::source(&self.path, what));
        };
        Ok(WorldBox {
            track,
            class,
            world_from_object: Pose::new(pose.rotation, pose.translation - self.origin_m),
            size_m,
            velocity_in_world: self.velocity(row)?,
            lidar_points: row.num_lidar_pts,
        })
    }

    /// From the box before to the one after, where there are such; `NuScenes.box_velocity` of the devkit.
    fn velocity(&self, row: &SampleAnnotation) -> Result<Option<Vector3<f64>>, Error> {
        let (has_prev, has_next) = (!row.prev.is_empty(), !row.next.is_empty());
        if !has_prev && !has_next {
            return Ok(None);
        }
        let from = format!("row {}", row.token);
        let first = if has_prev { self.rows.get(&row.prev, &from)? } else { row };
        let last = if has_next { self.rows.get(&row.next, &from)? } else { row };
        let time = |of: &SampleAnnotation| {
            let from = format!("sample_annotation {}", of.token);
            self.samples.get(&of.sample_token, &from).map(|sample| sample.timestamp)
        };
        let span_s = time(last)?.saturating_sub(time(first)?) as f64 * 1e-6;
        let max_span_s = MAX_VELOCITY_SPAN_S * if has_prev && has_next { 2.0 } else { 1.0 };
        if !(span_s > 0.0 && span_s <= max_span_s) {
            return Ok(None);
        }
        let moved = Vector3::from(last.translation) - Vector3::from(first.translation);
        Ok(Some(moved / span_s).filter(|v| v.iter().all(|x| x.abs() < 1e6)))
    }
}

fn read_instances(
    tables: &mut Tables<'_>,
    rows: &[SampleAnnotation],
    skips: &mut Skips,
) -> Result<HashMap<String, (TrackId, ClassId)>, Error> {
    let taxonomy = Taxonomy::driving();
    let categories = tables.optional("category", skips, Some::<Category>)?;
    let categories = Index::new(tables.path("category"), categories, |row| &row.token)?;
    let used: std::collections::HashSet<&str> =
        rows.iter().map(|row| row.instance_token.as_str()).collect();
    let mut position = 0;
    let instances = tables.optional("instance", skips, |row: Instance| {
        position += 1;
        used.contains(row.token.as_str()).then_some((TrackId(position - 1), row))
    })?;
    let mut result = HashMap::with_capacity(instances.len());
    for (track, row) in instances {
        let category = categories.get(&row.category_token, &format!("instance {}", row.token))?;
        let class = taxonomy.from_foreign("nuscenes", &category.name);
        if class.is_none() {
            let why = format!("the taxonomy does not map {}", category.name);
            skips.add("classes of tracks", why, 1);
        }
        result.insert(row.token, (track, class.unwrap_or(ClassId::UNKNOWN)));
    }
    Ok(result)
}

/// Attributes and visibility have no place in the vector space; that they exist is checked, and counted.
fn check_tokens(
    tables: &mut Tables<'_>,
    name: &str,
    rows: &[SampleAnnotation],
    skips: &mut Skips,
) -> Result<(), Error> {
    let known = tables.optional(name, skips, Some::<Named>)?;
    let known = Index::new(tables.path(name), known, |row| &row.token)?;
    let mut count = 0;
    for row in rows {
        let from = format!("sample_annotation {}", row.token);
        let tokens: &[String] = match name {
            "attribute" => &row.attribute_tokens,
            _ => std::slice::from_ref(&row.visibility_token),
        };
        for token in tokens.iter().filter(|token| !token.is_empty()) {
            // Published without rows, the table says nothing about any token.
            if !known.is_empty() {
                known.get(token, &from)?;
            }
            count += 1;
        }
    }
    skips.add(format!("{name} of boxes"), "the vector space has no place for it", count);
    Ok(())
}
