//! What a vehicle runs, and how it comes to run something else without ever running nothing.
//!
//! Two slots each name one bundle per computer; one slot is active. Bundles lie by content in `bundles/`.
//! An update brings all bundles in, checks them, lets the gate judge them, and then writes one record that
//! makes the other slot active *on trial*. Until somebody confirms a good run, a start counts a trial
//! down, and at its end, or on a reported failure, the last good slot is active again.
//!
//! Starting, confirming and failing are processes of their own that may come at any moment of an update.
//! Each changes the record under a lock that is held for no longer than that; an update, which waits for
//! servers and the gate, takes it for each record that it writes and writes none over another's.

mod download;
mod state;
mod update;

use std::collections::BTreeSet;
use std::io;

use ring::digest::{Context, SHA256};

use crate::Error;
use crate::disk::{self, Disk, Guard, OnDisk, ReadAt, Section};
use crate::tuf::{Trusted, to_hex};
use crate::uptane::{Identity, Image, Installed, check_needs};

pub use state::{Slot, State, Status};
pub use update::{Gate, Outcome, Sources, Terms, update};

const IDENTITY: &str = "identity.json";
/// Where metadata of the director is kept.
pub(crate) const DIRECTOR: &str = "director";
/// Where metadata of the image repository is kept.
pub(crate) const IMAGE: &str = "image";
const MAX_IDENTITY_BYTES: u64 = 1 << 20;

/// Held while the record is read and written.
const RECORD_LOCK: &str = "state.lock";
/// Held for the whole of an update.
const UPDATE_LOCK: &str = "update.lock";

/// What a start found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// What to run.
    pub images: Installed,
    /// Whether it must be confirmed. What is not on trial must not be.
    pub on_trial: bool,
    /// Why this start left the active slot, if it did.
    pub returned: Option<String>,
    /// Whether nothing better is left than a release that failed before.
    pub last_resort: bool,
    /// Why this start could not be written down, if so. What it says runs all the same.
    pub unrecorded: Option<String>,
}

/// Writes what a vehicle leaves the factory with: who it is, whom it trusts, and what it runs. `bundles`
/// lie in place already, as [`bundle_path`] names them.
///
/// # Errors
/// [`Error::Metadata`] if a root is none; [`Error::State`] if the directory holds a vehicle already, a
/// computer is named twice or has no bundle, or a bundle is missing; [`Error::Instruction`] if bundles do
/// not go together; [`Error::Io`].
pub fn provision(
    disk: &dyn Disk,
    identity: &Identity,
    director_root: &[u8],
    image_root: &[u8],
    images: &Installed,
) -> Result<(), Error> {
    if State::is_there(disk) {
        let problem = "it was provisioned before; take an empty directory".to_owned();
        return Err(Error::State { problem });
    }
    identity.check()?;
    if !identity
        .ecus
        .iter()
        .map(|ecu| &ecu.id)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .eq(images.keys())
    {
        let problem = "give each computer one bundle to start with".to_owned();
        return Err(Error::State { problem });
    }
    check_needs(images)?;
    for (directory, root) in [(DIRECTOR, director_root), (IMAGE, image_root)] {
        Trusted::start(root)
            .map_err(|refusal| Error::Metadata { repository: directory.to_owned(), refusal })?;
        disk::replace(disk, &format!("{directory}/root.json"), root)?;
    }
    let bytes = serde_json::to_vec_pretty(identity).expect("an identity is plain data");
    disk::replace(disk, IDENTITY, &bytes)?;
    if !usable(disk, images) {
        let problem = "a bundle to start with is missing or damaged".to_owned();
        return Err(Error::State { problem });
    }
    State::first(images.clone()).store(disk)
}

