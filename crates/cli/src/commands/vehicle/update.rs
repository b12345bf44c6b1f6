//! `omma vehicle update DIR`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use clap::Args;
use ommatidia_update::Error;
use ommatidia_update::bundle::Bundle;
use ommatidia_update::disk::RealDisk;
use ommatidia_update::http::Http;
use ommatidia_update::publish;
use ommatidia_update::tuf::editor::{self, Edition};
use ommatidia_update::tuf::{KeyPair, Link, Transport, Watch};
use ommatidia_update::uptane::{Attestation, Ecu, TimeSource};
use ommatidia_update::vehicle::{self, Gate, Outcome, Sources, Terms};
use serde_json::json;

use crate::args::Common;
use crate::commands::bundle::{now, read_key};
use crate::failure::{EXIT_WORSE, Failure};
use crate::output;

/// Ask both repositories, and install what they agree on
#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    /// The vehicle's directory
    vehicle: PathBuf,
    /// The director's repository for this vehicle: an address (metadata/ is below it) or a directory
    #[arg(long, value_name = "URL|DIR")]
    director: String,
    /// The image repository: an address (metadata/ and targets/ are below it) or a directory
    #[arg(long, value_name = "URL|DIR")]
    image: String,
    /// The time server: a nonce is put behind this address
    #[arg(long, value_name = "URL", required_unless_present = "time_key")]
    time: Option<String>,
    /// Instead of a time server, for trials: secret key of the role time, and this machine's clock
    #[arg(long, value_name = "KEY", conflicts_with = "time")]
    time_key: Option<PathBuf>,
    /// What judges a bundle before activation: builtin, which replays its cases in --engine, or a program that is
    /// called with a computer's name and a folder with the bundle's files, and lets it through by exit code 0
    #[arg(long, value_name = "builtin|PROGRAM", required_unless_present = "no_gate")]
    gate: Option<PathBuf>,
    /// Engine of the built-in gate: the one that is to run the network
    #[arg(long, value_name = "NAME", default_value = "rten")]
    engine: String,
    /// Activate without a replay gate
    #[arg(long, conflicts_with = "gate")]
    no_gate: bool,
    /// Memory for a bundle, bytes; all that this machine has if not said
    #[arg(long, value_name = "BYTES")]
    memory: Option<u64>,
    /// How often a release may be started before it must have been confirmed
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    trial_starts: u32,
}

struct Stopwatch(Instant);

impl Watch for Stopwatch {
    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Slowest mean rate of a download, bytes/s: a bundle of 20 MB in less than a day.
const SLOWEST_BYTES_PER_S: u64 = 256;
const PATIENCE_S: u64 = 60;
const PIECE_BYTES: usize = 1 << 20;
const MAX_TIME_BYTES: u64 = 64 << 10;

pub(super) fn run(arguments: &UpdateArguments, common: &Common) -> Result<ExitCode, Failure> {
    let disk = RealDisk::new(&arguments.vehicle);
    let (director, image) = (RealDisk::new(&arguments.director), RealDisk::new(&arguments.image));
    let director = source(&arguments.director, &director, "metadata");
    let metadata = source(&arguments.image, &image, "metadata");
    let targets = source(&arguments.image, &image, "targets");
    let watch = Stopwatch(Instant::now());
    let link = |transport| Link {
        transport,
        watch: &watch,
        slowest_bytes_per_s: SLOWEST_BYTES_PER_S,
        patience_s: PATIENCE_S,
    };
    let server;
    let time: &dyn TimeSource = match (&arguments.time, &arguments.time_key) {
        (_, Some(path)) => {
            server = Time::Clock(read_key(path)?);
            &server
        }
        (address, None) => {
            server = Time::Server(Http::new(address.as_deref().unwrap_or_default()));
            &server
        }
    };
    let (director, image, targets) = (link(&*director), link(&*metadata), link(&*targets));
    let sources = Sources { director, image, targets, time };
    let mut gate = gate(arguments, &disk, common)?;
    let outcome = vehicle::update(&disk, &sources, &terms(arguments)?, &mut *gate);
    report(outcome, common)
}

fn gate(
    arguments: &UpdateArguments,
    disk: &RealDisk,
    common: &Common,
) -> Result<Box<dyn Gate>, Failure> {
    if arguments.gate.as_ref().is_some_and(|gate| gate.as_os_str() == "builtin") {
        return super::gate::built_in(&arguments.engine, common);
    }
    Ok(Box::new(ProgramGate { program: arguments.gate.clone(), folder: disk.path("gate") }))
}

fn terms(arguments: &UpdateArguments) -> Result<Terms, Failure> {
    // A key nobody has seen makes a number nobody has used.
    let nonce = KeyPair::generate()?.id();
    let memory_bytes = arguments.memory.map_or_else(machine_memory, Ok)?;
    Ok(Terms {
        runtime: super::runtime(),
        memory_bytes,
        nonce,
        trial_starts: arguments.trial_starts,
        piece_bytes: PIECE_BYTES,
    })
}

/// What Linux says of this machine's memory, bytes.
fn machine_memory() -> Result<u64, Failure> {
    let said = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = said.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| {
        Failure::Environment(miette::miette!(
            "this machine does not say how much memory it has; give --memory"
        ))
    })
}

