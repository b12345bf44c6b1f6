//! Feather version 2: tables as Arrow IPC files, plain columns only.
//!
//! The container is walked here, on Arrow's own checked flatbuffers, because Arrow's reader trusts the
//! lengths that a file announces: each of them is bounded here before anything is allocated. Source: Arrow
//! columnar format 1.5, "IPC File Format", "Recordbatch message", "Compression".

use std::io::Read;
use std::path::{Path, PathBuf};

use arrow_ipc::{
    CompressionType, Field, Precision, RecordBatch, Type, root_as_footer, root_as_message,
};

use super::inputs::{Inputs, MAX_CLOUD_BYTES, MAX_RECORDS, read_bounded};
use crate::Error;

/// Some columns of a table, each of [`Table::rows`] cells.
pub(crate) struct Table {
    path: PathBuf,
    pub(crate) rows: usize,
    columns: Vec<(String, Column)>,
}

/// The cells of a column, whatever their width on disk.
enum Column {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
    Texts { values: Vec<String>, bytes: usize },
}

impl Table {
    /// Reads the wanted columns, and notes the file in the provenance.
    ///
    /// # Errors
    /// Missing or damaged file, missing column, a column of a kind that is not read, empty cells.
    pub(crate) fn read(
        path: &Path,
        wanted: &[&str],
        inputs: &mut Inputs,
        needed_by: &str,
    ) -> Result<Self, Error> {
        Self::parse(path, &inputs.bytes(path, needed_by)?, wanted)
    }

    /// As [`Self::read`], for a payload.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_payload(
        path: &Path,
        wanted: &[&str],
        needed_by: &str,
    ) -> Result<Self, Error> {
        Self::parse(path, &read_bounded(path, MAX_CLOUD_BYTES, needed_by)?, wanted)
    }

    fn parse(path: &Path, bytes: &[u8], wanted: &[&str]) -> Result<Self, Error> {
        let (rows, columns) = parse(bytes, wanted)
            .map_err(|what| Error::source(path, format!("is no Feather table to read: {what}")))?;
        Ok(Self { path: path.to_owned(), rows, columns })
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, column)| column)
    }

    fn wrong_kind(&self, name: &str, kind: &str) -> Error {
        Error::source(&self.path, format!("column {name} does not hold {kind}"))
    }

    /// A column of numbers; integers are converted.
    ///
    /// # Errors
    /// It holds text.
    pub(crate) fn floats(&self, name: &str) -> Result<Vec<f64>, Error> {
        match self.column(name) {
            Some(Column::Floats(values)) => Ok(values.clone()),
            Some(Column::Integers(values)) => {
                Ok(values.iter().map(|&value| value as f64).collect())
            }
            _ => Err(self.wrong_kind(name, "numbers")),
        }
    }

    /// A column of integers.
    ///
    /// # Errors
    /// It holds something else.
    pub(crate) fn integers(&self, name: &str) -> Result<&[i64], Error> {
        match self.column(name) {
            Some(Column::Integers(values)) => Ok(values),
            _ => Err(self.wrong_kind(name, "integers")),
        }
    }

    /// A column of text.
    ///
    /// # Errors
    /// It holds something else.
    pub(crate) fn texts(&self, name: &str) -> Result<&[String], Error> {
        match self.column(name) {
            Some(Column::Texts { values, .. }) => Ok(values),
            _ => Err(self.wrong_kind(name, "text")),
        }
    }

    /// Where it was read.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

type Parsed<T> = Result<T, String>;

const MAGIC: &[u8] = b"ARROW1";
const CUT_SHORT: &str = "it is damaged or cut short";

