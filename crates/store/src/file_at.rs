//! A file that several threads read at once, each where it wants.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// An open file with its length at the time of opening.
#[derive(Debug)]
pub(crate) struct FileAt {
    path: PathBuf,
    file: File,
    length: u64,
}

impl FileAt {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let fail = |cause| Error::read(path, cause);
        let file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(fail(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self { path: path.to_owned(), file, length: metadata.len() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// `length` bytes from `offset`; `Ok(None)` if they are not all within the file. Nothing is allocated
    /// before that is known.
    pub(crate) fn bytes(&self, offset: u64, length: u64) -> Result<Option<Vec<u8>>, Error> {
        if offset.checked_add(length).is_none_or(|end| end > self.length) {
            return Ok(None);
        }
        let mut bytes = vec![0; length as usize];
        read_at(&self.file, &mut bytes, offset).map_err(|cause| Error::read(&self.path, cause))?;
        Ok(Some(bytes))
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                bytes = &mut bytes[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}
