//! Where people walk: along pavements, around corners, over crossings.

use std::collections::BTreeMap;

use nalgebra::{Point2, Point3};

use super::area::outline;
use super::furniture::carriageway;
use super::{Paint, Plan};
use crate::roads::road::{Road, Side, StripKind};
use crate::roads::{Ground, Network, Walk, WalkId, WalkKind};

const STEP_M: f64 = 2.0;

/// Adds the walks of a description to a network that has its crossings.
pub(crate) fn lay(plan: &Plan, paved: &Ground, network: &mut Network) {
    let mut walks = Vec::new();
    for (index, road) in plan.roads.iter().enumerate() {
        let cuts = crossings_of(plan, index);
        for side in [Side::Left, Side::Right] {
            along(road, side, &cuts, &mut walks);
        }
        for (s_m, crossing) in cuts {
            walks.extend(across(road, s_m, crossing));
        }
    }
    for junction in &plan.junctions {
        let (_, corners) = outline(plan, junction);
        for corner in corners {
            let middle = corner.points_m.iter().zip(&corner.outwards).zip(&corner.beside);
            let middle = middle.filter_map(|((p, out), beside)| {
                let before = beside.iter().take_while(|strip| strip.0 != StripKind::Pavement);
                let before: f64 = before.map(|strip| strip.1).sum();
                let pavement = beside.iter().find(|strip| strip.0 == StripKind::Pavement)?;
                Some((p + out * (before + 0.5 * pavement.1), pavement.1))
            });
            let (line, widths): (Vec<Point2<f64>>, Vec<f64>) = middle.unzip();
            if line.len() > 1 {
                let width_m = widths.iter().copied().fold(f64::INFINITY, f64::min);
                let points_m = line.iter().map(|p| Point3::new(p.x, p.y, 0.0)).collect();
                let kind = WalkKind::Corner;
                walks.push(Walk { kind, points_m, width_m, ..Walk::default() });
            }
        }
    }
    for walk in &mut walks {
        for p in &mut walk.points_m {
            p.z = paved.at(p.x, p.y).map_or(p.z, |ground| ground.height_m);
        }
    }
    join(&mut walks);
    network.walks = walks;
}

/// Where people cross a road, and the index of the crossing among all crossings if it is marked.
fn crossings_of(plan: &Plan, wanted: usize) -> Vec<(f64, Option<u32>)> {
    let (mut cuts, mut marked) = (Vec::new(), 0u32);
    for paint in &plan.paint {
        match paint {
            Paint::Crossing { road, s_m, .. } => {
                if *road == wanted {
                    cuts.push((*s_m, Some(marked)));
                }
                marked += 1;
            }
            Paint::Unmarked { road, s_m } if *road == wanted => cuts.push((*s_m, None)),
            _ => {}
        }
    }
    cuts.sort_by(|a, b| a.0.total_cmp(&b.0));
    cuts
}

/// Middle and width of the pavement on one side.
fn pavement(road: &Road, side: Side, s_m: f64) -> Option<(f64, f64)> {
    let section = &road.sections[road.section_at(s_m)];
    let strips = section.strips(side);
    let index = strips.iter().position(|strip| strip.kind == StripKind::Pavement)?;
    let edges = section.edges(side, s_m);
    let middle = 0.5 * (edges[index] + edges[index + 1]);
    let t = road.offset.at(s_m) + side.sign() * middle;
    Some((t, edges[index + 1] - edges[index]))
}

/// The pavement of one side, cut at crossings.
fn along(road: &Road, side: Side, cuts: &[(f64, Option<u32>)], walks: &mut Vec<Walk>) {
    let mut ends = vec![0.0];
    ends.extend(cuts.iter().map(|cut| cut.0));
    ends.push(road.length_m());
    for pair in ends.windows(2) {
        let length = pair[1] - pair[0];
        if length < 0.1 {
            continue;
        }
        let steps = (length / STEP_M).ceil().max(1.0);
        let mut walk = Walk { width_m: f64::INFINITY, ..Walk::default() };
        for step in 0..=steps as usize {
            let s = pair[0] + length * step as f64 / steps;
            let Some((t, width_m)) = pavement(road, side, s) else { return };
            let p = road.point(s, t, 0.0);
            walk.points_m.push(p);
            walk.width_m = walk.width_m.min(width_m);
        }
        walks.push(walk);
    }
}

/// Over the carriageway, from the middle of one pavement to that of the other.
fn across(road: &Road, s_m: f64, crossing: Option<u32>) -> Option<Walk> {
    let (left, _) = pavement(road, Side::Left, s_m)?;
    let (right, _) = pavement(road, Side::Right, s_m)?;
    let [edge_right, edge_left] = carriageway(road, s_m);
    let lie = |t: f64| road.point(s_m, t, 0.0);
    let steps = ((edge_left - edge_right) / STEP_M).ceil().max(1.0);
    let mut points_m = vec![lie(right)];
    for step in 0..=steps as usize {
        points_m.push(lie(edge_right + (edge_left - edge_right) * step as f64 / steps));
    }
    points_m.push(lie(left));
    Some(Walk { kind: WalkKind::Crossing, points_m, width_m: 3.0, crossing, ..Walk::default() })
}

/// Joins what meets within half a metre in plan.
fn join(walks: &mut [Walk]) {
    const NEAR_M: f64 = 0.5;
    let cell = |p: &Point3<f64>| [(p.x / NEAR_M).round() as i64, (p.y / NEAR_M).round() as i64];
    let mut ends: BTreeMap<[i64; 2], Vec<(u32, bool)>> = BTreeMap::new();
    let end_of =
        |walk: &Walk, last: bool| walk.points_m[if last { walk.points_m.len() - 1 } else { 0 }];
    for (index, walk) in walks.iter().enumerate() {
        for last in [false, true] {
            ends.entry(cell(&end_of(walk, last))).or_default().push((index as u32, last));
        }
    }
    for index in 0..walks.len() {
        for last in [false, true] {
            let here = end_of(&walks[index], last);
            let [x, y] = cell(&here);
            let around = (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| [x + dx, y + dy]));
            let mut found: Vec<WalkId> = Vec::new();
            for &(other, other_last) in around.filter_map(|cell| ends.get(&cell)).flatten() {
                let there = end_of(&walks[other as usize], other_last);
                let same = other as usize == index;
                if !same && (there.xy() - here.xy()).norm() < NEAR_M {
                    found.push(WalkId(other));
                }
            }
            found.sort_unstable();
            found.dedup();
            let walk = &mut walks[index];
            *(if last { &mut walk.at_end } else { &mut walk.at_start }) = found;
        }
    }
}
