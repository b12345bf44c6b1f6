//! Sections of streets: marks that change towards junctions, parking that ends before them.

use super::profile::Style;
use crate::roads::Setting;
use crate::roads::road::{Cubics, Mark, Section, Strip, StripKind};

/// How a street ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreetEnd {
    /// The world ends there.
    Open,
    /// A junction that has room for a crossing before it.
    Junction,
}

/// Paint across the road lies within this distance of a junction: lines end before it, metres.
pub(crate) const CLEAR_M: f64 = 6.6;
/// No change of lanes within this distance of a junction, metres.
const SOLID_M: f64 = 28.0;
/// Parking ends this far from a junction, metres (StVO section 12: 5 m; more where one turns).
const NO_PARKING_M: f64 = 13.0;
const TAPER_M: f64 = 2.5;

/// A street's one section.
pub(crate) fn street(style: &Style, lanes: usize, length_m: f64, ends: [StreetEnd; 2]) -> Section {
    let mut section = style.section(lanes, [0.0, length_m]);
    let reach = ends.map(|end| end == StreetEnd::Junction);
    let centre = section.centre[0].1;
    if !centre.is_none() {
        let firm = if lanes == 1 { Mark::solid(0.12) } else { centre };
        section.centre = towards(centre, firm, length_m, reach, reach);
    }
    // On the right traffic comes to the end, on the left to the start.
    dress_side(style, &mut section.right, length_m, reach, [false, reach[1]]);
    dress_side(style, &mut section.left, length_m, reach, [reach[0], false]);
    section
}

fn dress_side(
    style: &Style,
    strips: &mut [Strip],
    length_m: f64,
    clear: [bool; 2],
    firm: [bool; 2],
) {
    for strip in strips.iter_mut().filter(|strip| strip.kind == StripKind::Driving) {
        let Some(&(_, mark)) = strip.marks.first() else { continue };
        let edge_line = style.setting == Setting::Rural && mark == Mark::solid(0.12);
        if !edge_line {
            strip.marks = towards(mark, Mark::solid(0.12), length_m, clear, firm);
        }
    }
    let parking = strips.iter().position(|strip| strip.kind == StripKind::Parking);
    let pavement = strips.iter().position(|strip| strip.kind == StripKind::Pavement);
    if let (Some(parking), Some(pavement)) = (parking, pavement) {
        let full = strips[parking].width.at(0.0);
        let walk = strips[pavement].width.at(0.0);
        let shape = bays(full, length_m, clear);
        strips[pavement].width = Cubics::smooth_through(
            &shape.iter().map(|(s, w)| (*s, walk + full - w)).collect::<Vec<_>>(),
        );
        strips[parking].width = Cubics::smooth_through(&shape);
    }
}

/// Marks along a street: none near junctions, firm towards them.
fn towards(
    mark: Mark,
    firm_mark: Mark,
    length_m: f64,
    clear: [bool; 2],
    firm: [bool; 2],
) -> Vec<(f64, Mark)> {
    if length_m < 2.0 * CLEAR_M + 4.0 {
        return vec![(0.0, Mark::none())];
    }
    let start = if clear[0] { CLEAR_M } else { 0.0 };
    let end = if clear[1] { length_m - CLEAR_M } else { length_m };
    let (first, last) = (start + SOLID_M, end - SOLID_M);
    let mut marks = vec![(0.0, Mark::none())];
    if first + 6.0 > last {
        marks.push((start, if firm[0] || firm[1] { firm_mark } else { mark }));
    } else {
        if firm[0] {
            marks.push((start, firm_mark));
        }
        marks.push((if firm[0] { first } else { start }, mark));
        if firm[1] {
            marks.push((last, firm_mark));
        }
    }
    if clear[1] {
        marks.push((end, Mark::none()));
    }
    if start == 0.0 {
        marks.remove(0);
    }
    marks
}

/// Width of a parking strip along a street.
fn bays(full: f64, length_m: f64, clear: [bool; 2]) -> Vec<(f64, f64)> {
    let start = if clear[0] { NO_PARKING_M } else { 3.0 };
    let end = length_m - if clear[1] { NO_PARKING_M } else { 3.0 };
    if end - start < 2.0 * TAPER_M + 8.0 {
        return vec![(0.0, 0.0)];
    }
    vec![(0.0, 0.0), (start, 0.0), (start + TAPER_M, full), (end - TAPER_M, full), (end, 0.0)]
}
