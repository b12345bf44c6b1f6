//! Threads that fetch samples ahead, in order, within bounded memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use ommatidia_model::Sample;

use super::{AugmentConfig, Order, SkipLog, Source, training_sample};
use crate::Error;

/// How samples are fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct LoaderConfig {
    /// Of order, changes and replacements.
    pub seed: u64,
    /// Width and height that the network takes, pixels.
    pub size: [usize; 2],
    /// Random changes.
    pub augment: AugmentConfig,
    /// Threads.
    pub workers: usize,
    /// Samples that are ready or in the making at any time.
    pub ahead: usize,
}

/// Delivers the samples of one rank in order, whatever thread made them.
#[derive(Debug)]
pub struct Loader {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

/// Positions, in the whole training, of the samples of one rank: of every step's `step` samples the
/// `share` from `first` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Positions {
    /// Step to begin with.
    pub start: u64,
    /// Samples of a step, over all ranks.
    pub step: u64,
    /// Samples of a step for this rank.
    pub share: u64,
    /// Where this rank's begin within a step.
    pub first: u64,
}

impl Positions {
    fn of(&self, job: u64) -> u64 {
        (self.start + job / self.share) * self.step + self.first + job % self.share
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    order: Order,
    /// The next job that nobody has begun.
    next: u64,
    /// The job that is delivered next.
    wanted: u64,
    ready: BTreeMap<u64, Result<Sample, Error>>,
    stop: bool,
    /// A worker panicked: what it was making will never come.
    lost: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Loader {
    /// Starts fetching.
    pub fn new(
        source: Arc<dyn Source>,
        positions: Positions,
        config: &LoaderConfig,
        skipped: Arc<SkipLog>,
    ) -> Self {
        let order = Order::new(config.seed, source.len());
        let state =
            State { order, next: 0, wanted: 0, ready: BTreeMap::new(), stop: false, lost: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let work = || {
            let (shared, source) = (shared.clone(), source.clone());
            let (config, skipped) = (config.clone(), skipped.clone());
            thread::spawn(move || work(&shared, &*source, positions, &config, &skipped))
        };
        let workers = (0..config.workers.max(1)).map(|_| work()).collect();
        Self { shared, workers }
    }

    /// The next sample; waits for it.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if too many samples in a row cannot be read.
    ///
    /// # Panics
    /// If a thread that reads did.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and every item may fail")]
    pub fn next(&mut self) -> Result<Sample, Error> {
        let mut state = self.shared.lock();
        loop {
            let wanted = state.wanted;
            if let Some(sample) = state.ready.remove(&wanted) {
                state.wanted += 1;
                self.shared.changed.notify_all();
                return sample;
            }
            assert!(!state.lost, "a thread that reads data panicked, as it says above");
            state = self.shared.wait(state);
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // A panic there has been reported where it happened.
            let _ = worker.join();
        }
    }
}

/// Says so when a worker panics, so that nobody waits for what it was making.
struct Farewell<'a>(&'a Shared);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.0.lock().lost |= thread::panicking();
        self.0.changed.notify_all();
    }
}

fn work(
    shared: &Shared,
    source: &dyn Source,
    positions: Positions,
    config: &LoaderConfig,
    skipped: &SkipLog,
) {
    let _farewell = Farewell(shared);
    loop {
        let mut state = shared.lock();
        while !state.stop && state.next >= state.wanted + config.ahead.max(1) as u64 {
            state = shared.wait(state);
        }
        if state.stop {
            return;
        }
        let job = state.next;
        state.next += 1;
        let position = positions.of(job);
        let which = (state.order.epoch(position), state.order.at(position));
        drop(state);
        let sample = training_sample(source, which, config, skipped);
        shared.lock().ready.insert(job, sample);
        shared.changed.notify_all();
    }
}
