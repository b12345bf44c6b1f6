//! Roads: height and lane sections.

use super::geometry::{cubics, curve};
use super::marks::marks;
use super::reader::{Node, OpenDriveError};
use crate::roads::road::{Cubics, Elevation, Road, Section, Side, Strip, StripKind};

/// Speed where a file does not say, m/s.
const USUAL_SPEED_M_S: f64 = 50.0 / 3.6;
/// Most lanes beside each other on one side, most sections of one road.
const MOST_LANES: usize = 64;
const MOST_SECTIONS: usize = 10_000;
/// Sections and widths begin this much apart at least, metres.
const LEAST_M: f64 = 1e-4;

/// One road.
pub(super) fn road(node: &Node<'_>, moved_m: [f64; 2]) -> Result<Road, OpenDriveError> {
    if !matches!(node.optional("rule"), None | Some("RHT")) {
        return Err(node.wrong("rule", "`RHT`: roads with traffic on the right can be read"));
    }
    let curve = curve(node, moved_m)?;
    let elevation = node.child("elevationProfile");
    let lateral = node.child("lateralProfile");
    let of = |parent: &Option<Node<'_>>, name: &'static str| match parent {
        Some(parent) => cubics(parent.children(name), "s"),
        None => Ok(Cubics::default()),
    };
    let lanes = node.needs("lanes")?;
    let sections = sections(&lanes, curve.length_m())?;
    let speed = node.children("type").find_map(|kind| kind.child("speed"));
    Ok(Road {
        elevation: Elevation::Profile {
            height: of(&elevation, "elevation")?,
            roll: of(&lateral, "superelevation")?,
        },
        offset: cubics(lanes.children("laneOffset"), "s")?,
        sections,
        speed_limit_m_s: speed_of(speed)?.unwrap_or(USUAL_SPEED_M_S),
        junction: None,
        curve,
    })
}

fn speed_of(node: Option<Node<'_>>) -> Result<Option<f64>, OpenDriveError> {
    let Some(node) = node else { return Ok(None) };
    if matches!(node.optional("max"), Some("no limit" | "undefined")) {
        return Ok(None);
    }
    let unit = match node.optional("unit") {
        None | Some("m/s") => 1.0,
        Some("km/h") => 1.0 / 3.6,
        Some("mph") => 0.44704,
        Some(_) => return Err(node.wrong("unit", "`m/s`, `km/h` or `mph`")),
    };
    let value = node.amount("max", 1000.0)? * unit;
    Ok((value > 0.0).then_some(value))
}

fn sections(lanes: &Node<'_>, length_m: f64) -> Result<Vec<Section>, OpenDriveError> {
    let nodes: Vec<Node<'_>> = lanes.children("laneSection").take(MOST_SECTIONS + 1).collect();
    if nodes.is_empty() {
        return Err(lanes.missing("laneSection"));
    }
    if nodes.len() > MOST_SECTIONS {
        let count = lanes.children("laneSection").count();
        return Err(lanes.too_much("number of <laneSection>", count as f64, MOST_SECTIONS as f64));
    }
    let mut starts = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let start = if index == 0 { 0.0 } else { node.amount("s", length_m)? };
        if starts.last().is_some_and(|last| start < last + LEAST_M) {
            return Err(node.wrong("s", "more than that of the section before it"));
        }
        starts.push(start);
    }
    if starts.last().is_some_and(|last| last + LEAST_M > length_m) {
        return Err(nodes[nodes.len() - 1].wrong("s", "less than the road's length"));
    }
    starts.push(length_m);
    let mut sections = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        sections.push(section(node, [starts[index], starts[index + 1]])?);
    }
    follow(&nodes, &mut sections)?;
    Ok(sections)
}

fn section(node: &Node<'_>, range_m: [f64; 2]) -> Result<Section, OpenDriveError> {
    if !matches!(node.optional("singleSide"), None | Some("false")) {
        return Err(node.wrong("singleSide", "`false`: sections with both sides can be read"));
    }
    let centre = node.child("center").and_then(|centre| centre.child("lane"));
    Ok(Section {
        range_m,
        left: side(node, Side::Left)?,
        right: side(node, Side::Right)?,
        centre: centre.map_or(Ok(Vec::new()), |lane| marks(&lane, false))?,
    })
}

