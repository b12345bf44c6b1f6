//! The loop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use ommatidia_model::Sample;
use ommatidia_scene::{ContentHash, Skipped};
use ommatidia_store::{atomic, hash};
use serde::Serialize;
use serde_json::Value;

use crate::checkpoint::{self, Checkpoint, Progress};
use crate::collective::{Collective, sum};
use crate::config::TrainConfig;
use crate::data::{Loader, LoaderConfig, Positions, SkipLog, Source};
use crate::flat::Layout;
use crate::learner::Learner;
use crate::observer::{Observer, StepLine};
use crate::optimiser::Moments;
use crate::run::{self, Record};
use crate::step::{StepReport, apply, gradient};
use crate::validate::{Validation, validate};
use crate::{Error, diverged};

/// What is trained, on what, where to.
#[derive(Debug)]
pub struct Job<L> {
    /// The network, with fresh weights, on a device that takes gradients.
    pub network: L,
    /// That device.
    pub device: Device,
    /// What is learnt from.
    pub training: Arc<dyn Source>,
    /// What is measured on.
    pub validation: Option<Validation>,
    /// Width and height that the network takes, pixels.
    pub size: [usize; 2],
    /// Of order and changes.
    pub seed: u64,
    /// Folder of the run.
    pub folder: PathBuf,
    /// What decides the weights besides the settings, such as hashes of the data.
    pub inputs: Value,
    /// Goes on from the last checkpoint; without, there must be none.
    pub resume: bool,
    /// Stops, saved, when so many seconds of this start are over.
    pub limit_s: Option<f64>,
    /// The learning rate falls by time instead of steps, so that it ends with `limit_s`.
    pub schedule_by_clock: bool,
}

/// How a training went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Steps that are done.
    pub step: u64,
    /// Mean loss of the last steps.
    pub loss: f64,
    /// Samples a second of this start, over all ranks, without validation.
    pub samples_per_s: f64,
    /// Share of that time spent waiting for data.
    pub data_wait_share: f64,
    /// Of weights and their average.
    pub weights_blake3: ContentHash,
    /// Last scores.
    pub metrics: BTreeMap<String, f64>,
    /// What could not be read.
    pub skipped: Vec<Skipped>,
}

/// Trains until the last step, the time limit, or until somebody asks to stop.
///
/// # Errors
/// [`Error::Interrupted`] once the state is saved; [`Error::Diverged`] with the batch saved; what cannot be
/// read or written.
pub fn train<L: Learner, N: Serialize>(
    job: Job<L>,
    config: &TrainConfig<N>,
    ranks: &mut dyn Collective,
    observer: &dyn Observer,
) -> Result<Outcome, Error> {
    let origin = || job.folder.join(run::CONFIG);
    config.check().map_err(|what| Error::Config { origin: origin(), what })?;
    if !config.data.microbatches.is_multiple_of(ranks.size()) || !ranks.size().is_power_of_two() {
        let (ranks, microbatches) = (ranks.size(), config.data.microbatches);
        return Err(Error::Ranks(format!(
            "{ranks} ranks cannot share {microbatches} microbatches; start a power of two of ranks, at most as many"
        )));
    }
    atomic::create_directory(&job.folder)?;
    let mut session = Session::begin(job, config, ranks, observer)?;
    session.run()
}

/// A training that is running.
struct Session<'a, L, N> {
    job: Job<L>,
    config: &'a TrainConfig<N>,
    ranks: &'a mut dyn Collective,
    observer: &'a dyn Observer,
    layout: Layout,
    weights: Weights,
    moments: Moments,
    progress: Progress,
    earlier_skips: Vec<Skipped>,
    skips: Arc<SkipLog>,
    loader: Loader,
    /// Only rank 0 keeps one.
    record: Option<Record>,
    deciding: Value,
    metrics: BTreeMap<String, f64>,
    spent: Spent,
}

/// Time of this start.
struct Spent {
    since: f64,
    steps: u64,
    waiting_s: f64,
    validating_s: f64,
}