fn parse(bytes: &[u8], wanted: &[&str]) -> Parsed<(usize, Vec<(String, Column)>)> {
    let body = bytes
        .strip_prefix(MAGIC)
        .and_then(|body| body.strip_suffix(MAGIC))
        .ok_or("it does not begin and end with ARROW1")?;
    let (rest, length) = body.split_last_chunk::<4>().ok_or(CUT_SHORT)?;
    let length = usize::try_from(i32::from_le_bytes(*length)).map_err(|_| CUT_SHORT)?;
    let start = rest.len().checked_sub(length).ok_or(CUT_SHORT)?;
    let footer = root_as_footer(&rest[start..]).map_err(|cause| format!("{CUT_SHORT}: {cause}"))?;
    let fields = footer.schema().and_then(|schema| schema.fields()).ok_or("it has no schema")?;
    let fields: Vec<Field<'_>> = fields.iter().collect();
    let mut columns = Vec::with_capacity(wanted.len());
    for name in wanted {
        let field = fields.iter().find(|field| field.name() == Some(name));
        let field = field.ok_or_else(|| format!("column {name} is missing"))?;
        columns.push(((*name).to_owned(), empty_column(field)?));
    }
    let mut rows = 0;
    for block in footer.recordBatches().into_iter().flatten() {
        let message_start = usize::try_from(block.offset()).map_err(|_| CUT_SHORT)?;
        let message_bytes = usize::try_from(block.metaDataLength()).map_err(|_| CUT_SHORT)?;
        let body_bytes = usize::try_from(block.bodyLength()).map_err(|_| CUT_SHORT)?;
        let body_start = message_start.checked_add(message_bytes).ok_or(CUT_SHORT)?;
        let body_end = body_start.checked_add(body_bytes).ok_or(CUT_SHORT)?;
        let message = bytes.get(message_start..body_start).ok_or(CUT_SHORT)?;
        let body = bytes.get(body_start..body_end).ok_or(CUT_SHORT)?;
        // The message's length, after a marker that old writers left out.
        let message = message.strip_prefix(&[0xff; 4]).unwrap_or(message);
        let message = message.get(4..).ok_or(CUT_SHORT)?;
        let message = root_as_message(message).map_err(|cause| format!("{CUT_SHORT}: {cause}"))?;
        let batch = message.header_as_record_batch().ok_or("a block is no record batch")?;
        rows += read_batch(&fields, &batch, body, &mut columns)?;
        if rows > MAX_RECORDS {
            return Err(format!("it has more than {MAX_RECORDS} rows"));
        }
    }
    Ok((rows, columns))
}

fn empty_column(field: &Field<'_>) -> Parsed<Column> {
    let name = field.name().unwrap_or_default();
    match cell(field) {
        Some(Cell::Float(_)) => Ok(Column::Floats(Vec::new())),
        Some(Cell::Integer { .. }) => Ok(Column::Integers(Vec::new())),
        Some(Cell::Text { .. }) => Ok(Column::Texts { values: Vec::new(), bytes: 0 }),
        _ => {
            Err(format!("column {name} is of the kind {:?}, which is not read", field.type_type()))
        }
    }
}

/// How a cell lies on disk.
#[derive(Debug, Clone, Copy)]
enum Cell {
    /// Bytes: 2, 4 or 8.
    Float(usize),
    Integer {
        bytes: usize,
        signed: bool,
    },
    /// Bytes of an offset: 4 or 8.
    Text {
        offset_bytes: usize,
    },
    /// A kind that is skipped, with its number of buffers.
    Other {
        buffers: usize,
    },
}

impl Cell {
    fn buffers(self) -> usize {
        match self {
            Self::Float(_) | Self::Integer { .. } => 2,
            Self::Text { .. } => 3,
            Self::Other { buffers } => buffers,
        }
    }
}

/// `None` for kinds whose buffers cannot be counted here.
fn cell(field: &Field<'_>) -> Option<Cell> {
    if field.dictionary().is_some() || field.children().is_some_and(|nested| !nested.is_empty()) {
        return None;
    }
    match field.type_type() {
        Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            Precision::HALF => Some(Cell::Float(2)),
            Precision::SINGLE => Some(Cell::Float(4)),
            Precision::DOUBLE => Some(Cell::Float(8)),
            _ => None,
        },
        Type::Int => {
            let kind = field.type_as_int()?;
            let bytes = usize::try_from(kind.bitWidth()).ok()? / 8;
            let known = matches!(bytes, 1 | 2 | 4 | 8);
            known.then_some(Cell::Integer { bytes, signed: kind.is_signed() })
        }
        Type::Utf8 => Some(Cell::Text { offset_bytes: 4 }),
        Type::LargeUtf8 => Some(Cell::Text { offset_bytes: 8 }),
        Type::Null => Some(Cell::Other { buffers: 0 }),
        Type::Binary | Type::LargeBinary => Some(Cell::Other { buffers: 3 }),
        Type::Bool
        | Type::Date
        | Type::Time
        | Type::Timestamp
        | Type::Duration
        | Type::Interval
        | Type::Decimal
        | Type::FixedSizeBinary => Some(Cell::Other { buffers: 2 }),
        _ => None,
    }
}

