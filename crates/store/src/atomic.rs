//! Files that are there whole or not at all.
//!
//! Bytes go to a hidden temporary in the target's directory; [`AtomicFile::commit`] brings them to the
//! disk and renames them over the target. A kill at any moment leaves the target as it was. What a kill
//! leaves behind is named `.NAME.PID-N.tmp-omma`, holds no lock, and is removed by the next writer.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::Error;

const SUFFIX: &str = ".tmp-omma";
const BUFFER_BYTES: usize = 1 << 20;

/// A file under construction. Dropped without [`AtomicFile::commit`], it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    target: PathBuf,
    temporary: PathBuf,
    // Holds an advisory lock for as long as this process writes.
    file: Option<BufWriter<File>>,
    written_bytes: Arc<AtomicU64>,
}

impl AtomicFile {
    /// Starts a file that will replace `target`, whose directory must exist, and which is not there or is a regular
    /// file. Removes what killed writers
    /// of the same target left behind.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`].
    pub fn create(target: &Path) -> Result<Self, Error> {
        remove_stale(directory_of(target), &prefix(target)?);
        Self::start(target)
    }

    /// As [`Self::create`], but removes nothing: for one of many files in a directory that was
    /// [cleaned](clean) before the first, since looking through it each time takes ever longer.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`].
    pub fn create_among_many(target: &Path) -> Result<Self, Error> {
        Self::start(target)
    }

    fn start(target: &Path) -> Result<Self, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let fail = |cause| Error::write(target, 0, cause);
        // A rename would put a file in the place of a device, a pipe or a link.
        if fs::symlink_metadata(target).is_ok_and(|known| !known.is_file()) {
            let what = "it is there and no regular file; give another path";
            return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, what)));
        }
        let prefix = prefix(target)?;
        let (temporary, file) = loop {
            let serial = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{prefix}{}-{serial}{SUFFIX}", std::process::id());
            let temporary = directory_of(target).join(name);
            let file =
                OpenOptions::new().write(true).create_new(true).open(&temporary).map_err(fail)?;
            // Another process may have taken the new file for a stale one before it was locked. Where the
            // file system has no locks, nobody can tell a stale temporary and none is removed.
            let taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
            if !taken && temporary.exists() {
                break (temporary, file);
            }
        };
        let file = Some(BufWriter::with_capacity(BUFFER_BYTES, file));
        Ok(Self { target: target.to_owned(), temporary, file, written_bytes: Arc::default() })
    }

    /// Where the bytes will be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Bytes written so far.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    /// Goes on counting [`Self::written_bytes`] when the file has been handed to another writer.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        self.written_bytes.clone()
    }

    /// Appends.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write_all(bytes).map_err(|cause| self.error(cause))
    }

    /// An error about this file.
    pub fn error(&self, cause: io::Error) -> Error {
        Error::write(&self.target, self.written_bytes(), cause)
    }

    /// Brings the bytes to the disk and puts them in the target's place.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`]; the target is then as it was.
    pub fn commit(mut self) -> Result<(), Error> {
        self.sync_and_rename().map_err(|cause| self.error(cause))
    }

    fn sync_and_rename(&mut self) -> io::Result<()> {
        self.flush()?;
        if let Some(file) = self.file.as_ref() {
            file.get_ref().sync_all()?;
        }
        fs::rename(&self.temporary, &self.target)?;
        self.file = None;
        sync_directory(directory_of(&self.target))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        faults::check(self.written_bytes(), bytes.len())?;
        let file = self.file.as_mut().expect("an uncommitted file is open");
        let count = file.write(bytes)?;
        self.written_bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Without flushing: a full disk would only fail again.
            drop(file.into_parts());
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Writes a small file at once.
///
/// # Errors
/// [`Error::Write`], [`Error::DiskFull`].
pub fn write_bytes(target: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = AtomicFile::create(target)?;
    file.append(bytes)?;
    file.commit()
}

/// Writes one of many small files of a directory that was [cleaned](clean) before the first.
///
/// # Errors
/// [`Error::Write`], [`Error::DiskFull`].
pub fn write_among_many(target: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = AtomicFile::create_among_many(target)?;
    file.append(bytes)?;
    file.commit()
}

/// Writes a value as indented JSON with a final newline.
///
/// # Errors
/// [`Error::Write`], [`Error::DiskFull`].
pub fn write_json<T: Serialize>(target: &Path, value: &T) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|cause| Error::write(target, 0, io::Error::other(cause)))?;
    bytes.push(b'\n');
    write_bytes(target, &bytes)
}

