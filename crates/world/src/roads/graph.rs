//! The lane graph around a vehicle.

use nalgebra::Point3;
use ommatidia_geometry::{Ego, Pose, World};
use ommatidia_scene::{Boundary, ClassId, LaneGraph, Taxonomy};

use super::{Edge, Lane, LaneKind, Network};

impl Network {
    /// Lanes and crossings within `range_m` of the vehicle, in its frame. A lane is cut where it leaves
    /// that range for good; where two lanes join, their points are equal bit for bit.
    pub fn lane_graph(&self, world_from_ego: &Pose<World, Ego>, range_m: f64) -> LaneGraph {
        let ego_from_world = world_from_ego.inverse();
        let to_ego = |p: &Point3<f64>| {
            let p = ego_from_world * *p;
            [p.x as f32, p.y as f32, p.z as f32]
        };
        let near = |p: &Point3<f64>| (ego_from_world * *p).coords.xy().norm() <= range_m;
        let kept: Vec<Option<[usize; 2]>> =
            self.lanes.iter().map(|lane| extent(lane, near)).collect();
        let road = class("road");
        let parking = class("parking");
        let mut lanes = Vec::new();
        for (lane, range) in self.lanes.iter().zip(&kept) {
            let Some([first, last]) = *range else { continue };
            let begins_in_range =
                |id: &super::LaneId| kept[id.0 as usize].is_some_and(|r| r[0] == 0);
            let whole = last + 1 == lane.stations.len();
            let known = |id: Option<super::LaneId>| {
                id.filter(|id| kept[id.0 as usize].is_some()).map(|id| u64::from(id.0))
            };
            let points = |edge: &Edge| Boundary {
                points_m: edge.points_m[first..=last].iter().map(to_ego).collect(),
                kind: edge.kind,
            };
            lanes.push(ommatidia_scene::Lane {
                id: u64::from(lane.id.0),
                centreline_m: lane.stations[first..=last].iter().map(|s| to_ego(&s.p_m)).collect(),
                left: points(&lane.left),
                right: points(&lane.right),
                class: if lane.kind == LaneKind::Parking { parking } else { road },
                in_intersection: lane.in_intersection(),
                successors: lane
                    .successors
                    .iter()
                    .filter(|id| whole && begins_in_range(id))
                    .map(|id| u64::from(id.0))
                    .collect(),
                left_neighbour: known(lane.left_neighbour),
                right_neighbour: known(lane.right_neighbour),
            });
        }
        let seen = |crossing: &super::Crossing| crossing.polygon_m.iter().any(near);
        let crossings = self.crossings.iter().enumerate().filter(|(_, crossing)| seen(crossing));
        let crossings = crossings.map(|(index, crossing)| ommatidia_scene::Crossing {
            id: index as u64,
            polygon_m: crossing.polygon_m.iter().map(to_ego).collect(),
        });
        LaneGraph { lanes, crossings: crossings.collect() }
    }
}

fn class(name: &str) -> ClassId {
    Taxonomy::driving().id(name).expect("the built-in taxonomy has the road's classes")
}

/// First and last station within range.
fn extent(lane: &Lane, near: impl Fn(&Point3<f64>) -> bool) -> Option<[usize; 2]> {
    let first = lane.stations.iter().position(|station| near(&station.p_m))?;
    let last = lane.stations.iter().rposition(|station| near(&station.p_m))?;
    (first < last).then_some([first, last])
}
