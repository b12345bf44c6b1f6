//! Paint across roads: stripes, stop lines, arrows, bays. It lies on the ground as thin sheets.

use nalgebra::{Point2, Point3, Vector2};

use super::furniture::carriageway;
use super::mesh::{GroundMesh, Surface};
use super::{Paint, Plan};
use crate::roads::road::{Road, Side, StripKind};
use crate::roads::{Ground, Network};

/// Height of the sheet over the ground, metres.
const LIFT_M: f64 = 0.002;
/// Largest edge of a sheet's facets, metres.
const FACET_M: f64 = 0.7;

/// Adds what a plan paints across its roads, and the bays of a network's parking places.
pub(crate) fn paint(plan: &Plan, network: &Network, paved: &Ground, mesh: &mut GroundMesh) {
    let mut brush = Brush { paved, mesh };
    for item in &plan.paint {
        match item {
            Paint::Crossing { road, s_m, width_m, zebra, .. } => {
                brush.crossing(&plan.roads[*road], *s_m, *width_m, *zebra);
            }
            Paint::Unmarked { .. } => {}
            Paint::Stop { road, side, s_m, must_stop } => {
                brush.stop(&plan.roads[*road], *side, *s_m, *must_stop);
            }
            Paint::Arrow { road, side, strip, s_m, ways } => {
                brush.arrow(&plan.roads[*road], (*side, *strip), *s_m, *ways);
            }
        }
    }
    for place in &network.parking {
        let at = |x: f64, y: f64| {
            let p = place.world_from_place * Point3::new(x, y, 0.0);
            Point2::new(p.x, p.y)
        };
        let (x, y) = (0.5 * place.length_m, 0.5 * place.width_m - 0.05);
        for end in [-x, x] {
            brush.quad([
                at(end - 0.05, -y),
                at(end + 0.05, -y),
                at(end + 0.05, y),
                at(end - 0.05, y),
            ]);
        }
    }
}

struct Brush<'a> {
    paved: &'a Ground,
    mesh: &'a mut GroundMesh,
}

