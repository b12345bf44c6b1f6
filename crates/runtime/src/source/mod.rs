//! Where frames come from, one file each.

mod clip;
mod ffmpeg;
#[cfg(all(test, unix))]
mod ffmpeg_tests;
mod ppm;

use std::time::Duration;

use ommatidia_geometry::Timestamp;
use ommatidia_model::Moment;
use ommatidia_scene::Rig;

pub use clip::{ClipReplay, Pace};
pub use ffmpeg::{CameraOptions, Cameras};

use crate::Error;

/// A frame that came, not yet decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number in the source.
    pub number: u64,
    /// When it was taken, on the cameras' clock.
    pub captured: Timestamp,
    /// When it came, on the run's clock.
    pub at: Duration,
    /// Frames that came since the last call and gave way to this one within the source.
    pub overwritten: u64,
}

/// What a source has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// A frame came.
    Ready(Arrival),
    /// None came; the next one will not come before that time, where it is known.
    Wait(Option<Duration>),
    /// None will come.
    End,
}

/// A frame, decoded.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Pictures as the cameras delivered them.
    pub moment: Moment,
    /// It is of another drive than the one before.
    pub restarted: bool,
    /// Cameras that delivered nothing and are dark.
    pub dark: usize,
}

/// A camera stream. It holds a bounded number of frames, whatever happens.
pub trait Source {
    /// The cameras, in the network's order.
    fn rig(&self) -> &Rig;

    /// Whether a frame waits until it is asked for: then nothing is lost by being slow.
    fn waits(&self) -> bool;

    /// The next frame that came until `now`.
    ///
    /// # Errors
    /// The stream broke; nothing more comes.
    fn poll(&mut self, now: Duration) -> Result<Poll, Error>;

    /// Decodes a frame of the last [`Poll::Ready`].
    ///
    /// # Errors
    /// In words, why it cannot be read. The frames behind it can.
    fn read(&mut self, arrival: &Arrival) -> Result<Frame, String>;

    /// The last things that went wrong with cameras, in words.
    fn complaints(&self) -> Vec<String> {
        Vec::new()
    }
}
