//! Lanes from the strips of roads.

use std::collections::{BTreeMap, BTreeSet};

use nalgebra::Point3;
use ommatidia_scene::BoundaryKind;

use super::LaneKey;
use crate::roads::road::{Road, Section, Side, Strip, StripKind, mark_at};
use crate::roads::{Edge, Lane, LaneId, LaneKind, Station};

/// Distance between stations, metres.
const STEP_M: f64 = 1.0;

#[derive(Debug, Default)]
pub(crate) struct LaneBuilder {
    lanes: Vec<Lane>,
    known: BTreeMap<LaneKey, LaneId>,
    fitted: BTreeSet<LaneId>,
}

impl LaneBuilder {
    pub(crate) fn id(&self, key: LaneKey) -> Option<LaneId> {
        self.known.get(&key).copied()
    }

    pub(crate) fn lane(&self, id: LaneId) -> &Lane {
        &self.lanes[id.0 as usize]
    }

    /// Driving and bicycle lanes of some roads.
    pub(crate) fn of_roads(&self, roads: &[usize]) -> Vec<LaneId> {
        let known = self.known.iter().filter(|(key, _)| roads.contains(&key.road));
        let moving = known.filter(|(_, id)| {
            matches!(self.lane(**id).kind, LaneKind::Driving | LaneKind::Bicycle)
        });
        moving.map(|(_, id)| *id).collect()
    }

    /// Adds a lane; its identity is set here.
    pub(crate) fn add(&mut self, mut lane: Lane) -> LaneId {
        lane.id = LaneId(u32::try_from(self.lanes.len()).expect("fewer than 2^32 lanes"));
        self.lanes.push(lane);
        LaneId(self.lanes.len() as u32 - 1)
    }

    /// Adds the lanes of all sections of a road, beside and after each other.
    pub(crate) fn add_road(&mut self, index: usize, road: &Road) {
        for (section_index, section) in road.sections.iter().enumerate() {
            for side in [Side::Left, Side::Right] {
                for strip in 0..section.strips(side).len() {
                    let key = LaneKey { road: index, section: section_index, side, strip };
                    if let Some(lane) = lane_of(road, section, side, strip) {
                        let id = self.add(lane);
                        self.known.insert(key, id);
                    }
                }
            }
            self.join_beside(index, section_index, section);
        }
        self.join_sections(index, road);
    }

    fn join_beside(&mut self, road: usize, section_index: usize, section: &Section) {
        for side in [Side::Left, Side::Right] {
            for strip in 0..section.strips(side).len() {
                let key = |strip| LaneKey { road, section: section_index, side, strip };
                let Some(id) = self.id(key(strip)) else { continue };
                let inner = strip.checked_sub(1).and_then(|inner| self.id(key(inner)));
                let outer = self.id(key(strip + 1));
                let lane = &mut self.lanes[id.0 as usize];
                (lane.left_neighbour, lane.right_neighbour) = (inner, outer);
            }
        }
        let first = |side| {
            let key = LaneKey { road, section: section_index, side, strip: 0 };
            self.id(key).filter(|id| self.lane(*id).kind == LaneKind::Driving)
        };
        if let (Some(left), Some(right)) = (first(Side::Left), first(Side::Right)) {
            self.lanes[left.0 as usize].opposite = Some(right);
            self.lanes[right.0 as usize].opposite = Some(left);
        }
    }

    fn join_sections(&mut self, index: usize, road: &Road) {
        for (section_index, section) in road.sections.iter().enumerate() {
            for side in [Side::Left, Side::Right] {
                for (strip, next) in section.strips(side).iter().map(|s| s.next).enumerate() {
                    let Some(next) = next else { continue };
                    let here = LaneKey { road: index, section: section_index, side, strip };
                    let there = LaneKey { section: section_index + 1, strip: next, ..here };
                    match side {
                        Side::Right => self.link(here, there),
                        Side::Left => self.link(there, here),
                    }
                }
            }
        }
    }

    /// One lane leads into another; their points at the joint become equal.
    pub(crate) fn link(&mut self, from: LaneKey, to: LaneKey) {
        if let (Some(from), Some(to)) = (self.id(from), self.id(to)) {
            self.link_ids(from, to);
        }
    }

