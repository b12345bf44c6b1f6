//! Parquet files whose row groups carry their own hash.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::SchemaRef;
use bytes::{Buf, Bytes};
use ommatidia_geometry::Timestamp;
use ommatidia_scene::ContentHash;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelector,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use serde::{Deserialize, Serialize};

use super::Table;
use crate::file_at::FileAt;
use crate::{Error, hash};

/// The version that this program writes and reads.
pub(super) const VERSION: u32 = 1;
/// Key of the index among the file's key-value metadata.
pub(super) const KEY: &str = "ommatidia";
/// Largest row group or footer that is read.
const MAX_BYTES: u64 = 1 << 30;

/// What the key-value metadata says about the rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    pub(super) version: u32,
    pub(super) table: Table,
    pub(super) row_groups: Vec<Group>,
}

/// One row group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) rows: u64,
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
    /// Of its bytes on disk.
    pub(super) blake3: ContentHash,
}

/// An open file: footer in memory, and the row group that was read last.
#[derive(Debug)]
pub(super) struct ParquetFile {
    file: FileAt,
    metadata: ArrowReaderMetadata,
    groups: Vec<Group>,
    last: Mutex<Option<(usize, Bytes)>>,
}

impl ParquetFile {
    pub(super) fn open(path: &Path, table: Table, schema: &SchemaRef) -> Result<Self, Error> {
        let file = FileAt::open(path)?;
        let wrong = |what: String| damaged(path, &what);
        let footer = read_footer(&file)?;
        let index = index_of(&footer).map_err(wrong)?;
        if index.table != table {
            return Err(wrong(format!("it holds {}, not {table}", index.table)));
        }
        check_groups(&footer, &index.row_groups, file.length()).map_err(wrong)?;
        let options =
            ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(schema.clone());
        let metadata = ArrowReaderMetadata::try_new(Arc::new(footer), options)
            .map_err(|cause| wrong(format!("its columns are not those of {table}: {cause}")))?;
        Ok(Self { file, metadata, groups: index.row_groups, last: Mutex::new(None) })
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Row groups that may hold a time.
    pub(super) fn groups_at(&self, timestamp: Timestamp) -> std::ops::Range<usize> {
        let start = self.groups.partition_point(|group| group.last_ns < timestamp.0);
        let end = self.groups.partition_point(|group| group.first_ns <= timestamp.0);
        start..end.max(start)
    }

    /// The rows of a row group that have this time; they follow each other.
    pub(super) fn rows_at(
        &self,
        group: usize,
        timestamp: Timestamp,
    ) -> Result<std::ops::Range<usize>, Error> {
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), [0]);
        let builder = self.builder(group)?.with_projection(mask);
        let mut times: Vec<i64> = Vec::new();
        for batch in self.batches(builder)? {
            let column = batch.column(0).as_primitive_opt::<Int64Type>();
            let column = column.ok_or_else(|| self.damaged("its first column holds no times"))?;
            times.extend(column.values());
        }
        if !times.is_sorted() {
            return Err(self.damaged("its rows do not ascend in time"));
        }
        let start = times.partition_point(|&time| time < timestamp.0);
        Ok(start..times.partition_point(|&time| time <= timestamp.0))
    }

    /// Rows of a row group, all or some.
    pub(super) fn read(
        &self,
        group: usize,
        rows: Option<std::ops::Range<usize>>,
    ) -> Result<Vec<RecordBatch>, Error> {
        let mut builder = self.builder(group)?;
        let mut expected = self.groups[group].rows as usize;
        if let Some(rows) = rows {
            expected = rows.len();
            let selection = vec![RowSelector::skip(rows.start), RowSelector::select(rows.len())];
            builder = builder.with_row_selection(RowSelection::from(selection));
        }
        let batches = self.batches(builder)?;
        if batches.iter().map(RecordBatch::num_rows).sum::<usize>() != expected {
            return Err(self.damaged("a row group has fewer rows than the footer says"));
        }
        Ok(batches)
    }

    pub(super) fn footer(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// An error about this file.
    pub(super) fn damaged(&self, what: &str) -> Error {
        damaged(self.file.path(), what)
    }

    fn builder(&self, group: usize) -> Result<ParquetRecordBatchReaderBuilder<Window>, Error> {
        let metadata = &self.metadata;
        let window = self.window(group)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(window, metadata.clone());
        Ok(builder.with_row_groups(vec![group]).with_batch_size(self.groups[group].rows as usize))
    }

    fn batches(
        &self,
        builder: ParquetRecordBatchReaderBuilder<Window>,
    ) -> Result<Vec<RecordBatch>, Error> {
        let wrong = |cause: &dyn std::fmt::Display| self.damaged(&cause.to_string());
        let reader = builder.build().map_err(|cause| wrong(&cause))?;
        reader.map(|batch| batch.map_err(|cause| wrong(&cause))).collect()
    }

    /// The verified bytes of a row group.
    pub(super) fn window(&self, group: usize) -> Result<Window, Error> {
        let (start, length) = span(self.metadata.metadata().row_group(group))
            .ok_or_else(|| self.damaged("a row group has an impossible size"))?;
        let window = |bytes| Window { start, bytes, file_length: self.file.length() };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, bytes)) = last.filter(|(index, _)| *index == group) {
            return Ok(window(bytes));
        }
        let bytes = self.file.bytes(start, length)?;
        let bytes = bytes.ok_or_else(|| self.damaged("a row group lies past its end"))?;
        if hash::of_bytes(&bytes) != self.groups[group].blake3 {
            return Err(self.damaged(&format!("the hash of row group {group} is wrong")));
        }
        let bytes = Bytes::from(bytes);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((group, bytes.clone()));
        Ok(window(bytes))
    }
}

