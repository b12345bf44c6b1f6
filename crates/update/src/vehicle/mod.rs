//! What a vehicle runs, and how it comes to run something else without ever running nothing.
//!
//! Two slots each name one bundle per computer; one slot is active. Bundles lie by content in `bundles/`.
//! An update brings all bundles in, checks them, lets the gate judge them, and then writes one record that
//! makes the other slot active *on trial*. Until somebody confirms a good run, a start counts a trial
//! down, and at its end, or on a reported failure, the last good slot is active again.

mod download;
mod state;
mod update;

use std::io;

use ring::digest::{Context, SHA256};

use crate::Error;
use crate::disk::{self, Disk, OnDisk, ReadAt, Section};
use crate::tuf::{Trusted, to_hex};
use crate::uptane::{Identity, Image, Installed};

pub use state::{Slot, State, Status};
pub use update::{Gate, Outcome, Sources, Terms, update};

const IDENTITY: &str = "identity.json";
/// Where metadata of the director is kept.
pub(crate) const DIRECTOR: &str = "director";
/// Where metadata of the image repository is kept.
pub(crate) const IMAGE: &str = "image";
const MAX_IDENTITY_BYTES: u64 = 1 << 20;

/// What a start found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// What to run.
    pub images: Installed,
    /// Whether it must be confirmed.
    pub on_trial: bool,
    /// Why this start returned to the last good release, if it did.
    pub returned: Option<String>,
}

/// Writes what a vehicle leaves the factory with: who it is, whom it trusts, and what it runs. `bundles`
/// lie in place already, as [`bundle_path`] names them.
///
/// # Errors
/// [`Error::Metadata`] if a root is none, [`Error::State`] if a bundle is missing, [`Error::Io`].
pub fn provision(
    disk: &dyn Disk,
    identity: &Identity,
    director_root: &[u8],
    image_root: &[u8],
    images: &Installed,
) -> Result<(), Error> {
    for (directory, root) in [(DIRECTOR, director_root), (IMAGE, image_root)] {
        Trusted::start(root)
            .map_err(|refusal| Error::Metadata { repository: directory.to_owned(), refusal })?;
        disk::replace(disk, &format!("{directory}/root.json"), root)?;
    }
    let bytes = serde_json::to_vec_pretty(identity).expect("an identity is plain data");
    disk::replace(disk, IDENTITY, &bytes)?;
    if !usable(disk, images)? {
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
/// # Errors
/// [`Error::State`] if no slot is usable, [`Error::Io`].
pub fn start(disk: &dyn Disk) -> Result<Started, Error> {
    let mut state = State::load(disk)?;
    let mut returned = None;
    let whole = usable(disk, &state.active().images)?;
    let failure = match &state.active().status {
        Status::Trial { starts_left: 0 } => Some("it was started and never confirmed"),
        _ if !whole => Some("a bundle is missing or damaged"),
        _ => None,
    };
    if let Some(reason) = failure {
        match fail_active(disk, &mut state, reason) {
            Ok(()) => returned = Some(reason.to_owned()),
            // What is unconfirmed but whole is better than nothing.
            Err(Error::State { .. }) if whole => {}
            Err(error) => return Err(error),
        }
    }
    let on_trial = state.count_start();
    if on_trial {
        state.store(disk)?;
    }
    Ok(Started { images: state.active().images.clone(), on_trial, returned })
}

/// Makes what runs the last good release, after a good run. `false` if it was that already.
///
/// # Errors
/// [`Error::State`], [`Error::Io`].
pub fn confirm(disk: &dyn Disk) -> Result<bool, Error> {
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
    let mut state = State::load(disk)?;
    fail_active(disk, &mut state, reason)
}

fn fail_active(disk: &dyn Disk, state: &mut State, reason: &str) -> Result<(), Error> {
    let other = state.inactive();
    if other.status != Status::Good || !usable(disk, &other.images)? {
        let problem =
            format!("the active slot failed ({reason}), and the other holds no good release");
        return Err(Error::State { problem });
    }
    state.fail(reason);
    state.store(disk)
}

/// Where a bundle lies.
pub fn bundle_path(sha256: &str) -> String {
    format!("bundles/{sha256}.omma")
}

/// Whether all bundles are there with their content.
fn usable(disk: &dyn Disk, images: &Installed) -> Result<bool, Error> {
    for image in images.values() {
        if !holds(disk, &bundle_path(&image.sha256), image)? {
            return Ok(false);
        }
    }
    Ok(!images.is_empty())
}

/// Whether a file has an image's content.
fn holds(disk: &dyn Disk, path: &str, image: &Image) -> Result<bool, Error> {
    let fail = |cause| Error::io(format!("cannot read {path}"), cause);
    if disk.length(path).map_err(fail)? != Some(image.bytes) {
        return Ok(false);
    }
    Ok(sha256_of(&OnDisk::new(disk, path)).map_err(fail)? == image.sha256)
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