impl<'a, L: Learner, N: Serialize> Session<'a, L, N> {
    fn begin(
        mut job: Job<L>,
        config: &'a TrainConfig<N>,
        ranks: &'a mut dyn Collective,
        observer: &'a dyn Observer,
    ) -> Result<Self, Error> {
        let layout = Layout::of(&job.network);
        let deciding = serde_json::json!({ "settings": config.deciding(), "inputs": job.inputs, "seed": job.seed });
        let found = last_checkpoint(&job, &layout, &deciding)?;
        let state = match found {
            Some(state) => state,
            None => fresh(&job.network, &layout, ranks)?,
        };
        let Checkpoint { progress, weights, moments } = state;
        job.network = layout.scatter(job.network, &weights.now);
        let skips = Arc::new(SkipLog::default());
        let loader = loader(&job, config, ranks, progress.step, skips.clone());
        let since = observer.unix_seconds();
        let record = (ranks.rank() == 0).then(|| Record::open(&job.folder, progress.step, since));
        Ok(Self {
            record: record.transpose()?,
            earlier_skips: progress.skipped.clone(),
            spent: Spent { since, steps: 0, waiting_s: 0.0, validating_s: 0.0 },
            metrics: BTreeMap::new(),
            job,
            config,
            ranks,
            observer,
            layout,
            weights,
            moments,
            progress,
            skips,
            loader,
            deciding,
        })
    }

    fn run(&mut self) -> Result<Outcome, Error> {
        let mut losses = Vec::new();
        while self.progress.step < self.config.steps {
            let done = self.agree()?;
            if done.stop || done.over {
                self.save()?;
                if done.stop {
                    return Err(Error::Interrupted { step: self.progress.step });
                }
                break;
            }
            let report = self.step(done.share)?;
            losses.push(report.loss);
            let Due { checkpoint, validate } = self.due();
            if validate {
                self.validate()?;
            }
            if checkpoint {
                self.save()?;
            }
        }
        if !self.progress.step.is_multiple_of(self.config.record.validate_every) {
            self.validate()?;
        }
        self.save()?;
        self.finish(&losses)
    }

    /// What all ranks do next: one that was asked to stop stops all; rank 0 holds the clock.
    fn agree(&mut self) -> Result<Agreed, Error> {
        let spent = self.observer.unix_seconds() - self.spent.since;
        let first = self.ranks.rank() == 0;
        let over = self.job.limit_s.map_or(0.0, |limit| spent / limit);
        let mine = [
            f32::from(u8::from(self.observer.interrupted())),
            if first { over as f32 } else { 0.0 },
        ];
        let all = sum(self.ranks, mine.to_vec())?;
        let by_steps = self.progress.step as f64 / self.config.steps as f64;
        let share = if self.job.schedule_by_clock { f64::from(all[1]) } else { by_steps };
        Ok(Agreed { stop: all[0] > 0.0, over: all[1] >= 1.0, share })
    }

    fn step(&mut self, share: f64) -> Result<StepReport, Error> {
        let mine = self.config.data.microbatches / self.ranks.size();
        let before = self.observer.unix_seconds();
        let mut batches: Vec<Vec<Sample>> = Vec::with_capacity(mine);
        for _ in 0..mine {
            let batch = (0..self.config.data.samples).map(|_| self.loader.next());
            batches.push(batch.collect::<Result<_, _>>()?);
        }
        self.spent.waiting_s += self.observer.unix_seconds() - before;
        let network = (&self.layout, &self.weights, &self.job.device);
        let found = gradient(&mut self.job.network, network, &batches, self.ranks)?;
        if let Some(what) = self.trouble(&found) {
            let folder = self.job.folder.join(diverged::FOLDER);
            let step = self.progress.step;
            return Err(diverged::save(&folder, (step, self.ranks.rank()), what, &batches)?);
        }
        let rate =
            self.config.optimiser.rate * self.config.schedule.share(self.progress.step, share);
        let settings = (&self.config.optimiser, &self.layout, self.config.average);
        let now = (self.progress.step, rate);
        let report = apply(settings, now, found, &mut self.weights, &mut self.moments);
        self.take_over();
        self.progress.step += 1;
        self.spent.steps += 1;
        let usual = self.progress.usual_loss.unwrap_or(report.loss);
        self.progress.usual_loss = Some(0.98 * usual + 0.02 * report.loss);
        self.tell(&report, rate)?;
        Ok(report)
    }

