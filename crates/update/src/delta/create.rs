//! Finds the smallest delta.

use std::io::{self, Read, Write};

use ommatidia_scene::ContentHash;

use super::format::{Header, MAX_SEGMENT_BYTES, Step};
use super::{chunks, words};
use crate::Error;
use crate::bundle::{Bundle, Placed};
use crate::disk::{ReadAt, Section};

/// zstd's level: the highest that needs no memory beyond the segment's size.
const LEVEL: i32 = 19;

/// Which spellings may be chosen from. All but for measuring one alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Methods {
    /// Copies of chunks of the old bundle.
    pub chunks: bool,
    /// zstd with a reference prefix.
    pub prefix: bool,
    /// Differences of words.
    pub words: bool,
}

impl Default for Methods {
    fn default() -> Self {
        Self { chunks: true, prefix: true, words: true }
    }
}

/// What a delta consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Its size.
    pub bytes: u64,
    /// Bytes of the new bundle that are copied from the old.
    pub copied_bytes: u64,
    /// Bytes of the new bundle that are compressed by themselves.
    pub plain_bytes: u64,
    /// Bytes of the new bundle that are compressed with a prefix.
    pub prefix_bytes: u64,
    /// Bytes of the new bundle that are differences of words.
    pub words_bytes: u64,
}

/// Writes the delta that leads from `old` to `new`.
///
/// # Errors
/// Those of [`Bundle::open`], [`Error::Io`].
pub fn create(
    old: &dyn ReadAt,
    new: &dyn ReadAt,
    methods: Methods,
    out: &mut dyn Write,
) -> Result<Summary, Error> {
    let (before, after) = (Bundle::open(old)?, Bundle::open(new)?);
    let fail = |cause| Error::io("cannot make the delta", cause);
    let header = header(old, new).map_err(fail)?;
    let mut writer = Writer {
        old,
        new,
        before: &before,
        after: &after,
        methods,
        out,
        summary: Summary::default(),
    };
    writer.all(&header).map_err(fail)?;
    Ok(writer.summary)
}

fn header(old: &dyn ReadAt, new: &dyn ReadAt) -> io::Result<Header> {
    let (old_bytes, new_bytes) = (old.bytes()?, new.bytes()?);
    Ok(Header { old_bytes, old: hash(old, old_bytes)?, new_bytes, new: hash(new, new_bytes)? })
}

pub(super) fn hash(source: &dyn ReadAt, bytes: u64) -> io::Result<ContentHash> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut Section::new(source, 0, bytes), &mut hasher)?;
    Ok(ContentHash(*hasher.finalize().as_bytes()))
}

struct Writer<'a> {
    old: &'a dyn ReadAt,
    new: &'a dyn ReadAt,
    before: &'a Bundle<'a>,
    after: &'a Bundle<'a>,
    methods: Methods,
    out: &'a mut dyn Write,
    summary: Summary,
}

/// A stretch of the new bundle that lies in the old one, too.
struct Copied {
    new_offset: u64,
    old_offset: u64,
    bytes: u64,
}

