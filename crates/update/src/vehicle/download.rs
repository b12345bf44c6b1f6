//! Brings a file in: resumable, never more bytes than were signed, and believed only with its hash.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::{bundle_path, holds};
use crate::Error;
use crate::delta;
use crate::disk::{Disk, OnDisk, Section};
use crate::tuf::{Link, Retrieval, TargetFile};
use crate::uptane::{Image, Installed};

/// What came so far of a whole bundle.
pub(super) fn part_path(sha256: &str) -> String {
    format!("bundles/{sha256}.part")
}

/// The delta to a bundle, and what was made of it so far.
pub(super) fn delta_paths(sha256: &str) -> (String, String) {
    (format!("bundles/{sha256}.delta"), format!("bundles/{sha256}.patched"))
}

/// Fetches a target into `part`, going on where an earlier try stopped, until it has the signed hash.
/// The bytes are durable then.
///
/// # Errors
/// [`Error::Download`], [`Error::Io`].
pub(super) fn fetch(
    disk: &dyn Disk,
    link: &Link<'_>,
    piece_bytes: usize,
    (name, target, consistent): (&str, &TargetFile, bool),
    part: &str,
) -> Result<(), Error> {
    let sha256 = target.hashes.get("sha256").cloned().unwrap_or_default();
    let wanted = Image {
        target: name.to_owned(),
        product: String::new(),
        release: 0,
        sha256,
        bytes: target.length,
        needs: Vec::new(),
    };
    let failed = |cause| Error::io(format!("cannot write {part}"), cause);
    let mut have = disk.length(part).map_err(failed)?;
    if have.is_some_and(|have| have > target.length) {
        have = None;
    }
    let mut starts_over = false;
    loop {
        let start = have.unwrap_or(0);
        if have.is_none() {
            disk.create(part).map_err(failed)?;
        }
        let received = if start < target.length {
            let received =
                receive(disk, link, piece_bytes, (name, target, consistent), (part, start));
            received.map_err(|error| if starts_over { without_ranges(error) } else { error })?
        } else {
            Received::All
        };
        if received == Received::All && holds(disk, part, &wanted) {
            return disk.sync(part).map_err(failed);
        }
        disk.remove(part).map_err(failed)?;
        if start == 0 {
            let problem = "its content is not the one that was signed".to_owned();
            return Err(Error::Download { path: name.to_owned(), problem, interrupted: false });
        }
        // What an earlier try left may have been torn by a power cut, or its server cannot go on in the middle.
        starts_over = received == Received::Nothing;
        have = None;
    }
}

/// A download that never goes on may never end: it must be said why.
fn without_ranges(error: Error) -> Error {
    match error {
        Error::Download { path, problem, interrupted } => {
            let problem = format!("{problem}; it had to start over: {}", Retrieval::NoRanges);
            Error::Download { path, problem, interrupted }
        }
        other => other,
    }
}

#[derive(PartialEq)]
enum Received {
    All,
    /// The server gives files from their start alone.
    Nothing,
}

fn receive(
    disk: &dyn Disk,
    link: &Link<'_>,
    piece_bytes: usize,
    (name, target, consistent): (&str, &TargetFile, bool),
    (part, start): (&str, u64),
) -> Result<Received, Error> {
    let mut write_error = None;
    let path = target.path(name, consistent);
    let outcome = link.stream(&path, start, target.length - start, piece_bytes, &mut |piece| {
        disk.append(part, piece).map_err(|cause| {
            let text = cause.to_string();
            write_error = Some(cause);
            io::Error::other(text)
        })
    });
    if let Some(cause) = write_error {
        return Err(Error::io(format!("cannot write {part}"), cause));
    }
    let (problem, interrupted) = match outcome {
        Err(Retrieval::NoRanges) if start > 0 => return Ok(Received::Nothing),
        Err(why) => (why.to_string(), why.is_interruption()),
        Ok(bytes) if start + bytes < target.length => ("it ended early".to_owned(), true),
        Ok(_) => return Ok(Received::All),
    };
    // What came so far stays for the next try.
    disk.sync(part).map_err(|cause| Error::io(format!("cannot write {part}"), cause))?;
    Err(Error::Download { path: name.to_owned(), problem, interrupted })
}

/// Makes an image at `part` from a bundle that is here and a delta.
///
/// # Errors
/// [`Error::Delta`] if it does not lead there, [`Error::Io`].
pub(super) fn patch(
    disk: &dyn Disk,
    (old, delta): (&str, &str),
    image: &Image,
    part: &str,
    piece_bytes: usize,
) -> Result<(), Error> {
    let failed = |cause| Error::io(format!("cannot write {part}"), cause);
    disk.create(part).map_err(failed)?;
    let old = OnDisk::new(disk, old);
    let source = OnDisk::new(disk, delta);
    let length = disk.length(delta).map_err(failed)?.unwrap_or(0);
    let mut stream = io::BufReader::new(Section::new(&source, 0, length));
    let mut out = io::BufWriter::with_capacity(piece_bytes, Appended { disk, path: part });
    delta::apply(&old, &mut stream, image.bytes, &mut out)?;
    out.flush().map_err(failed)?;
    if holds(disk, part, image) {
        return disk.sync(part).map_err(failed);
    }
    Err(Error::Delta { problem: "it leads to another bundle than the signed one".to_owned() })
}

/// Writes behind a file's end.
struct Appended<'a> {
    disk: &'a dyn Disk,
    path: &'a str,
}

impl Write for Appended<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.append(self.path, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes every file in `bundles/` but bundles of both sets and what came so far of `wanted`.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn remove_others(
    disk: &dyn Disk,
    [active, wanted]: [&Installed; 2],
) -> Result<(), Error> {
    let fail = |cause| Error::io("cannot clean bundles/", cause);
    let mut keep: BTreeSet<String> =
        active.values().chain(wanted.values()).map(|image| bundle_path(&image.sha256)).collect();
    for Image { sha256, .. } in wanted.values() {
        let (delta, patched) = delta_paths(sha256);
        keep.extend([part_path(sha256), delta, patched]);
    }
    let names = disk.list("bundles").map_err(fail)?;
    let paths = names.iter().map(|name| format!("bundles/{name}"));
    let mut removed = false;
    for path in paths.filter(|path| !keep.contains(path)) {
        disk.remove(&path).map_err(fail)?;
        removed = true;
    }
    if removed { disk.sync_directory("bundles").map_err(fail) } else { Ok(()) }
}