    /// Puts the changed weights into the network.
    fn take_over(&mut self) {
        let network = self.job.network.clone();
        self.job.network = self.layout.scatter(network, &self.weights.now);
    }

    /// Why a gradient must not be followed.
    fn trouble(&self, found: &crate::step::Gradient) -> Option<String> {
        if !found.is_finite() {
            return Some(format!("loss {} or its gradient is no number", found.loss()));
        }
        let leap = self.config.record.leap;
        let usual = self
            .progress
            .usual_loss
            .filter(|_| leap > 0.0 && self.progress.step > self.config.schedule.warm_up_steps)?;
        (found.loss() > leap * usual).then(|| {
            format!("loss {:.4} is more than {leap} times the usual {usual:.4}", found.loss())
        })
    }

    fn rates(&self) -> (f64, f64) {
        let spent = self.observer.unix_seconds() - self.spent.since - self.spent.validating_s;
        let samples = self.spent.steps as f64 * self.config.samples_per_step() as f64;
        let per = |value: f64| if spent > 0.0 { value / spent } else { 0.0 };
        (per(samples), per(self.spent.waiting_s))
    }

    fn tell(&mut self, report: &StepReport, rate: f64) -> Result<(), Error> {
        let (samples_per_s, data_wait_share) = self.rates();
        let (step, steps) = (self.progress.step, self.config.steps);
        self.observer.stepped(&StepLine {
            step,
            steps,
            report,
            rate,
            samples_per_s,
            data_wait_share,
        });
        let unix_s = self.observer.unix_seconds();
        let Some(record) = &mut self.record else { return Ok(()) };
        let mut values = vec![("loss".to_owned(), report.loss)];
        values.extend(report.parts.iter().cloned());
        values.push(("rate".to_owned(), rate));
        values.push(("gradient".to_owned(), report.gradient));
        values.push(("samples_per_s".to_owned(), samples_per_s));
        values.push(("data_wait_share".to_owned(), data_wait_share));
        record.add((step, unix_s), "train", values)
    }

    fn due(&self) -> Due {
        let step = self.progress.step;
        let every = |steps: u64| steps > 0 && step.is_multiple_of(steps);
        let record = &self.config.record;
        Due { checkpoint: every(record.checkpoint_every), validate: every(record.validate_every) }
    }

    /// Measures the averaged weights, and keeps them if they are the best so far.
    fn validate(&mut self) -> Result<(), Error> {
        let (Some(validation), Some(record)) = (&self.job.validation, &mut self.record) else {
            return Ok(());
        };
        let before = self.observer.unix_seconds();
        let network = self.layout.scatter(self.job.network.valid(), &self.weights.average);
        let device = self.job.device.clone().inner();
        let settings = (self.job.size, self.config.data.samples);
        let scores = validate(&network, &device, validation, settings, self.observer, &self.skips)?;
        let step = self.progress.step;
        record.add((step, self.observer.unix_seconds()), "val", scores.clone())?;
        self.observer.validated(step, &scores);
        let best = self.progress.best.map_or(f64::NEG_INFINITY, |(best, _)| best);
        if let Some((_, first)) = scores.first().filter(|(_, first)| *first > best) {
            self.progress.best = Some((*first, step));
            let path = self.job.folder.join(run::BEST);
            checkpoint::write_weights(&path, &self.layout, &self.weights.average, &self.deciding)?;
        }
        self.metrics = scores.into_iter().collect();
        self.spent.validating_s += self.observer.unix_seconds() - before;
        Ok(())
    }

    fn save(&mut self) -> Result<(), Error> {
        self.progress.skipped = merged(&self.earlier_skips, self.skips.all());
        let Some(record) = &self.record else { return Ok(()) };
        record.save()?;
        let state = Checkpoint {
            progress: self.progress.clone(),
            weights: self.weights.clone(),
            moments: self.moments.clone(),
        };
        let folder = self.job.folder.join(checkpoint::FOLDER);
        state.write(&folder, &self.layout, &self.deciding)?;
        checkpoint::prune(&folder, self.config.record.keep)
    }

