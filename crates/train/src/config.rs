//! A training as written in TOML.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::AugmentConfig;
use crate::optimiser::OptimiserConfig;
use crate::schedule::{ScheduleConfig, Shape};

/// A training of a network whose own settings are `N`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig<N> {
    /// What the classes are: a built-in taxonomy's name, or a file.
    #[serde(default = "driving")]
    pub taxonomy: String,
    /// Steps to take.
    pub steps: u64,
    /// Share of itself that the average of the weights keeps at a step.
    #[serde(default = "average")]
    pub average: f64,
    /// Published weights that the backbone begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsConfig>,
    /// How samples are batched and fetched.
    #[serde(default)]
    pub data: DataConfig,
    /// How samples are changed.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// How weights are changed.
    #[serde(default)]
    pub optimiser: OptimiserConfig,
    /// How fast.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// When to measure, keep and give up. Does not change what is learnt.
    #[serde(default)]
    pub record: RecordConfig,
    /// The network.
    pub network: N,
}

fn driving() -> String {
    "driving".to_owned()
}

/// About a thousand steps, as is usual with some ten thousand (Tarvainen & Valpola 2017, section 3).
fn average() -> f64 {
    0.999
}

/// Published weights that the backbone begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsConfig {
    /// Safetensors, or a PyTorch state dict.
    pub file: PathBuf,
    /// Which tensor is which: a built-in map of names, or a file. Left out: the built-in one that fits best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
}

/// How samples are batched and fetched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Microbatches of a step, over all ranks: a power of two. Each has its own batch statistics.
    pub microbatches: usize,
    /// Samples of a microbatch.
    pub samples: usize,
    /// Moments of a sample, the last one being asked about.
    pub moments: usize,
    /// Frames from one moment of a sample to the next; 0 to leave it to the spacing of the network's memory.
    pub stride: usize,
    /// Threads that read and change samples.
    pub workers: usize,
    /// Samples that are ready or in the making at any time; memory grows with it.
    pub ahead: usize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { microbatches: 1, samples: 4, moments: 1, stride: 1, workers: 2, ahead: 16 }
    }
}

/// When to measure, keep and give up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordConfig {
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Checkpoints that are kept.
    pub keep: usize,
    /// Steps between validations; 0 for one at the end only.
    pub validate_every: u64,
    /// Most samples that are validated on, spread evenly.
    pub validate_samples: usize,
    /// Samples of the training data, spread evenly, whose truth the trivial answers are made from that
    /// are measured beside the network; their excerpts are in memory at once. 0 for no such answers.
    pub baseline_samples: usize,
    /// A sum of unweighted losses so many times the usual one stops the training; 0 for never.
    pub leap: f64,
    /// Name of the validation score by which weights are the best ones: the highest counts. The first
    /// score of the first task, if none is named.
    pub best: Option<String>,
}

impl Default for RecordConfig {
    fn default() -> Self {
        Self {
            checkpoint_every: 200,
            keep: 2,
            validate_every: 500,
            validate_samples: 256,
            baseline_samples: 128,
            leap: 20.0,
            best: None,
        }
    }
}

impl<N> TrainConfig<N> {
    /// Whether the numbers can be used; the first that cannot, in words.
    ///
    /// # Errors
    /// Which setting, what is wrong with it and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let DataConfig { microbatches, samples, moments, .. } = self.data;
        if !microbatches.is_power_of_two() {
            return Err(format!("data.microbatches is {microbatches}; it must be a power of two"));
        }
        if samples == 0 || moments == 0 {
            return Err("data.samples and data.moments must be 1 or more".to_owned());
        }
        if self.steps == 0 || !(0.0..1.0).contains(&self.average) {
            return Err("steps must be 1 or more, average 0 to 1, without 1".to_owned());
        }
        if !(0.0..=1.0).contains(&self.schedule.last) || self.record.checkpoint_every == 0 {
            return Err("schedule.last is 0 to 1, record.checkpoint_every 1 or more".to_owned());
        }
        self.augment.check()?;
        self.optimiser.check()
    }

    /// Samples of a step, over all ranks.
    pub fn samples_per_step(&self) -> usize {
        self.data.microbatches * self.data.samples
    }
}

impl<N: Serialize> TrainConfig<N> {
    /// What decides the weights: everything but threads, record, and files that are inputs by their content. The number of steps does, where the
    /// learning rate is a function of the share of them that is done.
    pub fn deciding(&self, schedule_by_clock: bool) -> serde_json::Value {
        let mut value = serde_json::to_value(self).expect("settings are plain data");
        if let Some(fields) = value.as_object_mut() {
            fields.remove("record");
            fields.remove("weights");
            if schedule_by_clock || self.schedule.shape == Shape::Constant {
                fields.remove("steps");
            }
            if let Some(data) = fields.get_mut("data").and_then(|data| data.as_object_mut()) {
                data.remove("workers");
                data.remove("ahead");
            }
        }
        value
    }
}
