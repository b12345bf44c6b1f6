//! The edges of roads, as lines along which things are placed.

use nalgebra::{Point2, Vector2};

use crate::roads::{GroundClass, LaneKind, Network};

/// A place on the edge of a road.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge {
    /// The edge of the carriageway, in plan.
    pub(crate) p_m: Point2<f64>,
    /// Unit vector away from the road.
    pub(crate) out: Vector2<f64>,
    /// Width of the pavement there, with its kerb, metres.
    pub(crate) paved_m: f64,
    /// Distance along the line, metres.
    pub(crate) s_m: f64,
}

/// One side of a road between junctions, in driving direction of its lanes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frontage {
    pub(crate) edges: Vec<Edge>,
    pub(crate) speed_limit_m_s: f64,
    /// Lanes of motor traffic beside it in its direction.
    pub(crate) lanes: usize,
    /// It begins where the world does.
    pub(crate) open: bool,
}

impl Frontage {
    pub(crate) fn length_m(&self) -> f64 {
        self.edges.last().map_or(0.0, |edge| edge.s_m)
    }

    /// The edge at a distance from the start.
    pub(crate) fn at(&self, s_m: f64) -> Edge {
        let next =
            self.edges.partition_point(|edge| edge.s_m <= s_m).clamp(1, self.edges.len() - 1);
        let (a, b) = (self.edges[next - 1], self.edges[next]);
        let share = ((s_m - a.s_m) / (b.s_m - a.s_m).max(1e-9)).clamp(0.0, 1.0);
        Edge {
            p_m: a.p_m + (b.p_m - a.p_m) * share,
            out: (a.out + (b.out - a.out) * share).normalize(),
            paved_m: a.paved_m + (b.paved_m - a.paved_m) * share,
            s_m,
        }
    }

    /// A point at a distance from the edge, negative on the road.
    pub(crate) fn beside(&self, s_m: f64, out_m: f64) -> Point2<f64> {
        let edge = self.at(s_m);
        edge.p_m + edge.out * out_m
    }

    /// Driving direction, radians.
    pub(crate) fn heading_rad(&self, s_m: f64) -> f64 {
        let out = self.at(s_m).out;
        out.x.atan2(-out.y)
    }
}

/// The outer edges of all roads.
pub(crate) fn frontages(network: &Network) -> Vec<Frontage> {
    let outer = network.lanes.iter().filter(|lane| {
        lane.right_neighbour.is_none() && lane.junction.is_none() && lane.stations.len() > 5
    });
    outer
        .map(|lane| {
            let mut edges = Vec::new();
            let mut s_m = 0.0;
            for (index, station) in lane.stations.iter().enumerate() {
                let p_m = lane.right.points_m[index].xy();
                let (sin, cos) = station.heading_rad.sin_cos();
                let out = Vector2::new(sin, -cos);
                if index > 0 {
                    s_m += (p_m - lane.right.points_m[index - 1].xy()).norm();
                }
                edges.push(Edge { p_m, out, paved_m: paved_m(network, p_m, out), s_m });
            }
            let mut lanes = 0;
            let mut inner = Some(lane);
            while let Some(here) = inner {
                lanes += usize::from(here.kind == LaneKind::Driving);
                inner = here.left_neighbour.map(|id| network.lane(id));
            }
            let open = lane.predecessors.is_empty();
            Frontage { edges, speed_limit_m_s: lane.speed_limit_m_s, lanes, open }
        })
        .filter(|line| line.length_m() > 5.0)
        .collect()
}

/// How far the pavement goes.
fn paved_m(network: &Network, p: Point2<f64>, out: Vector2<f64>) -> f64 {
    const STEP_M: f64 = 0.25;
    let mut width_m = 0.0;
    while width_m < 10.0 {
        let q = p + out * (width_m + 0.05);
        match network.ground(q.x, q.y) {
            Some(ground) if ground.class == GroundClass::Sidewalk => width_m += STEP_M,
            _ => break,
        }
    }
    width_m
}
