//! NumPy's `.npz`: arrays (`.npy`) in a zip archive.
//!
//! Only what NumPy writes: entries stored or deflated, no encryption. Written out here rather than taken
//! from a general zip library so that nothing is unpacked beyond what the array's own header announces.
//! Sources: PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16; NumPy `lib/format.py`.

use std::io::Read;
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::inputs::{MAX_CLOUD_BYTES, read_bounded};
use crate::Error;

/// A two-dimensional array of floating-point numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix {
    /// Numbers in a row.
    pub(crate) columns: usize,
    /// All rows.
    pub(crate) values: Vec<f64>,
}

/// The array `name` of an `.npz` file.
///
/// # Errors
/// Missing, damaged, not a matrix of floating-point numbers, or larger than any lidar sweep.
pub(crate) fn read_matrix(path: &Path, name: &str, needed_by: &str) -> Result<Matrix, Error> {
    let archive = read_bounded(path, MAX_CLOUD_BYTES, needed_by)?;
    let fail = |what: String| Error::source(path, what);
    let array = unzip(&archive, &format!("{name}.npy"))
        .map_err(|what| fail(format!("cannot unpack the array {name}: {what}")))?;
    parse_npy(&array).map_err(|what| fail(format!("array {name}: {what}")))
}

/// Little-endian integers at a byte offset; `None` past the end.
fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(2)?)?;
    field.try_into().ok().map(|field| usize::from(u16::from_le_bytes(field)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    field.try_into().ok().map(|field| u32::from_le_bytes(field) as usize)
}

/// An entry of the central directory.
struct Entry {
    method: usize,
    crc: u32,
    packed: usize,
    unpacked: usize,
    local_header: usize,
}

const DAMAGED: &str = "the zip archive is damaged or cut short";
const NO_SUCH: &str = "there is no such array";
const END_RECORD: &[u8] = b"PK\x05\x06";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const LOCAL_HEADER: &[u8] = b"PK\x03\x04";

/// The end record lies at most a comment of 64 KiB before the end.
fn find_entry(archive: &[u8], name: &str) -> Result<Entry, String> {
    const END_RECORD_BYTES: usize = 22;
    let first = archive.len().saturating_sub(END_RECORD_BYTES + usize::from(u16::MAX));
    let tail = &archive[first..];
    let end = tail.windows(4).rposition(|window| window == END_RECORD).ok_or(DAMAGED)? + first;
    let count = u16_at(archive, end + 10).ok_or(DAMAGED)?;
    let mut at = u32_at(archive, end + 16).ok_or(DAMAGED)?;
    for _ in 0..count {
        let header = archive.get(at..).filter(|h| h.starts_with(CENTRAL_HEADER)).ok_or(DAMAGED)?;
        let short = |offset| u16_at(header, offset).ok_or(DAMAGED);
        let long = |offset| u32_at(header, offset).ok_or(DAMAGED);
        let (name_bytes, extra_bytes, comment_bytes) = (short(28)?, short(30)?, short(32)?);
        if header.get(46..46 + name_bytes) == Some(name.as_bytes()) {
            return Ok(Entry {
                method: short(10)?,
                crc: long(16)? as u32,
                packed: long(20)?,
                unpacked: long(24)?,
                local_header: long(42)?,
            });
        }
        at += 46 + name_bytes + extra_bytes + comment_bytes;
    }
    Err(NO_SUCH.to_owned())
}

fn unzip(archive: &[u8], name: &str) -> Result<Vec<u8>, String> {
    let entry = find_entry(archive, name)?;
    if entry.unpacked as u64 > MAX_CLOUD_BYTES {
        return Err(format!("it unpacks to {} bytes; at most {MAX_CLOUD_BYTES}", entry.unpacked));
    }
    let header = archive
        .get(entry.local_header..)
        .filter(|header| header.starts_with(LOCAL_HEADER))
        .ok_or(DAMAGED)?;
    let skipped = u16_at(header, 26).zip(u16_at(header, 28)).ok_or(DAMAGED)?;
    let start = 30 + skipped.0 + skipped.1;
    let packed = header.get(start..start + entry.packed).ok_or(DAMAGED)?;
    // The announced size only bounds the reading: memory grows with what is really unpacked.
    let mut array = Vec::new();
    let limit = entry.unpacked as u64 + 1;
    let read = match entry.method {
        0 => packed.take(limit).read_to_end(&mut array),
        8 => DeflateDecoder::new(packed).take(limit).read_to_end(&mut array),
        method => return Err(format!("it is packed by method {method}; save it again with NumPy")),
    };
    read.map_err(|cause| format!("{DAMAGED}: {cause}"))?;
    let mut crc = Crc::new();
    crc.update(&array);
    if array.len() != entry.unpacked || crc.sum() != entry.crc {
        return Err(format!("{DAMAGED}: its length or checksum is not the announced one"));
    }
    Ok(array)
}

/// The text after a key of the header's dictionary.
fn after<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let at = header.find(&format!("'{key}'"))? + key.len() + 2;
    header[at..].trim_start().strip_prefix(':').map(str::trim_start)
}

