//! Streets and country roads: a main road through junctions, with side roads.

use std::f64::consts::{FRAC_PI_2, PI};

use nalgebra::Point2;

use super::bends::{Bends, wind};
use super::dress::{StreetEnd, street};
use super::spread::{Spoke, mouths};
use super::{Draft, Level};
use crate::roads::build::{Arm, JunctionPlan, Paint};
use crate::roads::curve::Curve;
use crate::roads::road::{Side, StripKind};
use crate::roads::{Control, JunctionKind, Junctions, NetworkOptions, Setting};

/// Length of road before a junction that is straight, metres.
const STRAIGHT_M: f64 = 12.0;
/// Where the traffic waits before a junction, metres before the mouth.
const LINE_M: f64 = 5.6;
/// Middle of a crossing before a junction, metres before the mouth.
const CROSSING_M: f64 = 2.6;

/// A junction that was drawn: arms from the road that comes, counter-clockwise.
struct Drawn {
    kind: JunctionKind,
    control: Control,
    spokes: Vec<Spoke>,
    mouths_m: Vec<f64>,
    corner_m: f64,
    ring_m: f64,
}

/// Draws streets.
pub(super) fn lay(options: &NetworkOptions, draft: &mut Draft) {
    let drawn: Vec<Drawn> =
        kinds(options, draft).into_iter().map(|kind| draw(kind, draft)).collect();
    let gap_m = options.length_m / (drawn.len() + 1) as f64;
    let bends = main_bends(options, draft);
    let (mut at, mut heading) = (Point2::origin(), 0.0f64);
    let mut leave_m = 0.0;
    let mut main_roads = Vec::new();
    let mut centres = Vec::new();
    for index in 0..=drawn.len() {
        let arrive_m = drawn.get(index).map_or(0.0, |junction| junction.mouths_m[0]);
        let ahead = nalgebra::Vector2::new(heading.cos(), heading.sin());
        let mut curve = Curve::from(at + ahead * leave_m, heading);
        let ends = [index > 0, index < drawn.len()];
        let straight = ends.map(|junction| if junction { STRAIGHT_M } else { 2.0 });
        let length_m = (gap_m - leave_m - arrive_m).max(straight[0] + straight[1] + 6.0);
        curve.bend(straight[0], 0.0, 0.0);
        wind(&mut curve, length_m - straight[0] - straight[1], &bends, &mut draft.stream);
        curve.bend(straight[1], 0.0, 0.0);
        let end = curve.at(curve.length_m());
        main_roads.push(add_street(draft, curve, draft.style.lanes, ends));
        (at, heading) = (end.p_m + end.ahead() * arrive_m, end.heading_rad);
        if let Some(junction) = drawn.get(index) {
            leave_m = junction.mouths_m[junction.ahead()];
            centres.push((at, heading));
        }
    }
    for (index, (junction, (centre, heading))) in drawn.iter().zip(centres).enumerate() {
        let ends = [main_roads[index], main_roads[index + 1]];
        join(draft, junction, (centre, heading), ends);
    }
}

impl Drawn {
    /// The arm on which the main road goes on.
    fn ahead(&self) -> usize {
        let ahead = |spoke: &Spoke| spoke.heading_rad.abs() < 0.1;
        self.spokes.iter().position(ahead).expect("the main road goes on")
    }
}

/// Which junctions there are, in order.
fn kinds(options: &NetworkOptions, draft: &mut Draft) -> Vec<Junctions> {
    let (spacing_m, roundabouts) = match options.setting {
        Setting::Urban => (130.0, 0.08),
        Setting::Suburban => (140.0, 0.3),
        _ => (230.0, 0.15),
    };
    let room = (options.length_m / spacing_m).floor().max(1.0) as usize - 1;
    if let Some(wanted) = &options.junctions {
        let least = usize::from(options.length_m >= 120.0);
        let room = ((options.length_m / 100.0).floor() as usize).saturating_sub(1).max(least);
        return wanted.iter().copied().take(room).collect();
    }
    (0..room)
        .map(|_| {
            let chance = draft.stream.range(0.0, 1.0);
            if chance < roundabouts {
                Junctions::Roundabout
            } else if chance < 0.6 {
                Junctions::FourWay
            } else {
                Junctions::ThreeWay
            }
        })
        .collect()
}

