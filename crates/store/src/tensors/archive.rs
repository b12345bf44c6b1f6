//! Zip archives whose entries are stored as they are, as PyTorch writes them.
//!
//! Source: PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3.

use std::collections::BTreeMap;
use std::ops::Range;

pub(super) const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const WIDE_END: &[u8] = b"PK\x06\x06";
const WIDE_LOCATOR: &[u8] = b"PK\x06\x07";
const DAMAGED: &str = "the archive is damaged or cut short; fetch the file again";

/// A little-endian integer of `N` bytes.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Result<usize, String> {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).ok_or(DAMAGED)?;
    let wide = field.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    usize::try_from(wide).map_err(|_| DAMAGED.to_owned())
}

/// Names of the entries and where their bytes lie.
pub(super) fn entries(bytes: &[u8]) -> Result<BTreeMap<String, Range<usize>>, String> {
    let (count, mut at) = directory(bytes)?;
    let mut entries = BTreeMap::new();
    for _ in 0..count {
        let header = bytes.get(at..).filter(|h| h.starts_with(CENTRAL_HEADER)).ok_or(DAMAGED)?;
        let lengths = [28, 30, 32].map(|field| number::<2>(header, field));
        let [name, extra, comment] = lengths;
        let (name, extra, comment) = (name?, extra?, comment?);
        let after_name = 46 + name;
        let text = header.get(46..after_name).ok_or(DAMAGED)?;
        let extras = header.get(after_name..after_name + extra).ok_or(DAMAGED)?;
        let text = String::from_utf8_lossy(text).into_owned();
        if number::<2>(header, 10)? != 0 {
            return Err(format!("entry {text} is compressed; save the state dict with PyTorch"));
        }
        let [unpacked, _, local] = wide_fields(header, extras)?;
        let local_header =
            bytes.get(local..).filter(|h| h.starts_with(LOCAL_HEADER)).ok_or(DAMAGED)?;
        let skipped = number::<2>(local_header, 26)? + number::<2>(local_header, 28)?;
        let start = local + 30 + skipped;
        let end = start.checked_add(unpacked).filter(|&end| end <= bytes.len()).ok_or(DAMAGED)?;
        entries.insert(text, start..end);
        at += after_name + extra + comment;
    }
    Ok(entries)
}

/// Number of entries and the place of the directory.
fn directory(bytes: &[u8]) -> Result<(usize, usize), String> {
    let first = bytes.len().saturating_sub(22 + usize::from(u16::MAX));
    let end = bytes[first..].windows(4).rposition(|window| window == END).ok_or(DAMAGED)? + first;
    let (count, at) = (number::<2>(bytes, end + 10)?, number::<4>(bytes, end + 16)?);
    if count < usize::from(u16::MAX) && at < u32::MAX as usize {
        return Ok((count, at));
    }
    let locator = end.checked_sub(20).ok_or(DAMAGED)?;
    if !bytes[locator..].starts_with(WIDE_LOCATOR) {
        return Err(DAMAGED.to_owned());
    }
    let wide = number::<8>(bytes, locator + 8)?;
    let record = bytes.get(wide..).filter(|h| h.starts_with(WIDE_END)).ok_or(DAMAGED)?;
    Ok((number::<8>(record, 32)?, number::<8>(record, 48)?))
}

/// Unpacked size, packed size and place of the local header: those that do not fit are in the extra field.
fn wide_fields(header: &[u8], extras: &[u8]) -> Result<[usize; 3], String> {
    let mut fields = [number::<4>(header, 24)?, number::<4>(header, 20)?, number::<4>(header, 42)?];
    let mut at = 0;
    while at + 4 <= extras.len() {
        let (id, length) = (number::<2>(extras, at)?, number::<2>(extras, at + 2)?);
        if id == 1 {
            let mut field_at = at + 4;
            for field in fields.iter_mut().filter(|field| **field == u32::MAX as usize) {
                *field = number::<8>(extras, field_at)?;
                field_at += 8;
            }
            break;
        }
        at += 4 + length;
    }
    Ok(fields)
}
