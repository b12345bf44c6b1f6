//! The loop: the newest frame, at a rate, within a budget. Single-threaded, no clock of its own.

use std::time::Duration;

use ommatidia_geometry::Timestamp;
use ommatidia_scene::VectorSpace;

use crate::clock::Clock;
use crate::health::{Dropped, Health};
use crate::perceive::Perceive;
use crate::source::{Arrival, Poll, Source};
use crate::watchdog::{Breach, Heart, Watchdog};
use crate::{Error, Settings};

/// What a run is made of.
pub struct Parts<'a> {
    /// Where frames come from.
    pub source: &'a mut dyn Source,
    /// What looks at them.
    pub network: &'a mut dyn Perceive,
    /// What does not put up with everything.
    pub watchdog: Watchdog,
    /// Told when a frame goes into the network and when it comes out.
    pub heart: &'a Heart,
    /// Time.
    pub clock: &'a dyn Clock,
    /// What was chosen.
    pub settings: &'a Settings,
    /// Who is told.
    pub observer: &'a mut dyn Observer,
}

/// One vector space on its way out.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The frame's number in the source.
    pub number: u64,
    /// When the frame was taken, on the cameras' clock.
    pub captured: Timestamp,
    /// What is there.
    pub space: &'a VectorSpace,
    /// It came later than the budget.
    pub late: bool,
}

/// Who is told what happens.
pub trait Observer {
    /// A vector space came out.
    ///
    /// # Errors
    /// Ends the run.
    fn answer(&mut self, answer: &Answer<'_>) -> Result<(), Error>;

    /// Every [`Settings::report_s`].
    ///
    /// # Errors
    /// Ends the run.
    fn report(&mut self, since: Duration, health: &Health) -> Result<(), Error>;

    /// The release ran well for as long as was asked. Told once.
    ///
    /// # Errors
    /// Ends the run.
    fn proved(&mut self) -> Result<(), Error>;

    /// The watchdog does not put up with this; `true` ends the run.
    fn breach(&mut self, breach: &Breach) -> bool;

    /// Whether to stop between two frames.
    fn stops(&self, since: Duration, health: &Health) -> bool;
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The source ended.
    Finished,
    /// Somebody stopped it.
    Stopped,
    /// No frame came for so long, seconds: cameras, not the release, are at fault.
    Silent(f64),
    /// The watchdog ended it.
    Breach(Breach),
}

/// Where there is neither a rate nor a time at which the next frame comes, the source is asked this often.
const ASK: Duration = Duration::from_millis(2);

/// Takes frames until something ends it. Of frames that came while another was in the network, the newest is
/// taken and the others are dropped; no more than one is held.
///
/// # Errors
/// The source broke, or the observer refused. Frames that cannot be read and failures of the network are
/// counted instead.
pub fn run(parts: Parts<'_>) -> Result<(End, Health), Error> {
    let began = parts.clock.now();
    let mut run = Run {
        reported: began,
        heard: began,
        tick: began,
        began,
        proved: false,
        health: Health::default(),
        parts,
    };
    let end = loop {
        if let Some(end) = run.step()? {
            break end;
        }
    };
    Ok((end, run.health))
}

struct Run<'a> {
    parts: Parts<'a>,
    health: Health,
    began: Duration,
    /// When health was reported last, and a frame came last.
    reported: Duration,
    heard: Duration,
    /// The next tick.
    tick: Duration,
    proved: bool,
}

/// What is there to take.
enum Taken {
    Frame(Arrival),
    Nothing(Option<Duration>),
    End,
}

