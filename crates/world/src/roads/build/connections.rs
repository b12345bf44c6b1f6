//! Lanes through junctions, their conflicts, and who goes first.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use nalgebra::{Point2, Point3, Vector2, Vector3};

use super::lanes::{LaneBuilder, measure};
use super::mouth::{Mouth, lanes_at};
use super::terrain::Land;
use super::{JunctionPlan, LaneKey, Plan};
use crate::roads::relief::Relief;
use crate::roads::road::StripKind;
use crate::roads::{
    Conflict, Control, Edge, Junction, JunctionId, JunctionKind, Lane, LaneId, LaneKind, Phase,
    Station,
};

/// Lateral distance from the outer lane of an arm to where it joins a ring, metres.
const RING_ENTRY_M: f64 = 3.4;
/// Two connections overlap where their lines are nearer than this, metres.
const CLEARANCE_M: f64 = 2.6;
const STEP_M: f64 = 0.7;

/// A connection with what decides its priority.
struct Way {
    lane: LaneId,
    /// Index of the arm that it comes from; `None` on a ring.
    from: Option<usize>,
    to: Option<usize>,
    /// 0 straight on, 1 right, 2 left.
    turn: u8,
}

/// A junction of lanes that are there already: who turns less goes first.
pub(crate) fn gather(roads: &[usize], lanes: &LaneBuilder) -> Junction {
    let mut ways = Vec::new();
    for id in lanes.of_roads(roads) {
        let lane = lanes.lane(id);
        let turn =
            lane.stations[lane.stations.len() - 1].heading_rad - lane.stations[0].heading_rad;
        let turn = if turn.abs() < 0.5 { 0 } else { 1 + u8::from(turn > 0.0) };
        // Each way comes from an arm of its own: what it comes from is not known as an arm.
        ways.push(Way { lane: id, from: Some(ways.len()), to: None, turn });
    }
    let points = ways.iter().flat_map(|way| lanes.lane(way.lane).stations.iter().map(|s| s.p_m));
    let points: Vec<Point3<f64>> = points.collect();
    let count = points.len().max(1) as f64;
    let centre = points.iter().fold(Vector3::zeros(), |sum, p| sum + p.coords) / count;
    let centre_m = Point3::from(centre);
    Junction {
        centre_m,
        radius_m: points.iter().map(|p| (p - centre_m).norm()).fold(0.0, f64::max) + 2.0,
        connections: ways.iter().map(|way| way.lane).collect(),
        conflicts: conflicts(&ways, lanes, |one, other| {
            (one.turn, one.lane) <= (other.turn, other.lane)
        }),
        ..Junction::default()
    }
}

/// Where a connection begins or ends.
#[derive(Clone, Copy)]
struct End {
    p_m: Point2<f64>,
    heading_rad: f64,
    curvature_per_m: f64,
    width_m: f64,
}

/// Makes the lanes through a junction.
pub(crate) fn connect(
    plan: &Plan,
    index: usize,
    junction: &JunctionPlan,
    lanes: &mut LaneBuilder,
) -> Junction {
    let still = Relief::default();
    let relief = if let Land::Relief(relief, _) = &plan.land { relief } else { &still };
    let maker = Maker { plan, relief, junction, id: JunctionId(index as u32) };
    let ways = if junction.ring_m > 0.0 { maker.ring(lanes) } else { maker.crossing(lanes) };
    let mouths: Vec<Mouth> = junction.arms.iter().map(|arm| Mouth::new(plan, arm)).collect();
    let radius_m = mouths.iter().map(|m| (m.p_m - junction.centre_m).norm()).fold(0.0, f64::max);
    let centre = junction.centre_m;
    Junction {
        kind: junction.kind,
        centre_m: Point3::new(centre.x, centre.y, relief.height_m(centre.x, centre.y)),
        radius_m: radius_m + 2.0,
        control: junction.control,
        connections: ways.iter().map(|way| way.lane).collect(),
        conflicts: conflicts(&ways, lanes, |one, other| goes_first(junction, &mouths, one, other)),
        phases: phases(junction, &ways),
        phase_offset_s: junction.phase_offset_s,
    }
}