impl Writer<'_> {
    fn all(&mut self, header: &Header) -> io::Result<()> {
        header.write(self.out)?;
        self.summary.bytes = 96;
        let mut at = 0;
        for copied in self.copies()? {
            self.fill(at, copied.new_offset)?;
            let mut done = 0;
            while done < copied.bytes {
                let new_bytes = (copied.bytes - done).min(MAX_SEGMENT_BYTES.into()) as u32;
                self.emit(&Step::Copy { new_bytes, old_offset: copied.old_offset + done })?;
                done += u64::from(new_bytes);
            }
            at = copied.new_offset + copied.bytes;
        }
        self.fill(at, header.new_bytes)
    }

    /// Chunks that both have, neighbours merged.
    fn copies(&self) -> io::Result<Vec<Copied>> {
        let mut copies: Vec<Copied> = Vec::new();
        if !self.methods.chunks {
            return Ok(copies);
        }
        let places = chunks::index(self.old)?;
        chunks::each(self.new, |new_offset, chunk| {
            let bytes = chunk.len() as u64;
            let Some(&old_offset) = places.get(blake3::hash(chunk).as_bytes()) else { return };
            match copies.last_mut() {
                Some(last)
                    if last.new_offset + last.bytes == new_offset
                        && last.old_offset + last.bytes == old_offset =>
                {
                    last.bytes += bytes;
                }
                _ => copies.push(Copied { new_offset, old_offset, bytes }),
            }
        })?;
        Ok(copies)
    }

    /// Writes a stretch without a copy, in segments that end where files of the bundle do.
    fn fill(&mut self, mut at: u64, end: u64) -> io::Result<()> {
        while at < end {
            let place = place(self.after.placed(), at);
            let stop =
                place.map_or_else(|| self.next_file(at), |placed| placed.offset + placed.bytes);
            let new_bytes = (end.min(stop) - at).min(MAX_SEGMENT_BYTES.into()) as u32;
            let step = self.smallest(at, new_bytes, place)?;
            self.emit(&step)?;
            at += u64::from(new_bytes);
        }
        Ok(())
    }

    fn next_file(&self, at: u64) -> u64 {
        let next =
            self.after.placed().iter().map(|placed| placed.offset).find(|offset| *offset > at);
        next.unwrap_or(u64::MAX)
    }

    fn smallest(&self, at: u64, new_bytes: u32, place: Option<&Placed>) -> io::Result<Step> {
        let new = read(self.new, at, new_bytes)?;
        let mut best = Step::Plain { new_bytes, packed: zstd::bulk::compress(&new, LEVEL)? };
        let Some((old_offset, old_bytes)) = self.counterpart(at, new_bytes, place) else {
            return Ok(best);
        };
        let old = read(self.old, old_offset, old_bytes)?;
        if self.methods.prefix {
            let packed = pack_with_prefix(&old, &new)?;
            best = smaller(best, Step::Prefix { new_bytes, old_offset, old_bytes, packed });
        }
        if self.methods.words && old_bytes == new_bytes {
            let packed = zstd::bulk::compress(&words::difference(&old, &new), LEVEL)?;
            best = smaller(best, Step::Words { new_bytes, old_offset, packed });
        }
        Ok(best)
    }

    /// The stretch of the old bundle at the same place of the same file; of what is not in a file (headers
    /// and the manifest), at the same offset.
    fn counterpart(&self, at: u64, new_bytes: u32, place: Option<&Placed>) -> Option<(u64, u32)> {
        let (start, end, within) = match place {
            Some(placed) => {
                let old = self.before.placed().iter().find(|old| old.path == placed.path)?;
                (old.offset, old.offset + old.bytes, at - placed.offset)
            }
            None => (0, self.old.bytes().ok()?, at),
        };
        let old_offset = start.checked_add(within).filter(|offset| *offset < end)?;
        Some((old_offset, (end - old_offset).min(new_bytes.into()) as u32))
    }

    fn emit(&mut self, step: &Step) -> io::Result<()> {
        let mut bytes = Vec::new();
        step.write(&mut bytes)?;
        self.out.write_all(&bytes)?;
        self.summary.bytes += bytes.len() as u64;
        let share = match step {
            Step::Copy { .. } => &mut self.summary.copied_bytes,
            Step::Plain { .. } => &mut self.summary.plain_bytes,
            Step::Prefix { .. } => &mut self.summary.prefix_bytes,
            Step::Words { .. } => &mut self.summary.words_bytes,
        };
        *share += u64::from(step.new_bytes());
        Ok(())
    }
}

/// The file that holds the byte at `at`.
fn place(placed: &[Placed], at: u64) -> Option<&Placed> {
    let next = placed.partition_point(|placed| placed.offset <= at);
    placed[..next].last().filter(|placed| at < placed.offset + placed.bytes)
}

fn smaller(a: Step, b: Step) -> Step {
    let bytes = |step: &Step| match step {
        Step::Copy { .. } => 0,
        Step::Plain { packed, .. } | Step::Prefix { packed, .. } | Step::Words { packed, .. } => {
            packed.len()
        }
    };
    if bytes(&b) < bytes(&a) { b } else { a }
}

fn pack_with_prefix(old: &[u8], new: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::with_ref_prefix(Vec::new(), LEVEL, old)?;
    encoder.window_log((old.len() + new.len()).next_power_of_two().ilog2().clamp(10, 24))?;
    encoder.write_all(new)?;
    encoder.finish()
}

pub(super) fn read(source: &dyn ReadAt, offset: u64, bytes: u32) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes as usize];
    Section::new(source, offset, bytes.into()).read_exact(&mut buffer)?;
    Ok(buffer)
}
