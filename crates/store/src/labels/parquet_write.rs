//! Writes Parquet files whose row groups carry their own hash, and joins them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_schema::{DataType, Field, Schema};
use ommatidia_scene::ContentHash;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::parquet_file::{Group, Index, KEY, ParquetFile, VERSION, damaged, span};
use super::{Row, Table};
use crate::atomic::AtomicFile;
use crate::{Error, hash};

/// A row group is closed once it holds this much.
const ROW_GROUP_BYTES: usize = 8 << 20;

/// Encodes entries, in ascending time, as a whole file.
///
/// # Errors
/// What cannot be stored, in words.
pub(super) fn encode<R: Row>(rows: &[R]) -> Result<Vec<u8>, String> {
    let schema = R::schema();
    let properties = properties(&schema, R::LARGE)?;
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let error = |cause: ParquetError| cause.to_string();
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), schema, options).map_err(error)?;
    let mut times: Vec<(i64, i64)> = Vec::new();
    let mut open: Option<(i64, i64)> = None;
    for row in rows {
        let time = row.timestamp().0;
        let earlier = open.or(times.last().copied());
        if earlier.is_some_and(|(_, last)| last > time) {
            return Err(format!("rows of {} do not ascend in time", R::TABLE));
        }
        // A time never straddles two row groups.
        if writer.in_progress_size() >= ROW_GROUP_BYTES && open.is_some_and(|(_, last)| last < time)
        {
            writer.flush().map_err(error)?;
            times.extend(open.take());
        }
        writer.write(&row.encode()?).map_err(error)?;
        open = Some((open.map_or(time, |(first, _)| first), time));
    }
    writer.flush().map_err(error)?;
    times.extend(open);
    // The last row group's bytes may still be in the writer's own buffer.
    writer.sync().map_err(|cause| cause.to_string())?;
    let mut row_groups = Vec::new();
    for (group, (first_ns, last_ns)) in writer.flushed_row_groups().iter().zip(times) {
        let (start, length) = span(group).ok_or("a row group has an impossible size")?;
        let bytes = &writer.inner()[start as usize..(start + length) as usize];
        let rows = group.num_rows() as u64;
        row_groups.push(Group { rows, first_ns, last_ns, blake3: hash::of_bytes(bytes) });
    }
    writer.append_key_value_metadata(key_value(R::TABLE, row_groups)?);
    writer.into_inner().map_err(error)
}

/// Joins whole files of one table, in their order, copying row groups as they are.
///
/// # Errors
/// [`Error::Read`]; [`Error::Labels`] if a part is damaged or overlaps the one before it;
/// [`Error::Write`], [`Error::DiskFull`].
pub(super) fn concatenate<R: Row>(
    parts: &[PathBuf],
    target: &Path,
) -> Result<(ContentHash, u64), Error> {
    let schema = R::schema();
    let wrong = |what: String| damaged(target, &what);
    let properties = Arc::new(properties(&schema, R::LARGE).map_err(wrong)?);
    let descriptor =
        ArrowSchemaConverter::new().convert(&schema).map_err(|cause| wrong(cause.to_string()))?;
    let mut file = HashingFile { file: AtomicFile::create(target)?, hasher: blake3::Hasher::new() };
    let written_bytes = file.file.counter();
    let failed = |cause| writing(target, written_bytes.load(Ordering::Relaxed), cause);
    let mut writer = SerializedFileWriter::new(&mut file, descriptor.root_schema_ptr(), properties)
        .map_err(failed)?;
    let mut groups: Vec<Group> = Vec::new();
    for path in parts {
        let part = ParquetFile::open(path, R::TABLE, &schema)?;
        for (index, group) in part.groups().iter().enumerate() {
            if groups.last().is_some_and(|last| last.last_ns >= group.first_ns) {
                return Err(part.damaged("its times overlap those of the part before it"));
            }
            let window = part.window(index)?;
            let row_group = part.footer().row_group(index);
            let mut out = writer.next_row_group().map_err(failed)?;
            for column in row_group.columns() {
                let close = ColumnCloseResult {
                    bytes_written: column.compressed_size() as u64,
                    rows_written: group.rows,
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: None,
                    offset_index: None,
                };
                out.append_column(&window, close).map_err(failed)?;
            }
            out.close().map_err(failed)?;
            groups.push(group.clone());
        }
    }
    writer.append_key_value_metadata(key_value(R::TABLE, groups).map_err(wrong)?);
    writer.close().map_err(failed)?;
    let bytes = file.file.written_bytes();
    file.file.commit()?;
    Ok((ContentHash(*file.hasher.finalize().as_bytes()), bytes))
}

/// Hashes what is written.
struct HashingFile {
    file: AtomicFile,
    hasher: blake3::Hasher,
}

impl std::io::Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// What the disk said, out of what Parquet's writer made of it.
fn writing(target: &Path, written_bytes: u64, cause: ParquetError) -> Error {
    let cause = match cause {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => *io,
            Err(other) => std::io::Error::other(other),
        },
        other => std::io::Error::other(other),
    };
    Error::write(target, written_bytes, cause)
}

fn key_value(table: Table, row_groups: Vec<Group>) -> Result<KeyValue, String> {
    let index = Index { version: VERSION, table, row_groups };
    let json = serde_json::to_string(&index).map_err(|cause| cause.to_string())?;
    Ok(KeyValue::new(KEY.to_owned(), json))
}

fn properties(schema: &Schema, large: bool) -> Result<WriterProperties, String> {
    let level = ZstdLevel::try_new(3).map_err(|cause| cause.to_string())?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(None)
        .set_created_by(concat!("omma ", env!("CARGO_PKG_VERSION")).to_owned());
    if large {
        properties = properties.set_data_page_row_count_limit(1).set_write_batch_size(1);
    }
    for (path, kind) in leaves(schema) {
        let column = ColumnPath::from(path.clone());
        let png = path.last().is_some_and(|name| name.ends_with("_png"));
        let encoding = match kind {
            Leaf::Float => Some(Encoding::BYTE_STREAM_SPLIT),
            Leaf::Integer => Some(Encoding::DELTA_BINARY_PACKED),
            Leaf::Bytes => Some(Encoding::PLAIN),
            Leaf::Few => None,
        };
        if let Some(encoding) = encoding {
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column.clone(), encoding);
        }
        if png {
            properties = properties.set_column_compression(column, Compression::UNCOMPRESSED);
        }
    }
    Ok(properties.build())
}

/// How a column's values are best encoded.
enum Leaf {
    Float,
    Integer,
    Bytes,
    /// Few different values: a dictionary.
    Few,
}

fn leaves(schema: &Schema) -> Vec<(Vec<String>, Leaf)> {
    fn visit(field: &Field, mut path: Vec<String>, out: &mut Vec<(Vec<String>, Leaf)>) {
        path.push(field.name().clone());
        match field.data_type() {
            DataType::List(item) => {
                path.push("list".to_owned());
                visit(item, path, out);
            }
            DataType::Struct(fields) => {
                fields.iter().for_each(|field| visit(field, path.clone(), out));
            }
            DataType::Float32 | DataType::Float64 => out.push((path, Leaf::Float)),
            DataType::Int32 | DataType::Int64 | DataType::UInt32 | DataType::UInt64 => {
                out.push((path, Leaf::Integer));
            }
            DataType::Binary => out.push((path, Leaf::Bytes)),
            _ => out.push((path, Leaf::Few)),
        }
    }
    let mut out = Vec::new();
    schema.fields().iter().for_each(|field| visit(field, Vec::new(), &mut out));
    out
}