struct Maker<'a> {
    plan: &'a Plan,
    relief: &'a Relief,
    junction: &'a JunctionPlan,
    id: JunctionId,
}

impl Maker<'_> {
    fn crossing(&self, lanes: &mut LaneBuilder) -> Vec<Way> {
        let arms = &self.junction.arms;
        let mouths: Vec<Mouth> = arms.iter().map(|arm| Mouth::new(self.plan, arm)).collect();
        let mut ways = Vec::new();
        for from in 0..arms.len() {
            for kind in [StripKind::Driving, StripKind::Bicycle] {
                let [entering, _] = lanes_at(self.plan, &arms[from], kind);
                let mut used = vec![false; entering.len()];
                for to in (0..arms.len()).filter(|to| *to != from) {
                    let [_, leaving] = lanes_at(self.plan, &arms[to], kind);
                    let turn = turn_of(&mouths[from], &mouths[to]);
                    if kind == StripKind::Bicycle && turn == 2 {
                        continue;
                    }
                    for (enter, leave) in pairs(turn, entering.len(), leaving.len()) {
                        used[enter] = true;
                        let lane = self.span(entering[enter], leaving[leave], lanes);
                        let Some(lane) = lane else { continue };
                        ways.push(Way { lane, from: Some(from), to: Some(to), turn });
                    }
                }
                self.join_rest(from, (&entering, &used), lanes, &mut ways);
            }
        }
        ways
    }

    /// Lanes that no turn has taken up go where their neighbour goes.
    fn join_rest(
        &self,
        from: usize,
        (entering, used): (&[LaneKey], &[bool]),
        lanes: &mut LaneBuilder,
        ways: &mut Vec<Way>,
    ) {
        for (index, _) in used.iter().enumerate().filter(|(_, used)| !**used) {
            let near = ways.iter().filter(|way| way.from == Some(from)).min_by_key(|way| way.turn);
            let Some((to, turn)) = near.and_then(|way| Some((way.to?, way.turn))) else { continue };
            let kind = StripKind::Driving;
            let [_, leaving] = lanes_at(self.plan, &self.junction.arms[to], kind);
            let Some(leave) = leaving.get(index).or(leaving.last()) else { continue };
            if let Some(lane) = self.span(entering[index], *leave, lanes) {
                ways.push(Way { lane, from: Some(from), to: Some(to), turn });
            }
        }
    }

    fn ring(&self, lanes: &mut LaneBuilder) -> Vec<Way> {
        let arms = &self.junction.arms;
        let mouths: Vec<Mouth> = arms.iter().map(|arm| Mouth::new(self.plan, arm)).collect();
        let headings: Vec<f64> = mouths.iter().map(Mouth::heading_rad).collect();
        let count = arms.len();
        let mut ways = Vec::new();
        // Angle between an arm and the places where its lanes leave and join the ring.
        let reach: Vec<f64> = mouths
            .iter()
            .map(|mouth| {
                let outer_m = mouth.left_m().max(-mouth.right_m()) - 1.6;
                ((outer_m + RING_ENTRY_M) / self.junction.ring_m).clamp(0.3, 0.65).asin()
            })
            .collect();
        // Past arm k, then on to the arm after it.
        let mut past = Vec::new();
        let mut on = Vec::new();
        for k in 0..count {
            let next = (headings[(k + 1) % count] - headings[k]).rem_euclid(TAU);
            let [exit, entry] = [headings[k] - reach[k], headings[k] + reach[k]];
            past.push(self.arc(exit, entry, lanes));
            on.push(self.arc(entry, headings[k] + next - reach[(k + 1) % count], lanes));
        }
        for k in 0..count {
            lanes.link_ids(past[k], on[k]);
            lanes.link_ids(on[k], past[(k + 1) % count]);
        }
        for id in past.iter().chain(&on) {
            ways.push(Way { lane: *id, from: None, to: None, turn: 0 });
        }
        for k in 0..count {
            let [entering, leaving] = lanes_at(self.plan, &arms[k], StripKind::Driving);
            for key in entering {
                let Some(from) = lanes.id(key) else { continue };
                let (start, end) =
                    (end_of(lanes.lane(from), true), self.node(headings[k] + reach[k]));
                let speed = lanes.lane(from).speed_limit_m_s.min(7.0);
                let lane = lanes.add_fitted(self.bridge((start, end), LaneKind::Driving, speed));
                lanes.link_ids(from, lane);
                lanes.link_ids(lane, on[k]);
                ways.push(Way { lane, from: Some(k), to: None, turn: 1 });
            }
            for key in leaving {
                let Some(to) = lanes.id(key) else { continue };
                let (start, end) =
                    (self.node(headings[k] - reach[k]), end_of(lanes.lane(to), false));
                let speed = lanes.lane(to).speed_limit_m_s.min(7.0);
                let lane = lanes.add_fitted(self.bridge((start, end), LaneKind::Driving, speed));
                lanes.link_ids(on[(k + count - 1) % count], lane);
                lanes.link_ids(lane, to);
                ways.push(Way { lane, from: None, to: Some(k), turn: 1 });
            }
        }
        ways
    }

    /// A place on the ring.
    fn node(&self, angle: f64) -> End {
        let radius = self.junction.ring_m;
        End {
            p_m: self.junction.centre_m + Vector2::new(angle.cos(), angle.sin()) * radius,
            heading_rad: angle + FRAC_PI_2,
            curvature_per_m: 1.0 / radius,
            width_m: 4.5,
        }
    }

    /// A lane along the ring.
    fn arc(&self, from: f64, to: f64, lanes: &mut LaneBuilder) -> LaneId {
        let steps = ((to - from) * self.junction.ring_m / STEP_M).ceil().max(2.0) as usize;
        let ends = (0..=steps).map(|i| self.node(from + (to - from) * i as f64 / steps as f64));
        lanes.add(self.lane(ends.collect(), LaneKind::Driving, 30.0 / 3.6))
    }

    /// Joins two lanes; `None` if the description has no such lanes.
    fn span(&self, from: LaneKey, to: LaneKey, lanes: &mut LaneBuilder) -> Option<LaneId> {
        let (from, to) = (lanes.id(from)?, lanes.id(to)?);
        let (source, target) = (lanes.lane(from), lanes.lane(to));
        let (start, end) = (end_of(source, true), end_of(target, false));
        let bent = (end.heading_rad - start.heading_rad + PI).rem_euclid(TAU) - PI;
        let speed = source.speed_limit_m_s.min(target.speed_limit_m_s);
        let speed = if bent.abs() > 0.5 { speed.min(8.0) } else { speed };
        let kind = source.kind;
        let lane = lanes.add_fitted(self.bridge((start, end), kind, speed));
        lanes.link_ids(from, lane);
        lanes.link_ids(lane, to);
        Some(lane)
    }

    /// A quintic with the positions, directions and curvatures of both ends.
    fn bridge(&self, (start, end): (End, End), kind: LaneKind, speed: f64) -> Lane {
        let bent = (end.heading_rad - start.heading_rad + PI).rem_euclid(TAU) - PI;
        let chord = (end.p_m - start.p_m).norm();
        let half = 0.5 * bent.abs().min(2.4);
        let length = chord * if half > 1e-3 { half / half.sin() } else { 1.0 };
        let curve = Quintic::new(&start, &end, length);
        let steps = (length / STEP_M).ceil().max(4.0) as usize;
        let ends = (0..=steps).map(|i| {
            let u = i as f64 / steps as f64;
            let (p_m, heading_rad, curvature_per_m) = curve.at(u);
            let width_m = start.width_m + (end.width_m - start.width_m) * u;
            End { p_m, heading_rad, curvature_per_m, width_m }
        });
        self.lane(ends.collect(), kind, speed)
    }

    fn lane(&self, line: Vec<End>, kind: LaneKind, speed_limit_m_s: f64) -> Lane {
        let lie = |p: Point2<f64>| Point3::new(p.x, p.y, self.relief.height_m(p.x, p.y));
        let mut stations = Vec::with_capacity(line.len());
        let mut edges = [Vec::new(), Vec::new()];
        for end in &line {
            let ahead = Vector2::new(end.heading_rad.cos(), end.heading_rad.sin());
            let left = Vector2::new(-ahead.y, ahead.x);
            let rise = |v: Vector2<f64>| {
                let (a, b) = (lie(end.p_m + v * 0.1), lie(end.p_m - v * 0.1));
                (a.z - b.z) / 0.2
            };
            stations.push(Station {
                s_m: 0.0,
                p_m: lie(end.p_m),
                heading_rad: end.heading_rad,
                curvature_per_m: end.curvature_per_m,
                grade: rise(ahead),
                bank: rise(left),
                width_m: end.width_m,
            });
            edges[0].push(lie(end.p_m + left * (0.5 * end.width_m)));
            edges[1].push(lie(end.p_m - left * (0.5 * end.width_m)));
        }
        measure(&mut stations);
        let [left, right] = edges.map(|points_m| Edge { points_m, ..Edge::default() });
        Lane {
            id: LaneId(0),
            kind,
            stations,
            left,
            right,
            speed_limit_m_s,
            junction: Some(self.id),
            successors: Vec::new(),
            predecessors: Vec::new(),
            left_neighbour: None,
            right_neighbour: None,
            opposite: None,
        }
    }
}

