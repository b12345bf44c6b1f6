//! The loop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::Device;
use ommatidia_model::Sample;
use ommatidia_scene::{ContentHash, Skipped};
use ommatidia_store::{atomic, hash};
use serde::Serialize;
use serde_json::Value;

use crate::checkpoint::{self, Best, Checkpoint, Progress};
use crate::collective::{Collective, gather, sum};
use crate::config::TrainConfig;
use crate::data::{Loader, SkipLog, Source};
use crate::flat::Layout;
use crate::learner::Learner;
use crate::observer::{Observer, StepLine};
use crate::optimiser::Moments;
use crate::run::{self, Record};
use crate::step::{StepReport, apply, gradient};
use crate::validate::{BaselineScores, Measure, Validation};
use crate::{Error, begin, diverged};

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
    /// The learning rate falls by time instead of steps, so that it ends with `limit_s`, which is then of
    /// all starts together.
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
    /// What trivial answers reach on the same data: by score, then by answer.
    pub baselines: BaselineScores,
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
    /// What the other ranks skipped, when they last told.
    others_skips: Vec<Skipped>,
    /// None where there is no step to take.
    loader: Option<Loader>,
    /// Only rank 0 keeps one.
    record: Option<Record>,
    deciding: Value,
    metrics: BTreeMap<String, f64>,
    /// Of trivial answers; measured once a start.
    baselines: BaselineScores,
    spent: Spent,
    /// Step of the last checkpoint.
    saved: Option<u64>,
    /// Somebody asked to stop, and something was broken off for it.
    stop: bool,
}

/// Time of this start.
struct Spent {
    since: f64,
    /// Of earlier starts, where the learning rate falls by time.
    earlier_s: f64,
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
        let by_clock = job.schedule_by_clock;
        let deciding = serde_json::json!({
            "settings": config.deciding(by_clock), "inputs": job.inputs, "seed": job.seed,
            "schedule_by_clock": by_clock,
        });
        let state = begin::state(&job, &layout, &deciding, ranks)?;
        let Checkpoint { progress, weights, moments } = state;
        job.network = layout.scatter(job.network, &weights.now);
        let skips = Arc::new(SkipLog::default());
        let loader = (progress.step < config.steps)
            .then(|| begin::loader(&job, config, ranks, progress.step, skips.clone()));
        let since = observer.unix_seconds();
        let record = (ranks.rank() == 0).then(|| Record::open(&job.folder, progress.step));
        let earlier_s = progress.spent_s;
        Ok(Self {
            record: record.transpose()?,
            earlier_skips: progress.skipped.clone(),
            others_skips: Vec::new(),
            spent: Spent { since, earlier_s, steps: 0, waiting_s: 0.0, validating_s: 0.0 },
            saved: (progress.step > 0).then_some(progress.step),
            stop: false,
            metrics: BTreeMap::new(),
            baselines: BaselineScores::new(),
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
        if self.progress.step > 0 && self.due().validate {
            self.measure()?;
        }
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
            // Validating takes long: what was learnt is saved before.
            if checkpoint || validate {
                self.save()?;
            }
            if validate {
                self.measure()?;
            }
        }
        self.save()?;
        self.measure()?;
        if sum(self.ranks, vec![f32::from(u8::from(self.stop))])?[0] > 0.0 {
            return Err(Error::Interrupted { step: self.progress.step });
        }
        self.finish(&losses)
    }

    /// What all ranks do next: one that was asked to stop stops all; rank 0 holds the clock.
    fn agree(&mut self) -> Result<Agreed, Error> {
        let first = self.ranks.rank() == 0;
        let over = self.job.limit_s.map_or(0.0, |limit| self.clock_s() / limit);
        let mine = [
            f32::from(u8::from(self.stop || self.observer.interrupted())),
            if first { over as f32 } else { 0.0 },
        ];
        let all = sum(self.ranks, mine.to_vec())?;
        let by_steps = self.progress.step as f64 / self.config.steps as f64;
        let share = if self.job.schedule_by_clock { f64::from(all[1]) } else { by_steps };
        Ok(Agreed { stop: all[0] > 0.0, over: all[1] >= 1.0, share })
    }

    /// Seconds of this start; of all of them, where the learning rate falls by time.
    fn clock_s(&self) -> f64 {
        self.observer.unix_seconds() - self.spent.since + self.spent.earlier_s
    }

