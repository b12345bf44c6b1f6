//! From arguments to what is trained on what.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use clap::ValueEnum;
use ommatidia_model::{Network, NetworkConfig};
use ommatidia_scene::{Provenance, Taxonomy};
use ommatidia_store::{Error as StoreError, atomic};
use ommatidia_train::data::{Dataset, Source, Window};
use ommatidia_train::{Job, TrainConfig, Validation, presets, run};
use serde_json::{Value, json};

use super::TrainArguments;
use crate::args::Common;
use crate::failure::Failure;

/// Where a network is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceName {
    /// The best that this build has
    Auto,
    /// The processor
    Cpu,
    /// A card of NVIDIA's; a build with feature cuda
    Cuda,
    /// Any card, by Vulkan; a build with feature vulkan
    Vulkan,
}

impl DeviceName {
    /// The device, without gradients.
    pub(crate) fn open(self) -> Result<Device, Failure> {
        match self {
            Self::Auto | Self::Cpu => Ok(Device::flex()),
            Self::Cuda | Self::Vulkan => {
                let name = if self == Self::Cuda { "cuda" } else { "vulkan" };
                Err(Failure::input(format!(
                    "this build computes on the processor only; build omma with --features {name}"
                )))
            }
        }
    }
}

/// What is trained, and how.
pub(super) struct Plan {
    pub(super) job: Job<Network>,
    pub(super) config: TrainConfig<NetworkConfig>,
}

pub(super) fn resolve(arguments: &TrainArguments, common: &Common) -> Result<Plan, Failure> {
    let mut config = read_config(&arguments.config)?;
    if !arguments.tasks.is_empty() {
        keep_tasks(&mut config.network, &arguments.tasks)?;
    }
    let taxonomy = read_taxonomy(&config.taxonomy)?;

    let window = Window { moments: config.data.moments, stride: config.data.stride };
    let training = Dataset::open(&arguments.data, "train", window, &taxonomy)?;
    config.steps = steps(arguments, &config, training.len())?;
    config.check().map_err(|what| Failure::input(format!("{}: {what}", arguments.config)))?;
    let validation = match &arguments.val[..] {
        [] => inner_validation(&arguments.data),
        given => given.to_vec(),
    };
    let validation = match &validation[..] {
        [] => None,
        folders => Some(Dataset::open(folders, "val", window, &taxonomy)?),
    };
    let inputs = json!({
        "training": training.inputs()?,
        "validation": validation.as_ref().map(Source::inputs).transpose()?,
    });
    let device = arguments.device.open()?.autodiff();
    device.seed(common.seed);
    let network = Network::new(&config.network, &device).map_err(Failure::input)?;
    record(arguments, &config, &training, common)?;
    let image = &config.network.image;
    let samples = config.record.validate_samples;
    let job = Job {
        network,
        device,
        size: [image.width, image.height],
        training: Arc::new(training),
        validation: validation.map(|source| Validation { source: Arc::new(source), samples }),
        seed: common.seed,
        folder: arguments.out.clone(),
        inputs: inputs["training"].clone(),
        resume: arguments.resume,
        limit_s: arguments.minutes.map(|minutes| 60.0 * minutes),
        schedule_by_clock: arguments.schedule_by_clock,
    };
    Ok(Plan { job, config })
}

fn read_config(name: &str) -> Result<TrainConfig<NetworkConfig>, Failure> {
    let text = match presets::preset(name) {
        Some(text) => text.to_owned(),
        None if !Path::new(name).exists() && !name.ends_with(".toml") => {
            let known: Vec<&str> = presets::PRESETS.iter().map(|(name, _)| *name).collect();
            let known = known.join(", ");
            return Err(Failure::input(format!(
                "{name} is neither a file nor a preset; presets are {known}"
            )));
        }
        None => std::fs::read_to_string(name)
            .map_err(|cause| StoreError::read(Path::new(name), cause))?,
    };
    toml::from_str(&text).map_err(|cause| Failure::input(format!("{name}: {cause}")))
}

/// A taxonomy by its name or file.
pub(crate) fn read_taxonomy(name: &str) -> Result<Taxonomy, Failure> {
    if let Some(taxonomy) = Taxonomy::built_in(name) {
        return Ok(taxonomy);
    }
    let path = Path::new(name);
    let text = std::fs::read_to_string(path).map_err(|cause| StoreError::read(path, cause))?;
    Taxonomy::parse(&text).map_err(|cause| Failure::input(format!("{name}: {cause}")))
}

/// Leaves out all other tasks.
fn keep_tasks(network: &mut NetworkConfig, wanted: &[String]) -> Result<(), Failure> {
    let known: Vec<&str> = network.heads.iter().map(|head| head.name()).collect();
    if let Some(unknown) = wanted.iter().find(|task| !known.contains(&task.as_str())) {
        let known = known.join(", ");
        return Err(Failure::input(format!(
            "--tasks: the settings have no task {unknown}; they have {known}"
        )));
    }
    network.heads.retain(|head| wanted.iter().any(|task| task == head.name()));
    Ok(())
}

fn steps(
    arguments: &TrainArguments,
    config: &TrainConfig<NetworkConfig>,
    samples: usize,
) -> Result<u64, Failure> {
    match (arguments.steps, arguments.epochs) {
        (Some(steps), _) => Ok(steps),
        (None, Some(epochs)) if epochs.is_finite() && epochs > 0.0 => {
            Ok((epochs * samples as f64 / config.samples_per_step() as f64).ceil() as u64)
        }
        (None, Some(epochs)) => {
            Err(Failure::input(format!("--epochs {epochs}: give a positive number")))
        }
        (None, None) => Ok(config.steps),
    }
}

/// `val/` within the folders of training data.
fn inner_validation(data: &[PathBuf]) -> Vec<PathBuf> {
    data.iter().map(|folder| folder.join("val")).filter(|folder| folder.is_dir()).collect()
}

/// Writes the resolved settings, and what the run is made from and on.
fn record(
    arguments: &TrainArguments,
    config: &TrainConfig<NetworkConfig>,
    training: &Dataset,
    common: &Common,
) -> Result<(), Failure> {
    let folder = &arguments.out;
    if let (Some(step), false) = (ommatidia_train::last_step(folder)?, arguments.resume) {
        return Err(Failure::input(format!(
            "{} holds a training that has taken {step} steps; go on with it by --resume, or choose another --out",
            folder.display()
        )));
    }
    if ommatidia_train::last_step(folder)?.is_some() {
        return Ok(());
    }
    atomic::create_directory(folder)?;
    let text = toml::to_string(config).map_err(Failure::input)?;
    atomic::write_bytes(&folder.join(run::CONFIG), text.as_bytes())?;
    let settings: Value = serde_json::to_value(config).map_err(Failure::input)?;
    let provenance = Provenance::new(training.inputs()?, settings);
    let environment = json!({
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "threads": rayon::current_num_threads(),
        "device": format!("{:?}", arguments.device).to_lowercase(),
        "ranks": 1,
    });
    let value =
        json!({ "seed": common.seed, "provenance": provenance, "environment": environment });
    Ok(atomic::write_json(&folder.join(run::RUN), &value)?)
}