    /// As [`Self::link`], by identity. What moves is a lane that was made to fit between others, if one
    /// of the two is; by rounding only: foreign files with gaps are not bent.
    pub(crate) fn link_ids(&mut self, from: LaneId, to: LaneId) {
        let (source, target) = (from.0 as usize, to.0 as usize);
        if !self.lanes[source].successors.contains(&to) {
            self.lanes[source].successors.push(to);
        }
        if !self.lanes[target].predecessors.contains(&from) {
            self.lanes[target].predecessors.push(from);
        }
        let last = self.lanes[source].stations.len() - 1;
        if self.fitted.contains(&from) && !self.fitted.contains(&to) {
            let wanted = joint(&self.lanes[target], 0);
            set_joint(&mut self.lanes[source], last, wanted);
        } else {
            let wanted = joint(&self.lanes[source], last);
            set_joint(&mut self.lanes[target], 0, wanted);
        }
    }

    /// Adds a lane that was made to fit between others.
    pub(crate) fn add_fitted(&mut self, lane: Lane) -> LaneId {
        let id = self.add(lane);
        self.fitted.insert(id);
        id
    }

    /// The lanes; what is known of their places in the description stays.
    pub(crate) fn take(&mut self) -> Vec<Lane> {
        std::mem::take(&mut self.lanes)
    }
}

fn joint(lane: &Lane, index: usize) -> [Point3<f64>; 3] {
    [lane.stations[index].p_m, lane.left.points_m[index], lane.right.points_m[index]]
}

fn set_joint(lane: &mut Lane, index: usize, wanted: [Point3<f64>; 3]) {
    let have = joint(lane, index);
    if (have[0] - wanted[0]).norm() < 1e-3 {
        lane.stations[index].p_m = wanted[0];
    }
    if (1..3).all(|edge| (have[edge] - wanted[edge]).norm() < 1e-3) {
        (lane.left.points_m[index], lane.right.points_m[index]) = (wanted[1], wanted[2]);
    }
}

fn lane_kind(kind: StripKind) -> Option<LaneKind> {
    match kind {
        StripKind::Driving => Some(LaneKind::Driving),
        StripKind::Bicycle => Some(LaneKind::Bicycle),
        StripKind::Parking => Some(LaneKind::Parking),
        StripKind::Shoulder => Some(LaneKind::Shoulder),
        _ => None,
    }
}

/// The lane of a strip; `None` for strips that nobody drives on.
fn lane_of(road: &Road, section: &Section, side: Side, index: usize) -> Option<Lane> {
    let strip = &section.strips(side)[index];
    let kind = lane_kind(strip.kind)?;
    let [start, end] = section.range_m;
    let steps = (((end - start) / STEP_M).ceil() as usize).max(1);
    let mut stations = Vec::with_capacity(steps + 1);
    let mut edges = [Vec::with_capacity(steps + 1), Vec::with_capacity(steps + 1)];
    for step in 0..=steps {
        let s = start + (end - start) * step as f64 / steps as f64;
        let t = strip_edges(road, section, side, index, s);
        stations.push(station(road, section, (side, index), s));
        for (edge, t) in edges.iter_mut().zip(t) {
            edge.push(road.point(s, t, 0.0));
        }
    }
    if side == Side::Left {
        stations.reverse();
        edges.iter_mut().for_each(|edge| edge.reverse());
    }
    measure(&mut stations);
    bend_with_width(&mut stations);
    let [left, right] = edges;
    let middle = 0.5 * (end - start);
    Some(Lane {
        id: LaneId(0),
        kind,
        stations,
        left: Edge { points_m: left, kind: inner_kind(section, side, index, middle) },
        right: Edge { points_m: right, kind: outer_kind(section.strips(side), index, middle) },
        speed_limit_m_s: strip.speed_limit_m_s.unwrap_or(road.speed_limit_m_s),
        junction: road.junction.map(|index| crate::roads::JunctionId(index as u32)),
        successors: Vec::new(),
        predecessors: Vec::new(),
        left_neighbour: None,
        right_neighbour: None,
        opposite: None,
    })
}

/// `t` of a strip's inner and outer edge.
fn strip_edges(road: &Road, section: &Section, side: Side, index: usize, s_m: f64) -> [f64; 2] {
    let edges = section.edges(side, s_m);
    let offset = road.offset.at(s_m);
    [edges[index], edges[index + 1]].map(|edge| offset + side.sign() * edge)
}

