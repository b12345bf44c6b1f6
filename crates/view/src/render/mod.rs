//! Pictures of labels, rendered in software: colour maps, bird's-eye view, depth over the camera's
//! image, and an oblique view of occupancy.

mod birds_eye;
mod colour;
mod depth;
mod encode;
mod oblique;
mod raster;

pub(crate) use birds_eye::legend;
pub use birds_eye::{BirdsEye, Extent, birds_eye, observed_extent};
pub use colour::{DepthScale, HeightScale, Rgb, turbo};
pub use depth::depth_over_image;
pub use encode::{jpeg, png};
pub use oblique::{ObliqueView, oblique};