fn source<'a>(place: &str, disk: &'a RealDisk, part: &'a str) -> Box<dyn Transport + 'a> {
    if place.starts_with("http://") || place.starts_with("https://") {
        return Box::new(Http::new(&format!("{}/{part}", place.trim_end_matches('/'))));
    }
    Box::new(publish::Directory { disk, part })
}

enum Time {
    Server(Http),
    Clock(KeyPair),
}

impl TimeSource for Time {
    fn attest(&self, nonce: &str) -> Result<Vec<u8>, String> {
        match self {
            Self::Server(server) => {
                let watch = Stopwatch(Instant::now());
                let link = Link {
                    transport: server,
                    watch: &watch,
                    slowest_bytes_per_s: SLOWEST_BYTES_PER_S,
                    patience_s: PATIENCE_S,
                };
                link.fetch(nonce, MAX_TIME_BYTES).map_err(|why| why.to_string())
            }
            Self::Clock(key) => {
                let time = now().map_err(|_| "this machine's clock is not set".to_owned())?;
                let edition = Edition { version: 1, expires: time.plus_days(1) };
                let body = Attestation { time, nonces: vec![nonce.to_owned()] };
                let bytes = editor::unsigned("time", edition, &body);
                editor::sign(&bytes, key).map_err(|refusal| refusal.to_string())
            }
        }
    }
}

/// Asks a program, or lets everything through where there is none.
struct ProgramGate {
    program: Option<PathBuf>,
    folder: PathBuf,
}

impl Gate for ProgramGate {
    fn check(&mut self, ecu: &Ecu, bundle: &Bundle<'_>) -> Result<(), Error> {
        let Some(program) = &self.program else { return Ok(()) };
        clear(&self.folder)?;
        crate::commands::bundle::extract(bundle, &self.folder).map_err(|failure| {
            let what = format!("cannot unpack the bundle to {}", self.folder.display());
            Error::Io { what, cause: std::io::Error::other(failure.message()) }
        })?;
        let status = Command::new(program)
            .arg(&ecu.id)
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .map_err(|cause| Error::Io {
                what: format!("cannot run {}", program.display()),
                cause,
            })?;
        clear(&self.folder)?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Gate { reason: format!("{} ended with {status}", program.display()) })
        }
    }
}

fn clear(folder: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { what: format!("cannot remove {}", folder.display()), cause })
        }
        _ => Ok(()),
    }
}

/// A refusal is a failed comparison; only the machine's own failures are another thing.
fn report(outcome: Result<Outcome, Error>, common: &Common) -> Result<ExitCode, Failure> {
    let (word, text, images) = match outcome {
        Ok(Outcome::UpToDate) => {
            ("up_to_date", "what the director wants runs already".to_owned(), None)
        }
        Ok(Outcome::Activated(images)) => {
            ("activated", "the next start runs the new release, on trial".to_owned(), Some(images))
        }
        Ok(Outcome::Repaired) => {
            ("repaired", "what the disk had lost was fetched again".to_owned(), None)
        }
        Ok(Outcome::Returned { reason }) => {
            ("returned", format!("the next start runs the last good release: {reason}"), None)
        }
        Ok(Outcome::FailedBefore { reason }) => {
            ("failed_before", format!("what the director wants failed here before: {reason}"), None)
        }
        Ok(Outcome::OnTrial) => {
            ("on_trial", "what runs is on trial; confirm it or let it fail first".to_owned(), None)
        }
        Err(error) if error.is_environment() => return Err(error.into()),
        Err(error @ (Error::State { .. } | Error::Plan { .. })) => return Err(error.into()),
        Err(error) => ("refused", error.to_string(), None),
    };
    let result = json!({ "outcome": word, "message": text, "images": images });
    let code = output::print(common, &result, || text.clone())?;
    Ok(if matches!(word, "refused" | "failed_before") { ExitCode::from(EXIT_WORSE) } else { code })
}