    fn finish(&mut self, losses: &[f64]) -> Result<Outcome, Error> {
        if let Some(record) = &self.record {
            record.save()?;
            let path = self.job.folder.join(run::WEIGHTS);
            checkpoint::write_weights(&path, &self.layout, &self.weights.average, &self.deciding)?;
        }
        let last = &losses[losses.len().saturating_sub(20)..];
        let (samples_per_s, data_wait_share) = self.rates();
        Ok(Outcome {
            step: self.progress.step,
            loss: if last.is_empty() {
                self.progress.usual_loss.unwrap_or(0.0)
            } else {
                last.iter().sum::<f64>() / last.len() as f64
            },
            samples_per_s,
            data_wait_share,
            weights_blake3: self.weights.hash(),
            metrics: std::mem::take(&mut self.metrics),
            skipped: merged(&self.earlier_skips, self.skips.all()),
        })
    }
}

/// What is due after a step.
struct Due {
    checkpoint: bool,
    validate: bool,
}

/// What all ranks agreed on before a step.
struct Agreed {
    stop: bool,
    over: bool,
    /// How much of the training is done.
    share: f64,
}

fn loader<L, N>(
    job: &Job<L>,
    config: &TrainConfig<N>,
    ranks: &dyn Collective,
    start: u64,
    skips: Arc<SkipLog>,
) -> Loader {
    let step = config.samples_per_step() as u64;
    let share = step / ranks.size() as u64;
    let positions = Positions { start, step, share, first: ranks.rank() as u64 * share };
    let settings = LoaderConfig {
        seed: job.seed,
        size: job.size,
        augment: config.augment.clone(),
        workers: config.data.workers,
        ahead: config.data.ahead.max(share as usize),
    };
    Loader::new(job.training.clone(), positions, &settings, skips)
}

/// The state to go on from.
fn last_checkpoint<L>(
    job: &Job<L>,
    layout: &Layout,
    deciding: &Value,
) -> Result<Option<Checkpoint>, Error> {
    let folder = job.folder.join(checkpoint::FOLDER);
    atomic::clean(&folder);
    let Some((step, path)) = checkpoint::list(&folder)?.pop() else { return Ok(None) };
    if !job.resume {
        let what = format!(
            "is of a training that has taken {step} steps; go on with it by --resume, or choose another --out"
        );
        return Err(Error::Checkpoint { path, what });
    }
    Checkpoint::read(&path, layout, deciding).map(Some)
}

/// Rank 0's fresh weights, on every rank.
fn fresh<L: Learner>(
    network: &L,
    layout: &Layout,
    ranks: &mut dyn Collective,
) -> Result<Checkpoint, Error> {
    let mut row = layout.gather(network);
    if ranks.rank() > 0 {
        row.fill(0.0);
    }
    let now = sum(ranks, row)?;
    let moments = Moments::new(layout.len());
    let weights = Weights { average: now.clone(), now };
    Ok(Checkpoint { progress: Progress::default(), weights, moments })
}

/// Both lists, the same things counted together.
fn merged(earlier: &[Skipped], now: Vec<Skipped>) -> Vec<Skipped> {
    let mut all = BTreeMap::new();
    for item in earlier.iter().cloned().chain(now) {
        *all.entry((item.what, item.why)).or_insert(0) += item.count;
    }
    all.into_iter().map(|((what, why), count)| Skipped { what, why, count }).collect()
}

/// A network's numbers now, and averaged over the last steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// As the last step left them.
    pub now: Vec<f32>,
    /// What is measured and used.
    pub average: Vec<f32>,
}

impl Weights {
    /// Of all bits.
    pub fn hash(&self) -> ContentHash {
        let both = self.now.iter().chain(&self.average);
        hash::of_bytes(&both.flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
    }
}

/// Where the last checkpoint of a run lies, if there is one.
///
/// # Errors
/// [`Error::Store`].
pub fn last_step(folder: &Path) -> Result<Option<u64>, Error> {
    Ok(checkpoint::list(&folder.join(checkpoint::FOLDER))?.pop().map(|(step, _)| step))
}