impl Brush<'_> {
    /// A quadrangle on the ground, counter-clockwise from above; two corners may be equal.
    fn quad(&mut self, [a, b, c, d]: [Point2<f64>; 4]) {
        let steps = |p: Vector2<f64>, q: Vector2<f64>| {
            (p.norm().max(q.norm()) / FACET_M).ceil().clamp(1.0, 200.0) as usize
        };
        let (columns, rows) = (steps(b - a, c - d), steps(d - a, c - b));
        let mut vertices = Vec::with_capacity((columns + 1) * (rows + 1));
        for row in 0..=rows {
            for column in 0..=columns {
                let (u, v) = (column as f64 / columns as f64, row as f64 / rows as f64);
                let near = a + (b - a) * u;
                let far = d + (c - d) * u;
                let p = near + (far - near) * v;
                let Some(ground) = self.paved.at(p.x, p.y) else { return };
                vertices.push(self.mesh.vertex(&Point3::new(p.x, p.y, ground.height_m + LIFT_M)));
            }
        }
        for row in 0..rows {
            for column in 0..columns {
                let at = |dx: usize, dy: usize| vertices[(row + dy) * (columns + 1) + column + dx];
                self.mesh.quad_if_wide([at(0, 0), at(1, 0), at(1, 1), at(0, 1)], Surface::White);
            }
        }
    }

    /// A rectangle of a road between two stations and two lateral positions.
    fn patch(&mut self, road: &Road, s: [f64; 2], t: [f64; 2]) {
        let at = |s: f64, t: f64| road.point(s, t, 0.0).xy();
        self.quad([at(s[0], t[0]), at(s[1], t[0]), at(s[1], t[1]), at(s[0], t[1])]);
    }

    fn crossing(&mut self, road: &Road, s_m: f64, width_m: f64, zebra: bool) {
        let [right, left] = carriageway(road, s_m);
        let [near, far] = [s_m - 0.5 * width_m, s_m + 0.5 * width_m];
        if zebra {
            // Stripes of half a metre (RMS), as many as fit.
            let count = ((left - right) / 1.0).floor();
            let first = right + 0.5 * ((left - right) - (count - 0.5));
            for stripe in 0..count as usize {
                let t = first + stripe as f64;
                self.patch(road, [near, far], [t, t + 0.5]);
            }
            return;
        }
        // Two rows of short dashes.
        for s in [near, far] {
            let mut t = right + 0.3;
            while t + 0.5 < left {
                self.patch(road, [s - 0.06, s + 0.06], [t, t + 0.5]);
                t += 0.7;
            }
        }
    }

    fn stop(&mut self, road: &Road, side: Side, s_m: f64, must_stop: bool) {
        let section = &road.sections[road.section_at(s_m)];
        let edges = section.edges(side, s_m);
        let rolls = |kind| matches!(kind, StripKind::Driving | StripKind::Bicycle);
        let strips = section.strips(side);
        let (Some(first), Some(last)) = (
            strips.iter().position(|strip| rolls(strip.kind)),
            strips.iter().rposition(|strip| rolls(strip.kind)),
        ) else {
            return;
        };
        let (inner, outer) = (edges[first] + 0.1, edges[last + 1] - 0.15);
        let offset = road.offset.at(s_m);
        // Away from the junction the line grows against the traffic.
        let back = if side == Side::Right { -1.0 } else { 1.0 };
        let lateral = |t: f64| offset + side.sign() * t;
        if must_stop {
            let (mut s, mut t) = ([s_m, s_m + back * 0.5], [lateral(inner), lateral(outer)]);
            s.sort_by(f64::total_cmp);
            t.sort_by(f64::total_cmp);
            self.patch(road, s, t);
            return;
        }
        // Give way: triangles that point at who comes (Vienna convention on road signs, annex 2).
        let mut t = inner;
        while t + 0.5 <= outer {
            let at = |s: f64, t: f64| road.point(s, lateral(t), 0.0).xy();
            let (a, b) = (at(s_m, t), at(s_m, t + 0.5));
            let tip = at(s_m + back * 0.6, t + 0.25);
            let turn = (b - a).perp(&(tip - a));
            self.quad(if turn > 0.0 { [a, b, tip, tip] } else { [b, a, tip, tip] });
            t += 0.75;
        }
    }

    /// An arrow of five metres with its tip at `s` (RMS, after its proportions).
    fn arrow(&mut self, road: &Road, (side, strip): (Side, usize), s_m: f64, ways: [bool; 3]) {
        let section = &road.sections[road.section_at(s_m)];
        let edges = section.edges(side, s_m);
        let t = road.offset.at(s_m) + side.sign() * 0.5 * (edges[strip] + edges[strip + 1]);
        let back = if side == Side::Right { 1.0 } else { -1.0 };
        // x ahead from the tail, y to the left.
        let at = |x: f64, y: f64| road.point(s_m + back * (x - 5.0), t + back * y, 0.0).xy();
        let straight = ways[1];
        let stem_end = if straight { 3.4 } else { 2.6 };
        let w = 0.075;
        self.quad([at(0.0, -w), at(stem_end, -w), at(stem_end, w), at(0.0, w)]);
        if straight {
            self.quad([at(3.4, -0.25), at(5.0, 0.0), at(5.0, 0.0), at(3.4, 0.25)]);
        }
        for (way, sign) in [(ways[0], 1.0), (ways[2], -1.0)] {
            if !way {
                continue;
            }
            let mut bend = [at(1.8, 0.0), at(2.2, 0.0), at(3.3, sign * 0.5), at(2.9, sign * 0.5)];
            let mut head = [
                at(2.6, sign * 0.5),
                at(3.7, sign * 0.5),
                at(3.2, sign * 1.1),
                at(3.2, sign * 1.1),
            ];
            if sign < 0.0 {
                bend.reverse();
                head = [head[1], head[0], head[2], head[3]];
            }
            self.quad(bend);
            self.quad(head);
        }
    }
}
