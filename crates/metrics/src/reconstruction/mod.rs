//! How well surfaces and pictures are reconstructed: points in space, and images.

mod cloud;
mod kd_tree;
mod lpips;
mod psnr;
mod ssim;

pub use cloud::{CloudProtocol, CloudReport, Surfel, ThresholdReport, compare_clouds};
pub use kd_tree::KdTree;
pub use lpips::{Convolution, Lpips, LpipsLayer, LpipsStep};
pub use psnr::{mean_squared_error, psnr};
pub use ssim::{SsimConfig, ssim};

use crate::Error;

/// Samples of a picture, row by row, channels of a pixel side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Picture<'a> {
    /// Width, pixels.
    pub width: usize,
    /// Height, pixels.
    pub height: usize,
    /// Channels.
    pub channels: usize,
    /// `height * width * channels` samples.
    pub samples: &'a [f64],
}

impl Picture<'_> {
    /// Pictures that can be compared sample by sample.
    fn check_like(&self, other: &Self) -> Result<(), Error> {
        let size = |p: &Self| [p.width, p.height, p.channels];
        for (side, picture) in [("truth", self), ("prediction", other)] {
            let wanted: usize = size(picture).iter().product();
            if picture.samples.len() != wanted || wanted == 0 {
                let what = format!("{} samples for {:?}", picture.samples.len(), size(picture));
                return Err(Error::row(side, "picture", what));
            }
        }
        if size(self) != size(other) {
            let what = format!("is of size {:?}, the truth of {:?}", size(other), size(self));
            return Err(Error::row("prediction", "picture", what));
        }
        Ok(())
    }
}
