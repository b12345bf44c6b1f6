//! Brings a file in: resumable, never more bytes than were signed, and believed only with its hash.

use std::io::{self, Write};

use super::holds;
use crate::Error;
use crate::delta;
use crate::disk::{Disk, OnDisk, Section};
use crate::tuf::{Link, TargetFile};
use crate::uptane::Image;

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
    loop {
        let start = have.unwrap_or(0);
        if have.is_none() {
            disk.create(part).map_err(failed)?;
        }
        if start < target.length {
            receive(disk, link, piece_bytes, (name, target, consistent), (part, start))?;
        }
        if holds(disk, part, &wanted)? {
            return disk.sync(part).map_err(failed);
        }
        disk.remove(part).map_err(failed)?;
        if start == 0 {
            let problem = "its content is not the one that was signed".to_owned();
            return Err(Error::Download { path: name.to_owned(), problem });
        }
        // What an earlier try left may have been torn by a power cut.
        have = None;
    }
}

fn receive(
    disk: &dyn Disk,
    link: &Link<'_>,
    piece_bytes: usize,
    (name, target, consistent): (&str, &TargetFile, bool),
    (part, start): (&str, u64),
) -> Result<(), Error> {
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
    let problem = match outcome {
        Err(why) => why.to_string(),
        Ok(bytes) if start + bytes < target.length => "it ended early".to_owned(),
        Ok(_) => return Ok(()),
    };
    // What came so far stays for the next try.
    disk.sync(part).map_err(|cause| Error::io(format!("cannot write {part}"), cause))?;
    Err(Error::Download { path: name.to_owned(), problem })
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
    if holds(disk, part, image)? {
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

/// Removes every file in `bundles/` but those that are kept.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn remove_others(disk: &dyn Disk, keep: impl Fn(&str) -> bool) -> Result<(), Error> {
    let fail = |cause| Error::io("cannot clean bundles/", cause);
    let names = disk.list("bundles").map_err(fail)?;
    let others = names.iter().filter(|name| !keep(name));
    let mut removed = false;
    for name in others {
        disk.remove(&format!("bundles/{name}")).map_err(fail)?;
        removed = true;
    }
    if removed { disk.sync_directory("bundles").map_err(fail) } else { Ok(()) }
}
