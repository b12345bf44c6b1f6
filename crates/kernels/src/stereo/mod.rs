//! Dense stereo matching of rectified pairs.

pub mod census;
pub mod cost;
mod matcher;
mod path;
#[cfg(test)]
mod reference;
#[cfg(test)]
pub(crate) mod test_images;
mod winner;

pub use matcher::{Disparity, Matcher, SgmConfig};
pub use path::Penalties;
pub use winner::UNITS;
