//! What training and prediction hand to the network.

use ommatidia_geometry::{Ego, Pose, Timestamp, World};
use ommatidia_scene::{RgbImage, Rig, VectorSpace};

/// One moment of one drive, ready for the network: pictures of its input size and the rig that fits them.
#[derive(Debug, Clone)]
pub struct Moment {
    /// When.
    pub timestamp: Timestamp,
    /// The cameras as the pictures are: cropping, scaling and augmentation are in the intrinsics and
    /// mountings, so that the lift needs nothing else.
    pub rig: Rig,
    /// One picture per camera of `rig`, all of the network's input size.
    pub images: Vec<RgbImage>,
    /// Where the vehicle is; `None` where the drive has no poses.
    pub world_from_ego: Option<Pose<World, Ego>>,
    /// What is there, in this moment's ego frame; parts that are not known are `None`. Empty when predicting.
    pub truth: VectorSpace,
}

/// A window of a drive, oldest moment first; the last one is the one that is asked about.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Which clip and frame, for messages.
    pub name: String,
    /// At least one moment; all share the number of cameras.
    pub moments: Vec<Moment>,
}

impl Sample {
    /// The moment that is asked about.
    ///
    /// # Panics
    /// If there is none: a sample holds at least one.
    pub fn present(&self) -> &Moment {
        self.moments.last().expect("a sample holds at least one moment")
    }
}