/// Lengths along each dimension, in rows' order.
fn shape(header: &str) -> Option<Vec<usize>> {
    let inner = after(header, "shape")?.strip_prefix('(')?.split(')').next()?;
    let sides = inner.split(',').map(str::trim).filter(|side| !side.is_empty());
    sides.map(|side| side.parse().ok()).collect()
}

/// An array of any kind, as it lies in the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    /// Lengths along each dimension; the last runs fastest.
    pub(crate) shape: Vec<usize>,
    /// NumPy's name of the kind, as in `<f4`.
    pub(crate) kind: String,
    /// The numbers' bytes.
    pub(crate) data: Vec<u8>,
}

impl Array {
    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        const NOT_NPY: &str = "is no .npy array";
        let body = bytes.strip_prefix(b"\x93NUMPY").ok_or(NOT_NPY)?;
        let version = *body.first().ok_or(NOT_NPY)?;
        let (start, header_bytes) = match version {
            1 => (4, u16_at(body, 2).ok_or(NOT_NPY)?),
            2 | 3 => (6, u32_at(body, 2).ok_or(NOT_NPY)?),
            _ => return Err(format!("has the unknown .npy version {version}")),
        };
        let header = body.get(start..start + header_bytes).ok_or(NOT_NPY)?;
        let header = std::str::from_utf8(header).map_err(|_| NOT_NPY)?;
        let data = body[start + header_bytes..].to_vec();
        if !after(header, "fortran_order").is_some_and(|value| value.starts_with("False")) {
            return Err("must be row-major (fortran_order False)".to_owned());
        }
        let shape = shape(header).ok_or("has no shape")?;
        let kind = after(header, "descr").unwrap_or_default();
        let kind: String =
            kind.trim_start_matches('\'').chars().take_while(|c| *c != '\'').take(12).collect();
        let bytes_each: usize = kind.get(2..).and_then(|size| size.parse().ok()).unwrap_or(0);
        let wanted = shape.iter().try_fold(bytes_each, |product, side| product.checked_mul(*side));
        if bytes_each > 0 && wanted != Some(data.len()) {
            let held = data.len() / bytes_each;
            return Err(format!("announces {} numbers and holds {held}", describe(&shape)));
        }
        Ok(Self { shape, kind, data })
    }

    /// Whole numbers 0 to 2^32 - 1, or booleans as 0 and 1.
    pub(crate) fn integers(&self) -> Result<Vec<u32>, String> {
        fn each<const N: usize>(
            data: &[u8],
            number: impl Fn([u8; N]) -> i128,
        ) -> Result<Vec<u32>, String> {
            let element = |(index, bytes): (usize, &[u8; N])| {
                let number = number(*bytes);
                u32::try_from(number)
                    .map_err(|_| format!("element {index} is {number}; it must be 0 to 4294967295"))
            };
            data.as_chunks::<N>().0.iter().enumerate().map(element).collect()
        }
        match self.kind.as_str() {
            "|u1" | "|b1" => Ok(self.data.iter().map(|&byte| u32::from(byte)).collect()),
            "|i1" => each::<1>(&self.data, |b| i8::from_le_bytes(b).into()),
            "<u2" => each::<2>(&self.data, |b| u16::from_le_bytes(b).into()),
            "<i2" => each::<2>(&self.data, |b| i16::from_le_bytes(b).into()),
            "<u4" => each::<4>(&self.data, |b| u32::from_le_bytes(b).into()),
            "<i4" => each::<4>(&self.data, |b| i32::from_le_bytes(b).into()),
            "<u8" => each::<8>(&self.data, |b| u64::from_le_bytes(b).into()),
            "<i8" => each::<8>(&self.data, |b| i64::from_le_bytes(b).into()),
            kind => Err(format!("must hold whole numbers or booleans, not {kind}")),
        }
    }

    /// Floating-point numbers.
    pub(crate) fn floats(&self) -> Result<Vec<f64>, String> {
        match self.kind.as_str() {
            "<f8" => {
                Ok(self.data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect())
            }
            "<f4" => {
                let float = |b: &[u8; 4]| f64::from(f32::from_le_bytes(*b));
                Ok(self.data.as_chunks::<4>().0.iter().map(float).collect())
            }
            kind => Err(format!("must hold '<f8' or '<f4', not {kind}")),
        }
    }
}