pub(super) fn damaged(path: &Path, what: &str) -> Error {
    let what = format!("{what}; the table is damaged, run omma label again");
    Error::Labels { path: path.to_owned(), what }
}

fn read_footer(file: &FileAt) -> Result<ParquetMetaData, Error> {
    const CUT_SHORT: &str = "it is cut short or no Parquet file";
    let wrong = |what: &str| damaged(file.path(), what);
    let cut_short = || wrong(CUT_SHORT);
    let tail_start = file.length().checked_sub(8).ok_or_else(cut_short)?;
    let tail = file.bytes(tail_start, 8)?.ok_or_else(cut_short)?;
    let (length, magic) = tail.split_at(4);
    let length = u64::from(u32::from_le_bytes([length[0], length[1], length[2], length[3]]));
    let start = tail_start.checked_sub(length).filter(|_| magic == b"PAR1" && length <= MAX_BYTES);
    let start = start.ok_or_else(cut_short)?;
    let footer = file.bytes(start, length)?.ok_or_else(cut_short)?;
    ParquetMetaDataReader::decode_metadata(&footer).map_err(|cause| wrong(&cause.to_string()))
}

fn index_of(footer: &ParquetMetaData) -> Result<Index, String> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let pairs = footer.file_metadata().key_value_metadata();
    let json = pairs
        .and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY)?.value.as_deref())
        .ok_or("it is a Parquet file without our index")?;
    let found: Versioned = serde_json::from_str(json).map_err(|cause| cause.to_string())?;
    if found.version != VERSION {
        let version = found.version;
        return Err(format!("was written as version {version}, this program reads {VERSION}"));
    }
    serde_json::from_str(json).map_err(|cause| cause.to_string())
}

fn check_groups(footer: &ParquetMetaData, groups: &[Group], length: u64) -> Result<(), String> {
    if footer.num_row_groups() != groups.len() {
        return Err("its index does not have an entry for each row group".to_owned());
    }
    for (index, (group, entry)) in footer.row_groups().iter().zip(groups).enumerate() {
        let within = span(group).is_some_and(|(start, size)| start + size <= length);
        if !within || group.num_rows() as u64 != entry.rows || entry.first_ns > entry.last_ns {
            return Err(format!("row group {index} is not as the index says"));
        }
    }
    if groups.windows(2).any(|pair| pair[0].last_ns >= pair[1].first_ns) {
        return Err("its row groups do not ascend in time".to_owned());
    }
    Ok(())
}

/// Start and length of a row group whose columns follow each other; `None` if they do not or it is too large.
pub(super) fn span(group: &RowGroupMetaData) -> Option<(u64, u64)> {
    let mut end = None;
    let mut start = 0;
    for column in group.columns() {
        let first = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let first = u64::try_from(first).ok()?;
        if end.is_some_and(|end| end != first) {
            return None;
        }
        if end.is_none() {
            start = first;
        }
        end = Some(first.checked_add(u64::try_from(column.compressed_size()).ok()?)?);
    }
    let length = end?.checked_sub(start)?;
    (length <= MAX_BYTES).then_some((start, length))
}

/// The bytes of one row group at their place in the file.
#[derive(Debug, Clone)]
pub(super) struct Window {
    start: u64,
    bytes: Bytes,
    file_length: u64,
}

impl Window {
    fn from(&self, start: u64) -> parquet::errors::Result<Bytes> {
        let offset = start.checked_sub(self.start).filter(|&at| at <= self.bytes.len() as u64);
        let offset = offset.ok_or_else(|| ParquetError::EOF("outside its row group".to_owned()))?;
        Ok(self.bytes.slice(offset as usize..))
    }
}

impl Length for Window {
    fn len(&self) -> u64 {
        self.file_length
    }
}

impl ChunkReader for Window {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let rest = self.from(start)?;
        if length > rest.len() {
            return Err(ParquetError::EOF("past its row group".to_owned()));
        }
        Ok(rest.slice(..length))
    }
}
