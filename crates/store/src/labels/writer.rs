//! Writes labels.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ommatidia_scene::PoseSample;

use super::parquet_write::{concatenate, encode};
use super::{
    DepthRow, LanesRow, Manifest, NormalsRow, ObjectsRow, OpticalFlowRow, Row, SemanticsRow,
    SurfaceRow, Table, TableReader, TableRecord, VoxelsRow,
};
use crate::{Error, atomic};

const PARTS: &str = ".parts";
const ENDING: &str = "parquet";

/// A labels directory under construction. Every step is atomic: killed anywhere, it leaves whole parts and
/// whole tables, and the next writer goes on from them. Two cannot be open on one directory.
#[derive(Debug)]
pub struct LabelsWriter {
    directory: PathBuf,
    /// Kept for as long as this writes.
    _lock: Option<File>,
}

impl LabelsWriter {
    /// Opens or creates the directory, and removes what killed writers left half-done.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`]; [`Error::Busy`] if another process writes there.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        atomic::create_directory(directory)?;
        let lock = atomic::lock_directory(directory)?;
        atomic::clean(directory);
        for table in Table::ALL {
            atomic::clean(&directory.join(PARTS).join(table.name()));
        }
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// Where the labels are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a part: entries in ascending time, all after those of the parts with smaller numbers.
    ///
    /// # Errors
    /// [`Error::Labels`] if a value cannot be stored; [`Error::Write`], [`Error::DiskFull`].
    pub fn write_part<R: Row>(&self, number: u32, rows: &[R]) -> Result<(), Error> {
        let path = self.part(R::TABLE, number);
        let bytes = encode(rows).map_err(|what| Error::Labels { path: path.clone(), what })?;
        atomic::create_directory(&self.parts_of(R::TABLE))?;
        atomic::write_among_many(&path, &bytes)
    }

    /// Numbers of the parts that are there, ascending.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn parts(&self, table: Table) -> Result<Vec<u32>, Error> {
        let directory = self.parts_of(table);
        let fail = |cause| Error::read(&directory, cause);
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(fail)?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let path = entry.map_err(fail)?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            numbers.extend(number.filter(|&number| path == self.part(table, number)));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Opens a part for reading.
    ///
    /// # Errors
    /// As [`TableReader::open`].
    pub fn read_part<R: Row>(&self, number: u32) -> Result<TableReader<R>, Error> {
        TableReader::open(&self.part(R::TABLE, number))
    }

    /// Removes all parts of a table.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn remove_parts(&self, table: Table) -> Result<(), Error> {
        remove(&self.parts_of(table), |path| fs::remove_dir_all(path))?;
        let all = self.directory.join(PARTS);
        if fs::read_dir(&all).is_ok_and(|mut entries| entries.next().is_none()) {
            remove(&all, |path| fs::remove_dir(path))?;
        }
        Ok(())
    }

    /// Removes a whole table that an earlier run wrote and this one does not.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn remove_table(&self, table: Table) -> Result<(), Error> {
        remove(&self.directory.join(table.file_name()), |path| fs::remove_file(path))
    }

    /// Opens a whole table for reading.
    ///
    /// # Errors
    /// As [`TableReader::open`].
    pub fn read_table<R: Row>(&self) -> Result<TableReader<R>, Error> {
        TableReader::open(&self.directory.join(R::TABLE.file_name()))
    }

    /// Joins the parts of a table, in the order of their numbers, and puts the result in the table's
    /// place. Without parts the table is empty. The same parts give the same bytes. The parts stay, so that
    /// a run killed before its manifest is written need not make them again: then [`Self::remove_parts`].
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if a part is damaged or overlaps another in time;
    /// [`Error::Write`], [`Error::DiskFull`]. The table is then as it was.
    pub fn assemble(&self, table: Table) -> Result<TableRecord, Error> {
        let numbers = self.parts(table)?;
        let parts: Vec<PathBuf> = numbers.iter().map(|&number| self.part(table, number)).collect();
        let target = self.directory.join(table.file_name());
        let (blake3, bytes) = match table {
            Table::Trajectory => concatenate::<PoseSample>(&parts, &target),
            Table::Voxels => concatenate::<VoxelsRow>(&parts, &target),
            Table::Surface => concatenate::<SurfaceRow>(&parts, &target),
            Table::Objects => concatenate::<ObjectsRow>(&parts, &target),
            Table::Lanes => concatenate::<LanesRow>(&parts, &target),
            Table::Depth => concatenate::<DepthRow>(&parts, &target),
            Table::Semantics => concatenate::<SemanticsRow>(&parts, &target),
            Table::Normals => concatenate::<NormalsRow>(&parts, &target),
            Table::OpticalFlow => concatenate::<OpticalFlowRow>(&parts, &target),
        }?;
        Ok(TableRecord { table, blake3, bytes })
    }

    /// Writes the manifest; do so last.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`].
    pub fn finish(&self, manifest: &Manifest) -> Result<(), Error> {
        manifest.write(&self.directory)
    }

    fn parts_of(&self, table: Table) -> PathBuf {
        self.directory.join(PARTS).join(table.name())
    }

    fn part(&self, table: Table, number: u32) -> PathBuf {
        self.parts_of(table).join(format!("{number:06}.{ENDING}"))
    }
}

fn remove(path: &Path, remove: fn(&Path) -> std::io::Result<()>) -> Result<(), Error> {
    match remove(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(|cause| Error::write(path, 0, cause)),
    }
}
