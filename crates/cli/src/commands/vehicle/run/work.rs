//! Runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use ommatidia_onnx::engines;
use ommatidia_runtime::clock::Clock;
use ommatidia_runtime::perceive::Perceive;
use ommatidia_runtime::schedule::{self, End, Parts};
use ommatidia_runtime::source::{CameraOptions, Cameras, ClipReplay, Pace, Source};
use ommatidia_runtime::watchdog::{Heart, Watchdog};
use ommatidia_runtime::{Perceiver, Release, Settings};
use ommatidia_scene::{CameraSensor, ContentHash, Input, Provenance};
use ommatidia_store::labels::{ClipIdentity, Manifest, SpaceWriter};
use ommatidia_store::{atomic, formats, hash};

use super::RunArguments;
use super::observe::{About, Keeper, Summary};
use super::slot::{self, Slot};
use crate::args::Common;
use crate::failure::{EXIT_ENVIRONMENT, EXIT_WORSE, Failure};
use crate::{interrupt, output};

impl From<ommatidia_runtime::Error> for Failure {
    fn from(error: ommatidia_runtime::Error) -> Self {
        match error {
            ommatidia_runtime::Error::Store(error) => error.into(),
            other if other.is_environment() => Self::Environment(miette::miette!("{other}")),
            other => Self::input(other),
        }
    }
}

/// The machine's clock.
struct Machine(Instant);

impl Clock for Machine {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait_until(&self, at: Duration) {
        std::thread::sleep(at.saturating_sub(self.now()));
    }
}

pub(super) fn run(arguments: &RunArguments, common: &Common) -> Result<ExitCode, Failure> {
    ommatidia_kernels::allocator::keep_freed_memory();
    let settings = settings(arguments)?;
    if !engines::BUILT.contains(&arguments.engine.as_str()) {
        let (name, built) = (&arguments.engine, engines::BUILT.join(", "));
        return Err(Failure::input(format!(
            "--engine {name}: not in this build, which has {built}"
        )));
    }
    let clock = Arc::new(Machine(Instant::now()));
    let (mut source, identity) = source(arguments, &clock)?;
    let (release, slot) = slot::choose(arguments)?;
    let slot = slot.map(Arc::new);
    let network = network(arguments, common, &release, (&*source, &clock));
    let mut network = network.map_err(|cause| match &slot {
        Some(slot) => slot.does_not_load(cause),
        None => cause,
    })?;
    // The engine has it.
    let release = Release { network: Vec::new(), ..release };
    let about = About {
        release: release.origin.clone(),
        engine: network.engine(),
        cameras: release.cameras,
        on_trial: slot.as_ref().is_some_and(|slot| slot.on_trial()),
        confirmed: false,
        breaches: Vec::new(),
        end: None,
        reason: None,
        slot: None,
        complaints: Vec::new(),
    };
    let in_slot = arguments.slot.as_ref().map(|directory| directory.join("health.json"));
    let mut keeper = Keeper {
        slot: slot.as_deref(),
        writer: arguments.out.as_deref().map(SpaceWriter::create).transpose()?,
        written: Vec::new(),
        health: arguments.health.clone().or(in_slot),
        about,
        most_frames: arguments.frames,
        most_seconds: arguments.seconds,
    };
    let heart = Arc::new(Heart::default());
    let began = clock.now();
    let _resumable = interrupt::Resumable::begin();
    let watch = HangWatch::start(&heart, &clock, &settings, slot.clone());
    let (end, health) = schedule::run(Parts {
        source: &mut *source,
        network: &mut network as &mut dyn Perceive,
        watchdog: Watchdog::new(&settings, release.reference.clone()),
        heart: &heart,
        clock: &*clock,
        settings: &settings,
        observer: &mut keeper,
    })?;
    drop(watch);
    let ran = clock.now().saturating_sub(began);
    let code = close(&mut keeper, &end, slot.as_deref());
    if !matches!(end, End::Finished | End::Stopped) {
        keeper.about.complaints = source.complaints();
    }
    if let Some(path) = &arguments.record_reference {
        atomic::write_json(path, &health.outputs().to_reference())?;
    }
    if let Some(writer) = keeper.writer.take() {
        let written = std::mem::take(&mut keeper.written);
        finish(writer, identity, &release, &settings, (source.rig(), written))?;
    }
    let summary = keeper.summary(ran, &health);
    if let Some(path) = &keeper.health {
        atomic::write_json(path, &summary)?;
    }
    output::print(common, &summary, || describe(&summary))?;
    Ok(ExitCode::from(code))
}

