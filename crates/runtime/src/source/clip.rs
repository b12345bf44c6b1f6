//! A recorded clip, as if it came in now.

use std::path::Path;
use std::time::Duration;

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{Clip, Rig};
use ommatidia_store::labels::ClipIdentity;
use ommatidia_train::data::{ClipSource, Source as _, Window};

use super::{Arrival, Frame, Poll, Source};
use crate::Error;

/// How fast a clip comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As it was recorded.
    Recorded,
    /// Each frame when it is asked for.
    Asked,
}

/// A recorded clip, as if it came in now.
#[derive(Debug)]
pub struct ClipReplay {
    clip: ClipSource,
    pace: Pace,
    /// How often it is played.
    rounds: u64,
    /// Frames that came, over all rounds.
    next: u64,
    /// When the first frame came.
    began: Option<Duration>,
}

impl ClipReplay {
    /// Opens a clip, to be played so many times.
    ///
    /// # Errors
    /// A clip that cannot be read or holds no frame.
    pub fn open(path: &Path, pace: Pace, rounds: u64) -> Result<Self, Error> {
        let clip = ClipSource::unlabelled(path, Window::SINGLE)?;
        if clip.is_empty() {
            let (path, what) = (path.to_owned(), "holds no frame".to_owned());
            return Err(ommatidia_train::Error::Data { path, what }.into());
        }
        Ok(Self { clip, pace, rounds, next: 0, began: None })
    }

    /// What it is called and holds.
    pub fn identity(&self) -> ClipIdentity {
        let content_hash = self.clip.reader().content_hash();
        ClipIdentity { id: self.clip().id.clone(), content_hash }
    }

    fn clip(&self) -> &Clip {
        self.clip.reader().clip()
    }

    fn frames(&self) -> u64 {
        self.clip.len() as u64
    }

    /// From a round's first frame to the next round's first.
    fn round(&self) -> i64 {
        let frames = &self.clip().frames;
        let time = |index: usize| frames[index].timestamp.0;
        let last = frames.len() - 1;
        let step = if last == 0 { 0 } else { time(last) - time(last - 1) };
        (time(last) - time(0)).saturating_add(step)
    }

    /// When a frame was taken, rounds one after another.
    fn captured(&self, number: u64) -> Timestamp {
        let (round, frame) = (number / self.frames(), number % self.frames());
        let at = self.clip().frames[frame as usize].timestamp;
        Timestamp(at.0.saturating_add(self.round().saturating_mul(round as i64)))
    }
}

impl Source for ClipReplay {
    fn rig(&self) -> &Rig {
        &self.clip().rig
    }

    fn waits(&self) -> bool {
        self.pace == Pace::Asked
    }

    fn poll(&mut self, now: Duration) -> Result<Poll, Error> {
        let number = self.next;
        if number >= self.rounds.saturating_mul(self.frames()) {
            return Ok(Poll::End);
        }
        let captured = self.captured(number);
        let mut at = now;
        if self.pace == Pace::Recorded {
            let since = (captured - self.captured(0)).0;
            let since = Duration::from_nanos(u64::try_from(since).unwrap_or(0));
            at = self.began.get_or_insert(now).saturating_add(since);
        }
        if at > now {
            return Ok(Poll::Wait(Some(at)));
        }
        self.next += 1;
        Ok(Poll::Ready(Arrival { number, captured, at, overwritten: 0 }))
    }

    fn read(&mut self, arrival: &Arrival) -> Result<Frame, String> {
        let (round, frame) = (arrival.number / self.frames(), arrival.number % self.frames());
        let sample = self.clip.read(frame as usize).map_err(|cause| cause.to_string())?;
        let moment = sample.moments.into_iter().next();
        let mut moment = moment.ok_or_else(|| "it holds no moment".to_owned())?;
        moment.timestamp = arrival.captured;
        let images = &self.clip().frames[frame as usize].images;
        let dark = images.iter().filter(|image| image.is_none()).count();
        Ok(Frame { moment, restarted: round > 0 && frame == 0, dark })
    }
}