/// Who this vehicle is.
///
/// # Errors
/// [`Error::State`], [`Error::Io`].
pub fn identity(disk: &dyn Disk) -> Result<Identity, Error> {
    let bytes = disk::read_small(disk, IDENTITY, MAX_IDENTITY_BYTES)?;
    let bytes = bytes.ok_or_else(|| Error::State {
        problem: format!("there is no {IDENTITY}; provision the vehicle first"),
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|cause| Error::State { problem: format!("{IDENTITY}: {cause}") })
}

/// To be called before anything runs: decides what does. Every bundle is read and its hash compared.
///
/// A disk that takes no writes is no reason to run nothing: what runs then is said in `unrecorded`. A trial
/// that cannot be counted would never end, so that the last good release runs instead, if there is one.
///
/// # Errors
/// [`Error::State`] if no slot is usable.
pub fn start(disk: &dyn Disk) -> Result<Started, Error> {
    let lock = hold(disk, RECORD_LOCK, true);
    let state = State::load(disk)?;
    let mut next = state.clone();
    let returned = choose(disk, &mut next)?;
    let on_trial = next.count_start();
    let recorded = if next == state { Ok(()) } else { lock.and_then(|_lock| next.store(disk)) };
    let unrecorded = recorded.err().map(|error| error.to_string());
    if unrecorded.is_some() && on_trial && may_return(disk, &next) {
        let images = next.inactive().images.clone();
        let returned = Some("its trial cannot be counted".to_owned());
        return Ok(Started { images, on_trial: false, returned, last_resort: false, unrecorded });
    }
    let last_resort = matches!(next.active().status, Status::Failed { .. } | Status::Damaged);
    let images = next.active().images.clone();
    Ok(Started { images, on_trial, returned, last_resort, unrecorded })
}

/// Makes that slot active which is to run, and says why if that is another one.
fn choose(disk: &dyn Disk, state: &mut State) -> Result<Option<String>, Error> {
    let whole = usable(disk, &state.active().images);
    let (reason, status) = match state.active().status {
        Status::Trial { starts_left: 0, .. } => {
            let reason = "it was started and never confirmed";
            (reason, Status::Failed { reason: reason.to_owned() })
        }
        _ if !whole => ("a bundle is missing or damaged", Status::Damaged),
        _ => return Ok(None),
    };
    if !may_return(disk, state) {
        // What is unconfirmed but whole is better than nothing, and so is what failed.
        if whole {
            return Ok(None);
        }
        if !usable(disk, &state.inactive().images) {
            let problem = format!("{reason}, and the other slot holds no whole release");
            return Err(Error::State { problem });
        }
    }
    state.leave(status);
    Ok(Some(reason.to_owned()))
}

/// Makes what runs the last good release, after a good run. `false` if it was that already or was not
/// started yet.
///
/// # Errors
/// [`Error::State`], [`Error::Io`].
pub fn confirm(disk: &dyn Disk) -> Result<bool, Error> {
    let _lock = hold(disk, RECORD_LOCK, true)?;
    let mut state = State::load(disk)?;
    let changed = state.confirm();
    if changed {
        state.store(disk)?;
    }
    Ok(changed)
}

/// Returns to the other slot, after a crash, a hang, or drift of latency or output.
///
/// # Errors
/// [`Error::State`] if there is no other good release; what is active stays active. [`Error::Io`].
pub fn report_failure(disk: &dyn Disk, reason: &str) -> Result<(), Error> {
    let _lock = hold(disk, RECORD_LOCK, true)?;
    let mut state = State::load(disk)?;
    if !may_return(disk, &state) {
        let problem =
            format!("the active slot failed ({reason}), and the other holds no good release");
        return Err(Error::State { problem });
    }
    state.leave(Status::Failed { reason: reason.to_owned() });
    state.store(disk)
}

/// Returns to the other slot if the active one holds something revoked and the other does not; why, if it
/// did.
fn return_from_revoked(disk: &dyn Disk, revoked: &[String]) -> Result<Option<String>, Error> {
    let _lock = hold(disk, RECORD_LOCK, true)?;
    let mut state = State::load(disk)?;
    let (active, other) = (state.active(), state.inactive());
    let Some(image) = revoked_of(&active.images, revoked) else { return Ok(None) };
    if revoked_of(&other.images, revoked).is_some() || !may_return(disk, &state) {
        return Ok(None);
    }
    let reason = format!("the director revoked {}", image.target);
    state.leave(Status::Failed { reason: reason.clone() });
    state.store(disk)?;
    Ok(Some(reason))
}

fn revoked_of<'a>(images: &'a Installed, revoked: &[String]) -> Option<&'a Image> {
    images.values().find(|image| revoked.contains(&image.sha256))
}

/// Whether the other slot holds a release that ran well and is whole.
fn may_return(disk: &dyn Disk, state: &State) -> bool {
    let other = state.inactive();
    other.status == Status::Good && usable(disk, &other.images)
}

/// Holds a lock of the vehicle's.
fn hold<'a>(disk: &'a dyn Disk, lock: &str, wait: bool) -> Result<Box<dyn Guard + 'a>, Error> {
    disk.lock(lock, wait).map_err(|cause| match cause.kind() {
        io::ErrorKind::WouldBlock => {
            Error::Busy { problem: "the vehicle is being updated by somebody else".to_owned() }
        }
        _ => Error::io(format!("cannot lock {lock}"), cause),
    })
}

/// Where a bundle lies.
pub fn bundle_path(sha256: &str) -> String {
    format!("bundles/{sha256}.omma")
}

/// Whether all bundles are there with their content.
fn usable(disk: &dyn Disk, images: &Installed) -> bool {
    let mut all = images.values();
    !images.is_empty() && all.all(|image| holds(disk, &bundle_path(&image.sha256), image))
}

/// Whether a file has an image's content. One that cannot be read has not.
fn holds(disk: &dyn Disk, path: &str, image: &Image) -> bool {
    matches!(disk.length(path), Ok(Some(bytes)) if bytes == image.bytes)
        && sha256_of(&OnDisk::new(disk, path)).is_ok_and(|sha256| sha256 == image.sha256)
}

/// SHA-256 of everything, hexadecimal.
///
/// # Errors
/// What the system says.
pub fn sha256_of(source: &dyn ReadAt) -> io::Result<String> {
    let mut stream = Section::new(source, 0, source.bytes()?);
    let (mut context, mut buffer) = (Context::new(&SHA256), vec![0; 1 << 18]);
    loop {
        match io::Read::read(&mut stream, &mut buffer)? {
            0 => return Ok(to_hex(context.finish().as_ref())),
            count => context.update(&buffer[..count]),
        }
    }
}