/// Appends a batch's cells to the columns; the number of its rows.
fn read_batch(
    fields: &[Field<'_>],
    batch: &RecordBatch<'_>,
    body: &[u8],
    columns: &mut [(String, Column)],
) -> Parsed<usize> {
    let rows = usize::try_from(batch.length()).ok().filter(|&rows| rows <= MAX_RECORDS);
    let rows = rows.ok_or_else(|| format!("a batch announces {} rows", batch.length()))?;
    let buffers = batch.buffers().ok_or(CUT_SHORT)?;
    let nodes = batch.nodes().ok_or(CUT_SHORT)?;
    if nodes.len() != fields.len() {
        return Err(CUT_SHORT.to_owned());
    }
    let codec = batch.compression().map(|compression| compression.codec());
    let mut first_buffer = 0;
    for (field, node) in fields.iter().zip(nodes) {
        let name = field.name().unwrap_or_default();
        let cell = cell(field).ok_or_else(|| {
            format!("column {name} is nested or dictionary-encoded; save the table without")
        })?;
        if let Some((_, column)) = columns.iter_mut().find(|(wanted, _)| wanted == name) {
            if node.length() != batch.length() || node.null_count() != 0 {
                return Err(format!("column {name} has empty cells"));
            }
            let fetch = |index: usize, limit: usize| -> Parsed<Vec<u8>> {
                let index = first_buffer + index;
                if index >= buffers.len() {
                    return Err(CUT_SHORT.to_owned());
                }
                let buffer = buffers.get(index);
                let start = usize::try_from(buffer.offset()).map_err(|_| CUT_SHORT)?;
                let bytes = usize::try_from(buffer.length()).map_err(|_| CUT_SHORT)?;
                let end = start.checked_add(bytes).ok_or(CUT_SHORT)?;
                let packed = body.get(start..end).ok_or(CUT_SHORT)?;
                unpack(packed, codec, limit).map_err(|what| format!("column {name}: {what}"))
            };
            append(column, cell, rows, fetch)?;
        }
        first_buffer += cell.buffers();
    }
    Ok(rows)
}

/// Padding that a writer may leave behind a buffer's last cell, bytes.
const PADDING_BYTES: usize = 64;

/// A buffer, unpacked to at most `limit` bytes and padding.
fn unpack(packed: &[u8], codec: Option<CompressionType>, limit: usize) -> Parsed<Vec<u8>> {
    let limit = limit + PADDING_BYTES;
    let Some(codec) = codec else { return Ok(packed[..packed.len().min(limit)].to_vec()) };
    let Some((announced, packed)) = packed.split_first_chunk::<8>() else {
        return Ok(Vec::new());
    };
    if i64::from_le_bytes(*announced) == -1 {
        return Ok(packed[..packed.len().min(limit)].to_vec());
    }
    let mut bytes = Vec::new();
    let read = match codec {
        CompressionType::LZ4_FRAME => {
            lz4_flex::frame::FrameDecoder::new(packed).take(limit as u64).read_to_end(&mut bytes)
        }
        CompressionType::ZSTD => zstd::Decoder::new(packed)
            .and_then(|decoder| decoder.take(limit as u64).read_to_end(&mut bytes)),
        _ => return Err("its compression is neither LZ4 nor Zstandard".to_owned()),
    };
    read.map_err(|cause| format!("{CUT_SHORT}: {cause}"))?;
    Ok(bytes)
}

fn append(
    column: &mut Column,
    cell: Cell,
    rows: usize,
    fetch: impl Fn(usize, usize) -> Parsed<Vec<u8>>,
) -> Parsed<()> {
    let fixed = |bytes: usize| -> Parsed<Vec<u8>> {
        let mut data = fetch(1, rows * bytes)?;
        if data.len() < rows * bytes {
            return Err(CUT_SHORT.to_owned());
        }
        data.truncate(rows * bytes);
        Ok(data)
    };
    match (column, cell) {
        (Column::Floats(values), Cell::Float(bytes)) => {
            values.extend(fixed(bytes)?.chunks_exact(bytes).map(float));
        }
        (Column::Integers(values), Cell::Integer { bytes, signed }) => {
            values.extend(fixed(bytes)?.chunks_exact(bytes).map(|cell| integer(cell, signed)));
        }
        (Column::Texts { values, bytes }, Cell::Text { offset_bytes }) => {
            let offsets = fetch(1, (rows + 1) * offset_bytes)?;
            let text = fetch(2, MAX_TEXT_COLUMN_BYTES.saturating_sub(*bytes))?;
            *bytes += texts(&offsets, offset_bytes, &text, rows, values)?;
        }
        _ => return Err(CUT_SHORT.to_owned()),
    }
    Ok(())
}

/// Most bytes of text in one column, all batches together.
const MAX_TEXT_COLUMN_BYTES: usize = 256 << 20;

/// Appends a batch's cells; the number of their bytes.
fn texts(
    offsets: &[u8],
    offset_bytes: usize,
    text: &[u8],
    rows: usize,
    values: &mut Vec<String>,
) -> Parsed<usize> {
    if rows == 0 {
        return Ok(0);
    }
    let at: Vec<i64> = offsets.chunks_exact(offset_bytes).map(|cell| integer(cell, true)).collect();
    let at = at.get(..rows + 1).ok_or(CUT_SHORT)?;
    let mut total = 0;
    for pair in at.windows(2) {
        let (start, end) = (usize::try_from(pair[0]), usize::try_from(pair[1]));
        let (Ok(start), Ok(end)) = (start, end) else { return Err(CUT_SHORT.to_owned()) };
        let cell = text.get(start..end).ok_or(CUT_SHORT)?;
        // Overlapping cells could repeat one long text without end.
        total += cell.len();
        if total > text.len() {
            return Err(CUT_SHORT.to_owned());
        }
        let cell = std::str::from_utf8(cell).map_err(|_| "a cell is not UTF-8")?;
        values.push(cell.to_owned());
    }
    Ok(total)
}

fn integer(cell: &[u8], signed: bool) -> i64 {
    let negative = signed && cell.last().is_some_and(|&high| high & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..cell.len()].copy_from_slice(cell);
    i64::from_le_bytes(wide)
}

fn float(cell: &[u8]) -> f64 {
    match *cell {
        [a, b] => half(u16::from_le_bytes([a, b])),
        [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => f64::NAN,
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float32Array, Int64Array, RecordBatch, StringArray, UInt8Array};
    use arrow_ipc::writer::{FileWriter, IpcWriteOptions};

    use super::*;

    fn file(codec: Option<CompressionType>) -> Vec<u8> {
        let columns: [(&str, ArrayRef); 4] = [
            ("x", Arc::new(Float32Array::from_iter_values((0..300).map(|i| i as f32 / 4.0)))),
            ("name", Arc::new(StringArray::from_iter_values((0..300).map(|i| format!("é{i}"))))),
            ("ring", Arc::new(UInt8Array::from_iter_values((0..300).map(|i| i as u8)))),
            ("t", Arc::new(Int64Array::from_iter_values((0..300).map(|i| -i)))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let options = IpcWriteOptions::default().try_with_compression(codec).unwrap();
        let mut writer =
            FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch.slice(0, 7)).unwrap();
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    }

    fn read(bytes: &[u8], wanted: &[&str]) -> Result<Table, Error> {
        Table::parse(Path::new("t.feather"), bytes, wanted)
    }

    #[test]
    fn columns_come_back_from_every_compression() {
        for codec in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
            let table = read(&file(codec), &["t", "x", "name", "ring"]).unwrap();
            assert_eq!(table.rows, 307);
            assert_eq!(table.floats("x").unwrap()[299], 74.75);
            assert_eq!(table.floats("x").unwrap()[303], 0.75);
            assert_eq!(table.integers("t").unwrap()[5], -5);
            assert_eq!(table.integers("ring").unwrap()[255], 255);
            assert_eq!(table.texts("name").unwrap()[12], "é12");
            assert!(table.texts("x").is_err() && table.integers("name").is_err());
        }
    }

    #[test]
    fn says_what_is_missing() {
        let whole = file(Some(CompressionType::ZSTD));
        let check = |bytes: &[u8], wanted: &[&str], expected: &str| {
            let error = read(bytes, wanted).err().unwrap().to_string();
            assert!(error.contains("t.feather") && error.contains(expected), "{error}");
        };
        check(&whole, &["y"], "column y is missing");
        check(&whole[..whole.len() - 1], &["x"], "ARROW1");
        check(b"", &["x"], "ARROW1");
        check(b"ARROW1\0\0\xff\xff\xff\x7fARROW1", &["x"], "cut short");
    }

    #[test]
    fn halves_are_exact() {
        for (bits, expected) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2f64.powi(-24)), (0x7bff, 65504.0), (0, 0.0)]
        {
            assert_eq!(half(bits), expected);
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }
}
