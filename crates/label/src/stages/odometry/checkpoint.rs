//! Saving the state and continuing from it.

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{GrayImage, Rig};

use super::state::State;
use super::{Odometry, OdometryConfig, STAGE};
use crate::Error;

impl Odometry {
    /// The frame, counted from 0, whose images points are followed from; [`Self::resume`] needs them.
    pub fn reference_frame(&self) -> Option<usize> {
        let loaded = self.reference.iter().any(Option::is_some);
        self.state.keyframes.last().filter(|_| loaded).map(|keyframe| keyframe.frame as usize)
    }

    /// The state between two frames, to be continued from by [`Self::resume`] with the same result
    /// to the last bit. Images are not in it.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it cannot be encoded.
    pub fn checkpoint(&self) -> Result<Vec<u8>, Error> {
        let saved = (self.reference_frame().is_some(), &self.state);
        postcard::to_stdvec(&saved)
            .map_err(|error| Error::Checkpoint { stage: STAGE, reason: error.to_string() })
    }

    /// The frame whose images [`Self::resume`] must be given with this checkpoint.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it cannot be read.
    pub fn checkpoint_reference(checkpoint: &[u8]) -> Result<Option<usize>, Error> {
        let (referenced, state) = decode(checkpoint)?;
        Ok(state.keyframes.last().filter(|_| referenced).map(|k| k.frame as usize))
    }

    /// Continues from a checkpoint made with the same rig and settings. `images`: those of the frame
    /// that [`Self::checkpoint_reference`] names, empty if it names none.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it cannot be read or the images are missing; as [`Self::new`].
    pub fn resume(
        rig: &Rig,
        config: &OdometryConfig,
        checkpoint: &[u8],
        images: &[Option<(Timestamp, GrayImage)>],
    ) -> Result<Self, Error> {
        let (referenced, state) = decode(checkpoint)?;
        let mut odometry = Self::new(rig, config)?;
        for (camera, mounting) in odometry.rig.cameras.iter_mut().zip(&state.mountings) {
            camera.ego_from_camera = *mounting;
        }
        odometry.state = state;
        if referenced {
            odometry.check_images(images)?;
            let mounts = odometry.state.keyframes.last().map(|k| k.mounts.clone());
            odometry.reference = odometry.views(images, &mounts.unwrap_or_default());
        }
        Ok(odometry)
    }
}

fn decode(checkpoint: &[u8]) -> Result<(bool, State), Error> {
    postcard::from_bytes(checkpoint)
        .map_err(|error| Error::Checkpoint { stage: STAGE, reason: error.to_string() })
}
