//! Writes the new bundle from the old one and a delta.

use std::io::{self, Read, Write};

use ommatidia_scene::ContentHash;

use super::create::{hash, read};
use super::format::{Header, Step, failed, problem};
use super::words;
use crate::Error;
use crate::disk::ReadAt;

/// Writes the bundle that `delta` leads to from `old`, at most `max_bytes`. What was written counts only
/// if this returns; then it has the hash that the delta names, which the caller compares with what was
/// signed. Memory: a few segments of [`super::MAX_SEGMENT_BYTES`].
///
/// # Errors
/// [`Error::Delta`] if the delta is damaged, is for another bundle than `old` or leads to more than
/// `max_bytes`, or one of the two cannot be read; [`Error::Io`] of writing alone.
pub fn apply(
    old: &dyn ReadAt,
    delta: &mut dyn Read,
    max_bytes: u64,
    out: &mut dyn Write,
) -> Result<Header, Error> {
    let header = Header::read(delta)?;
    if header.new_bytes > max_bytes {
        return Err(problem(&format!(
            "it leads to {} bytes instead of {max_bytes}",
            header.new_bytes
        )));
    }
    let old_bytes = old.bytes().map_err(unreadable)?;
    if old_bytes != header.old_bytes || hash(old, old_bytes).map_err(unreadable)? != header.old {
        return Err(problem(&format!("it starts from the bundle with content {}", header.old)));
    }
    let (mut written, mut hasher) = (0, blake3::Hasher::new());
    while written < header.new_bytes {
        let step = Step::read(delta, &header)?;
        written += u64::from(step.new_bytes());
        if written > header.new_bytes {
            return Err(problem("it writes more than it announces"));
        }
        let bytes = perform(&step, old)?;
        hasher.update(&bytes);
        out.write_all(&bytes).map_err(|cause| Error::io("cannot write the bundle", cause))?;
    }
    if delta.read(&mut [0]).map_err(failed)? != 0 {
        return Err(problem("it goes on behind its end"));
    }
    if ContentHash(*hasher.finalize().as_bytes()) != header.new {
        return Err(problem("it leads to other bytes than it announces"));
    }
    Ok(header)
}

fn perform(step: &Step, old: &dyn ReadAt) -> Result<Vec<u8>, Error> {
    let stretch = |offset, bytes| read(old, offset, bytes).map_err(unreadable);
    match step {
        Step::Copy { new_bytes, old_offset } => stretch(*old_offset, *new_bytes),
        Step::Plain { new_bytes, packed } => unpack(packed, &[], *new_bytes),
        Step::Prefix { new_bytes, old_offset, old_bytes, packed } => {
            unpack(packed, &stretch(*old_offset, *old_bytes)?, *new_bytes)
        }
        Step::Words { new_bytes, old_offset, packed } => {
            let planes = unpack(packed, &[], *new_bytes)?;
            Ok(words::restore(&stretch(*old_offset, *new_bytes)?, &planes))
        }
    }
}

/// A bundle that cannot be read is none to start from; there may be room for a whole one all the same.
fn unreadable(cause: io::Error) -> Error {
    problem(&format!("the old bundle cannot be read: {cause}"))
}

/// Exactly `bytes`, or an error.
fn unpack(packed: &[u8], prefix: &[u8], bytes: u32) -> Result<Vec<u8>, Error> {
    let mut unpacked = Vec::with_capacity(bytes as usize);
    let mut all = || {
        let mut decoder = zstd::Decoder::with_ref_prefix(packed, prefix)?;
        // Never more memory than segments need, whatever the frame asks for.
        decoder.window_log_max(24)?;
        io::Read::take(decoder.single_frame(), u64::from(bytes) + 1).read_to_end(&mut unpacked)
    };
    let whole = all().is_ok() && unpacked.len() == bytes as usize;
    whole.then_some(unpacked).ok_or_else(|| problem("a segment does not unpack"))
}
