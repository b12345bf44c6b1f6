//! What stands along the roads: buildings, fences, poles, signs, lights, trees, plants, works.
//!
//! Everything is placed from the roads' edges outwards on ground that nobody drives on; crowns of trees
//! and arms of lamps may reach over the carriageway.

mod backdrop;
mod barriers;
mod buildings;
mod frontage;
mod furniture;
mod kit;
mod plants;
mod plot;
mod signals;
mod signs;
mod solid;
mod trees;
mod works;

use serde::{Deserialize, Serialize};

pub use crate::footprint::Footprint;
use crate::noise::mix;
use crate::roads::Network;
use crate::site::Site;
use frontage::frontages;
use kit::Kit;
use plot::Plot;

/// How much stands along the roads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SurroundingsOptions {
    /// Trees, bushes and grass: 1 is usual, 0 none.
    pub vegetation: f64,
    /// Buildings: 1 is usual, 0 none.
    pub buildings: f64,
    /// Benches, bins, bollards and the like: 1 is usual, 0 none.
    pub furniture: f64,
    /// Sites where something is built, beside the road.
    pub works: u32,
    /// Lamps are on; `None` leaves it to the height of the sun.
    pub lamps_on: Option<bool>,
    /// For how long traffic lights change, seconds.
    pub duration_s: f64,
}

impl Default for SurroundingsOptions {
    fn default() -> Self {
        Self {
            vegetation: 1.0,
            buildings: 1.0,
            furniture: 1.0,
            works: 1,
            lamps_on: None,
            duration_s: 60.0,
        }
    }
}

/// What was placed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Surroundings {
    /// Where something stands on the ground, in `World`: what people walk around.
    pub footprints: Vec<Footprint>,
}

/// Instances of surroundings count from here, so that actors may count from 1.
pub const FIRST_INSTANCE: u32 = 10_000;

/// Adds what stands along the roads of a network to a site. Whether lamps are on follows from the site's
/// environment, which has to be set before.
pub fn furnish(
    network: &Network,
    options: &SurroundingsOptions,
    seed: u64,
    site: &mut Site,
) -> Surroundings {
    let lines = frontages(network);
    let lit = options.lamps_on.unwrap_or(site.environment.sun_elevation_rad < 0.08);
    let mut kit = Kit::new(site, mix(seed ^ 0x7375_7272), lit);
    let mut plot = Plot::new(network);
    signals::place(network, options.duration_s, &mut plot, &mut kit);
    signs::place(network, &lines, &mut plot, &mut kit);
    barriers::place(network, &lines, &mut plot, &mut kit);
    furniture::light(network, &lines, &mut plot, &mut kit);
    works::place(&lines, options.works, &mut plot, &mut kit);
    trees::line(network, &lines, options.vegetation, &mut plot, &mut kit);
    buildings::place(network, &lines, options.buildings, &mut plot, &mut kit);
    furniture::place(network, &lines, options.furniture, &mut plot, &mut kit);
    trees::scatter(network, &lines, options.vegetation, &mut plot, &mut kit);
    plants::place(network, &lines, options.vegetation, &mut plot, &mut kit);
    backdrop::place(network, &mut kit);
    Surroundings { footprints: plot.finish() }
}

#[cfg(test)]
mod tests;
