//! Motorways: two carriageways, with exits and entries on the right one.

use nalgebra::Point2;

use super::bends::{Bends, wind};
use super::{Draft, Level};
use crate::roads::build::LaneKey;
use crate::roads::curve::Curve;
use crate::roads::road::{Cubics, Mark, Road, Section, Side, Strip, StripKind};
use crate::roads::{Junctions, NetworkOptions};

/// Length of the lane beside the others where one leaves or joins, and of its taper (RAA 2008: 250 m;
/// shorter here where the road is), metres.
const BESIDE_M: f64 = 150.0;
const TAPER_M: f64 = 60.0;
/// Length of a ramp, metres.
const RAMP_M: f64 = 190.0;
const RAMP_LANE_M: f64 = 4.5;
/// Here the ramp has parted for good, metres along the main road.
const PARTED_M: f64 = 110.0;

/// An entry comes this much after an exit, metres.
const APART_M: f64 = 650.0;

/// Draws a motorway.
pub(super) fn lay(options: &NetworkOptions, draft: &mut Draft) {
    let drawn = kinds(options, draft);
    let gap_m = options.length_m / (drawn.len() + 1) as f64;
    let curvature_per_m = options.curvature_per_m.unwrap_or(1.0 / 900.0);
    let length_m = f64::min(260.0, 1.0 / curvature_per_m.max(1e-6));
    let bends = Bends { curvature_per_m, length_m, within_rad: 0.5, toward_rad: 0.0 };
    let mut curve = Curve::from(Point2::origin(), 0.0);
    let half = 0.5 * span_m(gap_m);
    let mut free_m = gap_m;
    let mut places = Vec::new();
    for _ in &drawn {
        wind(&mut curve, free_m - half, &bends, &mut draft.stream);
        places.push(curve.length_m());
        curve.bend(2.0 * half, 0.0, 0.0);
        free_m = gap_m - half;
    }
    wind(&mut curve, free_m, &bends, &mut draft.stream);
    let main = draft.plan.roads.len();
    let mut layout = Layout { draft, curve, sections: Vec::new(), done_m: 0.0, main };
    let mut ramps = Vec::new();
    for (kind, start_m) in drawn.iter().zip(places) {
        ramps.push(match kind {
            Junctions::Merge => layout.merge(start_m, span_m(gap_m)),
            _ => layout.exit(start_m, span_m(gap_m)),
        });
    }
    let end_m = layout.curve.length_m();
    layout.plain(end_m);
    let Layout { curve, sections, .. } = layout;
    let level = Level { at_start: !ramps.is_empty(), at_end: !ramps.is_empty() };
    let main = draft.add_road(curve, sections, level);
    if !ramps.is_empty() {
        set_level(&mut draft.plan.roads[main]);
    }
    for ramp in ramps {
        let road = draft.add_road(ramp.curve, vec![ramp.section], level);
        set_level(&mut draft.plan.roads[road]);
        draft.plan.roads[road].speed_limit_m_s = 80.0 / 3.6;
        let lane = LaneKey { road, section: 0, side: Side::Right, strip: 0 };
        draft.plan.links.push(if ramp.leaves { (ramp.beside, lane) } else { (lane, ramp.beside) });
    }
}

/// Ramps meet the main road on the land: neither is banked.
fn set_level(road: &mut Road) {
    if let crate::roads::road::Elevation::Draped { banked, .. } = &mut road.elevation {
        *banked = Cubics::constant(0.0);
    }
}

/// Length of road that an exit or an entry takes, metres.
fn span_m(gap_m: f64) -> f64 {
    (BESIDE_M + TAPER_M + PARTED_M + 20.0).min(0.9 * gap_m)
}

fn kinds(options: &NetworkOptions, draft: &mut Draft) -> Vec<Junctions> {
    let room = ((options.length_m / 330.0).floor() as usize).min(8);
    let wanted: Vec<Junctions> = match &options.junctions {
        Some(wanted) => wanted.iter().copied().take(room).collect(),
        None => (0..room.saturating_sub(usize::from(draft.stream.range(0.0, 1.0) < 0.4)))
            .map(|_| {
                let exit = draft.stream.range(0.0, 1.0) < 0.5;
                if exit { Junctions::Exit } else { Junctions::Merge }
            })
            .collect(),
    };
    let gap_m = options.length_m / (wanted.len() + 1) as f64;
    let mut kept: Vec<Junctions> = Vec::new();
    for kind in wanted {
        // The ramps of an exit and of an entry soon after it would cross.
        let crosses = kind == Junctions::Merge && kept.last() == Some(&Junctions::Exit);
        if !crosses || gap_m > APART_M {
            kept.push(kind);
        }
    }
    kept
}

