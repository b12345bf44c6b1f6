//! Where a road opens into a junction, seen from the junction.

use nalgebra::{Point2, Point3, Vector2};

use super::{Arm, LaneKey, Plan, strips};
use crate::roads::road::{Road, Section, Side, StripKind};

/// A strip beside the carriageway: kind, width (m), heights of its inner and outer edge (m).
pub(crate) type Beside = (StripKind, f64, [f64; 2]);

/// The end of an arm. Lateral positions are to the left of the direction away from the junction.
#[derive(Debug, Clone)]
pub(crate) struct Mouth {
    /// End of the reference line.
    pub(crate) p_m: Point2<f64>,
    /// Unit vector away from the junction.
    pub(crate) out: Vector2<f64>,
    /// Unit vector to the left of it.
    pub(crate) left: Vector2<f64>,
    /// Vertices across the carriageway from right to left.
    pub(crate) across_m: Vec<f64>,
    /// What lies beside the carriageway on the left, outwards.
    pub(crate) beside_left: Vec<Beside>,
    /// What lies beside the carriageway on the right, outwards.
    pub(crate) beside_right: Vec<Beside>,
    s_m: f64,
    sign: f64,
}

impl Mouth {
    pub(crate) fn new(plan: &Plan, arm: &Arm) -> Self {
        let road = &plan.roads[arm.road];
        let s_m = if arm.at_end { road.length_m() } else { 0.0 };
        let on = road.curve.at(s_m);
        let sign = if arm.at_end { -1.0 } else { 1.0 };
        let (left_side, right_side) =
            if arm.at_end { (Side::Right, Side::Left) } else { (Side::Left, Side::Right) };
        let section = end_section(road, arm);
        let (left_m, beside_left) = side(section, left_side, s_m);
        let (right_m, beside_right) = side(section, right_side, s_m);
        let mut across_m: Vec<f64> =
            strips::end_row(road, arm.at_end).iter().map(|t| t * sign).collect();
        across_m.retain(|t| *t < left_m + 1e-6 && *t > -right_m - 1e-6);
        across_m.sort_by(f64::total_cmp);
        across_m.dedup_by(|a, b| (*a - *b).abs() < 1e-6);
        Self {
            p_m: on.p_m,
            out: on.ahead() * sign,
            left: on.left() * sign,
            across_m,
            beside_left,
            beside_right,
            s_m,
            sign,
        }
    }

    pub(crate) fn left_m(&self) -> f64 {
        self.across_m.last().copied().unwrap_or(0.0)
    }

    pub(crate) fn right_m(&self) -> f64 {
        self.across_m.first().copied().unwrap_or(0.0)
    }

    pub(crate) fn heading_rad(&self) -> f64 {
        self.out.y.atan2(self.out.x)
    }

    /// A point beside the end of the reference line, in plan.
    pub(crate) fn at(&self, left_m: f64) -> Point2<f64> {
        self.p_m + self.left * left_m
    }

    /// The same on the road.
    pub(crate) fn on_road(&self, road: &Road, left_m: f64) -> Point3<f64> {
        road.point(self.s_m, left_m * self.sign, 0.0)
    }
}

pub(crate) fn end_section<'a>(road: &'a Road, arm: &Arm) -> &'a Section {
    let section = if arm.at_end { road.sections.last() } else { road.sections.first() };
    section.expect("planned roads have sections")
}

/// Width of the carriageway on one side, and what lies beside it.
fn side(section: &Section, side: Side, s_m: f64) -> (f64, Vec<Beside>) {
    let edges = section.edges(side, s_m);
    let strips = section.strips(side);
    let inner = strips.iter().rposition(|strip| strip.kind.is_carriageway()).map_or(0, |i| i + 1);
    let beside = (inner..strips.len())
        .map(|i| (strips[i].kind, edges[i + 1] - edges[i], strips[i].height_m));
    (edges[inner], beside.collect())
}

/// Lanes of a kind that lead into the junction and out of it at an arm, from the inner to the outer.
pub(crate) fn lanes_at(plan: &Plan, arm: &Arm, kind: StripKind) -> [Vec<LaneKey>; 2] {
    let road = &plan.roads[arm.road];
    let section_index = if arm.at_end { road.sections.len() - 1 } else { 0 };
    let section = end_section(road, arm);
    let of = |side: Side| {
        let strips = section.strips(side).iter().enumerate();
        let kept = strips.filter(|(_, strip)| strip.kind == kind).map(|(strip, _)| LaneKey {
            road: arm.road,
            section: section_index,
            side,
            strip,
        });
        kept.collect()
    };
    if arm.at_end { [of(Side::Right), of(Side::Left)] } else { [of(Side::Left), of(Side::Right)] }
}
