//! Random access to an MCAP file: its summary, its attachments, and the chunks that hold one message.
//!
//! <https://mcap.dev/spec>. Every length is checked against the file's before it is believed, and every
//! checksum before what it covers is read.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;

use crate::Error;
use crate::file_at::FileAt;

const MAGIC: &[u8; 8] = b"\x89MCAP0\r\n";
const MESSAGE: u8 = 0x05;
const CHUNK: u8 = 0x06;
const CHUNK_INDEX: u8 = 0x08;
const ATTACHMENT: u8 = 0x09;
const ATTACHMENT_INDEX: u8 = 0x0a;
const FOOTER: u8 = 0x02;
/// Opcode and length before each record.
const RECORD_HEADER_BYTES: u64 = 9;
/// Footer record and closing magic.
const TAIL_BYTES: u64 = RECORD_HEADER_BYTES + 20 + 8;
/// Channel, sequence and two times before a message's data.
const MESSAGE_HEADER_BYTES: usize = 22;
/// Largest summary, attachment or chunk that is read. Payloads are images and sweeps.
const MAX_BYTES: u64 = 1 << 30;

const CUT_SHORT: &str =
    "is cut short or no MCAP file: its end marker is missing; copy or import it again";

/// An open MCAP file.
#[derive(Debug)]
pub(super) struct Container {
    file: FileAt,
    chunks: Vec<Span>,
    attachments: Vec<(String, Span)>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    offset: u64,
    length: u64,
}

impl Container {
    /// Reads the summary and nothing else.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = FileAt::open(path)?;
        let mut container = Self { file, chunks: Vec::new(), attachments: Vec::new() };
        let summary = container.summary()?;
        container.index(&summary).ok_or_else(|| container.damaged("its summary is malformed"))?;
        Ok(container)
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn chunk_count(&self) -> u64 {
        self.chunks.len() as u64
    }

    /// An error about this file.
    pub(super) fn damaged(&self, what: &str) -> Error {
        self.error(format!("{what}; the file is damaged, copy or import it again"))
    }

    pub(super) fn error(&self, what: String) -> Error {
        Error::Clip { path: self.path().to_owned(), what }
    }

    /// The attachment of that name; `None` if there is none.
    pub(super) fn attachment(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some((_, span)) = self.attachments.iter().find(|(other, _)| other == name) else {
            return Ok(None);
        };
        let record = self.record(*span, ATTACHMENT)?;
        let body = attachment_data(&record)
            .ok_or_else(|| self.damaged(&format!("the checksum of {name} is wrong")))?;
        Ok(Some(body.to_vec()))
    }

    /// The data of the only message in a chunk.
    pub(super) fn message(&self, chunk: u64) -> Result<Bytes, Error> {
        let span = usize::try_from(chunk).ok().and_then(|chunk| self.chunks.get(chunk));
        let span = span.ok_or_else(|| self.damaged(&format!("there is no chunk {chunk}")))?;
        let record = self.record(*span, CHUNK)?;
        let records = open_chunk(record).map_err(|what| {
            self.damaged(&format!("chunk {chunk} at byte {}: {what}", span.offset))
        })?;
        let message = only_message(&records)
            .ok_or_else(|| self.damaged(&format!("chunk {chunk} does not hold one message")))?;
        Ok(records.slice(message))
    }

    fn summary(&self) -> Result<Vec<u8>, Error> {
        let cut_short = || self.error(CUT_SHORT.to_owned());
        let tail_start = self.file.length().checked_sub(TAIL_BYTES).ok_or_else(cut_short)?;
        let head = self.bytes(Span { offset: 0, length: 8 })?;
        if head != MAGIC {
            return Err(self.error("is no MCAP file; a clip is made by omma import".to_owned()));
        }
        let tail = self.bytes(Span { offset: tail_start, length: TAIL_BYTES })?;
        let mut fields = Fields(&tail);
        let footer = (|| {
            let header = (fields.u8()?, fields.u64()?);
            let (start, _offsets, crc) = (fields.u64()?, fields.u64()?, fields.u32()?);
            (header == (FOOTER, 20) && fields.0 == MAGIC).then_some((start, crc))
        })();
        let (start, crc) = footer.ok_or_else(cut_short)?;
        if start == 0 || start > tail_start || tail_start - start > MAX_BYTES {
            return Err(self.error("has no summary; a clip is made by omma import".to_owned()));
        }
        // The checksum runs to the end of the footer's fields before it.
        let mut summary = self.bytes(Span { offset: start, length: tail_start - start + 25 })?;
        if crc != crc32fast::hash(&summary) {
            return Err(self.damaged("the checksum of its summary is wrong"));
        }
        summary.truncate((tail_start - start) as usize);
        Ok(summary)
    }

