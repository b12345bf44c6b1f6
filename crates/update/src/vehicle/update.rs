//! One update, from asking the time to the record that activates it.

use std::collections::BTreeSet;

use super::state::{State, Status};
use super::{DIRECTOR, IMAGE, bundle_path, download, holds, identity};
use crate::Error;
use crate::bundle::{Bundle, Version};
use crate::disk::{Disk, OnDisk};
use crate::tuf::{Link, Refusal, Repository, TargetFile};
use crate::uptane::{
    Ecu, Identity, Image, Installed, TimeSource, attested_time, delta_target, instruction,
};

/// Judges a bundle on this vehicle before it is activated.
pub trait Gate {
    /// Replays what the release computed; see [`crate::replay::run`].
    ///
    /// # Errors
    /// In words, why this computer should not run it.
    fn check(&mut self, ecu: &Ecu, bundle: &Bundle<'_>) -> Result<(), String>;
}

/// Where an update comes from.
pub struct Sources<'a> {
    /// Metadata of the director for this vehicle.
    pub director: Link<'a>,
    /// Metadata of the image repository.
    pub image: Link<'a>,
    /// Bundles and deltas.
    pub targets: Link<'a>,
    /// The signed time.
    pub time: &'a dyn TimeSource,
}

/// What an update may rely on here.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Version of what runs bundles.
    pub runtime: Version,
    /// Memory for a bundle, bytes.
    pub memory_bytes: u64,
    /// A number that was never used before.
    pub nonce: String,
    /// How often a release may be started before it must have been confirmed.
    pub trial_starts: u32,
    /// How many bytes of a download are written at a time.
    pub piece_bytes: usize,
}

/// What came of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// What the director wants runs already.
    UpToDate,
    /// The next start runs this, on trial.
    Activated(Installed),
    /// What the director wants failed here before.
    FailedBefore {
        /// How.
        reason: String,
    },
    /// What runs must be confirmed first: the other slot holds the last good release.
    OnTrial,
}

/// Asks both repositories and installs what they agree on; all computers' bundles or none. Whatever
/// happens, and wherever the power is cut, what ran can be started again.
///
/// # Errors
/// Each variant of [`Error`] that names what was refused; trying again is safe.
pub fn update(
    disk: &dyn Disk,
    sources: &Sources<'_>,
    terms: &Terms,
    gate: &mut dyn Gate,
) -> Result<Outcome, Error> {
    let identity = identity(disk)?;
    let mut state = State::load(disk)?;
    let (director, mut image) = refresh(disk, sources, terms)?;
    let wanted = instruction(&identity, &state.active().images, &director, &mut image)?;
    if same_contents(&wanted, &state.active().images) {
        return Ok(Outcome::UpToDate);
    }
    match (&state.active().status, &state.inactive().status) {
        (Status::Trial { .. }, _) => return Ok(Outcome::OnTrial),
        (_, Status::Failed { reason }) if same_contents(&state.inactive().images, &wanted) => {
            return Ok(Outcome::FailedBefore { reason: reason.clone() });
        }
        _ => {}
    }
    if state.clear_inactive() {
        state.store(disk)?;
    }
    let kept = |name: &str| {
        let mut images = wanted.values().chain(state.active().images.values());
        images.any(|image| name.starts_with(&image.sha256))
    };
    download::remove_others(disk, kept)?;
    let contents: BTreeSet<&Image> = wanted.values().collect();
    for wanted in contents {
        let fetcher = Fetcher { disk, sources, terms, held: &state.active().images };
        fetcher.bring(wanted, &mut image)?;
    }
    judge(disk, &identity, &wanted, terms, gate)?;
    state.activate(wanted.clone(), terms.trial_starts);
    state.store(disk)?;
    Ok(Outcome::Activated(wanted))
}

/// Whether two sets run the same bytes everywhere, whatever is said of them beside.
fn same_contents(a: &Installed, b: &Installed) -> bool {
    a.len() == b.len()
        && a.iter().all(|(id, image)| b.get(id).is_some_and(|b| b.sha256 == image.sha256))
}

/// The time, and both repositories at that time.
fn refresh<'a>(
    disk: &'a dyn Disk,
    sources: &Sources<'a>,
    terms: &Terms,
) -> Result<(Repository<'a>, Repository<'a>), Error> {
    let of = |repository: &str| {
        let repository = repository.to_owned();
        move |refusal: Refusal| Error::Metadata { repository, refusal }
    };
    let mut director =
        Repository::open(sources.director, disk, DIRECTOR).map_err(of("director"))?;
    let mut image = Repository::open(sources.image, disk, IMAGE).map_err(of("image"))?;
    // The newest root names the key that signs the time.
    director.refresh_root().map_err(of("director"))?;
    let root = director.trusted().root().body.clone();
    let now = attested_time(disk, sources.time, &terms.nonce, &root)?;
    director.refresh(now).map_err(of("director"))?;
    image.refresh_root().map_err(of("image"))?;
    image.refresh(now).map_err(of("image"))?;
    Ok((director, image))
}

