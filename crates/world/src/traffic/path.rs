//! Paths along chains of lanes, and lateral shifts on them.

use nalgebra::{Point2, Point3, Vector2};

use crate::noise::Stream;
use crate::roads::{LaneId, LaneKind, Network};

/// A point of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    /// Distance from the path's start, metres.
    pub(crate) s_m: f64,
    pub(crate) p_m: Point3<f64>,
    /// Radians, not wrapped along the path.
    pub(crate) heading_rad: f64,
}

/// A stretch of a path that lies on one lane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) lane: LaneId,
    /// Where the lane's start lies on the path, metres; negative if the path begins on it.
    pub(crate) start_m: f64,
    /// Where the lane ends on the path, metres.
    pub(crate) end_m: f64,
}

/// A line that one follows. Before its start and behind its end it goes on straight.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Path {
    pub(crate) nodes: Vec<Node>,
    pub(crate) spans: Vec<Span>,
}

fn unit(heading_rad: f64) -> Vector2<f64> {
    Vector2::new(heading_rad.cos(), heading_rad.sin())
}

pub(crate) fn left_of(heading_rad: f64) -> Vector2<f64> {
    Vector2::new(-heading_rad.sin(), heading_rad.cos())
}

impl Path {
    /// Along these lanes, one after the other.
    pub(crate) fn along(network: &Network, lanes: &[LaneId]) -> Self {
        let mut path = Self::default();
        let mut start_m = 0.0;
        for id in lanes {
            let lane = network.lane(*id);
            let skip = usize::from(!path.nodes.is_empty());
            let last = path.nodes.last().map(|node| node.heading_rad);
            let first = lane.stations[0].heading_rad;
            // Headings of two lanes may differ by whole turns.
            let turns = last.map_or(0.0, |last| ((last - first) / std::f64::consts::TAU).round());
            for station in &lane.stations[skip..] {
                path.nodes.push(Node {
                    s_m: start_m + station.s_m,
                    p_m: station.p_m,
                    heading_rad: station.heading_rad + turns * std::f64::consts::TAU,
                });
            }
            let end_m = start_m + lane.length_m();
            path.spans.push(Span { lane: *id, start_m, end_m });
            start_m = end_m;
        }
        path
    }

    /// Through points, at least two; corners are rounded by resampling.
    pub(crate) fn through(points: &[Point3<f64>]) -> Self {
        let mut path = Self::default();
        let (mut s_m, mut heading): (f64, Option<f64>) = (0.0, None);
        for pair in points.windows(2) {
            let along = pair[1].xy() - pair[0].xy();
            let length = along.norm();
            if length < 1e-6 {
                continue;
            }
            let mut angle = along.y.atan2(along.x);
            if let Some(last) = heading {
                angle += ((last - angle) / std::f64::consts::TAU).round() * std::f64::consts::TAU;
            }
            let steps = (length / 0.25).ceil().max(1.0) as usize;
            for i in 0..steps {
                let share = i as f64 / steps as f64;
                let p_m = pair[0] + (pair[1] - pair[0]) * share;
                path.nodes.push(Node { s_m: s_m + share * length, p_m, heading_rad: angle });
            }
            s_m += length;
            heading = Some(angle);
        }
        let last = points[points.len() - 1];
        path.nodes.push(Node { s_m, p_m: last, heading_rad: heading.unwrap_or(0.0) });
        path.smooth();
        path
    }

    /// Headings become means over half a metre to each side, so that nobody turns on the spot.
    fn smooth(&mut self) {
        let headings: Vec<f64> = self.nodes.iter().map(|node| node.heading_rad).collect();
        for (i, node) in self.nodes.iter_mut().enumerate() {
            let (from, to) = (i.saturating_sub(3), (i + 3).min(headings.len() - 1));
            node.heading_rad = headings[from..=to].iter().sum::<f64>() / (to - from + 1) as f64;
        }
    }

    /// The same line the other way round.
    pub(crate) fn reversed(&self) -> Self {
        let length = self.length_m();
        let nodes = self.nodes.iter().rev().map(|node| Node {
            s_m: length - node.s_m,
            p_m: node.p_m,
            heading_rad: node.heading_rad + std::f64::consts::PI,
        });
        Self { nodes: nodes.collect(), spans: Vec::new() }
    }

    pub(crate) fn length_m(&self) -> f64 {
        self.nodes.last().map_or(0.0, |node| node.s_m)
    }

    /// The line at a distance from its start.
    pub(crate) fn at(&self, s_m: f64) -> Node {
        let (first, last) = (self.nodes[0], self.nodes[self.nodes.len() - 1]);
        let straight = |node: Node| {
            let step = unit(node.heading_rad) * (s_m - node.s_m);
            Node { s_m, p_m: node.p_m + step.push(0.0), heading_rad: node.heading_rad }
        };
        if s_m <= first.s_m {
            return straight(first);
        }
        if s_m >= last.s_m {
            return straight(last);
        }
        let next = self.nodes.partition_point(|node| node.s_m <= s_m);
        let (a, b) = (self.nodes[next - 1], self.nodes[next]);
        let share = (s_m - a.s_m) / (b.s_m - a.s_m);
        Node {
            s_m,
            p_m: a.p_m + (b.p_m - a.p_m) * share,
            heading_rad: a.heading_rad + (b.heading_rad - a.heading_rad) * share,
        }
    }

