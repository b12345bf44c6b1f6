//! Traffic: who drives and walks where, simulated in fixed steps before anything is filmed.
//!
//! Drivers follow the Intelligent Driver Model, change lanes by MOBIL, yield at junctions, lights and
//! crossings, and pass what stands in their way. Vehicles are drawn along by their front axles, trailers by
//! their hitches. The whole course is checked for contact of boxes; see [`MARGIN_M`].

mod agent;
mod audit;
mod corridor;
mod film;
mod ground;
mod idm;
mod kind;
mod obstacles;
mod passing;
mod path;
mod place;
mod repair;
mod simulate;
mod staging;
mod yielding;

pub use crate::footprint::Footprint;
#[cfg(test)]
pub(crate) use agent::Mind;
pub use audit::{Overlap, ego_footprint, first_overlap};
pub(crate) use film::film;
pub use idm::Driver;
pub use kind::Kind;
pub(crate) use obstacles::Obstacles;
pub(crate) use place::Cast;
pub use repair::MARGIN_M;
pub(crate) use repair::{Course, settle};
pub use simulate::STEP_S;

#[cfg(test)]
mod tests;
