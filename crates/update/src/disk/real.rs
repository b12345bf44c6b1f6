//! A directory of the file system.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Disk, Guard, ReadAt, directory_of};

/// A directory of the file system.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// Uses the directory `root`, which is made when the first file is.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where a file of it lies.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

impl Guard for File {}

impl Disk for RealDisk {
    fn lock(&self, path: &str, wait: bool) -> io::Result<Box<dyn Guard + '_>> {
        let path = self.path(path);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        // One that is there can be held on a disk that takes no writes.
        let file = file.or_else(|cause| File::open(&path).map_err(|_| cause))?;
        if wait {
            file.lock()?
        } else {
            file.try_lock()?
        }
        Ok(Box::new(file))
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        match fs::metadata(self.path(path)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_at(&self, path: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        ReadAt::read_at(&File::open(self.path(path))?, offset, buffer)
    }

    fn create(&self, path: &str) -> io::Result<()> {
        let directory = self.path(directory_of(path));
        if !directory.is_dir() {
            create_durably(&directory)?;
        }
        File::create(self.path(path)).map(drop)
    }

    fn append(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).open(self.path(path))?.write_all(bytes)
    }

    fn sync(&self, path: &str) -> io::Result<()> {
        OpenOptions::new().append(true).open(self.path(path))?.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.path(path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn sync_directory(&self, directory: &str) -> io::Result<()> {
        sync_directory(&self.path(directory))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(directory)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

/// Makes a directory and those above it, each durable in the one above.
fn create_durably(directory: &Path) -> io::Result<()> {
    let Some(above) = directory.parent() else { return Ok(()) };
    if !above.as_os_str().is_empty() && !above.is_dir() {
        create_durably(above)?;
    }
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_directory(above),
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    // Windows cannot open a directory and needs no such step.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

impl ReadAt for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self;
        file.seek(SeekFrom::Start(offset))?;
        file.read(buffer)
    }

    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_keep_others_out_until_they_are_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let (mine, theirs) = (RealDisk::new(directory.path()), RealDisk::new(directory.path()));
        let held = mine.lock("a.lock", true).unwrap();
        let refused = theirs.lock("a.lock", false).err().map(|error| error.kind());
        assert_eq!(refused, Some(io::ErrorKind::WouldBlock));
        assert!(theirs.lock("b.lock", false).is_ok());
        drop(held);
        assert!(theirs.lock("a.lock", true).is_ok());
    }
}