    /// The line at a distance from its start, `left_m` to its left, in plan.
    pub(crate) fn beside(&self, s_m: f64, left_m: f64) -> Point2<f64> {
        let node = self.at(s_m);
        node.p_m.xy() + left_of(node.heading_rad) * left_m
    }

    /// Curvature over a vehicle's length around a distance, 1/m.
    pub(crate) fn curvature(&self, s_m: f64) -> f64 {
        let (before, after) = (self.at(s_m - 1.5), self.at(s_m + 1.5));
        (after.heading_rad - before.heading_rad) / 3.0
    }

    /// The span at a distance.
    pub(crate) fn span(&self, s_m: f64) -> Option<&Span> {
        self.spans.iter().find(|span| (span.start_m..span.end_m).contains(&s_m))
    }

    /// Where a point lies: distance along the path and to its left, metres.
    pub(crate) fn locate(&self, p: &Point2<f64>) -> (f64, f64) {
        let mut best = (0, f64::INFINITY);
        for (index, node) in self.nodes.iter().enumerate() {
            let squared = (node.p_m.xy() - p).norm_squared();
            if squared < best.1 {
                best = (index, squared);
            }
        }
        let node = self.nodes[best.0];
        let offset = p - node.p_m.xy();
        let along = offset.dot(&unit(node.heading_rad));
        (node.s_m + along, offset.dot(&left_of(node.heading_rad)))
    }

    /// Largest curvature between two distances, 1/m.
    pub(crate) fn sharpest(&self, from_m: f64, to_m: f64) -> f64 {
        let steps = ((to_m - from_m) / 2.0).ceil().max(1.0) as usize;
        (0..=steps)
            .map(|i| self.curvature(from_m + (to_m - from_m) * i as f64 / steps as f64).abs())
            .fold(0.0, f64::max)
    }
}

/// What a route prefers where lanes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Any,
    Straight,
    Left,
    Right,
}

/// Change of heading along a lane, radians.
fn bend(network: &Network, id: LaneId) -> f64 {
    let stations = &network.lane(id).stations;
    stations[stations.len() - 1].heading_rad - stations[0].heading_rad
}

/// Lanes from `first` on until `length_m` are covered or the network ends. `sharpest_per_m` bounds the
/// curvature of what is chosen at forks, as far as there is a choice.
pub(crate) fn route(
    network: &Network,
    first: LaneId,
    length_m: f64,
    turn: Turn,
    sharpest_per_m: f64,
    stream: &mut Stream,
) -> Vec<LaneId> {
    let mut lanes = vec![first];
    let mut covered = network.lane(first).length_m();
    while covered < length_m {
        let last = network.lane(lanes[lanes.len() - 1]);
        let drivable: Vec<LaneId> = last
            .successors
            .iter()
            .copied()
            .filter(|id| {
                network.lane(*id).kind == LaneKind::Driving || last.kind != LaneKind::Driving
            })
            .collect();
        let sharpest = |id: &LaneId| {
            network.lane(*id).stations.iter().map(|s| s.curvature_per_m.abs()).fold(0.0, f64::max)
        };
        let gentle: Vec<LaneId> =
            drivable.iter().copied().filter(|id| sharpest(id) <= sharpest_per_m).collect();
        let choice = if gentle.is_empty() { drivable } else { gentle };
        let Some(next) = pick(network, &choice, turn, stream) else { break };
        // Roundabouts and blocks may lead back; a lane twice on a path would confuse distances.
        if lanes.contains(&next) {
            break;
        }
        covered += network.lane(next).length_m();
        lanes.push(next);
    }
    lanes
}

fn pick(network: &Network, choice: &[LaneId], turn: Turn, stream: &mut Stream) -> Option<LaneId> {
    let wish = match turn {
        Turn::Any => {
            let index = stream.range(0.0, choice.len() as f64) as usize;
            return choice.get(index).copied();
        }
        Turn::Straight => 0.0,
        Turn::Left => 1.5,
        Turn::Right => -1.5,
    };
    let distance = |id: &LaneId| (bend(network, *id) - wish).abs();
    choice.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// A move to another distance from the path's line, over a stretch of the path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shift {
    pub(crate) from_s_m: f64,
    pub(crate) length_m: f64,
    /// Distance to the left at its end, metres.
    pub(crate) to_left_m: f64,
}

/// Distance to the left of the path's line: shifts follow one another, each from where the last one
/// ended.
pub(crate) fn left_at(base_left_m: f64, shifts: &[Shift], s_m: f64) -> f64 {
    let mut left = base_left_m;
    for shift in shifts {
        let t = ((s_m - shift.from_s_m) / shift.length_m.max(1e-6)).clamp(0.0, 1.0);
        // Quintic: no jump in curvature at either end.
        let smooth = t * t * t * (t * (6.0 * t - 15.0) + 10.0);
        left += (shift.to_left_m - left) * smooth;
    }
    left
}
