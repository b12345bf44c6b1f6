//! Crossings, stop lines and parking places of a description, on its lanes.

use nalgebra::{Matrix3, Point3, Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::{Pose, World, frames};

use super::lanes::LaneBuilder;
use super::{LaneKey, Paint, Plan};
use crate::roads::road::{Road, Section, Side, StripKind};
use crate::roads::{Crossing, Ground, JunctionId, Lane, Network, ParkingPlace, StopLine};

/// Length of a place along the kerb, metres (RASt 06: 5.2 to 5.7).
const PLACE_M: f64 = 5.7;

/// Adds crossings, stop lines and parking places to a network that has its lanes.
pub(crate) fn furnish(plan: &Plan, keys: &LaneBuilder, paved: &Ground, network: &mut Network) {
    for paint in &plan.paint {
        match paint {
            Paint::Crossing { road, s_m, width_m, zebra, junction } => {
                let range = [s_m - 0.5 * width_m, s_m + 0.5 * width_m];
                let mut crossing = crossing(plan, keys, (*road, range), network);
                crossing.zebra = *zebra;
                crossing.junction = junction.map(|index| JunctionId(index as u32));
                network.crossings.push(crossing);
            }
            Paint::Stop { road, side, s_m, must_stop } => {
                for lane in lanes_of_side(plan, keys, (*road, *side, *s_m)) {
                    let lane = network.lane(lane);
                    let p = plan.roads[*road].point(*s_m, 0.0, 0.0);
                    let (place, _) = lane.nearest(p.x, p.y);
                    let line = StopLine { lane: lane.id, s_m: place.s_m, must_stop: *must_stop };
                    network.stop_lines.push(line);
                }
            }
            Paint::Arrow { .. } | Paint::Unmarked { .. } => {}
        }
    }
    for (index, road) in plan.roads.iter().enumerate() {
        for (section_index, section) in road.sections.iter().enumerate() {
            for side in [Side::Left, Side::Right] {
                park(road, keys, (index, section_index, section, side), (paved, network));
            }
        }
    }
}

/// Driving and bicycle lanes on one side of a road at `s`.
fn lanes_of_side(
    plan: &Plan,
    keys: &LaneBuilder,
    (road, side, s_m): (usize, Side, f64),
) -> Vec<crate::roads::LaneId> {
    let section = plan.roads[road].section_at(s_m);
    let strips = plan.roads[road].sections[section].strips(side);
    let rolls = |kind| matches!(kind, StripKind::Driving | StripKind::Bicycle);
    let kept = strips.iter().enumerate().filter(|(_, strip)| rolls(strip.kind));
    kept.filter_map(|(strip, _)| keys.id(LaneKey { road, section, side, strip })).collect()
}

/// `t` of the carriageway's edges, right and left.
pub(crate) fn carriageway(road: &Road, s_m: f64) -> [f64; 2] {
    let section = &road.sections[road.section_at(s_m)];
    let offset = road.offset.at(s_m);
    let width = |side: Side| {
        let edges = section.edges(side, s_m);
        let last = section.strips(side).iter().rposition(|strip| strip.kind.is_carriageway());
        last.map_or(0.0, |last| edges[last + 1])
    };
    [offset - width(Side::Right), offset + width(Side::Left)]
}

fn crossing(
    plan: &Plan,
    keys: &LaneBuilder,
    (index, range): (usize, [f64; 2]),
    network: &Network,
) -> Crossing {
    let road = &plan.roads[index];
    let [right, left] = carriageway(road, 0.5 * (range[0] + range[1]));
    let corner = |s: f64, t: f64| road.point(s, t, 0.0);
    let polygon_m = vec![
        corner(range[0], right),
        corner(range[1], right),
        corner(range[1], left),
        corner(range[0], left),
    ];
    let mut lanes = Vec::new();
    for side in [Side::Left, Side::Right] {
        for id in lanes_of_side(plan, keys, (index, side, 0.5 * (range[0] + range[1]))) {
            let lane = network.lane(id);
            let mut s = range.map(|s| along(lane, &road.point(s, 0.0, 0.0)));
            s.sort_by(f64::total_cmp);
            lanes.push((id, s));
        }
    }
    Crossing { polygon_m, lanes, ..Crossing::default() }
}

fn along(lane: &Lane, p: &Point3<f64>) -> f64 {
    lane.nearest(p.x, p.y).0.s_m
}

/// Bays along the parking strips of one side where they have their full width.
fn park(
    road: &Road,
    keys: &LaneBuilder,
    (index, section_index, section, side): (usize, usize, &Section, Side),
    (paved, network): (&Ground, &mut Network),
) {
    let strips = section.strips(side);
    for (strip_index, strip) in strips.iter().enumerate() {
        if strip.kind != StripKind::Parking {
            continue;
        }
        let beside = (0..strip_index).rev().find(|i| strips[*i].kind == StripKind::Driving);
        let key = |strip| LaneKey { road: index, section: section_index, side, strip };
        let Some(lane) = beside.and_then(|strip| keys.id(key(strip))) else { continue };
        let mut s = section.range_m[0];
        while s + PLACE_M <= section.range_m[1] {
            let width = |s: f64| strip.width.at(s - section.range_m[0]);
            let width_m = width(s).min(width(s + PLACE_M));
            if width_m < 1.9 {
                s += 0.5;
                continue;
            }
            let middle = s + 0.5 * PLACE_M;
            let edges = section.edges(side, middle);
            let t = road.offset.at(middle)
                + side.sign() * 0.5 * (edges[strip_index] + edges[strip_index + 1]);
            let p = road.point(middle, t, 0.0);
            let heading = road.curve.at(middle).heading_rad
                + if side == Side::Left { std::f64::consts::PI } else { 0.0 };
            network.parking.push(ParkingPlace {
                world_from_place: standing(&p, heading, paved),
                length_m: PLACE_M,
                width_m,
                lane,
            });
            s += PLACE_M;
        }
    }
}

/// A frame on the ground, x in a direction.
fn standing(p: &Point3<f64>, heading: f64, paved: &Ground) -> Pose<World, frames::Object> {
    let up = paved.at(p.x, p.y).map_or(Vector3::z(), |ground| ground.normal);
    let side = up.cross(&Vector3::new(heading.cos(), heading.sin(), 0.0)).normalize();
    let axes = Matrix3::from_columns(&[side.cross(&up), side, up]);
    let rotation = Rotation3::from_matrix_unchecked(axes);
    Pose::new(UnitQuaternion::from_rotation_matrix(&rotation), p.coords)
}