struct Ramp {
    curve: Curve,
    section: Section,
    /// The lane of the main road that it continues.
    beside: LaneKey,
    leaves: bool,
}

struct Layout<'a> {
    draft: &'a mut Draft,
    curve: Curve,
    sections: Vec<Section>,
    done_m: f64,
    main: usize,
}

impl Layout<'_> {
    /// The usual cross-section up to `s`.
    fn plain(&mut self, to_m: f64) {
        if to_m - self.done_m > 0.5 {
            let section = self.draft.style.section(self.draft.style.lanes, [self.done_m, to_m]);
            self.push(section);
        }
    }

    fn push(&mut self, section: Section) {
        self.done_m = section.range_m[1];
        if let Some(last) = self.sections.last_mut() {
            for side in [Side::Left, Side::Right] {
                let at = last.range_m[1];
                let (here, there) = (last.edges(side, at), section.edges(side, at));
                let strips = if side == Side::Left { &mut last.left } else { &mut last.right };
                for (index, strip) in strips.iter_mut().enumerate() {
                    // It goes on as what has its kind and its edges.
                    strip.next = section.strips(side).iter().enumerate().position(|(i, next)| {
                        let same =
                            |edge: usize| (here[index + edge] - there[i + edge]).abs() < 0.02;
                        next.kind == strip.kind && same(0) && same(1)
                    });
                }
            }
        }
        self.sections.push(section);
    }

    /// Strips of the right side with a lane beside the others; index of that lane.
    fn with_lane(&self, range_m: [f64; 2], width: Cubics) -> (Section, usize) {
        let style = &self.draft.style;
        let mut section = style.section(style.lanes, range_m);
        let outer = section.right.iter().rposition(|strip| strip.kind == StripKind::Driving);
        let outer = outer.expect("a motorway has lanes");
        // Wide short dashes (RMS: blocks of 6 m, 0.3 m wide).
        section.right[outer].marks = vec![(0.0, Mark::dashed(0.3, 6.0, 6.0))];
        let mut beside = Strip::new(StripKind::Driving, 0.0).marked(Mark::solid(0.3));
        beside.width = width;
        section.right.insert(outer + 1, beside);
        (section, outer + 1)
    }

    fn exit(&mut self, start_m: f64, span_m: f64) -> Ramp {
        let lane_m = RAMP_LANE_M.min(self.draft.style.lane_m);
        self.plain(start_m);
        let parts_m = start_m + span_m - PARTED_M - 10.0;
        let taper = TAPER_M.min(0.4 * (parts_m - start_m));
        let (section, strip) = self.with_lane([start_m, parts_m], Cubics::ease(0.0, lane_m, taper));
        let beside =
            LaneKey { road: self.main, section: self.sections.len(), side: Side::Right, strip };
        let t = -section.edges(Side::Right, parts_m)[strip];
        self.push(section);
        let on = self.curve.at(parts_m);
        let mut curve = Curve::from(on.p_m + on.left() * t, on.heading_rad);
        bend_away(&mut curve, -1.0, &mut self.draft.stream);
        let section = self.ramp_section(&curve, parts_m, t, lane_m, false);
        self.gore(parts_m, t, &curve, false);
        Ramp { curve, section, beside, leaves: true }
    }

    fn merge(&mut self, start_m: f64, span_m: f64) -> Ramp {
        let lane_m = RAMP_LANE_M.min(self.draft.style.lane_m);
        let meets_m = start_m + PARTED_M + 10.0;
        let end_m = start_m + span_m;
        let taper = TAPER_M.min(0.4 * (end_m - meets_m));
        let mut width = Cubics::ease(lane_m, 0.0, taper);
        for piece in &mut width.0 {
            piece.0 += end_m - meets_m - taper;
        }
        width.0.insert(0, (0.0, [lane_m, 0.0, 0.0, 0.0]));
        let (section, strip) = self.with_lane([meets_m, end_m], width);
        let t = -section.edges(Side::Right, meets_m)[strip];
        let on = self.curve.at(meets_m);
        // Laid backwards from where it meets the road, then turned around.
        let mut back = Curve::from(on.p_m + on.left() * t, on.heading_rad + std::f64::consts::PI);
        bend_away(&mut back, 1.0, &mut self.draft.stream);
        let curve = back.reversed();
        self.plain(meets_m - PARTED_M);
        self.gore(meets_m, t, &curve, true);
        let beside =
            LaneKey { road: self.main, section: self.sections.len(), side: Side::Right, strip };
        let ramp_section = self.ramp_section(&curve, meets_m, t, lane_m, true);
        self.push(section);
        Ramp { curve, section: ramp_section, beside, leaves: false }
    }

    /// Distance between the outer lane's edge and the ramp's left edge, by distance from the nose.
    fn gap(&self, nose_m: f64, t: f64, ramp: &Curve, merges: bool, along_m: f64) -> f64 {
        let sign = if merges { -1.0 } else { 1.0 };
        let on = self.curve.at(nose_m + sign * along_m);
        let origin = on.p_m + on.left() * t;
        // Where the ramp passes the line across the main road.
        let mut s = if merges { ramp.length_m() - along_m } else { along_m };
        for _ in 0..8 {
            let at = ramp.at(s);
            let ahead = (origin - at.p_m).dot(&on.ahead()) / at.ahead().dot(&on.ahead()).max(0.2);
            s += ahead;
        }
        -(ramp.at(s).p_m - origin).dot(&on.left())
    }

    /// The main road beside the ramp: shoulder and verge fill the space between.
    fn gore(&mut self, nose_m: f64, t: f64, ramp: &Curve, merges: bool) {
        let sign = if merges { -1.0 } else { 1.0 };
        let range_m =
            if merges { [nose_m - PARTED_M, nose_m] } else { [nose_m, nose_m + PARTED_M] };
        let style = &self.draft.style;
        let mut section = style.section(style.lanes, range_m);
        let count = section.right.len();
        let (shoulder_m, verge_m) = (2.5, 3.0);
        let steps = 40;
        let mut shoulder = Vec::new();
        let mut verge = Vec::new();
        for step in 0..=steps {
            let s = range_m[0] + PARTED_M * f64::from(step) / f64::from(steps);
            let gap = self.gap(nose_m, t, ramp, merges, sign * (s - nose_m)).max(0.0);
            let at = s - range_m[0];
            shoulder.push((at, gap.min(shoulder_m)));
            verge.push((at, (gap - shoulder_m).clamp(0.0, verge_m)));
        }
        section.right[count - 2].width = Cubics::through(&shoulder);
        section.right[count - 1].width = Cubics::through(&verge);
        section.right[count - 1].height_m = [0.0, 0.0];
        self.push(section);
    }

    /// The ramp's strips: its left verge only where it has parted.
    fn ramp_section(
        &self,
        curve: &Curve,
        nose_m: f64,
        t: f64,
        lane_m: f64,
        merges: bool,
    ) -> Section {
        let length = curve.length_m();
        let lane = Strip::new(StripKind::Driving, lane_m).marked(Mark::solid(0.3));
        let shoulder = Strip::new(StripKind::Shoulder, 2.0);
        let verge = Strip::new(StripKind::Verge, 3.0).raised(0.0, -0.3);
        let mut left = Vec::new();
        for step in 0..=60 {
            let s = length * f64::from(step) / 60.0;
            let along = if merges { length - s } else { s };
            let gap = if along < PARTED_M {
                self.gap(nose_m, t, curve, merges, along)
            } else {
                f64::INFINITY
            };
            left.push((s, (gap - 5.5).clamp(0.0, 3.0)));
        }
        let mut left_verge = Strip::new(StripKind::Verge, 0.0);
        left_verge.width = Cubics::through(&left);
        Section {
            range_m: [0.0, length],
            left: vec![left_verge],
            right: vec![lane, shoulder, verge],
            centre: vec![(0.0, Mark::solid(0.3))],
        }
    }
}

/// Bends a ramp off to one side (1 left, -1 right).
fn bend_away(curve: &mut Curve, side: f64, stream: &mut crate::noise::Stream) {
    let gentle = side / stream.range(240.0, 320.0);
    let tight = side / stream.range(90.0, 150.0);
    curve.bend(50.0, 0.0, gentle);
    curve.bend(20.0, gentle, gentle);
    curve.bend(30.0, gentle, tight);
    curve.bend(RAMP_M - 130.0, tight, tight);
    curve.bend(30.0, tight, 0.0);
}
