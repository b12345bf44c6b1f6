//! From the description of roads to lanes, walks and ground.

mod lanes;
mod mesh;
mod strips;
mod terrain;

use std::sync::Arc;

use super::road::{Road, Side};
use super::{Network, Setting};
use mesh::GroundMesh;

/// One lane of the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LaneKey {
    pub(crate) road: usize,
    pub(crate) section: usize,
    pub(crate) side: Side,
    pub(crate) strip: usize,
}

/// A road network before it is built.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    pub(crate) setting: Setting,
    pub(crate) roads: Vec<Road>,
    /// Lanes that lead into each other beyond a road's own sections.
    pub(crate) links: Vec<(LaneKey, LaneKey)>,
    /// The land around.
    pub(crate) land: terrain::Land,
}

impl Plan {
    /// Lanes, walks and ground.
    pub(crate) fn build(&self) -> Network {
        let mut lanes = lanes::LaneBuilder::default();
        for (index, road) in self.roads.iter().enumerate() {
            lanes.add_road(index, road);
        }
        for &(from, to) in &self.links {
            lanes.link(from, to);
        }
        let mut mesh = GroundMesh::new(self.setting);
        for road in &self.roads {
            strips::pave(road, &mut mesh);
        }
        terrain::fill(&self.land, &mut mesh);
        Network {
            lanes: lanes.finish(),
            setting: self.setting,
            ground: Arc::new(mesh.finish()),
            ..Network::default()
        }
    }
}

pub(crate) use terrain::Land;
