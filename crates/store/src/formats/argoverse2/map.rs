//! The vector map: lanes and crossings.

use std::collections::BTreeMap;
use std::path::Path;

use nalgebra::{Point3, Vector3};
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::{Boundary, BoundaryKind, ClassId, Crossing, Lane, LaneGraph, Taxonomy};
use serde::Deserialize;

use crate::Error;
use crate::formats::common::inputs::{Inputs, list};
use crate::formats::common::skips::Skips;

/// Lanes that come closer than this to the vehicle belong to a frame.
const RANGE_M: f64 = 100.0;
/// Farthest map vertex from the city's origin, metres.
const MAX_CITY_M: f64 = 1e7;

#[derive(Debug, Clone, Copy, Deserialize)]
struct Vertex {
    x: f64,
    y: f64,
    z: f64,
}

#[derive(Debug, Deserialize)]
struct MapFile {
    lane_segments: BTreeMap<String, LaneSegment>,
    #[serde(default)]
    pedestrian_crossings: BTreeMap<String, PedestrianCrossing>,
    #[serde(default)]
    drivable_areas: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct LaneSegment {
    id: u64,
    is_intersection: bool,
    lane_type: String,
    left_lane_boundary: Vec<Vertex>,
    left_lane_mark_type: String,
    right_lane_boundary: Vec<Vertex>,
    right_lane_mark_type: String,
    #[serde(default)]
    successors: Vec<u64>,
    left_neighbor_id: Option<u64>,
    right_neighbor_id: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct PedestrianCrossing {
    id: u64,
    edge1: Vec<Vertex>,
    edge2: Vec<Vertex>,
}

type Polyline = Vec<Point3<f64>>;

/// A lane in the world frame; its polylines are empty in `lane`.
struct WorldLane {
    lane: Lane,
    centreline: Polyline,
    left: Polyline,
    right: Polyline,
}

/// The map in the world frame.
pub(super) struct Map {
    lanes: Vec<WorldLane>,
    crossings: Vec<(u64, Polyline)>,
}

impl Map {
    /// `None` where the log has no map.
    pub(super) fn read(
        dir: &Path,
        origin_m: Vector3<f64>,
        inputs: &mut Inputs,
        skips: &mut Skips,
    ) -> Result<Option<Self>, Error> {
        let dir = dir.join("map");
        let files = if dir.is_dir() { list(&dir)? } else { Vec::new() };
        let is_map =
            |name: &&String| name.starts_with("log_map_archive_") && name.ends_with(".json");
        let Some(name) = files.iter().find(is_map) else {
            skips.add("map", "the log has no map/log_map_archive_*.json", 1);
            return Ok(None);
        };
        let heights = files.iter().filter(|name| name.contains("ground_height_surface")).count();
        skips.add("ground height rasters", "the lanes' own heights are taken", heights);
        let path = dir.join(name);
        let file: MapFile = inputs.json(&path, "it is the log's map")?;
        skips.add("drivable areas", "lanes and crossings are read", file.drivable_areas.len());
        Self::build(&path, file, origin_m).map(Some)
    }

    fn build(path: &Path, file: MapFile, origin_m: Vector3<f64>) -> Result<Self, Error> {
        let place = |vertices: &[Vertex], what: &str, id: u64| -> Result<Polyline, Error> {
            let near = |v: &Vertex| [v.x, v.y, v.z].iter().all(|x| x.abs() <= MAX_CITY_M);
            if vertices.len() < 2 || !vertices.iter().all(near) {
                let what = format!("{what} {id}: a line needs two points or more, all in the city");
                return Err(Error::source(path, what));
            }
            Ok(vertices.iter().map(|v| Point3::new(v.x, v.y, v.z) - origin_m).collect())
        };
        let road = Taxonomy::driving().id("road").unwrap_or(ClassId::UNKNOWN);
        let mut lanes = Vec::with_capacity(file.lane_segments.len());
        for segment in file.lane_segments.into_values() {
            let left = place(&segment.left_lane_boundary, "lane", segment.id)?;
            let right = place(&segment.right_lane_boundary, "lane", segment.id)?;
            let centreline = midway(&left, &right);
            let vehicles = matches!(segment.lane_type.as_str(), "VEHICLE" | "BUS");
            let kind = |mark: &str| Boundary { kind: boundary_kind(mark), ..Boundary::default() };
            let lane = Lane {
                id: segment.id,
                left: kind(&segment.left_lane_mark_type),
                right: kind(&segment.right_lane_mark_type),
                class: if vehicles { road } else { ClassId::UNKNOWN },
                in_intersection: segment.is_intersection,
                successors: segment.successors,
                left_neighbour: segment.left_neighbor_id,
                right_neighbour: segment.right_neighbor_id,
                ..Lane::default()
            };
            lanes.push(WorldLane { lane, centreline, left, right });
        }
        drop_opposite_neighbours(&mut lanes);
        let mut crossings = Vec::with_capacity(file.pedestrian_crossings.len());
        for crossing in file.pedestrian_crossings.into_values() {
            let mut polygon = place(&crossing.edge1, "crossing", crossing.id)?;
            polygon.extend(place(&crossing.edge2, "crossing", crossing.id)?.into_iter().rev());
            if signed_area(&polygon) < 0.0 {
                polygon.reverse();
            }
            crossings.push((crossing.id, polygon));
        }
        Ok(Self { lanes, crossings })
    }

    /// What lies around the vehicle, in its frame.
    pub(super) fn around(&self, world_from_ego: &Pose<World, Ego>) -> LaneGraph {
        let ego_from_world = world_from_ego.inverse();
        let near = |line: &Polyline| {
            line.iter().any(|p| (p.coords - world_from_ego.translation).xy().norm() <= RANGE_M)
        };
        let in_ego = |line: &Polyline| -> Vec<[f32; 3]> {
            line.iter().map(|p| (ego_from_world * *p).coords.map(|x| x as f32).into()).collect()
        };
        let lane = |source: &WorldLane| {
            let mut lane = source.lane.clone();
            lane.centreline_m = in_ego(&source.centreline);
            lane.left.points_m = in_ego(&source.left);
            lane.right.points_m = in_ego(&source.right);
            lane
        };
        LaneGraph {
            lanes: self
                .lanes
                .iter()
                .filter(|l| near(&l.left) || near(&l.right))
                .map(lane)
                .collect(),
            crossings: self
                .crossings
                .iter()
                .filter(|(_, polygon)| near(polygon))
                .map(|(id, polygon)| Crossing { id: *id, polygon_m: in_ego(polygon) })
                .collect(),
        }
    }
}

/// The user guide of av2-api lists the mark types.
fn boundary_kind(mark: &str) -> BoundaryKind {
    match mark {
        mark if mark.starts_with("DOUBLE") => BoundaryKind::Double,
        mark if mark.starts_with("SOLID_DASH") || mark.starts_with("DASH_SOLID") => {
            BoundaryKind::Double
        }
        mark if mark.starts_with("SOLID") => BoundaryKind::Solid,
        mark if mark.starts_with("DASHED") => BoundaryKind::Dashed,
        _ => BoundaryKind::Unknown,
    }
}

/// The data set's neighbours include lanes of oncoming traffic; ours run in the same direction.
fn drop_opposite_neighbours(lanes: &mut [WorldLane]) {
    let direction = |line: &Polyline| line[line.len() - 1] - line[0];
    let directions: BTreeMap<u64, Vector3<f64>> =
        lanes.iter().map(|lane| (lane.lane.id, direction(&lane.centreline))).collect();
    for lane in lanes {
        let own = direction(&lane.centreline);
        let same = |id: &u64| directions.get(id).is_none_or(|other| own.dot(other) > 0.0);
        lane.lane.left_neighbour = lane.lane.left_neighbour.filter(same);
        lane.lane.right_neighbour = lane.lane.right_neighbour.filter(same);
    }
}

/// The line midway between two, both cut into as many equal parts as the finer one has.
fn midway(left: &Polyline, right: &Polyline) -> Polyline {
    let count = left.len().max(right.len());
    let (left, right) = (resampled(left, count), resampled(right, count));
    left.iter().zip(&right).map(|(l, r)| nalgebra::center(l, r)).collect()
}

/// `count` points at equal distances along a line, its ends included.
fn resampled(line: &Polyline, count: usize) -> Polyline {
    let steps: Vec<f64> = line.windows(2).map(|pair| (pair[1] - pair[0]).norm()).collect();
    let length: f64 = steps.iter().sum();
    let mut result = Vec::with_capacity(count);
    let (mut segment, mut passed) = (0, 0.0);
    for index in 0..count {
        let target = length * index as f64 / (count - 1) as f64;
        while segment + 1 < steps.len() && passed + steps[segment] < target {
            passed += steps[segment];
            segment += 1;
        }
        let share = if steps[segment] > 0.0 { (target - passed) / steps[segment] } else { 0.0 };
        let (start, end) = (line[segment], line[segment + 1]);
        result.push(start + (end - start) * share.clamp(0.0, 1.0));
    }
    result
}

/// Twice the area seen from above; positive if counter-clockwise.
fn signed_area(polygon: &Polyline) -> f64 {
    let next = polygon.iter().cycle().skip(1);
    polygon.iter().zip(next).map(|(a, b)| a.x * b.y - b.x * a.y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_into_equal_parts() {
        let line = vec![Point3::origin(), Point3::new(1.0, 0.0, 0.0), Point3::new(1.0, 3.0, 0.0)];
        let cut = resampled(&line, 5);
        assert_eq!(cut[0], line[0]);
        assert_eq!(cut[2], Point3::new(1.0, 1.0, 0.0));
        assert_eq!(cut[4], line[2]);
    }

    #[test]
    fn marks_have_kinds() {
        for (mark, kind) in [
            ("DASHED_WHITE", BoundaryKind::Dashed),
            ("SOLID_YELLOW", BoundaryKind::Solid),
            ("DOUBLE_DASH_WHITE", BoundaryKind::Double),
            ("SOLID_DASH_YELLOW", BoundaryKind::Double),
            ("NONE", BoundaryKind::Unknown),
        ] {
            assert_eq!(boundary_kind(mark), kind, "{mark}");
        }
    }
}
