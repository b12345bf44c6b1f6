//! Finding drives below a directory.

use std::path::{Path, PathBuf};

/// Most directories looked into.
const MAX_DIRECTORIES: usize = 20_000;
/// Most entries of a directory that are looked at: those with more hold payloads, not drives.
const MAX_ENTRIES: usize = 5_000;

/// A drive's directory and its path below the place searched, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) dir: PathBuf,
    pub(crate) name: String,
}

/// The directories at most `depth` levels below `source` (itself included) that are drives, sorted. Inside
/// a drive nothing is searched.
pub(crate) fn drives(source: &Path, depth: usize, is_drive: impl Fn(&Path) -> bool) -> Vec<Found> {
    let mut found = Vec::new();
    let mut looked_into = 0;
    let mut pending = vec![(source.to_owned(), depth)];
    while let Some((dir, depth)) = pending.pop() {
        if is_drive(&dir) {
            let below = dir.strip_prefix(source).unwrap_or(&dir);
            let name = if below.as_os_str().is_empty() {
                let own = dir.canonicalize().ok();
                let own = own.as_deref().and_then(Path::file_name).map(|n| n.to_string_lossy());
                own.map_or_else(|| "drive".to_owned(), |own| own.into_owned())
            } else {
                let parts = below.iter().map(|part| part.to_string_lossy());
                parts.collect::<Vec<_>>().join("/")
            };
            found.push(Found { dir, name });
        } else if depth > 0 && looked_into < MAX_DIRECTORIES {
            looked_into += 1;
            pending.extend(directories(&dir).into_iter().map(|child| (child, depth - 1)));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn directories(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let is_dir = |entry: &std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    };
    let mut found: Vec<PathBuf> =
        entries.take(MAX_ENTRIES).flatten().filter(is_dir).map(|entry| entry.path()).collect();
    found.sort();
    found
}
