//! OpenDRIVE (`.xodr`) as a source of road networks.
//!
//! Read, after ASAM OpenDRIVE 1.7: reference lines of all kinds (`line`, `arc`, `spiral`, `poly3`,
//! `paramPoly3`), elevation, superelevation, lane offset, lane sections with widths or borders, heights,
//! road marks, speeds, and links of roads and lanes through junctions. Not read: lateral `shape` and
//! `crossfall`, objects, signals, railways. Refused: traffic on the left, sections of a single side.

mod extent;
mod geometry;
mod lanes;
mod links;
mod marks;
mod reader;

use crate::roads::build::{ImportedJunction, Land, Plan};
use crate::roads::{Network, Setting};
use reader::Node;

pub use reader::OpenDriveError;

/// Lanes of a file may have this much length in all, metres: what fits in memory with stations a metre
/// apart.
const LARGEST_LANES_M: f64 = 500_000.0;
/// The land goes on this far around the roads, metres.
const REACH_M: f64 = 60.0;
/// Beyond this distance from the origin single precision loses the millimetre, metres.
const FAR_M: f64 = 10_000.0;

impl Network {
    /// The network of an OpenDRIVE file. Files whose first road begins more than 10 km from the origin
    /// are moved so that it begins there; see [`Network::moved_m`].
    ///
    /// # Errors
    /// What the file lacks or what is out of bounds, with element and line.
    pub fn from_opendrive(xml: &str, setting: Setting) -> Result<Self, OpenDriveError> {
        let (plan, moved_m) = read(xml, setting)?;
        let mut network = plan.build();
        network.moved_m = moved_m;
        Ok(network)
    }
}

/// A file's roads, and what was subtracted from its coordinates.
fn read(xml: &str, setting: Setting) -> Result<(Plan, [f64; 2]), OpenDriveError> {
    let document = reader::parse(xml)?;
    let root = Node::root(&document)?;
    let nodes: Vec<Node<'_>> = root.children("road").collect();
    let Some(first) = nodes.first() else {
        return Err(root.missing("road"));
    };
    let mut moved_m = geometry::start(first)?;
    if moved_m[0].hypot(moved_m[1]) < FAR_M {
        moved_m = [0.0; 2];
    }
    let mut plan = Plan { setting, land: Land::Around(REACH_M), ..Plan::default() };
    let mut lanes_m = 0.0;
    let mut extent = extent::Extent::default();
    for node in &nodes {
        let road = lanes::road(node, moved_m)?;
        for section in &road.sections {
            let strips = section.left.len() + section.right.len() + 1;
            lanes_m += (section.range_m[1] - section.range_m[0]) * strips as f64;
        }
        if lanes_m > LARGEST_LANES_M {
            return Err(node.too_much("metres of lanes", lanes_m, LARGEST_LANES_M));
        }
        extent.add(node, &road)?;
        plan.roads.push(road);
    }
    let junctions = links::link(&root, &nodes, &mut plan)?;
    plan.imported = junctions.into_iter().map(|roads| ImportedJunction { roads }).collect();
    Ok((plan, moved_m))
}

#[cfg(test)]
mod tests;