fn end_of(lane: &Lane, last: bool) -> End {
    let station = &lane.stations[if last { lane.stations.len() - 1 } else { 0 }];
    End {
        p_m: station.p_m.xy(),
        heading_rad: station.heading_rad,
        curvature_per_m: station.curvature_per_m,
        width_m: station.width_m,
    }
}

/// A plane quintic on `[0, 1]` by position, velocity and acceleration at both ends.
struct Quintic([Vector2<f64>; 6]);

impl Quintic {
    fn new(start: &End, end: &End, length: f64) -> Self {
        let moving = |e: &End| {
            let ahead = Vector2::new(e.heading_rad.cos(), e.heading_rad.sin());
            let left = Vector2::new(-ahead.y, ahead.x);
            (ahead * length, left * (e.curvature_per_m * length * length))
        };
        let ((v0, a0), (v1, a1)) = (moving(start), moving(end));
        let (p0, p1) = (start.p_m.coords, end.p_m.coords);
        let rest = p1 - p0 - v0 - a0 * 0.5;
        let (speed, bend) = (v1 - v0 - a0, a1 - a0);
        Self([
            p0,
            v0,
            a0 * 0.5,
            rest * 10.0 - speed * 4.0 + bend * 0.5,
            rest * -15.0 + speed * 7.0 - bend,
            rest * 6.0 - speed * 3.0 + bend * 0.5,
        ])
    }

