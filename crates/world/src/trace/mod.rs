//! Sensors over a site, and the exact truth of what they see.
//!
//! A [`Stage`] holds the triangles of a site in trees; a [`Moment`] is the stage during one exposure.
//! Cameras ([`Moment::film`]) and lidars ([`Moment::sweep`]) cast rays at it. Truth in the vehicle's
//! frame comes from the same triangles: [`voxels`], [`sight`], [`surface`], [`objects`].
//!
//! **Time.** With a global shutter everything is where it is at the image's timestamp. With a rolling
//! shutter each line has its own time: the camera's pose at that time is exact, and moving things go
//! straight and turn evenly between [`moment::KEYS`] poses over the exposure (30 ms: off by less than
//! 0.1 mm for anything that accelerates with less than 10 m/s²). Truth is of the surface as filmed.

pub mod film;
pub mod flow;
pub mod lidar;
pub mod moment;
pub mod objects;
mod pixels;
pub mod sight;
pub mod stage;
pub mod surface;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod voxels;

pub use film::Filmed;
pub use lidar::LidarOptions;
pub use moment::Moment;
pub use stage::Stage;
pub use table::Table;
pub use voxels::Observed;
