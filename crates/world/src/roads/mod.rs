//! Road networks: lanes and how they join, junctions, crossings, pavements, and the ground itself.
//!
//! A [`Network`] comes from a seed ([`Network::generate`]) or from an OpenDRIVE file. Everything is in
//! the frame `World` of the site, metres; traffic drives on the right.

mod build;

mod curve;
mod generate;
mod graph;
mod ground;
mod junction;
mod lane;
pub mod opendrive;
mod options;
mod relief;

mod road;
mod walk;

use std::sync::Arc;

use ommatidia_scene::{ClassId, Taxonomy};

use crate::Error;
use crate::motion::Motion;
use crate::site::{Instance, Mesh, Site, Triangle};

pub use ground::{Facet, Finish, Ground, GroundClass, GroundPoint};
pub use junction::{Conflict, Control, Junction, JunctionId, JunctionKind, Phase, Signal};
pub use lane::{Edge, Lane, LaneId, LaneKind, Place, Station};
pub use options::{Junctions, NetworkOptions, Setting};
pub use walk::{Crossing, ParkingPlace, StopLine, Walk, WalkId, WalkKind};

/// Where one can drive, stand and walk.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Lanes; a [`LaneId`] is an index into them.
    pub lanes: Vec<Lane>,
    /// Junctions; a [`JunctionId`] is an index into them.
    pub junctions: Vec<Junction>,
    /// Pedestrian crossings.
    pub crossings: Vec<Crossing>,
    /// Lines before which drivers stop or give way.
    pub stop_lines: Vec<StopLine>,
    /// Parking bays and kerbside places.
    pub parking: Vec<ParkingPlace>,
    /// Pavements, their corners and crossings as a graph for people; a [`WalkId`] is an index.
    pub walks: Vec<Walk>,
    /// The kind of place that was asked for; decides what stands along the roads.
    pub setting: Setting,
    /// What was subtracted from the coordinates of a file to come near the origin, metres.
    pub moved_m: [f64; 2],
    /// The surface of roads, pavements and terrain.
    pub ground: Arc<Ground>,
}

impl Network {
    /// A network from a seed. The same options and seed give the same network.
    ///
    /// # Errors
    /// Options out of their range, or junctions that the setting does not have.
    pub fn generate(options: &NetworkOptions, seed: u64) -> Result<Self, Error> {
        options.check()?;
        Ok(generate::plan(options, seed).build())
    }

    /// A lane.
    ///
    /// # Panics
    /// On an identity of another network.
    pub fn lane(&self, id: LaneId) -> &Lane {
        &self.lanes[id.0 as usize]
    }

    /// A junction.
    ///
    /// # Panics
    /// On an identity of another network.
    pub fn junction(&self, id: JunctionId) -> &Junction {
        &self.junctions[id.0 as usize]
    }

    /// Adds the ground to a site, as one mesh that stands still.
    pub fn add_ground(&self, site: &mut Site) {
        let taxonomy = Taxonomy::driving();
        let looks: Vec<_> = self
            .ground
            .finishes
            .iter()
            .map(|finish| {
                let class = taxonomy.id(finish.class.name());
                (site.add_material(finish.material), class.unwrap_or(ClassId::UNKNOWN))
            })
            .collect();
        let triangle = |facet: &Facet| {
            let (material, class) = looks[usize::from(facet.finish)];
            Triangle { corners: facet.corners, material, class }
        };
        let mesh = site.add_mesh(Mesh {
            vertices_m: self.ground.vertices_m.clone(),
            triangles: self.ground.facets.iter().map(triangle).collect(),
        });
        site.add_instance(Instance { mesh, motion: Motion::default(), actor: None, instance: 0 });
    }

    /// Ground under a point, metres: of several levels the highest. `None` outside of the terrain.
    pub fn ground(&self, x_m: f64, y_m: f64) -> Option<GroundPoint> {
        self.ground.at(x_m, y_m)
    }
}

#[cfg(test)]
mod tests;
