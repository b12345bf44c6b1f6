//! Files of truth and prediction that belong together by name.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::files::under;
use crate::failure::Failure;

/// A frame's two files.
#[derive(Debug, Clone)]
pub(super) struct FilePair {
    /// What both are called: the key that they pair by.
    pub(super) name: String,
    pub(super) truth: PathBuf,
    pub(super) predicted: PathBuf,
}

/// Pairs two files, or all files of two folders whose `key` is the same; every file of either must have a
/// partner. In the order of the keys.
pub(super) fn pair(
    truth: &Path,
    predicted: &Path,
    endings: &[&str],
    key: impl Fn(&Path) -> String,
) -> Result<Vec<FilePair>, Failure> {
    if truth.is_file() && predicted.is_file() {
        let pair = FilePair {
            name: stem(truth),
            truth: truth.to_owned(),
            predicted: predicted.to_owned(),
        };
        return Ok(vec![pair]);
    }
    let keyed = |folder: &Path| -> Result<BTreeMap<String, PathBuf>, Failure> {
        let mut files: BTreeMap<String, PathBuf> = BTreeMap::new();
        for file in under(folder, endings)? {
            let key = key(&file);
            if let Some(other) = files.insert(key.clone(), folder.join(&file)) {
                return Err(Failure::input(format!(
                    "{} and {} are both of frame {key}; keep one",
                    other.display(),
                    folder.join(&file).display()
                )));
            }
        }
        Ok(files)
    };
    let (truths, mut predictions) = (keyed(truth)?, keyed(predicted)?);
    let mut pairs = Vec::with_capacity(truths.len());
    for (key, truth) in truths {
        let predicted = predictions.remove(&key).ok_or_else(|| {
            let (folder, truth) = (predicted.display(), truth.display());
            Failure::input(format!("{folder}: has no frame {key}, which {truth} is the truth of"))
        })?;
        pairs.push(FilePair { name: key, truth, predicted });
    }
    match predictions.into_iter().next() {
        Some((key, file)) => Err(Failure::input(format!(
            "{}: frame {key} is not in the truth {}",
            file.display(),
            truth.display()
        ))),
        None => Ok(pairs),
    }
}

/// Pairs two files, or all files of two folders by their names without ending; by their paths within the folders
/// where a name occurs in several (Sintel's `alley_1/frame_0001`).
pub(super) fn pair_by_name(
    truth: &Path,
    predicted: &Path,
    endings: &[&str],
) -> Result<Vec<FilePair>, Failure> {
    let mut unique = true;
    for folder in [truth, predicted].into_iter().filter(|path| path.is_dir()) {
        let mut names = HashSet::new();
        unique &= under(folder, endings)?.iter().all(|file| names.insert(stem(file)));
    }
    let in_folder = |file: &Path| file.with_extension("").to_string_lossy().into_owned();
    pair(truth, predicted, endings, |file| if unique { stem(file) } else { in_folder(file) })
}

/// A file's name without its folder and ending.
pub(super) fn stem(file: &Path) -> String {
    file.file_stem().map_or(String::new(), |stem| stem.to_string_lossy().into_owned())
}

/// The name of the folder that a file lies in, as the scene of its frame.
pub(super) fn scene(file: &Path) -> String {
    let folder = file.parent().and_then(Path::file_name);
    folder.map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

/// An error of one pair, with its files.
pub(super) fn in_pair(pair: &FilePair, cause: &impl std::fmt::Display) -> Failure {
    let (truth, predicted) = (pair.truth.display(), pair.predicted.display());
    Failure::input(format!("{predicted} against {truth}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_needs_a_partner() {
        let folder = tempfile::tempdir().unwrap();
        let (truth, predicted) = (folder.path().join("t"), folder.path().join("p"));
        let write = |path: PathBuf| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        write(truth.join("a/1.png"));
        write(predicted.join("1.png"));
        assert_eq!(pair(&truth, &predicted, &[".png"], stem).unwrap().len(), 1);
        let check = |expected: &str| {
            let Failure::Input(report) = pair(&truth, &predicted, &[".png"], stem).unwrap_err()
            else {
                panic!("bad input is the user's");
            };
            let error = report.to_string();
            assert!(error.contains(expected), "{error}");
        };
        write(predicted.join("2.png"));
        check("frame 2 is not in the truth");
        write(truth.join("2.png"));
        write(truth.join("3.png"));
        check("has no frame 3");
        write(truth.join("b/1.png"));
        check("both of frame 1");
    }

    #[test]
    fn names_that_scenes_share_pair_by_path() {
        let folder = tempfile::tempdir().unwrap();
        let (truth, predicted) = (folder.path().join("t"), folder.path().join("p"));
        for scene in ["alley", "cave"] {
            for side in [&truth, &predicted] {
                std::fs::create_dir_all(side.join(scene)).unwrap();
                std::fs::write(side.join(scene).join("frame_0001.flo"), "").unwrap();
            }
        }
        let pairs = pair_by_name(&truth, &predicted, &[".flo"]).unwrap();
        let names: Vec<&str> = pairs.iter().map(|pair| &pair.name[..]).collect();
        assert_eq!(names, ["alley/frame_0001", "cave/frame_0001"]);
        assert_eq!(pairs[1].predicted, predicted.join("cave/frame_0001.flo"));
        std::fs::remove_file(predicted.join("cave/frame_0001.flo")).unwrap();
        assert!(pair_by_name(&truth, &predicted, &[".flo"]).is_err());
    }
}