    fn index(&mut self, summary: &[u8]) -> Option<()> {
        let mut rest = Fields(summary);
        while !rest.0.is_empty() {
            let opcode = rest.u8()?;
            let length = usize::try_from(rest.u64()?).ok()?;
            let mut record = Fields(rest.take(length)?);
            match opcode {
                CHUNK_INDEX => {
                    record.take(16)?;
                    let (offset, length) = (record.u64()?, record.u64()?);
                    self.chunks.push(Span { offset, length });
                }
                ATTACHMENT_INDEX => {
                    let (offset, length) = (record.u64()?, record.u64()?);
                    record.take(24)?;
                    let name = String::from_utf8(record.prefixed()?.to_vec()).ok()?;
                    self.attachments.push((name, Span { offset, length }));
                }
                _ => {}
            }
        }
        Some(())
    }

    /// The body of the record in a span, which must have this opcode and fill the span.
    fn record(&self, span: Span, opcode: u8) -> Result<Vec<u8>, Error> {
        let at = |what: &str| self.damaged(&format!("the record at byte {} {what}", span.offset));
        if span.length < RECORD_HEADER_BYTES || span.length > MAX_BYTES {
            return Err(at("has an impossible size"));
        }
        let mut record = self.bytes(span)?;
        let mut fields = Fields(&record);
        if (fields.u8(), fields.u64()) != (Some(opcode), Some(span.length - RECORD_HEADER_BYTES)) {
            return Err(at("is not what the summary says"));
        }
        record.drain(..RECORD_HEADER_BYTES as usize);
        Ok(record)
    }

    fn bytes(&self, span: Span) -> Result<Vec<u8>, Error> {
        self.file
            .bytes(span.offset, span.length)?
            .ok_or_else(|| self.damaged("its summary points past its end"))
    }
}

/// The data of an attachment record whose checksum is right.
fn attachment_data(record: &[u8]) -> Option<&[u8]> {
    let (covered, crc) = record.split_last_chunk::<4>()?;
    if crc32fast::hash(covered) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut fields = Fields(covered);
    fields.take(16)?;
    fields.prefixed()?;
    fields.prefixed()?;
    (usize::try_from(fields.u64()?).ok()? == fields.0.len()).then_some(fields.0)
}

/// The records of a chunk, decompressed and compared with their checksum.
fn open_chunk(record: Vec<u8>) -> Result<Bytes, &'static str> {
    const MALFORMED: &str = "its header is malformed";
    let mut fields = Fields(&record);
    let header = (|| {
        fields.take(16)?;
        let (size, crc) = (fields.u64()?, fields.u32()?);
        let compression = fields.prefixed()?;
        (usize::try_from(fields.u64()?).ok()? == fields.0.len()).then_some((size, crc, compression))
    })();
    let (size, crc, compression) = header.ok_or(MALFORMED)?;
    if size > MAX_BYTES {
        return Err("it is too large");
    }
    let data = fields.0;
    let records = match compression {
        b"" => {
            let start = record.len() - data.len();
            Bytes::from(record).slice(start..)
        }
        b"zstd" => {
            // Grows with what comes out, not with what the header promises; stops one byte past it.
            let mut out = Vec::with_capacity((size as usize).min(4 * data.len() + 1024));
            let decoder = zstd::Decoder::new(data).map_err(|_| MALFORMED)?;
            decoder.take(size + 1).read_to_end(&mut out).map_err(|_| "it does not decompress")?;
            Bytes::from(out)
        }
        _ => return Err("its compression is not one that clips use (zstd, none)"),
    };
    if records.len() as u64 != size || crc32fast::hash(&records) != crc {
        return Err("its checksum is wrong");
    }
    Ok(records)
}

/// Where the data of the only message lies.
fn only_message(records: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut rest = Fields(records);
    let mut message = None;
    while !rest.0.is_empty() {
        let opcode = rest.u8()?;
        let length = usize::try_from(rest.u64()?).ok()?;
        let start = records.len() - rest.0.len();
        rest.take(length)?;
        if opcode == MESSAGE {
            let data = start + MESSAGE_HEADER_BYTES..start + length;
            if message.is_some() || data.start > data.end {
                return None;
            }
            message = Some(data);
        }
    }
    message
}

/// Little-endian fields from the front of a slice; `None` where it is too short.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// Bytes after their number as u32.
    fn prefixed(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }
}