    /// Position, heading and curvature.
    fn at(&self, u: f64) -> (Point2<f64>, f64, f64) {
        let (mut p, mut v, mut a) = (Vector2::zeros(), Vector2::zeros(), Vector2::zeros());
        for c in self.0.iter().rev() {
            a = a * u + v * 2.0;
            v = v * u + p;
            p = p * u + c;
        }
        let curvature = v.perp(&a) / v.norm().powi(3).max(1e-12);
        (Point2::from(p), v.y.atan2(v.x), curvature)
    }
}

/// 0 straight on, 1 right, 2 left.
fn turn_of(from: &Mouth, to: &Mouth) -> u8 {
    let bent = (to.heading_rad() - from.heading_rad() - PI + PI).rem_euclid(TAU) - PI;
    if bent.abs() < 0.7 {
        0
    } else if bent < 0.0 {
        1
    } else {
        2
    }
}

/// Which entering lanes lead to which leaving ones; both counted from the middle of the road.
fn pairs(turn: u8, entering: usize, leaving: usize) -> Vec<(usize, usize)> {
    if entering == 0 || leaving == 0 {
        return Vec::new();
    }
    match turn {
        0 => (0..entering.min(leaving)).map(|lane| (lane, lane)).collect(),
        1 => vec![(entering - 1, leaving - 1)],
        _ => vec![(0, 0)],
    }
}