/// Lanes of one side from the reference line outwards.
pub(super) fn lanes_of<'a>(
    section: &Node<'a>,
    side: Side,
) -> Result<Vec<Node<'a>>, OpenDriveError> {
    let name = if side == Side::Left { "left" } else { "right" };
    let Some(group) = section.child(name) else { return Ok(Vec::new()) };
    let mut lanes = Vec::new();
    for lane in group.children("lane") {
        lanes.push((lane.integer("id")?.unsigned_abs() as usize, lane));
    }
    if lanes.len() > MOST_LANES {
        return Err(group.too_much("number of lanes", lanes.len() as f64, MOST_LANES as f64));
    }
    lanes.sort_by_key(|(id, _)| *id);
    for (index, (_, lane)) in lanes.iter().enumerate() {
        // Signed ids run from the reference line outwards without gaps (section 9.3).
        let wanted = (index as i32 + 1) * if side == Side::Left { 1 } else { -1 };
        if lane.integer("id")? != wanted {
            return Err(lane.wrong("id", &format!("{wanted}: lanes count outwards from 0")));
        }
    }
    Ok(lanes.into_iter().map(|(_, lane)| lane).collect())
}

fn side(section: &Node<'_>, side: Side) -> Result<Vec<Strip>, OpenDriveError> {
    let mut strips = Vec::new();
    let mut inner = Cubics::default();
    for lane in lanes_of(section, side)? {
        let mut width = cubics(lane.children("width"), "sOffset")?;
        if width.0.is_empty() {
            let border = cubics(lane.children("border"), "sOffset")?;
            if border.0.is_empty() {
                return Err(lane.missing("width"));
            }
            width = border.minus(&inner, side.sign());
        }
        inner = inner.plus(&width, side.sign());
        let height_m = match lane.child("height") {
            Some(height) => [height.number("inner", 10.0)?, height.number("outer", 10.0)?],
            None => [0.0; 2],
        };
        strips.push(Strip {
            kind: kind(lane.text("type")?),
            width,
            marks: marks(&lane, side == Side::Left)?,
            height_m,
            next: None,
            speed_limit_m_s: speed_of(lane.child("speed"))?,
        });
    }
    Ok(strips)
}

fn kind(name: &str) -> StripKind {
    match name {
        "driving" | "entry" | "exit" | "onRamp" | "offRamp" | "connectingRamp" | "slipLane"
        | "bidirectional" | "bus" | "taxi" | "HOV" | "mwyEntry" | "mwyExit" => StripKind::Driving,
        "biking" => StripKind::Bicycle,
        "parking" => StripKind::Parking,
        "stop" | "shoulder" | "border" => StripKind::Shoulder,
        "curb" => StripKind::Kerb,
        "sidewalk" | "walking" => StripKind::Pavement,
        "median" | "restricted" => StripKind::Median,
        _ => StripKind::Gap,
    }
}

/// Sets which strip each goes on as, from the links of lanes.
fn follow(nodes: &[Node<'_>], sections: &mut [Section]) -> Result<(), OpenDriveError> {
    for index in 0..nodes.len().saturating_sub(1) {
        for side in [Side::Left, Side::Right] {
            let (here, there) =
                (lanes_of(&nodes[index], side)?, lanes_of(&nodes[index + 1], side)?);
            let mut next = vec![None; here.len()];
            for (strip, lane) in here.iter().enumerate() {
                next[strip] = linked(lane, "successor", side, there.len())?;
            }
            for (strip, lane) in there.iter().enumerate() {
                if let Some(before) = linked(lane, "predecessor", side, here.len())? {
                    next[before].get_or_insert(strip);
                }
            }
            let section = &mut sections[index];
            let strips = if side == Side::Left { &mut section.left } else { &mut section.right };
            for (strip, next) in strips.iter_mut().zip(next) {
                strip.next = next;
            }
        }
    }
    Ok(())
}

/// The strip on the same side that a lane names as its successor or predecessor.
fn linked(
    lane: &Node<'_>,
    name: &'static str,
    side: Side,
    count: usize,
) -> Result<Option<usize>, OpenDriveError> {
    let Some(link) = lane.child("link").and_then(|link| link.child(name)) else { return Ok(None) };
    let id = link.integer("id")?;
    let same_side = (id > 0) == (side == Side::Left) && id != 0;
    Ok((id.unsigned_abs() as usize).checked_sub(1).filter(|strip| same_side && *strip < count))
}
