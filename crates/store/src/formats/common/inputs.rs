//! Reading files that nobody vouches for: bounded, inside their root, each hashed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use ommatidia_scene::{ContentHash, Input};
use serde::de::DeserializeOwned;

use crate::Error;

/// Largest calibration, index or annotation file read whole, bytes.
pub(crate) const MAX_TEXT_BYTES: u64 = 256 << 20;
/// Largest compressed image, bytes.
pub(crate) const MAX_IMAGE_BYTES: u64 = 256 << 20;
/// Largest lidar sweep, bytes on disk and in memory.
pub(crate) const MAX_CLOUD_BYTES: u64 = 512 << 20;
/// Most frames, directory entries or records of one kind in a drive.
pub(crate) const MAX_RECORDS: usize = 4_000_000;

/// The files that a reader took in before the first frame, for the clip's provenance.
pub(crate) struct Inputs {
    root: PathBuf,
    read: Vec<Input>,
}

impl Inputs {
    /// Files under `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), read: Vec::new() }
    }

    /// What was read so far, in the order of reading.
    pub(crate) fn into_read(self) -> Vec<Input> {
        self.read
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// As [`read_bounded`].
    pub(crate) fn bytes(&mut self, path: &Path, needed_by: &str) -> Result<Vec<u8>, Error> {
        let bytes = read_bounded(path, MAX_TEXT_BYTES, needed_by)?;
        self.note(path, crate::hash::of_bytes(&bytes));
        Ok(bytes)
    }

    /// A file's text.
    ///
    /// # Errors
    /// As [`read_bounded`], and where it is not UTF-8.
    pub(crate) fn text(&mut self, path: &Path, needed_by: &str) -> Result<String, Error> {
        utf8(path, self.bytes(path, needed_by)?)
    }

    /// A JSON file.
    ///
    /// # Errors
    /// As [`read_bounded`], and where the JSON is not of the expected shape, with line and column.
    pub(crate) fn json<T: DeserializeOwned>(
        &mut self,
        path: &Path,
        needed_by: &str,
    ) -> Result<T, Error> {
        parse_json(path, &self.bytes(path, needed_by)?)
    }

    /// Records a file that was read by other means.
    pub(crate) fn note(&mut self, path: &Path, blake3: ContentHash) {
        // Outside the source its own name has to do: the provenance holds no place on a machine.
        let beside = || path.file_name().map_or(path, Path::new);
        let name = path.strip_prefix(&self.root).unwrap_or_else(|_| beside()).display().to_string();
        let input = Input { name, blake3 };
        if !self.read.contains(&input) {
            self.read.push(input);
        }
    }
}

/// Opens a regular file; a directory, pipe or device is refused.
///
/// # Errors
/// [`Error::MissingFile`] with who needs it, [`Error::Read`], [`Error::Source`].
pub(crate) fn open_file(path: &Path, needed_by: &str) -> Result<(File, u64), Error> {
    let missing = || Error::MissingFile { path: path.to_owned(), needed_by: needed_by.to_owned() };
    // Looked at before opening: opening a pipe waits for a writer.
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Err(missing()),
        Err(cause) => return Err(Error::read(path, cause)),
    };
    if !metadata.is_file() {
        return Err(Error::source(path, format!("is not a regular file; {needed_by}")));
    }
    let file = File::open(path).map_err(|cause| Error::read(path, cause))?;
    Ok((file, metadata.len()))
}

/// A file's bytes, if there are not more than `limit_bytes`.
///
/// # Errors
/// As [`open_file`], and where the file is larger.
pub(crate) fn read_bounded(
    path: &Path,
    limit_bytes: u64,
    needed_by: &str,
) -> Result<Vec<u8>, Error> {
    let (file, len) = open_file(path, needed_by)?;
    if len > limit_bytes {
        let what = format!(
            "is {len} bytes long; at most {limit_bytes} are read of such a file. Check that it is what its name says"
        );
        return Err(Error::source(path, what));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    file.take(limit_bytes).read_to_end(&mut bytes).map_err(|cause| Error::read(path, cause))?;
    Ok(bytes)
}

/// Text from bytes.
///
/// # Errors
/// Where they are not UTF-8.
pub(crate) fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|cause| {
        let at = cause.utf8_error().valid_up_to();
        Error::source(path, format!("is not text: byte {at} is not UTF-8"))
    })
}

/// JSON of an expected shape.
///
/// # Errors
/// Where it is not, with line and column.
pub(crate) fn parse_json<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|cause| json_error(path, &cause))
}

/// What serde_json objects to, in a file. Its messages end with line and column.
pub(crate) fn json_error(path: &Path, cause: &serde_json::Error) -> Error {
    Error::source(path, format!("is not the JSON that the format promises: {cause}"))
}

/// A file that `from` names by a path relative to `root`.
///
/// # Errors
/// Where the name is empty or leads out of `root`.
pub(crate) fn inside(root: &Path, name: &str, from: &Path) -> Result<PathBuf, Error> {
    let relative = Path::new(name);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || name.contains('\0') || !plain {
        let what = format!(
            "refers to the file {name:?}; file names must be relative and stay inside the data set"
        );
        return Err(Error::source(from, what));
    }
    Ok(root.join(relative))
}

/// The names in a directory, sorted; names that are not UTF-8 are left out.
///
/// # Errors
/// Where it cannot be read or holds more than [`MAX_RECORDS`] entries.
pub(crate) fn list(dir: &Path) -> Result<Vec<String>, Error> {
    let failed = |cause| Error::read(dir, cause);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        if names.len() == MAX_RECORDS {
            return Err(Error::source(dir, format!("holds more than {MAX_RECORDS} files")));
        }
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// The directories in a directory, sorted; empty where it cannot be read.
pub(crate) fn subdirectories(dir: &Path) -> Vec<String> {
    let names = list(dir).unwrap_or_default();
    names.into_iter().filter(|name| dir.join(name).is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_root() {
        let (root, from) = (Path::new("/data"), Path::new("index.json"));
        assert_eq!(inside(root, "a/b.jpg", from).unwrap(), Path::new("/data/a/b.jpg"));
        for bad in ["", "/etc/passwd", "../up.jpg", "a/../../b", "a\0b", "./a/../../x"] {
            let error = inside(root, bad, from).unwrap_err().to_string();
            assert!(error.contains("index.json") && error.contains("inside"), "{bad}: {error}");
        }
    }

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, b"12345").unwrap();
        assert_eq!(read_bounded(&file, 5, "").unwrap(), b"12345");
        let too_long = read_bounded(&file, 4, "").unwrap_err().to_string();
        assert!(too_long.contains("5 bytes") && too_long.contains("at most 4"), "{too_long}");
        let directory = read_bounded(dir.path(), 5, "it is listed").unwrap_err().to_string();
        assert!(directory.contains("not a regular file"), "{directory}");
        let missing = read_bounded(&dir.path().join("g"), 5, "f refers to it").unwrap_err();
        assert!(matches!(missing, Error::MissingFile { .. }), "{missing}");
    }
}