/// Draws the shape of one junction. Directions are against that of the main road beyond it.
fn draw(kind: Junctions, draft: &mut Draft) -> Drawn {
    let skew = if kind == Junctions::Roundabout { 0.06 } else { 0.2 };
    let mut side = |heading: f64| Spoke {
        heading_rad: heading + draft.stream.range(-skew, skew),
        half_m: draft.style.half_m(1),
    };
    let main = |heading_rad| Spoke { heading_rad, half_m: draft.style.half_m(draft.style.lanes) };
    let (right, left) = (side(-FRAC_PI_2), side(FRAC_PI_2));
    // Counter-clockwise from the road that comes: right, ahead, left.
    let mut spokes = vec![main(PI), right, main(0.0), left];
    if kind == Junctions::ThreeWay {
        spokes.remove(if draft.stream.range(0.0, 1.0) < 0.5 { 1 } else { 3 });
    }
    let round = kind == Junctions::Roundabout;
    let narrow = draft.style.setting == Setting::Suburban;
    let corner_m = match (round, draft.style.setting) {
        (true, _) => 10.0,
        (false, Setting::Rural) => 10.0,
        (false, _) => (draft.style.paved_m() + 1.2).max(if narrow { 5.0 } else { 6.5 }),
    };
    let half = draft.style.half_m(draft.style.lanes);
    let ring_m = if round { draft.stream.range(13.0, 17.0).max(2.2 * half) } else { 0.0 };
    let chance = draft.stream.range(0.0, 1.0);
    let control = match draft.style.setting {
        _ if round => Control::GiveWay,
        Setting::Urban if chance < 0.75 || draft.style.lanes > 1 => Control::Lights,
        Setting::Suburban if chance < 0.5 => Control::PriorityToRight,
        _ if chance > 0.9 => Control::Stop,
        _ => Control::GiveWay,
    };
    Drawn {
        kind: if round { JunctionKind::Roundabout } else { JunctionKind::Crossing },
        control,
        mouths_m: mouths(&spokes, corner_m, ring_m),
        spokes,
        corner_m,
        ring_m,
    }
}

fn main_bends(options: &NetworkOptions, draft: &Draft) -> Bends {
    let (curvature_per_m, length_m) = match draft.style.setting {
        Setting::Urban => (1.0 / 180.0, 90.0),
        Setting::Suburban => (1.0 / 70.0, 70.0),
        _ => (1.0 / 110.0, 120.0),
    };
    let curvature_per_m = options.curvature_per_m.unwrap_or(curvature_per_m);
    // Tight bends are short: a bend turns by less than a right angle.
    let length_m = f64::min(length_m, 1.6 / curvature_per_m.max(1e-6));
    Bends { curvature_per_m, length_m: length_m.max(30.0), within_rad: 0.8, toward_rad: 0.0 }
}

/// Adds a street; `ends`: whether a junction is there.
fn add_street(draft: &mut Draft, curve: Curve, lanes: usize, ends: [bool; 2]) -> usize {
    let as_end = |junction| if junction { StreetEnd::Junction } else { StreetEnd::Open };
    let section = street(&draft.style, lanes, curve.length_m(), ends.map(as_end));
    let level = Level { at_start: ends[0], at_end: ends[1] };
    draft.add_road(curve, vec![section], level)
}

/// Adds a junction with its side roads and paint.
fn join(
    draft: &mut Draft,
    drawn: &Drawn,
    (centre, heading): (Point2<f64>, f64),
    [before, after]: [usize; 2],
) {
    let ahead = drawn.ahead();
    let mut arms = Vec::new();
    for (index, spoke) in drawn.spokes.iter().enumerate() {
        arms.push(if index == 0 {
            Arm { road: before, at_end: true, main: true }
        } else if index == ahead {
            Arm { road: after, at_end: false, main: true }
        } else {
            let out = heading + spoke.heading_rad;
            let start =
                centre + nalgebra::Vector2::new(out.cos(), out.sin()) * drawn.mouths_m[index];
            let road = side_road(draft, (start, out), [before, after]);
            Arm { road, at_end: false, main: false }
        });
    }
    let index = draft.plan.junctions.len();
    for arm in &arms {
        mark_arm(draft, drawn, arm, index);
    }
    draft.plan.junctions.push(JunctionPlan {
        kind: drawn.kind,
        control: drawn.control,
        centre_m: centre,
        arms,
        corner_m: drawn.corner_m,
        ring_m: drawn.ring_m,
        phase_offset_s: draft.stream.range(0.0, 40.0),
    });
}

