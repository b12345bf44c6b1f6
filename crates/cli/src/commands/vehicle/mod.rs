//! `omma vehicle`: what a vehicle's computer runs to update itself.

mod gate;
mod run;
mod update;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ommatidia_update::bundle::{Bundle, Version};
use ommatidia_update::disk::{self, RealDisk};
use ommatidia_update::uptane::{Ecu, Identity, Image, Installed};
use ommatidia_update::vehicle::{self, Slot, State, Status, sha256_of};
use serde_json::{Value, json};

use crate::args::Common;
use crate::commands::bundle::open;
use crate::failure::Failure;
use crate::output;

/// Update a vehicle and look after what it runs
#[derive(Debug, Args)]
pub(crate) struct VehicleArguments {
    #[command(subcommand)]
    command: VehicleCommand,
}

#[derive(Debug, Subcommand)]
enum VehicleCommand {
    Provision(ProvisionArguments),
    Update(update::UpdateArguments),
    Gate(gate::GateArguments),
    Run(run::RunArguments),
    /// Decide what runs now, before anything does; counts a trial down
    Start(Directory),
    /// Keep what runs, after a good run
    Confirm(Directory),
    Fail(FailArguments),
    /// Show both slots
    Status(Directory),
}

#[derive(Debug, Args)]
struct Directory {
    /// The vehicle's directory
    vehicle: PathBuf,
}

/// Give a vehicle its name, whom it trusts, and what it runs first
#[derive(Debug, Args)]
struct ProvisionArguments {
    /// The vehicle's directory
    vehicle: PathBuf,
    /// Its name in the fleet
    #[arg(long)]
    name: String,
    /// A computer of it, the kind of its hardware, and the bundle it runs first
    #[arg(long, value_name = "ECU:HARDWARE=FILE.omma", required = true)]
    ecu: Vec<String>,
    /// Root of the director's repository
    #[arg(long, value_name = "ROOT.json")]
    director_root: PathBuf,
    /// Root of the image repository
    #[arg(long, value_name = "ROOT.json")]
    image_root: PathBuf,
}

/// Return to the last good release
#[derive(Debug, Args)]
struct FailArguments {
    /// The vehicle's directory
    vehicle: PathBuf,
    /// What happened
    #[arg(long)]
    reason: String,
}

pub(crate) fn run(arguments: &VehicleArguments, common: &Common) -> Result<ExitCode, Failure> {
    match &arguments.command {
        VehicleCommand::Provision(arguments) => provision(arguments, common),
        VehicleCommand::Update(arguments) => update::run(arguments, common),
        VehicleCommand::Gate(arguments) => gate::run(arguments, common),
        VehicleCommand::Run(arguments) => run::run(arguments, common),
        VehicleCommand::Start(arguments) => start(arguments, common),
        VehicleCommand::Confirm(arguments) => {
            let changed = vehicle::confirm(&RealDisk::new(&arguments.vehicle))?;
            output::print(common, &json!({ "confirmed": changed }), || match changed {
                true => "what runs is now the last good release".to_owned(),
                false => "nothing that was started is on trial".to_owned(),
            })
        }
        VehicleCommand::Fail(arguments) => {
            let disk = RealDisk::new(&arguments.vehicle);
            vehicle::report_failure(&disk, &arguments.reason)?;
            status(&disk, common)
        }
        VehicleCommand::Status(arguments) => status(&RealDisk::new(&arguments.vehicle), common),
    }
}

/// What a build without engines says.
#[cfg(not(feature = "export"))]
fn without_engines() -> Failure {
    Failure::Environment(miette::miette!(
        "this omma was built without engines; build it with `cargo build --release --features export`"
    ))
}

fn provision(arguments: &ProvisionArguments, common: &Common) -> Result<ExitCode, Failure> {
    let disk = RealDisk::new(&arguments.vehicle);
    let (mut ecus, mut bundles, mut images) = (Vec::new(), Vec::new(), Installed::new());
    for text in &arguments.ecu {
        let (names, path) = text.split_once('=').unwrap_or((text, ""));
        let Some((id, hardware)) = names.split_once(':') else {
            return Err(Failure::input(format!("--ecu {text}: give ECU:HARDWARE=FILE.omma")));
        };
        ecus.push(Ecu { id: id.to_owned(), hardware: hardware.to_owned() });
        bundles.push((id, hardware, path));
    }
    let identity = Identity { vehicle: arguments.name.clone(), ecus };
    identity.check()?;
    for (id, hardware, path) in bundles {
        images.insert(id.to_owned(), place(&disk, path, hardware)?);
    }
    let read = |path: &PathBuf| {
        std::fs::read(path)
            .map_err(|cause| Failure::input(format!("cannot read {}: {cause}", path.display())))
    };
    let (director, image) = (read(&arguments.director_root)?, read(&arguments.image_root)?);
    vehicle::provision(&disk, &identity, &director, &image, &images)?;
    status(&disk, common)
}

