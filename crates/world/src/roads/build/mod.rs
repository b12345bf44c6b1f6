//! From the description of roads to lanes, walks and ground.

mod area;
mod connections;
mod furniture;
mod lanes;
mod mesh;
mod mouth;
mod paint;
mod strips;
mod terrain;
mod walks;

use std::sync::Arc;

use nalgebra::Point2;

use super::road::{Road, Side};
use super::{Control, JunctionKind, Network, Setting};
use lanes::LaneBuilder;
use mesh::GroundMesh;

pub(crate) use area::RING_HALF_WIDTH_M;
pub(crate) use terrain::Land;

/// One lane of the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LaneKey {
    pub(crate) road: usize,
    pub(crate) section: usize,
    pub(crate) side: Side,
    pub(crate) strip: usize,
}

/// A road that ends at a junction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arm {
    pub(crate) road: usize,
    /// Its end is there; otherwise its start.
    pub(crate) at_end: bool,
    /// It goes first.
    pub(crate) main: bool,
}

/// A junction whose area and lanes are to be made from its arms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JunctionPlan {
    pub(crate) kind: JunctionKind,
    pub(crate) control: Control,
    pub(crate) centre_m: Point2<f64>,
    /// Counter-clockwise by direction.
    pub(crate) arms: Vec<Arm>,
    /// Radius of the corners, metres.
    pub(crate) corner_m: f64,
    /// Radius of the lane around the island, metres; 0 without.
    pub(crate) ring_m: f64,
    pub(crate) phase_offset_s: f64,
}

/// Things painted across roads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Paint {
    /// A pedestrian crossing over the whole carriageway, centred at `s`.
    Crossing { road: usize, s_m: f64, width_m: f64, zebra: bool, junction: Option<usize> },
    /// Where people cross without any paint.
    Unmarked { road: usize, s_m: f64 },
    /// Where the traffic of one side waits.
    Stop { road: usize, side: Side, s_m: f64, must_stop: bool },
    /// Arrow on a lane, its tip at `s`: left, straight on, right.
    Arrow { road: usize, side: Side, strip: usize, s_m: f64, ways: [bool; 3] },
}

/// A junction of a file: the roads that cross it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ImportedJunction {
    pub(crate) roads: Vec<usize>,
}

/// A road network before it is built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) setting: Setting,
    pub(crate) roads: Vec<Road>,
    /// Lanes that lead into each other beyond a road's own sections.
    pub(crate) links: Vec<(LaneKey, LaneKey)>,
    pub(crate) junctions: Vec<JunctionPlan>,
    pub(crate) paint: Vec<Paint>,
    /// Junctions whose lanes are roads of their own.
    pub(crate) imported: Vec<ImportedJunction>,
    /// The land around.
    pub(crate) land: Land,
}

impl Plan {
    /// Lanes, walks and ground.
    pub(crate) fn build(&self) -> Network {
        let mut lanes = LaneBuilder::default();
        for (index, road) in self.roads.iter().enumerate() {
            lanes.add_road(index, road);
        }
        for &(from, to) in &self.links {
            lanes.link(from, to);
        }
        let mut network = Network { setting: self.setting, ..Network::default() };
        for (index, junction) in self.junctions.iter().enumerate() {
            let joined = connections::connect(self, index, junction, &mut lanes);
            network.junctions.push(joined);
        }
        for junction in &self.imported {
            network.junctions.push(connections::gather(&junction.roads, &lanes));
        }
        let mut mesh = GroundMesh::new(self.setting);
        for road in &self.roads {
            strips::pave(road, &mut mesh);
        }
        for junction in &self.junctions {
            area::pave(self, junction, &mut mesh);
        }
        let paved = mesh.paved();
        network.lanes = lanes.take();
        furniture::furnish(self, &lanes, &paved, &mut network);
        walks::lay(self, &paved, &mut network);
        paint::paint(self, &network, &paved, &mut mesh);
        terrain::fill(&self.land, &paved, &mut mesh);
        network.ground = Arc::new(mesh.finish());
        network
    }
}
