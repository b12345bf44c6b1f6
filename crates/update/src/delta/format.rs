//! How a delta lies in a file.
//!
//! Magic; length and BLAKE3 of the old bundle; length and BLAKE3 of the new one; then steps. A step is a
//! byte for its kind and little-endian numbers: `new_bytes: u32`, for all but `Plain` `old_offset: u64`,
//! for `Prefix` `old_bytes: u32`, for all but `Copy` `packed_bytes: u32` and that many bytes.

use std::io::{self, Read, Write};

use ommatidia_scene::ContentHash;

use crate::Error;

pub(crate) const MAGIC: &[u8; 16] = b"ommatidia-delta1";
/// Most bytes of the new bundle that one step writes, and of the old one that it looks at.
pub const MAX_SEGMENT_BYTES: u32 = 4 << 20;

/// From what to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Size of the old bundle.
    pub old_bytes: u64,
    /// Content of the old bundle.
    pub old: ContentHash,
    /// Size of the new bundle.
    pub new_bytes: u64,
    /// Content of the new bundle.
    pub new: ContentHash,
}

/// What to write next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bytes of the old bundle as they are.
    Copy { new_bytes: u32, old_offset: u64 },
    /// Compressed by itself.
    Plain { new_bytes: u32, packed: Vec<u8> },
    /// Compressed with bytes of the old bundle as prefix.
    Prefix { new_bytes: u32, old_offset: u64, old_bytes: u32, packed: Vec<u8> },
    /// Differences of words from as many bytes of the old bundle.
    Words { new_bytes: u32, old_offset: u64, packed: Vec<u8> },
}

impl Header {
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(MAGIC)?;
        out.write_all(&self.old_bytes.to_le_bytes())?;
        out.write_all(&self.old.0)?;
        out.write_all(&self.new_bytes.to_le_bytes())?;
        out.write_all(&self.new.0)
    }

    /// Reads the first 96 bytes of a delta.
    ///
    /// # Errors
    /// [`Error::Delta`].
    pub fn read(source: &mut dyn Read) -> Result<Self, Error> {
        let magic: [u8; 16] = array(source)?;
        if magic != *MAGIC {
            return Err(problem("it is no delta of this program"));
        }
        let (old_bytes, old) = (u64::from_le_bytes(array(source)?), ContentHash(array(source)?));
        let (new_bytes, new) = (u64::from_le_bytes(array(source)?), ContentHash(array(source)?));
        Ok(Self { old_bytes, old, new_bytes, new })
    }
}

impl Step {
    pub(crate) fn new_bytes(&self) -> u32 {
        match self {
            Self::Copy { new_bytes, .. }
            | Self::Plain { new_bytes, .. }
            | Self::Prefix { new_bytes, .. }
            | Self::Words { new_bytes, .. } => *new_bytes,
        }
    }

    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let kind = match self {
            Self::Copy { .. } => 0,
            Self::Plain { .. } => 1,
            Self::Prefix { .. } => 2,
            Self::Words { .. } => 3,
        };
        out.write_all(&[kind])?;
        out.write_all(&self.new_bytes().to_le_bytes())?;
        if let Self::Copy { old_offset, .. }
        | Self::Prefix { old_offset, .. }
        | Self::Words { old_offset, .. } = self
        {
            out.write_all(&old_offset.to_le_bytes())?;
        }
        if let Self::Prefix { old_bytes, .. } = self {
            out.write_all(&old_bytes.to_le_bytes())?;
        }
        if let Self::Plain { packed, .. }
        | Self::Prefix { packed, .. }
        | Self::Words { packed, .. } = self
        {
            let bytes = u32::try_from(packed.len()).expect("a segment was packed");
            out.write_all(&bytes.to_le_bytes())?;
            out.write_all(packed)?;
        }
        Ok(())
    }

    /// Reads the next step of a delta with that header.
    pub(crate) fn read(source: &mut dyn Read, header: &Header) -> Result<Self, Error> {
        let [kind] = array(source)?;
        let new_bytes = bounded(source, "a segment")?;
        if new_bytes == 0 {
            return Err(problem("a step writes nothing"));
        }
        let old_offset = if kind == 1 { 0 } else { u64::from_le_bytes(array(source)?) };
        let old_bytes = match kind {
            0 | 3 => new_bytes,
            2 => bounded(source, "a prefix")?,
            _ => 0,
        };
        let end = old_offset.checked_add(old_bytes.into());
        if end.is_none_or(|end| end > header.old_bytes) {
            return Err(problem("a step reads behind the old bundle's end"));
        }
        let mut packed = Vec::new();
        if kind != 0 {
            let bytes = u64::from(bounded(source, "a packed segment")?);
            source.take(bytes).read_to_end(&mut packed).map_err(failed)?;
            if packed.len() as u64 != bytes {
                return Err(problem("it ends early"));
            }
        }
        match kind {
            0 => Ok(Self::Copy { new_bytes, old_offset }),
            1 => Ok(Self::Plain { new_bytes, packed }),
            2 => Ok(Self::Prefix { new_bytes, old_offset, old_bytes, packed }),
            3 => Ok(Self::Words { new_bytes, old_offset, packed }),
            _ => Err(problem("a step is of a kind this program does not know")),
        }
    }
}

/// A count that is small enough to ask memory for. Packing makes incompressible bytes a little longer.
fn bounded(source: &mut dyn Read, what: &str) -> Result<u32, Error> {
    let count = u32::from_le_bytes(array(source)?);
    if count > MAX_SEGMENT_BYTES + (MAX_SEGMENT_BYTES >> 6) {
        return Err(problem(&format!("{what} of {count} bytes is larger than any")));
    }
    Ok(count)
}

fn array<const N: usize>(source: &mut dyn Read) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

pub(crate) fn failed(cause: io::Error) -> Error {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof => problem("it ends early"),
        _ => problem(&format!("it cannot be read: {cause}")),
    }
}

pub(crate) fn problem(problem: &str) -> Error {
    Error::Delta { problem: problem.to_owned() }
}