/// A station on a strip's middle, in driving direction; lengths along the lane come later.
fn station(road: &Road, section: &Section, (side, index): (Side, usize), s_m: f64) -> Station {
    const DELTA_M: f64 = 0.01;
    let [start, end] = section.range_m;
    let middle = |s: f64| {
        let [inner, outer] = strip_edges(road, section, side, index, s);
        0.5 * (inner + outer)
    };
    let (before, after) = ((s_m - DELTA_M).max(start), (s_m + DELTA_M).min(end));
    let span = (after - before).max(1e-9);
    let t = middle(s_m);
    let on = road.curve.at(s_m);
    let drift = (middle(after) - middle(before)) / span;
    let stretch = 1.0 - on.curvature_per_m * t;
    let rise = road.point(after, middle(after), 0.0).z - road.point(before, middle(before), 0.0).z;
    let bank = road.point(s_m, t + 0.5, 0.0).z - road.point(s_m, t - 0.5, 0.0).z;
    let [inner, outer] = strip_edges(road, section, side, index, s_m);
    let sign = if side == Side::Right { 1.0 } else { -1.0 };
    Station {
        s_m: 0.0,
        p_m: road.point(s_m, t, 0.0),
        heading_rad: on.heading_rad
            + drift.atan2(stretch)
            + if side == Side::Left { std::f64::consts::PI } else { 0.0 },
        curvature_per_m: sign * on.curvature_per_m / stretch,
        grade: sign * rise / (span * stretch.hypot(drift)),
        bank: sign * bank,
        width_m: (outer - inner).abs(),
    }
}

/// Distances along the lane in plan: chords, lengthened as arcs of their turn; headings unwrapped.
pub(crate) fn measure(stations: &mut [Station]) {
    for index in 1..stations.len() {
        let last = stations[index - 1];
        let here = &mut stations[index];
        let turns = (here.heading_rad - last.heading_rad) / std::f64::consts::TAU;
        here.heading_rad -= turns.round() * std::f64::consts::TAU;
        let turn = here.heading_rad - last.heading_rad;
        let chord = (here.p_m.xy() - last.p_m.xy()).norm();
        here.s_m = last.s_m + (chord * (1.0 + turn * turn / 24.0)).max(1e-6);
    }
}

/// Where a lane's width changes its middle bends against the road: curvature from the headings.
fn bend_with_width(stations: &mut [Station]) {
    let bends: Vec<f64> = stations
        .windows(3)
        .map(|three| {
            (three[2].heading_rad - three[0].heading_rad) / (three[2].s_m - three[0].s_m).max(1e-6)
        })
        .collect();
    for (station, bend) in stations.iter_mut().skip(1).zip(bends) {
        station.curvature_per_m = bend;
    }
}

/// What marks the inner edge of a strip.
fn inner_kind(section: &Section, side: Side, index: usize, s_m: f64) -> BoundaryKind {
    match index.checked_sub(1) {
        Some(inner) => {
            let strips = section.strips(side);
            named(strips[inner].mark_at(s_m).boundary(), Some(&strips[inner]))
        }
        None => {
            let other = if side == Side::Left { Side::Right } else { Side::Left };
            let beyond = section.strips(other).first();
            named(mark_at(&section.centre, s_m).boundary(), beyond)
        }
    }
}

/// What marks the outer edge of a strip.
fn outer_kind(strips: &[Strip], index: usize, s_m: f64) -> BoundaryKind {
    named(strips[index].mark_at(s_m).boundary(), strips.get(index + 1))
}

/// Paint goes before what lies beyond it.
fn named(paint: BoundaryKind, beyond: Option<&Strip>) -> BoundaryKind {
    if paint != BoundaryKind::Unknown {
        return paint;
    }
    match beyond.map(|strip| (strip.kind, strip.height_m[0] > 0.0)) {
        Some((StripKind::Kerb, _) | (_, true)) => BoundaryKind::Kerb,
        None | Some((StripKind::Verge | StripKind::Gap | StripKind::Median, _)) => {
            BoundaryKind::RoadEdge
        }
        _ => BoundaryKind::Unknown,
    }
}
