//! From arguments to what is trained on what.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use clap::ValueEnum;
use ommatidia_model::{Network, NetworkConfig};
use ommatidia_scene::{Input, Provenance, Taxonomy};
use ommatidia_store::{Error as StoreError, atomic};
use ommatidia_train::data::{Dataset, Source, Window};
use ommatidia_train::weights::Imported;
use ommatidia_train::{Job, TrainConfig, Validation, presets, run};
use serde_json::{Value, json};

use super::{TrainArguments, weights};
use crate::args::Common;
use crate::failure::Failure;

/// Where a network is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceName {
    /// The best that this build has
    Auto,
    /// The processor
    Cpu,
    /// A card of NVIDIA's: not in this build
    Cuda,
    /// Any card, by Vulkan: not in this build
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
                    "--device {name}: this build computes on the processor only; take cpu or auto"
                )))
            }
        }
    }
}

/// What is trained, and how.
pub(super) struct Plan {
    pub(super) job: Job<Network>,
    pub(super) config: TrainConfig<NetworkConfig>,
    /// Where the backbone begins with published weights.
    pub(super) imported: Option<Imported>,
}

/// As one of `size` ranks; only the first one, 0, writes.
pub(super) fn resolve(
    arguments: &TrainArguments,
    common: &Common,
    (rank, size): (usize, usize),
) -> Result<Plan, Failure> {
    let limit_s = arguments.minutes.map(seconds).transpose()?;
    let mut config = read_config(&arguments.config)?;
    config.weights = weights::wanted(arguments, config.weights.take())?;
    if !arguments.tasks.is_empty() {
        keep_tasks(&mut config, &arguments.tasks)?;
    }
    if config.network.heads.is_empty() {
        return Err(Failure::input(format!(
            "{}: the network has no task to learn; give at least one [[network.heads]] with its task",
            arguments.config
        )));
    }
    if let Some(best) = &config.record.best {
        check_best(&config.network, best)
            .map_err(|what| Failure::input(format!("{}: {what}", arguments.config)))?;
    }
    let taxonomy = read_taxonomy(&config.taxonomy)?;

    let window = Window::of(&config)
        .map_err(|what| Failure::input(format!("{}: {what}", arguments.config)))?;
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
    let published = config.weights.as_ref().map(weights::inputs).transpose()?;
    let inputs = Inputs {
        training: [training.inputs()?, published.unwrap_or_default()].concat(),
        validation: validation.as_ref().map(Source::inputs).transpose()?,
        cameras: training.cameras(),
    };
    let device = arguments.device.open()?.autodiff();
    device.seed(common.seed);
    let network = Network::new(&config.network, &device).map_err(Failure::input)?;
    let (network, imported) = match &config.weights {
        Some(wanted) => {
            weights::read(wanted, network).map(|(network, all)| (network, Some(all)))?
        }
        None => (network, None),
    };
    let deciding = serde_json::to_value(&inputs.training).map_err(Failure::input)?;
    if rank == 0 {
        record(arguments, &config, (inputs, imported.as_ref()), (common, size))?;
    }
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
        inputs: deciding,
        resume: arguments.resume,
        limit_s,
        schedule_by_clock: arguments.schedule_by_clock,
    };
    Ok(Plan { job, config, imported })
}

/// What is learnt from and measured on, by content.
struct Inputs {
    training: Vec<Input>,
    validation: Option<Vec<Input>>,
    /// Of every moment.
    cameras: usize,
}

fn seconds(minutes: f64) -> Result<f64, Failure> {
    if minutes.is_finite() && minutes > 0.0 {
        return Ok(60.0 * minutes);
    }
    Err(Failure::input(format!("--minutes {minutes}: give a positive number")))
}

/// Scores are named after their tasks; which of a task's there are is known once it is measured.
fn check_best(network: &NetworkConfig, best: &str) -> Result<(), String> {
    let known: Vec<&str> = network.heads.iter().map(|head| head.name()).collect();
    let task = best.split_once('.').map(|(task, _)| task);
    if task.is_some_and(|task| known.contains(&task)) {
        return Ok(());
    }
    let known = known.join(", ");
    Err(format!("record.best is {best}; give TASK.SCORE, with one of the tasks {known}"))
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

/// Leaves out all other tasks, and does not judge by their scores.
fn keep_tasks(config: &mut TrainConfig<NetworkConfig>, wanted: &[String]) -> Result<(), Failure> {
    let network = &mut config.network;
    let known: Vec<&str> = network.heads.iter().map(|head| head.name()).collect();
    if let Some(unknown) = wanted.iter().find(|task| !known.contains(&task.as_str())) {
        let known = known.join(", ");
        return Err(Failure::input(format!(
            "--tasks: the settings have no task {unknown}; they have {known}"
        )));
    }
    network.heads.retain(|head| wanted.iter().any(|task| task == head.name()));
    let named = |best: &String| wanted.iter().any(|task| best.starts_with(&format!("{task}.")));
    config.record.best = config.record.best.take().filter(named);
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
    (inputs, imported): (Inputs, Option<&Imported>),
    (common, ranks): (&Common, usize),
) -> Result<(), Failure> {
    let folder = &arguments.out;
    if let (Some(step), false) = (ommatidia_train::last_step(folder)?, arguments.resume) {
        return Err(Failure::input(format!(
            "{} holds a training that has taken {step} steps; go on with it by --resume, or choose another --out",
            folder.display()
        )));
    }
    let text = toml::to_string(config).map_err(Failure::input)?;
    let path = folder.join(run::CONFIG);
    if ommatidia_train::last_step(folder)?.is_some() {
        return keep_up(&path, &text, config, arguments.schedule_by_clock);
    }
    atomic::create_directory(folder)?;
    atomic::write_bytes(&path, text.as_bytes())?;
    let settings: Value = serde_json::to_value(config).map_err(Failure::input)?;
    let provenance = Provenance::new(inputs.training, settings);
    let environment = json!({
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "threads": rayon::current_num_threads(),
        "device": format!("{:?}", arguments.device).to_lowercase(),
        "ranks": ranks,
    });
    let value = json!({
        "seed": common.seed, "provenance": provenance, "validation": inputs.validation,
        "weights": imported, "environment": environment, "cameras": inputs.cameras,
    });
    Ok(atomic::write_json(&folder.join(run::RUN), &value)?)
}

/// Writes the settings that a run goes on with, where they differ from the earlier ones in what may differ.
/// Others are left as they are: the checkpoint refuses them, naming each.
fn keep_up(
    path: &Path,
    text: &str,
    config: &TrainConfig<NetworkConfig>,
    by_clock: bool,
) -> Result<(), Failure> {
    let earlier = std::fs::read_to_string(path).map_err(|cause| StoreError::read(path, cause))?;
    let then: TrainConfig<NetworkConfig> = toml::from_str(&earlier)
        .map_err(|cause| Failure::input(format!("{}: {cause}", path.display())))?;
    if earlier != text && then.deciding(by_clock) == config.deciding(by_clock) {
        atomic::write_bytes(path, text.as_bytes())?;
    }
    Ok(())
}
