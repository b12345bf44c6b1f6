//! One update, from asking the time to the record that activates it.

use std::collections::BTreeSet;

use super::state::{State, Status};
use super::{
    DIRECTOR, IMAGE, UPDATE_LOCK, bundle_path, download, hold, holds, identity,
    return_from_revoked, revoked_of, usable,
};
use crate::Error;
use crate::bundle::{Bundle, Version};
use crate::disk::{Disk, OnDisk};
use crate::tuf::{Link, Refusal, Repository, TargetFile, UtcTime};
use crate::uptane::{
    Ecu, Held, Identity, Image, Installed, TimeSource, attested_time, delta_target, instruction,
    orders,
};

/// Judges a bundle on this vehicle before it is activated.
pub trait Gate {
    /// Replays what the release computed; see [`crate::replay::run`].
    ///
    /// # Errors
    /// [`Error::Gate`] with why this computer should not run it; any other error if that could not be found
    /// out.
    fn check(&mut self, ecu: &Ecu, bundle: &Bundle<'_>) -> Result<(), Error>;
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
    /// What the director wants runs already, and lacked a part on the disk, which was fetched again.
    Repaired,
    /// The next start runs the last good release: the director revoked what was active.
    Returned {
        /// What it revoked.
        reason: String,
    },
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
    let _alone = hold(disk, UPDATE_LOCK, false)?;
    let (director, now) = refreshed_director(disk, sources, terms)?;
    let revoked = &orders(&identity, &director)?.revoked;
    if let Some(reason) = return_from_revoked(disk, revoked)? {
        return Ok(Outcome::Returned { reason });
    }
    let mut image = refreshed(disk, sources.image, IMAGE, now)?;
    // Read when all answers are in: it may have changed while they were waited for.
    let mut state = State::load(disk)?;
    let held = Held { active: &state.active().images, highest: state.highest() };
    let wanted = instruction(&identity, held, &director, &mut image)?;
    if same_contents(&wanted, &state.active().images) {
        return repair(disk, sources, terms, &state, &mut image);
    }
    match (&state.active().status, &state.inactive().status) {
        // Revoked and with nowhere to return to, it is not worth waiting for.
        (Status::Trial { .. }, _) if revoked_of(&state.active().images, revoked).is_none() => {
            return Ok(Outcome::OnTrial);
        }
        (_, Status::Failed { reason }) if same_contents(&state.inactive().images, &wanted) => {
            return Ok(Outcome::FailedBefore { reason: reason.clone() });
        }
        _ => {}
    }
    if state.clear_inactive() {
        state.store_if_newest(disk)?;
    }
    download::remove_others(disk, [&state.active().images, &wanted])?;
    let fetcher = Fetcher { disk, sources, terms, held: &state.active().images };
    fetcher.bring_all(&wanted, &mut image)?;
    judge(disk, &identity, &wanted, terms, gate)?;
    state.activate(wanted.clone(), terms.trial_starts);
    state.store_if_newest(disk)?;
    Ok(Outcome::Activated(wanted))
}

/// Fetches again what the disk lost of the release that is active.
fn repair(
    disk: &dyn Disk,
    sources: &Sources<'_>,
    terms: &Terms,
    state: &State,
    image: &mut Repository<'_>,
) -> Result<Outcome, Error> {
    let active = &state.active().images;
    if usable(disk, active) {
        return Ok(Outcome::UpToDate);
    }
    Fetcher { disk, sources, terms, held: active }.bring_all(active, image)?;
    Ok(Outcome::Repaired)
}

/// Whether two sets run the same bytes everywhere, whatever is said of them beside.
fn same_contents(a: &Installed, b: &Installed) -> bool {
    a.len() == b.len()
        && a.iter().all(|(id, image)| b.get(id).is_some_and(|b| b.sha256 == image.sha256))
}

/// What the director says now, and when that is.
fn refreshed_director<'a>(
    disk: &'a dyn Disk,
    sources: &Sources<'a>,
    terms: &Terms,
) -> Result<(Repository<'a>, UtcTime), Error> {
    let refused = |refusal| of(DIRECTOR, refusal);
    let mut director = Repository::open(sources.director, disk, DIRECTOR).map_err(refused)?;
    // The newest root names the key that signs the time.
    director.refresh_root().map_err(refused)?;
    let root = &director.trusted().root().body;
    let now = attested_time(disk, sources.time, &terms.nonce, root)?;
    director.refresh(now).map_err(refused)?;
    Ok((director, now))
}

/// A repository at that time.
fn refreshed<'a>(
    disk: &'a dyn Disk,
    link: Link<'a>,
    name: &'static str,
    now: UtcTime,
) -> Result<Repository<'a>, Error> {
    let refused = |refusal| of(name, refusal);
    let mut repository = Repository::open(link, disk, name).map_err(refused)?;
    repository.refresh_root().map_err(refused)?;
    repository.refresh(now).map_err(refused)?;
    Ok(repository)
}

