//! What tests run on: a clock that goes when it is told to, cameras and networks of no substance.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use nalgebra::{UnitQuaternion, Vector3};
use ommatidia_geometry::{Pose, Timestamp, camera::Pinhole};
use ommatidia_model::Moment;
use ommatidia_scene::{CameraSensor, RgbImage, Rig, Shutter, VectorSpace};

use crate::clock::Clock;
use crate::perceive::{Perceive, Perceived, Spans};
use crate::source::{Arrival, Frame, Poll, Source};
use crate::{Error, health::Health, schedule, watchdog::Breach};

/// Cameras side by side.
pub(crate) fn rig(cameras: usize) -> Rig {
    let camera = |index: usize| CameraSensor {
        name: format!("camera_{index}"),
        width: 4,
        height: 3,
        intrinsics: Pinhole { fx: 4.0, fy: 4.0, cx: 2.0, cy: 1.5 }.into(),
        ego_from_camera: Pose::new(
            UnitQuaternion::identity(),
            Vector3::new(0.0, index as f64, 1.0),
        ),
        shutter: Shutter::Global,
    };
    Rig { cameras: (0..cameras).map(camera).collect(), ..Rig::default() }
}

/// A clock that goes when it is told to, or waited on.
#[derive(Debug, Default)]
pub(crate) struct Simulated(Mutex<Duration>);

impl Simulated {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for Simulated {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wait_until(&self, at: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = at.max(*now);
    }
}

/// A camera of a fixed rate, some of whose frames cannot be read.
pub(crate) struct Camera {
    pub(crate) period: Duration,
    pub(crate) frames: u64,
    pub(crate) unreadable: BTreeSet<u64>,
    /// None comes for so long before this frame.
    pub(crate) pause: Option<(u64, Duration)>,
    pub(crate) waits: bool,
    pub(crate) next: u64,
    pub(crate) rig: Rig,
}

impl Camera {
    pub(crate) fn new(period_ms: u64, frames: u64) -> Self {
        Self {
            period: Duration::from_millis(period_ms),
            frames,
            unreadable: BTreeSet::new(),
            pause: None,
            waits: false,
            next: 0,
            rig: rig(1),
        }
    }
}

impl Source for Camera {
    fn rig(&self) -> &Rig {
        &self.rig
    }

    fn waits(&self) -> bool {
        self.waits
    }

    fn poll(&mut self, now: Duration) -> Result<Poll, Error> {
        if self.next == self.frames {
            return Ok(Poll::End);
        }
        let number = self.next;
        let mut at = self.period * u32::try_from(number).unwrap();
        if let Some((first, pause)) = self.pause
            && number >= first
        {
            at += pause;
        }
        let captured = Timestamp(i64::try_from(at.as_nanos()).unwrap());
        if self.waits {
            at = now;
        }
        if at > now {
            return Ok(Poll::Wait(Some(at)));
        }
        self.next += 1;
        Ok(Poll::Ready(Arrival { number, captured, at, overwritten: 0 }))
    }

    fn read(&mut self, arrival: &Arrival) -> Result<Frame, String> {
        if self.unreadable.contains(&arrival.number) {
            return Err("its picture is cut short".to_owned());
        }
        let moment = Moment {
            timestamp: arrival.captured,
            rig: self.rig.clone(),
            images: vec![RgbImage::new(4, 3, vec![0; 36])],
            world_from_ego: None,
            truth: VectorSpace::default(),
        };
        Ok(Frame { moment, restarted: false, dark: 0 })
    }
}

/// A network that takes its time.
pub(crate) struct Network<'a> {
    pub(crate) clock: &'a Simulated,
    /// Of the n-th frame that it is asked about, milliseconds; `None` where it fails.
    pub(crate) takes_ms: Box<dyn Fn(u64) -> Option<u64> + 'a>,
    pub(crate) asked: Cell<u64>,
}

impl Perceive for Network<'_> {
    fn perceive(&mut self, moment: Moment, _clock: &dyn Clock) -> Result<Perceived, Error> {
        let number = self.asked.replace(self.asked.get() + 1);
        let Some(ms) = (self.takes_ms)(number) else {
            return Err(Error::NotFinite { output: "depth".to_owned(), count: 1 });
        };
        self.clock.advance(Duration::from_millis(ms));
        let space = VectorSpace { timestamp: moment.timestamp, ..VectorSpace::default() };
        Ok(Perceived { space, outputs: Vec::new(), spans: Spans::default() })
    }

    fn restart(&mut self) {}
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) answered: Vec<u64>,
    pub(crate) reports: u64,
    pub(crate) proved: u64,
    pub(crate) breaches: Vec<Breach>,
    pub(crate) goes_on: bool,
}

impl schedule::Observer for Notes {
    fn answer(&mut self, answer: &schedule::Answer<'_>) -> Result<(), Error> {
        assert_eq!(answer.space.timestamp, answer.captured);
        self.answered.push(answer.number);
        Ok(())
    }

    fn report(&mut self, _since: Duration, _health: &Health) -> Result<(), Error> {
        self.reports += 1;
        Ok(())
    }

    fn proved(&mut self) -> Result<(), Error> {
        self.proved += 1;
        Ok(())
    }

    fn breach(&mut self, breach: &Breach) -> bool {
        self.breaches.push(breach.clone());
        !self.goes_on
    }

    fn stops(&self, _since: Duration, _health: &Health) -> bool {
        false
    }
}