    fn step(&mut self, share: f64) -> Result<StepReport, Error> {
        let mine = self.config.data.microbatches / self.ranks.size();
        let before = self.observer.unix_seconds();
        let mut batches: Vec<Vec<Sample>> = Vec::with_capacity(mine);
        for _ in 0..mine {
            let loader =
                self.loader.as_mut().expect("there are steps to take, so samples are fetched");
            let batch = (0..self.config.data.samples).map(|_| loader.next());
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
        let parts = found.parts();
        let report = apply(settings, now, found, &mut self.weights, &mut self.moments);
        self.take_over();
        self.progress.step += 1;
        self.spent.steps += 1;
        let usual = self.progress.usual_loss.unwrap_or(report.loss);
        self.progress.usual_loss = Some(0.98 * usual + 0.02 * report.loss);
        let usual = self.progress.usual_parts.unwrap_or(parts);
        self.progress.usual_parts = Some(0.98 * usual + 0.02 * parts);
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
            .usual_parts
            .filter(|_| leap > 0.0 && self.progress.step > self.config.schedule.warm_up_steps)?;
        // The total is no measure: weighed by learnt uncertainty it goes below zero.
        let parts = found.parts();
        (parts > leap * usual).then(|| {
            format!("sum of losses {parts:.4} is more than {leap} times the usual {usual:.4}")
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

    /// Validates, on rank 0, unless this step was validated, and saves how that went.
    fn measure(&mut self) -> Result<(), Error> {
        let Some(record) = &self.record else { return Ok(()) };
        if let Some(scores) = record.scores(self.progress.step) {
            self.metrics = scores;
            self.baselines = record.baselines();
        } else if self.validate()? {
            self.write()?;
        } else {
            self.stop = true;
        }
        Ok(())
    }

    /// Measures the averaged weights, and keeps them if they are the best so far. False if somebody asked
    /// to stop before the end.
    fn validate(&mut self) -> Result<bool, Error> {
        let (Some(validation), Some(record)) = (&self.job.validation, &mut self.record) else {
            return Ok(true);
        };
        let before = self.observer.unix_seconds();
        let network = self.layout.scatter(self.job.network.valid(), &self.weights.average);
        let device = self.job.device.clone().inner();
        let measure = Measure {
            device: &device,
            validation,
            size: self.job.size,
            batch: self.config.data.samples,
            observer: self.observer,
            skipped: &self.skips,
        };
        // They do not learn: once is enough.
        let known = !self.baselines.is_empty();
        let most = if known { 0 } else { self.config.record.baseline_samples };
        let Some(excerpts) = measure.excerpts(&network, &*self.job.training, most) else {
            return Ok(false);
        };
        let trivial = if excerpts.is_empty() { Vec::new() } else { network.baselines(&excerpts) };
        drop(excerpts);
        let Some(found) = measure.run(&network, trivial)? else { return Ok(false) };
        let (step, scores) = (self.progress.step, found.scores);
        if !found.baselines.is_empty() {
            let rows = run::baseline_rows(&found.baselines);
            record.add((step, self.observer.unix_seconds()), run::BASELINE, rows)?;
            self.baselines = found.baselines;
        }
        let counts = counting(&scores, self.config.record.best.as_deref())
            .map_err(|what| Error::Config { origin: self.job.folder.join(run::CONFIG), what })?;
        record.add((step, self.observer.unix_seconds()), "val", scores.clone())?;
        self.observer.validated(step, &scores);
        let so_far = self.progress.best.as_ref();
        let better = |(name, value): &&(String, f64)| {
            // Another score than before begins anew.
            so_far.is_none_or(|best| best.name != *name || *value > best.value)
        };
        if let Some((name, value)) = counts.filter(better) {
            self.progress.best = Some(Best { name: name.clone(), value: *value, step });
            let path = self.job.folder.join(run::BEST);
            checkpoint::write_weights(&path, &self.layout, &self.weights.average, &self.deciding)?;
        }
        self.metrics = scores.into_iter().collect();
        self.spent.validating_s += self.observer.unix_seconds() - before;
        Ok(true)
    }

    /// Brings the state to the disk, unless this step's is there. All ranks do so together.
    fn save(&mut self) -> Result<(), Error> {
        if self.saved == Some(self.progress.step) {
            return Ok(());
        }
        self.hear_skips()?;
        self.write()?;
        self.saved = Some(self.progress.step);
        Ok(())
    }

    /// Gathers what the other ranks skipped.
    fn hear_skips(&mut self) -> Result<(), Error> {
        let own = serde_json::to_vec(&self.skips.all()).expect("a list of words and numbers");
        let all = gather(self.ranks, &own)?;
        let mut others = Vec::new();
        for (_, bytes) in all.iter().enumerate().filter(|(rank, _)| *rank != self.ranks.rank()) {
            let skips: Vec<Skipped> = serde_json::from_slice(bytes)
                .map_err(|cause| Error::Ranks(format!("a rank's message is damaged ({cause})")))?;
            others.extend(skips);
        }
        self.others_skips = others;
        Ok(())
    }

    /// What could not be read by any rank, in all starts.
    fn skipped(&self) -> Vec<Skipped> {
        let now = self.others_skips.iter().cloned().chain(self.skips.all());
        merged(&self.earlier_skips, now)
    }

    fn write(&mut self) -> Result<(), Error> {
        self.progress.skipped = self.skipped();
        if self.job.schedule_by_clock {
            self.progress.spent_s = self.clock_s();
        }
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
        self.hear_skips()?;
        if self.record.is_some() {
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
            baselines: std::mem::take(&mut self.baselines),
            skipped: self.skipped(),
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

/// The score by which weights are the best: the one of this name, or the first. None if there are none.
///
/// # Errors
/// What scores there are, if not the one of this name.
fn counting<'a>(
    scores: &'a [(String, f64)],
    name: Option<&str>,
) -> Result<Option<&'a (String, f64)>, String> {
    let Some(name) = name else { return Ok(scores.first()) };
    let found = scores.iter().find(|(known, _)| known == name);
    found.map(Some).ok_or_else(|| {
        let known: Vec<&str> = scores.iter().map(|(known, _)| known.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("record.best is {name}; the validation gives these scores: {known}")
    })
}

/// Both lists, the same things counted together.
fn merged(earlier: &[Skipped], now: impl Iterator<Item = Skipped>) -> Vec<Skipped> {
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