fn of(repository: &str, refusal: Refusal) -> Error {
    Error::Metadata { repository: repository.to_owned(), refusal }
}

struct Fetcher<'a> {
    disk: &'a dyn Disk,
    sources: &'a Sources<'a>,
    terms: &'a Terms,
    held: &'a Installed,
}

impl Fetcher<'_> {
    fn bring_all(&self, wanted: &Installed, repository: &mut Repository<'_>) -> Result<(), Error> {
        let contents: BTreeSet<&Image> = wanted.values().collect();
        contents.into_iter().try_for_each(|image| self.bring(image, repository))
    }

    /// Puts an image in its place: by a delta from what is here if there is one that works, else whole.
    fn bring(&self, wanted: &Image, repository: &mut Repository<'_>) -> Result<(), Error> {
        let (disk, path) = (self.disk, bundle_path(&wanted.sha256));
        let failed = |cause| Error::io(format!("cannot write {path}"), cause);
        if !holds(disk, &path, wanted) {
            let made = self.made(wanted, repository)?;
            disk.rename(&made, &path).map_err(failed)?;
        }
        check_bundle(disk, &path, wanted)?;
        // Also if it was there: whoever put it there may have been killed before this.
        disk.sync_directory("bundles").map_err(failed)
    }

    /// Where the image lies now, with its content.
    fn made(&self, wanted: &Image, repository: &mut Repository<'_>) -> Result<String, Error> {
        let part = download::part_path(&wanted.sha256);
        if let Some(patched) = self.patched(wanted, repository, &part)? {
            return Ok(patched);
        }
        let consistent = repository.trusted().root().body.consistent_snapshot;
        let target = TargetFile {
            length: wanted.bytes,
            hashes: [("sha256".to_owned(), wanted.sha256.clone())].into(),
            custom: None,
        };
        let what = (wanted.target.as_str(), &target, consistent);
        download::fetch(self.disk, &self.sources.targets, self.terms.piece_bytes, what, &part)?;
        Ok(part)
    }

    /// Where a delta led, if there is one that leads to the image. Whatever is wrong with a delta, the whole
    /// bundle remains; one that is still on its way is waited for.
    fn patched(
        &self,
        wanted: &Image,
        repository: &mut Repository<'_>,
        part: &str,
    ) -> Result<Option<String>, Error> {
        // A whole download that was begun is not thrown away.
        if self.disk.length(part).is_ok_and(|length| length.is_some_and(|length| length > 0)) {
            return Ok(None);
        }
        let held = self.held.values().filter(|held| held.product == wanted.product);
        for held in held.collect::<BTreeSet<_>>() {
            let name = delta_target(&held.sha256, &wanted.sha256);
            let Ok(Some(target)) = repository.find(&name) else { continue };
            if target.length >= wanted.bytes {
                continue;
            }
            match self.patch(held, wanted, repository, (&name, &target)) {
                Ok(patched) => return Ok(Some(patched)),
                Err(error) if error.is_environment() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn patch(
        &self,
        held: &Image,
        wanted: &Image,
        repository: &Repository<'_>,
        (name, target): (&str, &TargetFile),
    ) -> Result<String, Error> {
        let (disk, piece_bytes) = (self.disk, self.terms.piece_bytes);
        let (delta, patched) = download::delta_paths(&wanted.sha256);
        let consistent = repository.trusted().root().body.consistent_snapshot;
        let what = (name, target, consistent);
        download::fetch(disk, &self.sources.targets, piece_bytes, what, &delta)?;
        let old = bundle_path(&held.sha256);
        let made = download::patch(disk, (&old, &delta), wanted, &patched, piece_bytes);
        if made.as_ref().is_err_and(Error::is_environment) {
            return made.map(|()| patched);
        }
        let spent = if made.is_ok() { &[&delta][..] } else { &[&delta, &patched] };
        for path in spent {
            disk.remove(path).map_err(|cause| Error::io(format!("cannot remove {path}"), cause))?;
        }
        made.map(|()| patched)
    }
}

/// A bundle that is what it says and what the image repository says of it.
fn check_bundle(disk: &dyn Disk, path: &str, wanted: &Image) -> Result<(), Error> {
    let file = OnDisk::new(disk, path);
    let bundle = Bundle::open(&file)?;
    bundle.verify_contents()?;
    let manifest = bundle.manifest();
    let Image { target, product, release: listed, needs, .. } = wanted;
    let (name, release) = (&manifest.name, manifest.release);
    if (name, release) != (product, *listed) {
        let problem = format!(
            "{target} is {name} release {release}, but listed as {product} release {listed}"
        );
        return Err(Error::Instruction { problem });
    }
    if manifest.needs != *needs {
        let problem = format!("{target} is listed with other needs than its manifest has");
        return Err(Error::Instruction { problem });
    }
    Ok(())
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
        gate.check(ecu, &bundle).map_err(|error| match error {
            Error::Gate { reason } => Error::Gate { reason: format!("{}: {reason}", ecu.id) },
            other => other,
        })?;
    }
    Ok(())
}