impl Run<'_> {
    fn step(&mut self) -> Result<Option<End>, Error> {
        let period = self.parts.settings.period().filter(|_| !self.parts.source.waits());
        if let Some(period) = period {
            self.wait_for_tick(period);
        }
        let now = self.parts.clock.now();
        let since = now.saturating_sub(self.began);
        if self.parts.observer.stops(since, &self.health) {
            return Ok(Some(End::Stopped));
        }
        let report_s = self.parts.settings.report_s;
        if now.saturating_sub(self.reported).as_secs_f64() >= report_s {
            self.reported = now;
            self.parts.observer.report(since, &self.health)?;
        }
        match self.take(now)? {
            Taken::Frame(arrival) => {
                self.heard = now;
                self.frame(&arrival)
            }
            Taken::End => Ok(Some(End::Finished)),
            Taken::Nothing(until) => {
                let silent_s = now.saturating_sub(self.heard).as_secs_f64();
                if silent_s > self.parts.settings.silent_s {
                    return Ok(Some(End::Silent(silent_s)));
                }
                if period.is_some() {
                    self.health.tick(1, 0);
                } else {
                    self.wait(now, until);
                }
                Ok(None)
            }
        }
    }

    /// Until a frame may be there, but no longer than until something else is to be done.
    fn wait(&self, now: Duration, until: Option<Duration>) {
        let report = self.reported + Duration::from_secs_f64(self.parts.settings.report_s);
        let until = until.unwrap_or(now + ASK).min(report);
        // Somebody may want to stop it.
        let until = until.min(now + Duration::from_millis(100));
        self.parts.clock.wait_until(until);
    }

    fn wait_for_tick(&mut self, period: Duration) {
        self.parts.clock.wait_until(self.tick);
        let now = self.parts.clock.now();
        self.tick += period;
        let mut missed = 0;
        if self.tick < now {
            // Ticks stay where they are: the next one is a whole number of periods on.
            missed = (now - self.tick).as_nanos() / period.as_nanos().max(1) + 1;
            let missed = u32::try_from(missed).unwrap_or(u32::MAX);
            self.tick += period.saturating_mul(missed);
        }
        self.health.tick(0, missed as u64);
    }

    /// The newest frame that came.
    fn take(&mut self, now: Duration) -> Result<Taken, Error> {
        let mut newest = None;
        loop {
            match self.parts.source.poll(now)? {
                Poll::Ready(arrival) => {
                    self.health.arrive(1 + arrival.overwritten);
                    let older = u64::from(newest.is_some()) + arrival.overwritten;
                    self.health.drop(Dropped::Superseded, older);
                    newest = Some(arrival);
                    if self.parts.source.waits() {
                        return Ok(Taken::Frame(arrival));
                    }
                }
                Poll::Wait(until) => {
                    return Ok(newest.map_or(Taken::Nothing(until), Taken::Frame));
                }
                Poll::End => return Ok(newest.map_or(Taken::End, Taken::Frame)),
            }
        }
    }

    /// One frame from reading to answer.
    fn frame(&mut self, arrival: &Arrival) -> Result<Option<End>, Error> {
        let Parts { source, network, watchdog, heart, clock, settings, observer } = &mut self.parts;
        let began = clock.now();
        if began.saturating_sub(arrival.at) > settings.budget() {
            self.health.drop(Dropped::Stale, 1);
            return Ok(None);
        }
        let frame = match source.read(arrival) {
            Ok(frame) => frame,
            Err(why) => {
                self.health.drop(Dropped::Unreadable, 1);
                self.health.skip(format!("frame {}", arrival.number), &why);
                return Ok(None);
            }
        };
        let read = clock.now();
        self.health.read(read.saturating_sub(began), frame.dark);
        if frame.restarted {
            network.restart();
        }
        heart.begin(read);
        let answer = network.perceive(frame.moment, *clock);
        heart.end();
        let now = clock.now();
        let breach = match answer {
            Err(cause) => {
                self.health.drop(Dropped::Failed, 1);
                let cause = cause.to_string();
                self.health.skip(format!("frame {}", arrival.number), &cause);
                watchdog.failure(&cause)
            }
            Ok(perceived) => {
                let latency = now.saturating_sub(arrival.at);
                let late = latency > settings.budget();
                self.health.answer(&perceived, latency, late);
                let (number, captured) = (arrival.number, arrival.captured);
                observer.answer(&Answer { number, captured, space: &perceived.space, late })?;
                watchdog.answer(now, latency, &perceived.outputs)
            }
        };
        if let Some(breach) = breach
            && observer.breach(&breach)
        {
            return Ok(Some(End::Breach(breach)));
        }
        if !self.proved && watchdog.has_proved_itself(now) {
            self.proved = true;
            observer.proved()?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