fn settings(arguments: &RunArguments) -> Result<Settings, Failure> {
    let mut settings = match &arguments.settings {
        Some(path) => Settings::read(path)?,
        None => Settings::default(),
    };
    settings.rate_hz = arguments.rate.or(settings.rate_hz);
    settings.budget_ms = arguments.budget.unwrap_or(settings.budget_ms);
    settings.check().map_err(Failure::input)?;
    Ok(settings)
}

fn source(
    arguments: &RunArguments,
    clock: &Arc<Machine>,
) -> Result<(Box<dyn Source>, ClipIdentity), Failure> {
    let Some(path) = &arguments.clip else {
        return cameras(arguments, clock);
    };
    let pace = if arguments.as_fast_as_possible { Pace::Asked } else { Pace::Recorded };
    let replay = ClipReplay::open(path, pace, arguments.rounds)?;
    let identity = replay.identity();
    Ok((Box::new(replay), identity))
}

/// Cameras as they deliver.
fn cameras(
    arguments: &RunArguments,
    clock: &Arc<Machine>,
) -> Result<(Box<dyn Source>, ClipIdentity), Failure> {
    let path = arguments.rig.as_deref().unwrap_or(Path::new("rig.toml"));
    let rig = formats::read_rig(path)?;
    let mut inputs = BTreeMap::new();
    for text in &arguments.camera {
        let (name, input) = text.split_once('=').unwrap_or((text, ""));
        if input.is_empty() || rig.camera_index(name).is_none() {
            let names: Vec<&str> = rig.cameras.iter().map(|camera| camera.name.as_str()).collect();
            return Err(Failure::input(format!(
                "--camera {text}: give NAME=INPUT for a camera of the rig: {}",
                names.join(", ")
            )));
        }
        inputs.insert(name, input.to_owned());
    }
    let input = |camera: &CameraSensor| {
        inputs.get(camera.name.as_str()).cloned().ok_or_else(|| {
            Failure::input(format!("--camera: the rig's camera {} has no input", camera.name))
        })
    };
    let inputs = rig.cameras.iter().map(input).collect::<Result<Vec<_>, _>>()?;
    let described = serde_json::to_vec(&rig).map_err(Failure::input)?;
    let identity =
        ClipIdentity { id: "cameras".to_owned(), content_hash: hash::of_bytes(&described) };
    let clock: Arc<dyn Clock + Send + Sync> = Arc::<Machine>::clone(clock);
    let cameras = Cameras::open(rig, &inputs, &CameraOptions::default(), &clock)?;
    Ok((Box::new(cameras), identity))
}

/// The release in its engine, if it fits the cameras.
fn network(
    arguments: &RunArguments,
    common: &Common,
    release: &Release,
    (source, clock): (&dyn Source, &Machine),
) -> Result<Perceiver, Failure> {
    let rig = source.rig();
    if rig.cameras.len() != release.cameras {
        return Err(Failure::input(format!(
            "{} is of {} cameras, and the rig has {}",
            release.origin,
            release.cameras,
            rig.cameras.len()
        )));
    }
    if let Some(contract) = &release.calibration {
        contract.check(rig)?;
    }
    let threads = common.threads.unwrap_or(0);
    let engine = engines::load(&arguments.engine, &release.network, threads)?;
    let mut network = Perceiver::new(release, engine)?;
    network.warm_up(rig, clock)?;
    Ok(network)
}

