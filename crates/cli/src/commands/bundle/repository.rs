//! `omma bundle root|targets|publish REPOSITORY`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use ommatidia_update::bundle::Bundle;
use ommatidia_update::disk::RealDisk;
use ommatidia_update::publish::{self, Assignment, Change, STAGED_ROOT, STAGED_TARGETS};
use ommatidia_update::tuf::{TargetFile, UtcTime};
use ommatidia_update::uptane::{DirectorCustom, ImageCustom, delta_target};
use ommatidia_update::vehicle::sha256_of;
use ommatidia_update::{Error, delta};
use serde_json::json;

use super::Expiry;
use super::signing::{read_key, read_public};
use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// Stage a repository's next root: who signs for which role
#[derive(Debug, Args)]
pub(crate) struct RootArguments {
    /// The repository's directory
    repository: PathBuf,
    /// Keys of a role and how many of them must sign: root=2:a.pub,b.pub,c.pub; 1 if not said
    #[arg(long, value_name = "ROLE=[N:]KEY.pub,…")]
    role: Vec<String>,
    #[command(flatten)]
    expiry: Expiry,
}

/// Stage a repository's next targets: bundles and deltas of an image repository, or one vehicle's instruction
#[derive(Debug, Args)]
pub(crate) struct TargetsArguments {
    /// The repository's directory
    repository: PathBuf,
    /// Bundles to store and list
    #[arg(long, value_name = "FILE.omma")]
    add: Vec<PathBuf>,
    /// Earlier bundles from which to store deltas to each of --add of the same name
    #[arg(long, value_name = "FILE.omma", requires = "add")]
    delta_from: Vec<PathBuf>,
    /// In a director's repository: the vehicle that it instructs
    #[arg(long, value_name = "NAME")]
    vehicle: Option<String>,
    /// In a director's repository: what a computer is to run, front=camvid-7.omma; replaces what was said before
    #[arg(long, value_name = "ECU=TARGET", requires = "images")]
    assign: Vec<String>,
    /// In a director's repository: what the vehicle must not run any more, camvid-7.omma; if it does, it
    /// returns to its own last good release
    #[arg(long, value_name = "TARGET", requires = "images")]
    revoke: Vec<String>,
    /// The image repository that lists what is assigned or revoked
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    #[command(flatten)]
    expiry: Expiry,
}

/// Publish what is staged and signed, with a new snapshot and timestamp
#[derive(Debug, Args)]
pub(crate) struct PublishArguments {
    /// The repository's directory
    repository: PathBuf,
    /// Secret keys of the roles snapshot and timestamp
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<PathBuf>,
    #[command(flatten)]
    expiry: Expiry,
}

pub(super) fn root(arguments: &RootArguments, common: &Common) -> Result<ExitCode, Failure> {
    let roles =
        arguments.role.iter().map(|text| assignment(text)).collect::<Result<Vec<_>, _>>()?;
    let disk = RealDisk::new(&arguments.repository);
    let expires = arguments.expiry.time(365)?;
    let version = publish::stage_root(&disk, &roles, expires)?;
    staged(disk.path(STAGED_ROOT), version, expires, common)
}

fn staged(
    path: PathBuf,
    version: u64,
    expires: UtcTime,
    common: &Common,
) -> Result<ExitCode, Failure> {
    let result = json!({ "staged": path, "version": version, "expires": expires });
    output::print(common, &result, || {
        format!("{}: version {version} until {expires}; sign it, then publish", path.display())
    })
}

fn assignment(text: &str) -> Result<Assignment, Failure> {
    let usage =
        || Failure::input(format!("--role {text}: give ROLE=KEY.pub,… or ROLE=N:KEY.pub,…"));
    let (role, keys) = text.split_once('=').ok_or_else(usage)?;
    let counted = keys.split_once(':').and_then(|(count, keys)| Some((count.parse().ok()?, keys)));
    let (threshold, keys) = counted.unwrap_or((1, keys));
    if !["root", "targets", "snapshot", "timestamp", "time"].contains(&role) {
        return Err(Failure::input(format!(
            "--role {text}: there is no role {role}; it is root, targets, snapshot, timestamp or time"
        )));
    }
    let keys =
        keys.split(',').map(|path| read_public(Path::new(path))).collect::<Result<_, _>>()?;
    Ok(Assignment { role: role.to_owned(), keys, threshold })
}

pub(super) fn targets(arguments: &TargetsArguments, common: &Common) -> Result<ExitCode, Failure> {
    let disk = RealDisk::new(&arguments.repository);
    let expires = arguments.expiry.time(90)?;
    let mut add = BTreeMap::new();
    for path in &arguments.add {
        add_bundle(&disk, path, &mut add)?;
        for old in &arguments.delta_from {
            add_delta(&disk, (old, path), &mut add)?;
        }
    }
    let revoke = direct(arguments, &mut add)?;
    let (clear, vehicle) = (!arguments.assign.is_empty(), arguments.vehicle.clone());
    let change = Change { add, clear, vehicle, revoke };
    let version = publish::stage_targets(&disk, change, expires)?;
    staged(disk.path(STAGED_TARGETS), version, expires, common)
}