struct Fetcher<'a> {
    disk: &'a dyn Disk,
    sources: &'a Sources<'a>,
    terms: &'a Terms,
    held: &'a Installed,
}

impl Fetcher<'_> {
    /// Puts an image in its place: by a delta from what is here if there is one that works, else whole.
    fn bring(&self, wanted: &Image, repository: &mut Repository<'_>) -> Result<(), Error> {
        let (disk, path) = (self.disk, bundle_path(&wanted.sha256));
        if holds(disk, &path, wanted)? {
            return Ok(());
        }
        let part = format!("bundles/{}.part", wanted.sha256);
        let consistent = repository.trusted().root().body.consistent_snapshot;
        if !self.patched(wanted, repository, &part)? {
            let target = TargetFile {
                length: wanted.bytes,
                hashes: [("sha256".to_owned(), wanted.sha256.clone())].into(),
                custom: None,
            };
            let what = (wanted.target.as_str(), &target, consistent);
            download::fetch(disk, &self.sources.targets, self.terms.piece_bytes, what, &part)?;
        }
        check_bundle(disk, &part, wanted)?;
        let place = || {
            disk.rename(&part, &path)?;
            disk.sync_directory("bundles")
        };
        place().map_err(|cause| Error::io(format!("cannot write {path}"), cause))
    }

    /// Whether a delta led to the image. Whatever is wrong with a delta, the whole bundle remains.
    fn patched(
        &self,
        wanted: &Image,
        repository: &mut Repository<'_>,
        part: &str,
    ) -> Result<bool, Error> {
        // A whole download that was begun is not thrown away.
        if self.disk.length(part).is_ok_and(|length| length.is_some_and(|length| length > 0)) {
            return Ok(false);
        }
        let held = self.held.values().filter(|held| held.product == wanted.product);
        for held in held.collect::<BTreeSet<_>>() {
            let name = delta_target(&held.sha256, &wanted.sha256);
            let Ok(Some(target)) = repository.find(&name) else { continue };
            if target.length >= wanted.bytes {
                continue;
            }
            match self.patch(held, wanted, repository, (&name, &target), part) {
                Ok(()) => return Ok(true),
                Err(error) if error.is_environment() => return Err(error),
                Err(_) => self
                    .disk
                    .remove(part)
                    .map_err(|cause| Error::io(format!("cannot remove {part}"), cause))?,
            }
        }
        Ok(false)
    }

    fn patch(
        &self,
        held: &Image,
        wanted: &Image,
        repository: &Repository<'_>,
        (name, target): (&str, &TargetFile),
        part: &str,
    ) -> Result<(), Error> {
        let (disk, piece_bytes) = (self.disk, self.terms.piece_bytes);
        let delta = format!("bundles/{}.delta", wanted.sha256);
        let consistent = repository.trusted().root().body.consistent_snapshot;
        let what = (name, target, consistent);
        download::fetch(disk, &self.sources.targets, piece_bytes, what, &delta)?;
        let old = bundle_path(&held.sha256);
        let made = download::patch(disk, (&old, &delta), wanted, part, piece_bytes);
        disk.remove(&delta).map_err(|cause| Error::io(format!("cannot remove {delta}"), cause))?;
        made
    }
}

/// A bundle that is what it says and what the image repository says of it.
fn check_bundle(disk: &dyn Disk, path: &str, wanted: &Image) -> Result<(), Error> {
    let file = OnDisk::new(disk, path);
    let bundle = Bundle::open(&file)?;
    bundle.verify_contents()?;
    let manifest = bundle.manifest();
    if manifest.name == wanted.product && manifest.release == wanted.release {
        return Ok(());
    }
    let (name, release) = (&manifest.name, manifest.release);
    let Image { target, product, release: listed, .. } = wanted;
    let problem =
        format!("{target} is {name} release {release}, but listed as {product} release {listed}");
    Err(Error::Instruction { problem })
}

fn judge(
    disk: &dyn Disk,
    identity: &Identity,
    wanted: &Installed,
    terms: &Terms,
    gate: &mut dyn Gate,
) -> Result<(), Error> {
    for ecu in &identity.ecus {
        let Some(image) = wanted.get(&ecu.id) else { continue };
        let path = bundle_path(&image.sha256);
        let file = OnDisk::new(disk, &path);
        let bundle = Bundle::open(&file)?;
        bundle.manifest().fits(&terms.runtime, &ecu.hardware, terms.memory_bytes)?;
        gate.check(ecu, &bundle)
            .map_err(|why| Error::Gate { reason: format!("{}: {why}", ecu.id) })?;
    }
    Ok(())
}