fn describe(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    sides.join(" x ")
}

/// An array of an archive in memory; `None` if it has none of that name.
pub(crate) fn find_array(archive: &[u8], name: &str) -> Result<Option<Array>, String> {
    match unzip(archive, &format!("{name}.npy")) {
        Ok(array) => Array::parse(&array).map(Some),
        Err(what) if what == NO_SUCH => Ok(None),
        Err(what) => Err(what),
    }
}

fn parse_npy(bytes: &[u8]) -> Result<Matrix, String> {
    let array = Array::parse(bytes)?;
    let columns = match array.shape[..] {
        [_] => 1,
        [_, columns] => columns,
        _ => return Err("must have one or two dimensions".to_owned()),
    };
    let (values, count) = (array.floats()?, array.len());
    if values.len() != count {
        return Err(format!(
            "announces {} numbers and holds {}",
            describe(&array.shape),
            values.len()
        ));
    }
    Ok(Matrix { columns, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.savez_compressed("m.npz", data=[[1.5, -2.0]])`, made by hand: one deflated entry.
    fn archive(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut npy = b"\x93NUMPY\x01\x00".to_vec();
        npy.extend((header.len() as u16).to_le_bytes());
        npy.extend(header.as_bytes());
        npy.extend(data);
        let mut packer =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(&npy).unwrap();
        let packed = packer.finish().unwrap();
        let mut crc = Crc::new();
        crc.update(&npy);
        let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((npy.len() as u32).to_le_bytes());
        common.extend([8, 0, 0, 0]);
        let mut zip = LOCAL_HEADER.to_vec();
        zip.extend(&common);
        zip.extend(b"data.npy");
        zip.extend(&packed);
        let central = zip.len() as u32;
        zip.extend(CENTRAL_HEADER);
        zip.extend([20, 0]);
        zip.extend(&common);
        zip.extend([0; 14]);
        zip.extend(b"data.npy");
        let central_bytes = zip.len() as u32 - central;
        zip.extend(END_RECORD);
        zip.extend([0, 0, 0, 0, 1, 0, 1, 0]);
        zip.extend(central_bytes.to_le_bytes());
        zip.extend(central.to_le_bytes());
        zip.extend([0, 0]);
        zip
    }

    fn read(zip: &[u8]) -> Result<Matrix, String> {
        unzip(zip, "data.npy").and_then(|array| parse_npy(&array))
    }

    #[test]
    fn reads_both_precisions() {
        let data: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let matrix = read(&archive("<f8", "(1, 2)", &data)).unwrap();
        assert_eq!(matrix, Matrix { columns: 2, values: vec![1.5, -2.0] });
        let matrix = read(&archive("<f4", "(1,)", &1.5f32.to_le_bytes())).unwrap();
        assert_eq!(matrix, Matrix { columns: 1, values: vec![1.5] });
    }

    #[test]
    fn refuses_what_does_not_add_up() {
        let data = [0; 16];
        for (descr, shape, expected) in [
            ("<f8", "(3, 1)", "announces 3 x 1"),
            ("<f8", "()", "announces"),
            ("<f8", "(4294967295, 4294967295)", "announces"),
            ("|O", "(2,)", "must hold"),
            ("<f8", "(1, 1, 2)", "dimensions"),
        ] {
            let error = read(&archive(descr, shape, &data)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let whole = archive("<f8", "(2,)", &data);
        // The last two bytes only say that no comment follows.
        for length in 0..whole.len() - 2 {
            assert!(read(&whole[..length]).is_err(), "{length} bytes");
        }
    }
}