fn add_bundle(
    disk: &RealDisk,
    path: &Path,
    add: &mut BTreeMap<String, TargetFile>,
) -> Result<(), Failure> {
    let file = super::open(path)?;
    let bundle = Bundle::open(&file)?;
    bundle.verify_contents()?;
    let manifest = bundle.manifest();
    manifest.releasable()?;
    let custom = ImageCustom::of(manifest);
    let name = format!("{}-{}.omma", manifest.name, manifest.release);
    let custom = serde_json::to_value(custom).map_err(Failure::input)?;
    let target = publish::store_target(disk, &name, &file, Some(custom))?;
    add.insert(name, target);
    Ok(())
}

fn add_delta(
    disk: &RealDisk,
    (old, new): (&Path, &Path),
    add: &mut BTreeMap<String, TargetFile>,
) -> Result<(), Failure> {
    let (old, new) = (super::open(old)?, super::open(new)?);
    let (before, after) = (Bundle::open(&old)?, Bundle::open(&new)?);
    if before.manifest().name != after.manifest().name {
        return Ok(());
    }
    let mut bytes = Vec::new();
    delta::create(&old, &new, delta::Methods::default(), &mut bytes)?;
    let hash = |file| {
        sha256_of(file).map_err(|cause| Failure::input(format!("cannot read a bundle: {cause}")))
    };
    let name = delta_target(&hash(&old)?, &hash(&new)?);
    let target = publish::store_target(disk, &name, &bytes, None)?;
    add.insert(name, target);
    Ok(())
}

/// Lists each assigned image as the image repository does, with the computers that are to run it; the
/// contents of what is revoked.
fn direct(
    arguments: &TargetsArguments,
    add: &mut BTreeMap<String, TargetFile>,
) -> Result<Vec<String>, Failure> {
    let Some(images) = &arguments.images else { return Ok(Vec::new()) };
    let listed = publish::targets(&RealDisk::new(images))?.map(|targets| targets.targets);
    let listed = listed.unwrap_or_default();
    let find = |name: &str| {
        listed.get(name).cloned().ok_or_else(|| {
            let known: Vec<_> =
                listed.keys().filter(|name| name.ends_with(".omma")).cloned().collect();
            let (images, known) = (images.display(), known.join(", "));
            Failure::input(format!("{images} has no {name}; it has {known}"))
        })
    };
    let mut ecus: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for text in &arguments.assign {
        let (ecu, target) = text
            .split_once('=')
            .ok_or_else(|| Failure::input(format!("--assign {text}: give ECU=TARGET")))?;
        ecus.entry(target).or_default().push(ecu.to_owned());
    }
    for (name, ecus) in ecus {
        let mut target = find(name)?;
        let custom = serde_json::to_value(DirectorCustom::new(ecus)).map_err(Failure::input)?;
        target.custom = Some(custom);
        add.insert(name.to_owned(), target);
    }
    let sha256 = |name: &String| {
        let sha256 = find(name)?.hashes.remove("sha256");
        sha256.ok_or_else(|| Failure::input(format!("{name} is listed without its SHA-256")))
    };
    arguments.revoke.iter().map(sha256).collect()
}

pub(super) fn publish(arguments: &PublishArguments, common: &Common) -> Result<ExitCode, Failure> {
    let keys = arguments.key.iter().map(|path| read_key(path)).collect::<Result<Vec<_>, _>>()?;
    let disk = RealDisk::new(&arguments.repository);
    let expires = arguments.expiry.time(7)?;
    let published = publish::publish(&disk, &keys, super::now()?, expires)?;
    for (role, end) in &published.expiring {
        tracing::warn!(
            "the {role} expires at {end}, before this timestamp does: sign a new one by then"
        );
    }
    let result = json!({
        "repository": arguments.repository,
        "root": published.root,
        "targets": published.targets,
        "snapshot": published.snapshot,
        "timestamp": published.timestamp,
        "expires": expires,
        "expiring": published.expiring.iter().map(|(role, _)| role).collect::<Vec<_>>(),
    });
    output::print(common, &result, || {
        format!(
            "published root {}, targets {}, snapshot {}, timestamp {} until {expires}",
            published.root, published.targets, published.snapshot, published.timestamp
        )
    })
}

/// What this machine's clock says.
pub(crate) fn now() -> Result<UtcTime, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.ok().and_then(|since| i64::try_from(since.as_secs()).ok());
    seconds.map(UtcTime).ok_or_else(|| {
        Failure::Environment(miette::miette!(
            "this machine's clock says a time before 1970; set it"
        ))
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.is_environment() {
            return Self::Environment(miette::miette!("{error}"));
        }
        Self::input(error)
    }
}
