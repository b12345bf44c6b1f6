//! The few things an update asks of a disk, as a trait, so that tests can cut the power at any of them.
//!
//! Paths are relative to the vehicle's directory, parts separated by `/`. Directories exist once a file
//! in them was created. Nothing is durable before [`Disk::sync`] (a file's bytes) and
//! [`Disk::sync_directory`] (its name).

mod real;
pub mod simulated;

use std::io::{self, Read};

pub use real::RealDisk;

use crate::Error;

/// Bytes that can be read from any place.
pub trait ReadAt {
    /// Reads up to `buffer.len()` bytes from `offset`; 0 at the end.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// How many bytes there are.
    ///
    /// # Errors
    /// What the system says.
    fn bytes(&self) -> io::Result<u64>;
}

impl ReadAt for &[u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let count = buffer.len().min(self.len() - start);
        buffer[..count].copy_from_slice(&self[start..start + count]);
        Ok(count)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, buffer)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

/// A part of something that can be read from any place, as a stream.
pub struct Section<'a> {
    source: &'a dyn ReadAt,
    at: u64,
    end: u64,
}

impl<'a> Section<'a> {
    /// `bytes` from `offset`.
    pub fn new(source: &'a dyn ReadAt, offset: u64, bytes: u64) -> Self {
        Self { source, at: offset, end: offset.saturating_add(bytes) }
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.source.read_at(self.at, &mut buffer[..left])?;
        self.at += count as u64;
        Ok(count)
    }
}

/// A lock, held until this is dropped.
pub trait Guard {}

/// A directory on a disk.
pub trait Disk {
    /// Holds the lock of that name against everyone, other processes included. Waits for whoever holds it,
    /// or without `wait` fails with [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// What the system says.
    fn lock(&self, path: &str, wait: bool) -> io::Result<Box<dyn Guard + '_>>;

    /// Size of a file, `None` if there is none.
    ///
    /// # Errors
    /// What the system says.
    fn length(&self, path: &str) -> io::Result<Option<u64>>;

    /// Reads up to `buffer.len()` bytes from `offset`; 0 at the end.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, path: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Makes an empty file, in place of one that is there.
    ///
    /// # Errors
    /// What the system says.
    fn create(&self, path: &str) -> io::Result<()>;

    /// Writes behind a file's end.
    ///
    /// # Errors
    /// What the system says; a part may have been written.
    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()>;

    /// Makes a file's bytes durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&self, path: &str) -> io::Result<()>;

    /// Gives a file another name in the same directory, in place of one that has it.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_directory(&self, directory: &str) -> io::Result<()>;

    /// Names of the files in a directory, sorted; none if it is not there.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;
}

/// A file of a disk.
pub struct OnDisk<'a> {
    disk: &'a dyn Disk,
    path: &'a str,
}

impl<'a> OnDisk<'a> {
    /// The file at `path`.
    pub fn new(disk: &'a dyn Disk, path: &'a str) -> Self {
        Self { disk, path }
    }
}

impl ReadAt for OnDisk<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.read_at(self.path, offset, buffer)
    }

    fn bytes(&self) -> io::Result<u64> {
        self.disk.length(self.path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A small file, whole; `None` if there is none.
///
/// # Errors
/// [`Error::Io`], also if it is larger than `max_bytes`.
pub fn read_small(disk: &dyn Disk, path: &str, max_bytes: u64) -> Result<Option<Vec<u8>>, Error> {
    let fail = |cause| Error::io(format!("cannot read {path}"), cause);
    let Some(length) = disk.length(path).map_err(fail)? else { return Ok(None) };
    if length > max_bytes {
        let why = format!("{length} bytes are more than the {max_bytes} it may have");
        return Err(fail(io::Error::new(io::ErrorKind::InvalidData, why)));
    }
    let mut bytes = Vec::new();
    let file = OnDisk::new(disk, path);
    Section::new(&file, 0, length).read_to_end(&mut bytes).map_err(fail)?;
    Ok(Some(bytes))
}

/// Puts `bytes` in the place of a file so that a power cut leaves the old or the new.
///
/// # Errors
/// [`Error::Io`].
pub fn replace(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Result<(), Error> {
    let temporary = format!("{path}.new");
    let all = || {
        disk.create(&temporary)?;
        disk.append(&temporary, bytes)?;
        disk.sync(&temporary)?;
        disk.rename(&temporary, path)?;
        disk.sync_directory(directory_of(path))
    };
    all().map_err(|cause| Error::io(format!("cannot write {path}"), cause))
}

/// The directory a path lies in.
pub(crate) fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}