/// Creates a directory and those above it.
///
/// # Errors
/// [`Error::Write`], [`Error::DiskFull`].
pub fn create_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|cause| Error::write(path, 0, cause))
}

/// Removes every temporary in a directory that no process is writing any more.
pub fn clean(directory: &Path) {
    remove_stale(directory, ".");
}

/// Makes renames and removals in a directory survive a power cut.
///
/// # Errors
/// What the system says.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    // Windows cannot open a directory and needs no such step.
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// How the names of a target's temporaries begin.
fn prefix(target: &Path) -> Result<String, Error> {
    let nameless = || Error::write(target, 0, io::ErrorKind::InvalidInput.into());
    let name = target.file_name().ok_or_else(nameless)?;
    Ok(format!(".{}.", name.to_string_lossy()))
}

/// Takes an advisory lock on a directory for as long as the result lives; `None` where the system or
/// the file system has no such locks.
///
/// # Errors
/// [`Error::Busy`] if another process, or another part of this one, holds it.
pub fn lock_directory(directory: &Path) -> Result<Option<File>, Error> {
    // Windows cannot open a directory.
    let Ok(file) = File::open(directory) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { path: directory.to_owned() }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

fn directory_of(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => Path::new("."),
    }
}

fn remove_stale(directory: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with(prefix) && name.ends_with(SUFFIX)) {
            continue;
        }
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
        // Locked until it is gone, so that a writer that just made it notices.
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes writes fail at a chosen byte, in tests only.
pub(crate) mod faults {
    use std::io;

    #[cfg(test)]
    thread_local! {
        /// Space left on the imagined disk of this thread, bytes.
        pub(crate) static DISK_BYTES: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
    }

    #[cfg(test)]
    pub(super) fn check(written_bytes: u64, more: usize) -> io::Result<()> {
        match DISK_BYTES.get() {
            Some(size) if written_bytes + more as u64 > size => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    #[cfg(not(test))]
    pub(super) fn check(_written_bytes: u64, _more: usize) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_target_changes_only_on_commit() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a.bin");
        write_bytes(&target, b"old").unwrap();
        let mut file = AtomicFile::create(&target).unwrap();
        file.append(b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(names(directory.path()), ["a.bin"]);
    }

    #[test]
    fn what_is_no_regular_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"old").unwrap();
        let inner = folder.path().join("folder");
        fs::create_dir(&inner).unwrap();
        let mut targets = vec![inner];
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&file, &link).unwrap();
            targets.push(link);
        }
        for target in targets {
            let error = write_bytes(&target, b"new").unwrap_err().to_string();
            assert!(error.contains("no regular file"), "{error}");
        }
        assert_eq!(fs::read(&file).unwrap(), b"old");
    }

    #[test]
    fn a_dropped_file_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = AtomicFile::create(&directory.path().join("a.bin")).unwrap();
        file.append(b"half").unwrap();
        drop(file);
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn what_a_kill_left_is_removed_and_what_others_write_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a.bin");
        fs::write(directory.path().join(".a.bin.999999999-0.tmp-omma"), b"half").unwrap();
        fs::write(directory.path().join(".b.bin.999999999-0.tmp-omma"), b"half").unwrap();
        let first = AtomicFile::create(&target).unwrap();
        let second = AtomicFile::create(&target).unwrap();
        second.commit().unwrap();
        first.commit().unwrap();
        assert_eq!(names(directory.path()), [".b.bin.999999999-0.tmp-omma", "a.bin"]);
        clean(directory.path());
        assert_eq!(names(directory.path()), ["a.bin"]);
    }

    #[test]
    fn a_full_disk_is_told_apart_and_leaves_the_old() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("a.bin");
        write_bytes(&target, b"old").unwrap();
        for size in 0..4 {
            faults::DISK_BYTES.set(Some(size));
            let error = write_bytes(&target, b"new!").unwrap_err();
            faults::DISK_BYTES.set(None);
            assert!(matches!(&error, Error::DiskFull { path, .. } if *path == target), "{error}");
            assert!(error.is_environment());
            assert_eq!(fs::read(&target).unwrap(), b"old");
            assert_eq!(names(directory.path()), ["a.bin"]);
        }
    }
}
