//! How far estimated depth is from the true one.
//!
//! Truth may be dense (a simulator's, another label) or sparse: lidar returns projected into the image
//! with the hidden ones removed, see [`visible_projection`].

mod disparity;
mod errors;
#[cfg(test)]
mod testing;
mod visibility;

pub use disparity::{DisparityProtocol, KITTI_FOCAL_BASELINE_PX_M};
pub use errors::{DepthAccumulator, DepthProtocol, DepthReport, evaluate};
pub use visibility::{LidarView, VisibilityConfig, VisibleReturns, visible_projection};
