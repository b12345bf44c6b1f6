//! Links between roads, directly and through junctions.

use std::collections::HashMap;

use super::lanes::lanes_of;
use super::reader::{Node, OpenDriveError};
use crate::roads::build::{LaneKey, Plan};
use crate::roads::road::{Road, Side};

/// Joins the lanes of all roads; the roads of each junction.
pub(super) fn link(
    root: &Node<'_>,
    nodes: &[Node<'_>],
    plan: &mut Plan,
) -> Result<Vec<Vec<usize>>, OpenDriveError> {
    let roads = by_id(nodes.iter().copied())?;
    let junctions = by_id(root.children("junction"))?;
    let mut members = vec![Vec::new(); junctions.len()];
    for (index, node) in nodes.iter().enumerate() {
        let junction = node.optional("junction").and_then(|id| junctions.get(id));
        plan.roads[index].junction = junction.copied();
        if let Some(junction) = junction {
            members[*junction].push(index);
        }
        link_road(nodes, index, &roads, plan)?;
    }
    for junction in root.children("junction") {
        for connection in junction.children("connection") {
            connect(&connection, &roads, plan)?;
        }
    }
    plan.links.sort_unstable();
    plan.links.dedup();
    Ok(members)
}

/// Indices of elements by their `id`, each of which has to be another.
fn by_id<'a>(
    nodes: impl Iterator<Item = Node<'a>>,
) -> Result<HashMap<&'a str, usize>, OpenDriveError> {
    let mut indices = HashMap::new();
    for (index, node) in nodes.enumerate() {
        if indices.insert(node.text("id")?, index).is_some() {
            let wanted = format!("another than that of a <{}> before it", node.name());
            return Err(node.wrong("id", &wanted));
        }
    }
    Ok(indices)
}

/// Joins the lanes of a road to those of the roads that it names.
fn link_road(
    nodes: &[Node<'_>],
    index: usize,
    roads: &HashMap<&str, usize>,
    plan: &mut Plan,
) -> Result<(), OpenDriveError> {
    let Some(link) = nodes[index].child("link") else { return Ok(()) };
    for (name, at_end) in [("predecessor", false), ("successor", true)] {
        let Some(other) = link.child(name) else { continue };
        if other.optional("elementType") == Some("road") {
            let to = known(&other, "elementId", roads)?;
            let to_end = contact(&other)?;
            join_roads(nodes, plan, (index, at_end), (to, to_end))?;
        }
    }
    Ok(())
}

/// Joins the lanes that a connection of a junction names.
fn connect(
    connection: &Node<'_>,
    roads: &HashMap<&str, usize>,
    plan: &mut Plan,
) -> Result<(), OpenDriveError> {
    // Direct junctions name a linked road instead.
    let mut names = ["connectingRoad", "linkedRoad"].into_iter();
    let Some(name) = names.find(|name| connection.optional(name).is_some()) else {
        return Err(connection.missing("connectingRoad"));
    };
    let from = known(connection, "incomingRoad", roads)?;
    let to = known(connection, name, roads)?;
    let to_end = contact(connection)?;
    let from_end = near_end(plan, from, (to, to_end));
    for link in connection.children("laneLink") {
        let pair = [link.integer("from")?, link.integer("to")?];
        join_lanes(plan, (from, from_end, pair[0]), (to, to_end, pair[1]));
    }
    Ok(())
}

fn known(
    node: &Node<'_>,
    attribute: &str,
    roads: &HashMap<&str, usize>,
) -> Result<usize, OpenDriveError> {
    let id = node.text(attribute)?;
    roads.get(id).copied().ok_or_else(|| node.wrong(attribute, "the id of a road in this file"))
}

/// Whether the contact is the other road's end.
fn contact(node: &Node<'_>) -> Result<bool, OpenDriveError> {
    match node.text("contactPoint")? {
        "start" => Ok(false),
        "end" => Ok(true),
        _ => Err(node.wrong("contactPoint", "`start` or `end`")),
    }
}

/// The end of a road that lies nearer to an end of another.
fn near_end(plan: &Plan, road: usize, (other, other_end): (usize, bool)) -> bool {
    let end =
        |road: &Road, at_end: bool| road.curve.at(if at_end { road.length_m() } else { 0.0 }).p_m;
    let wanted = end(&plan.roads[other], other_end);
    let road = &plan.roads[road];
    (end(road, true) - wanted).norm() < (end(road, false) - wanted).norm()
}

/// Joins the lanes of two roads by what the lanes of the first say.
fn join_roads(
    nodes: &[Node<'_>],
    plan: &mut Plan,
    (from, at_end): (usize, bool),
    (to, to_end): (usize, bool),
) -> Result<(), OpenDriveError> {
    let lanes = nodes[from].needs("lanes")?;
    let mut sections = lanes.children("laneSection");
    let section = if at_end { sections.last() } else { sections.next() };
    let Some(section) = section else { return Ok(()) };
    let name = if at_end { "successor" } else { "predecessor" };
    for side in [Side::Left, Side::Right] {
        for lane in lanes_of(&section, side)? {
            for link in lane.child("link").into_iter().flat_map(|link| link.children(name)) {
                let ids = [lane.integer("id")?, link.integer("id")?];
                join_lanes(plan, (from, at_end, ids[0]), (to, to_end, ids[1]));
            }
        }
    }
    Ok(())
}

/// Joins two lanes in the direction of their traffic, if both exist.
fn join_lanes(plan: &mut Plan, from: (usize, bool, i32), to: (usize, bool, i32)) {
    let (Some(one), Some(other)) = (key(plan, from), key(plan, to)) else { return };
    // On the right traffic leaves a road at its end, on the left at its start.
    let leaves = |(_, at_end, id): (usize, bool, i32)| at_end == (id < 0);
    match (leaves(from), leaves(to)) {
        (true, false) => plan.links.push((one, other)),
        (false, true) => plan.links.push((other, one)),
        // Traffic would meet head-on; nothing leads on there.
        _ => {}
    }
}

fn key(plan: &Plan, (road, at_end, id): (usize, bool, i32)) -> Option<LaneKey> {
    let sections = &plan.roads[road].sections;
    let section = if at_end { sections.len() - 1 } else { 0 };
    let side = if id > 0 { Side::Left } else { Side::Right };
    let strip = (id.unsigned_abs() as usize).checked_sub(1)?;
    let known = strip < sections[section].strips(side).len();
    known.then_some(LaneKey { road, section, side, strip })
}
