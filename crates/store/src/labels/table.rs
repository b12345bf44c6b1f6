//! Tables of labels and their rows.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ommatidia_geometry::Timestamp;
use serde::{Deserialize, Serialize};

use super::parquet_file::ParquetFile;
use crate::Error;

/// The kinds of label, one file each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// The vehicle's poses.
    Trajectory,
    /// Semantic occupancy with flow.
    Voxels,
    /// The ground.
    Surface,
    /// Boxes.
    Objects,
    /// Lane graphs.
    Lanes,
    /// Depth per camera.
    Depth,
    /// Classes and instances per pixel and camera.
    Semantics,
    /// Surface normals per pixel and camera.
    Normals,
    /// Optical flow per pixel and camera.
    OpticalFlow,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Trajectory,
        Self::Voxels,
        Self::Surface,
        Self::Objects,
        Self::Lanes,
        Self::Depth,
        Self::Semantics,
        Self::Normals,
        Self::OpticalFlow,
    ];

    /// The file's name without its ending.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trajectory => "trajectory",
            Self::Voxels => "voxels",
            Self::Surface => "surface",
            Self::Objects => "objects",
            Self::Lanes => "lanes",
            Self::Depth => "depth",
            Self::Semantics => "semantics",
            Self::Normals => "normals",
            Self::OpticalFlow => "optical_flow",
        }
    }

    /// The file's name.
    pub fn file_name(self) -> String {
        format!("{}.parquet", self.name())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One entry of a table: what it says about one time (and one camera). May take several rows on disk.
pub trait Row: Sized {
    /// Where it goes.
    const TABLE: Table;
    /// Entries are large and lie in a page of their own each, so that one is read without the others.
    const LARGE: bool;

    /// When.
    fn timestamp(&self) -> Timestamp;

    /// Columns; the first is `timestamp_ns`.
    fn schema() -> SchemaRef;

    /// Its rows.
    ///
    /// # Errors
    /// What cannot be stored, in words.
    fn encode(&self) -> Result<RecordBatch, String>;

    /// Entries from rows with the columns of [`Row::schema`].
    ///
    /// # Errors
    /// What is wrong with them, in words.
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, String>;
}

/// A table that is read one row group at a time: memory holds the last row group and the index.
#[derive(Debug)]
pub struct TableReader<R> {
    file: ParquetFile,
    row: PhantomData<fn() -> R>,
}

impl<R: Row> TableReader<R> {
    /// Opens a table or a part of one. Reads its index, no rows.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if it is cut short, damaged or another table.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { file: ParquetFile::open(path, R::TABLE, &R::schema())?, row: PhantomData })
    }

    /// Number of row groups.
    pub fn row_groups(&self) -> usize {
        self.file.groups().len()
    }

    /// All entries of a row group.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if it is damaged.
    pub fn row_group(&self, group: usize) -> Result<Vec<R>, Error> {
        self.decode(&self.file.read(group, None)?)
    }

    /// All entries at a time; none if the table says nothing about it.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if they are damaged.
    pub fn at(&self, timestamp: Timestamp) -> Result<Vec<R>, Error> {
        let mut found = Vec::new();
        for group in self.file.groups_at(timestamp) {
            let rows = self.file.rows_at(group, timestamp)?;
            if !rows.is_empty() {
                found.extend(self.decode(&self.file.read(group, Some(rows))?)?);
            }
        }
        Ok(found)
    }

    /// All entries in the table's order, one row group in memory at a time.
    ///
    /// # Errors
    /// Each item: [`Error::Read`]; [`Error::Labels`] if the row group is damaged.
    pub fn rows(&self) -> impl Iterator<Item = Result<R, Error>> + '_ {
        (0..self.row_groups()).flat_map(|group| match self.row_group(group) {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    fn decode(&self, batches: &[RecordBatch]) -> Result<Vec<R>, Error> {
        let mut rows = Vec::new();
        for batch in batches {
            rows.extend(R::decode(batch).map_err(|what| self.file.damaged(&what))?);
        }
        Ok(rows)
    }
}