/// Pairs of connections that overlap, and which of the two goes first.
fn conflicts(
    ways: &[Way],
    lanes: &LaneBuilder,
    goes_first: impl Fn(&Way, &Way) -> bool,
) -> Vec<Conflict> {
    let mut found = Vec::new();
    for (index, one) in ways.iter().enumerate() {
        for other in &ways[index + 1..] {
            let (a, b) = (lanes.lane(one.lane), lanes.lane(other.lane));
            let follows = a.successors.contains(&b.id) || b.successors.contains(&a.id);
            let parts = a.predecessors.iter().any(|id| b.predecessors.contains(id));
            if follows || parts || (one.from.is_some() && one.from == other.from) {
                continue;
            }
            let (Some(on_a), Some(on_b)) = (overlap(a, b), overlap(b, a)) else { continue };
            let conflict = if goes_first(one, other) {
                Conflict { first: a.id, waits: b.id, first_range_m: on_a, waits_range_m: on_b }
            } else {
                Conflict { first: b.id, waits: a.id, first_range_m: on_b, waits_range_m: on_a }
            };
            found.push(conflict);
        }
    }
    found
}

/// From where to where `a` is near `b`.
fn overlap(a: &Lane, b: &Lane) -> Option<[f64; 2]> {
    let near = |station: &&Station| {
        let close = |other: &Station| (station.p_m.xy() - other.p_m.xy()).norm() < CLEARANCE_M;
        b.stations.iter().any(close)
    };
    let first = a.stations.iter().find(near)?;
    let last = a.stations.iter().rev().find(near)?;
    Some([first.s_m, last.s_m])
}

/// Whether one goes before the other.
fn goes_first(plan: &JunctionPlan, mouths: &[Mouth], one: &Way, other: &Way) -> bool {
    let (Some(a), Some(b)) = (one.from, other.from) else {
        // What is on the ring goes before what comes onto it.
        return one.from.is_none();
    };
    let (main_a, main_b) = (plan.arms[a].main, plan.arms[b].main);
    let ranked = matches!(plan.control, Control::GiveWay | Control::Stop);
    if ranked && main_a != main_b {
        return main_a;
    }
    let apart = (mouths[b].heading_rad() - mouths[a].heading_rad() + PI).rem_euclid(TAU) - PI;
    let crossing = (0.35..2.79).contains(&apart.abs());
    if crossing && plan.control != Control::Lights {
        // Seen by who drives in on arm a, the next arm counter-clockwise is on the right.
        return apart < 0.0;
    }
    (one.turn, a) <= (other.turn, b)
}

/// Main roads and side roads have green in turn.
fn phases(plan: &JunctionPlan, ways: &[Way]) -> Vec<Phase> {
    if plan.control != Control::Lights || plan.kind == JunctionKind::Roundabout {
        return Vec::new();
    }
    let of = |main: bool, green_s: f64| {
        let from_arm = |way: &&Way| way.from.is_some_and(|arm| plan.arms[arm].main == main);
        Phase { green: ways.iter().filter(from_arm).map(|way| way.lane).collect(), green_s }
    };
    vec![of(true, 18.0), of(false, 12.0)]
}