/// What became of the run, and the process's exit code.
fn close(keeper: &mut Keeper<'_>, end: &End, slot: Option<&Slot>) -> u8 {
    let (word, reason, code) = match end {
        End::Finished => ("finished", None, 0),
        End::Stopped => ("stopped", None, 0),
        End::Silent(seconds) => {
            ("silent", Some(format!("no frame came for {seconds:.1} s")), EXIT_ENVIRONMENT)
        }
        End::Breach(breach) => ("breach", Some(breach.to_string()), EXIT_WORSE),
    };
    if let (End::Breach(breach), Some(slot)) = (end, slot) {
        keeper.about.slot = Some(slot.fail(&breach.to_string()));
    }
    keeper.about.end = Some(word);
    keeper.about.reason = reason;
    code
}

fn finish(
    writer: SpaceWriter,
    identity: ClipIdentity,
    release: &Release,
    settings: &Settings,
    (rig, frames): (&ommatidia_scene::Rig, Vec<ommatidia_geometry::Timestamp>),
) -> Result<(), Failure> {
    let clip = Input { name: format!("clip {}", identity.id), blake3: identity.content_hash };
    let mut both = identity.content_hash.0.to_vec();
    both.extend(release.identity.blake3.0);
    let key: ContentHash = hash::of_bytes(&both);
    let chosen = serde_json::to_value(settings).map_err(Failure::input)?;
    let provenance = Provenance::new(vec![clip, release.identity.clone()], chosen);
    let mut manifest = Manifest::new(identity, provenance, release.taxonomy.clone(), rig.clone());
    manifest.frames = frames;
    Ok(writer.finish(manifest, "network", key)?)
}

/// Watches from a thread of its own for a frame that stays in the network: gives the slot up and ends the
/// process, as nothing else can end an engine that hangs.
struct HangWatch(Option<(Sender<()>, std::thread::JoinHandle<()>)>);

impl HangWatch {
    fn start(
        heart: &Arc<Heart>,
        clock: &Arc<Machine>,
        settings: &Settings,
        slot: Option<Arc<Slot>>,
    ) -> Self {
        const LOOK: Duration = Duration::from_millis(100);
        let Some(slot) = slot else { return Self(None) };
        let (heart, clock, settings) = (Arc::clone(heart), Arc::clone(clock), settings.clone());
        let (end, ended) = mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if let Some(breach) = heart.hangs(clock.now(), &settings) {
                    let told = slot.fail(&breach.to_string());
                    eprintln!("{breach}; {told}");
                    std::process::exit(i32::from(EXIT_WORSE));
                }
            }
        });
        Self(Some((end, watch)))
    }
}

impl Drop for HangWatch {
    fn drop(&mut self) {
        if let Some((end, watch)) = self.0.take() {
            drop(end);
            // It looks for a hang and nothing else; if it panicked, the run ended well without it.
            let _ = watch.join();
        }
    }
}

fn describe(summary: &Summary<'_>) -> String {
    let (about, report) = (summary.about, &summary.report);
    let mut text = format!(
        "{} in {}, {} cameras: {} of {} frames in {:.1} s, {:.2} per s\n",
        about.release,
        about.engine,
        about.cameras,
        report.out,
        report.arrived,
        report.seconds,
        report.out_per_s
    );
    let latency = &report.latency_ms;
    text += &format!(
        "latency p50 {:.1}, p90 {:.1}, p99 {:.1}, most {:.1} ms; {} late\n",
        latency.p50, latency.p90, latency.p99, latency.max, report.late
    );
    for (part, times) in &report.parts_ms {
        text += &format!("  {part} p50 {:.1}, p99 {:.1} ms\n", times.p50, times.p99);
    }
    for (why, count) in &report.dropped {
        text += &format!("dropped {count}: {why}\n");
    }
    text += &output::skipped(&report.skipped);
    for breach in &about.breaches {
        text += &format!("{breach}\n");
    }
    if let Some(bytes) = summary.memory_peak_bytes {
        text += &format!("at most {} MiB of memory\n", bytes >> 20);
    }
    if about.confirmed {
        text += "confirmed: what runs is now the last good release\n";
    }
    let reason = about
        .reason
        .iter()
        .chain(&about.slot)
        .chain(&about.complaints)
        .map(|line| format!("{line}\n"));
    text + &reason.collect::<String>()
}