/// The version of this program, as bundles ask for it.
fn runtime() -> Version {
    env!("CARGO_PKG_VERSION").parse().expect("the program has a version")
}

/// Copies a bundle to where the vehicle keeps them, if it is for that hardware.
fn place(disk: &RealDisk, path: &str, hardware: &str) -> Result<Image, Failure> {
    let file = open(path.as_ref())?;
    let bundle = Bundle::open(&file)?;
    bundle.verify_contents()?;
    // How much memory the vehicle has is not known here.
    let fits = bundle.manifest().fits(&runtime(), hardware, u64::MAX);
    fits.map_err(|why| Failure::input(format!("{path}: {why}")))?;
    let unreadable = |cause| Failure::input(format!("cannot read {path}: {cause}"));
    let sha256 = sha256_of(&file).map_err(unreadable)?;
    let bytes = std::fs::read(path).map_err(unreadable)?;
    disk::replace(disk, &vehicle::bundle_path(&sha256), &bytes)?;
    let manifest = bundle.manifest();
    Ok(Image {
        target: format!("{}-{}.omma", manifest.name, manifest.release),
        product: manifest.name.clone(),
        release: manifest.release,
        sha256,
        bytes: bytes.len() as u64,
        needs: manifest.needs.clone(),
    })
}

fn start(arguments: &Directory, common: &Common) -> Result<ExitCode, Failure> {
    let disk = RealDisk::new(&arguments.vehicle);
    let started = vehicle::start(&disk)?;
    let paths = started
        .images
        .iter()
        .map(|(ecu, image)| (ecu.clone(), json!(disk.path(&vehicle::bundle_path(&image.sha256)))));
    let bundles: serde_json::Map<String, Value> = paths.collect();
    let result = json!({
        "bundles": bundles, "on_trial": started.on_trial, "returned": started.returned,
        "last_resort": started.last_resort, "unrecorded": started.unrecorded, "images": started.images,
    });
    output::print(common, &result, || {
        let mut text = String::new();
        for (ecu, path) in &bundles {
            text += &format!("{ecu} {}\n", path.as_str().unwrap_or("?"));
        }
        if let Some(reason) = &started.returned {
            text += &format!("returned to the other release: {reason}\n");
        }
        if started.last_resort {
            text += "it failed before; nothing better is left\n";
        }
        if let Some(why) = &started.unrecorded {
            text += &format!("this start was not written down: {why}\n");
        }
        text + if started.on_trial { "on trial: confirm after a good run\n" } else { "" }
    })
}

pub(super) fn status(disk: &RealDisk, common: &Common) -> Result<ExitCode, Failure> {
    let (identity, state) = (vehicle::identity(disk)?, State::load(disk)?);
    let result = json!({
        "vehicle": identity.vehicle,
        "ecus": identity.ecus,
        "active": state.active(),
        "inactive": state.inactive(),
    });
    output::print(common, &result, || {
        let show = |name: &str, slot: &Slot| {
            let images = slot.images.iter().map(|(ecu, image)| {
                format!("  {ecu}: {} release {}, {}\n", image.product, image.release, image.sha256)
            });
            format!("{name}: {}\n{}", in_words(&slot.status), images.collect::<String>())
        };
        format!(
            "{}\n{}{}",
            identity.vehicle,
            show("active", state.active()),
            show("other slot", state.inactive())
        )
    })
}

/// How far a slot is to be believed.
fn in_words(status: &Status) -> String {
    match status {
        Status::Empty => "empty".to_owned(),
        Status::Good => "good".to_owned(),
        Status::Trial { starts_left, started } => {
            let so_far = if *started { "started" } else { "not started yet" };
            format!("on trial, {so_far}, {starts_left} starts left")
        }
        Status::Failed { reason } => format!("failed: {reason}"),
        Status::Damaged => "damaged; the next update fetches it again".to_owned(),
    }
}
