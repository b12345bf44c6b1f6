//! Files of two folders that belong together by name.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 16;
/// Most files of one evaluation.
const MAX_FILES: usize = 1_000_000;

/// Files under a folder whose name ends so, relative to it and sorted; in subfolders too.
pub(super) fn under(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    collect(folder, Path::new(""), endings, 0, &mut found)?;
    found.sort();
    if found.is_empty() {
        let endings = endings.join(" or ");
        return Err(Failure::input(format!("{}: holds no {endings} file", folder.display())));
    }
    Ok(found)
}

fn collect(
    root: &Path,
    inner: &Path,
    endings: &[&str],
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let folder = root.join(inner);
    let fail = |cause| ommatidia_store::Error::read(&folder, cause);
    for entry in fs::read_dir(&folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let relative = inner.join(entry.file_name());
        if entry.file_type().map_err(fail)?.is_dir() {
            if depth < MAX_DEPTH {
                collect(root, &relative, endings, depth + 1, found)?;
            }
        } else if endings.iter().any(|end| relative.to_string_lossy().ends_with(end)) {
            found.push(relative);
            if found.len() > MAX_FILES {
                let what = format!("{}: holds more than {MAX_FILES} files", root.display());
                return Err(Failure::input(what));
            }
        }
    }
    Ok(())
}

/// The folder that a file lies in as a scene, and its name as a frame.
pub(super) fn scene_and_frame(file: &Path) -> (String, String) {
    let text =
        |path: Option<&Path>| path.map_or(String::new(), |p| p.to_string_lossy().into_owned());
    (text(file.parent()), text(file.file_name().map(Path::new)))
}
