//! Sparse image motion: pyramids, corners, and patches followed from image to image.

mod corners;
mod lucas_kanade;
mod pyramid;
#[cfg(test)]
mod test_images;

pub use corners::{Corner, CornerOptions, corners, minimum_eigenvalues};
pub use lucas_kanade::{LkOptions, Tracked, Warp, correlate, track};
pub use pyramid::{Level, Pyramid};
