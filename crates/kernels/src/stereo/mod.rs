//! Dense stereo matching of rectified pairs.

pub mod census;
pub mod cost;
mod fill;
mod matcher;
mod median;
mod path;
#[cfg(test)]
mod reference;
mod speckle;
mod sweep;
#[cfg(test)]
pub(crate) mod test_images;
mod winner;

pub use fill::{FillConfig, fill_rows};
pub use matcher::{Disparity, Matcher, SgmConfig};
pub use median::median_3x3;
pub use path::Penalties;
pub use speckle::remove_speckles;
pub use sweep::{Planes, SweepView, Sweeper, Swept};
pub use winner::UNITS;