/// A side road that comes near no other road.
fn side_road(draft: &mut Draft, (start, out): (Point2<f64>, f64), near: [usize; 2]) -> usize {
    let wanted_m = match draft.style.setting {
        Setting::Urban => draft.stream.range(60.0, 110.0),
        Setting::Suburban => draft.stream.range(60.0, 120.0),
        _ => draft.stream.range(90.0, 200.0),
    };
    let (curvature_per_m, length_m) = if draft.style.setting == Setting::Urban {
        (1.0 / 250.0, 60.0)
    } else {
        (1.0 / 90.0, 60.0)
    };
    let bends = Bends { curvature_per_m, length_m, within_rad: 0.5, toward_rad: out };
    let mut curve = Curve::from(start, out);
    curve.bend(STRAIGHT_M, 0.0, 0.0);
    wind(&mut curve, wanted_m - STRAIGHT_M, &bends, &mut draft.stream);
    if free_m(draft, &curve, near) < curve.length_m() {
        curve = Curve::from(start, out);
        curve.bend(wanted_m, 0.0, 0.0);
        let free = free_m(draft, &curve, near).max(STRAIGHT_M + 8.0);
        if free < curve.length_m() {
            curve = Curve::from(start, out);
            curve.bend(free, 0.0, 0.0);
        }
    }
    add_street(draft, curve, 1, [true, false])
}

/// How far along a curve there is room for a road; the roads that it starts between do not count near
/// its start.
fn free_m(draft: &Draft, curve: &Curve, near: [usize; 2]) -> f64 {
    const STEP_M: f64 = 5.0;
    let clear_m = 2.0 * (draft.style.half_m(draft.style.lanes) + draft.style.paved_m()) + 14.0;
    let mut s = STEP_M;
    while s <= curve.length_m() + clear_m {
        let p = curve.at(s).p_m;
        for (index, road) in draft.plan.roads.iter().enumerate() {
            if near.contains(&index) && s < 0.6 * clear_m {
                continue;
            }
            let steps = (road.length_m() / STEP_M) as usize;
            let near_start = near.contains(&index);
            for step in 0..=steps {
                let q = road.curve.at(step as f64 * STEP_M).p_m;
                // Roads that meet at the junction diverge from it.
                let apart = (q - p).norm();
                if apart < if near_start { 0.6 * clear_m } else { clear_m } {
                    return (s - 0.6 * clear_m).max(0.0);
                }
            }
        }
        s += STEP_M;
    }
    curve.length_m()
}

/// Crossing, stop line and arrows on an arm.
fn mark_arm(draft: &mut Draft, drawn: &Drawn, arm: &Arm, junction: usize) {
    let length_m = draft.plan.roads[arm.road].length_m();
    if length_m < 18.0 {
        return;
    }
    let from_mouth = |s_m: f64| if arm.at_end { length_m - s_m } else { s_m };
    let side = if arm.at_end { Side::Right } else { Side::Left };
    let setting = draft.style.setting;
    let round = drawn.kind == JunctionKind::Roundabout;
    let lights = drawn.control == Control::Lights;
    let chance = draft.stream.range(0.0, 1.0);
    let pavement = matches!(setting, Setting::Urban | Setting::Suburban);
    if pavement && (lights || round || chance < 0.5) {
        draft.plan.paint.push(Paint::Crossing {
            road: arm.road,
            s_m: from_mouth(if round { CROSSING_M + 2.0 } else { CROSSING_M }),
            width_m: 3.6,
            zebra: !lights,
            junction: Some(junction),
        });
    } else if pavement {
        draft.plan.paint.push(Paint::Unmarked { road: arm.road, s_m: from_mouth(CROSSING_M) });
    }
    let waits = match drawn.control {
        Control::Lights => true,
        Control::GiveWay | Control::Stop => round || !arm.main,
        Control::PriorityToRight => false,
    };
    if waits {
        draft.plan.paint.push(Paint::Stop {
            road: arm.road,
            side,
            s_m: from_mouth(if round { 0.4 } else { LINE_M }),
            must_stop: lights || (drawn.control == Control::Stop && !round),
        });
    }
    let section = &draft.plan.roads[arm.road].sections[0];
    let lanes: Vec<usize> = (0..section.strips(side).len())
        .filter(|strip| section.strips(side)[*strip].kind == StripKind::Driving)
        .collect();
    if lanes.len() < 2 || round || length_m < 40.0 {
        return;
    }
    let (left, right) = (drawn.has(arm, 1), drawn.has(arm, -1));
    for (place, strip) in lanes.iter().enumerate() {
        let ways = [place == 0 && left, true, place + 1 == lanes.len() && right];
        for s_m in [9.0, 24.0] {
            let s_m = from_mouth(s_m);
            draft.plan.paint.push(Paint::Arrow { road: arm.road, side, strip: *strip, s_m, ways });
        }
    }
}

impl Drawn {
    /// Whether who comes in on a main arm can turn to a side: 1 left, -1 right.
    fn has(&self, arm: &Arm, side: i32) -> bool {
        // Who comes along the main road sees it from behind, who comes against it mirrored.
        let sign = if arm.at_end { 1.0 } else { -1.0 } * f64::from(side);
        self.spokes.iter().any(|spoke| (spoke.heading_rad - sign * FRAC_PI_2).abs() < 0.5)
    }
}
