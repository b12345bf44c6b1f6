//! Unfinished work belongs to one key: with another configuration or clip it is thrown away.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ommatidia_scene::ContentHash;
use ommatidia_store::labels::LabelsWriter;
use ommatidia_store::{Error as StoreError, atomic};

use crate::Error;
use crate::passes::StageSpec;

/// Folder of unfinished work within the labels directory; the writer keeps its parts there too.
const FOLDER: &str = ".parts";
/// What a stage may keep beside its parts, by ending.
const KEY: &str = "key";
pub(crate) const NOTES: &str = "notes";
pub(crate) const STATE: &str = "state";

/// Where a stage keeps something until it is done.
pub(crate) fn path(labels: &LabelsWriter, stage: &str, ending: &str) -> PathBuf {
    labels.directory().join(FOLDER).join(format!("{stage}.{ending}"))
}

/// Makes sure that what lies unfinished of a stage is of this key.
pub(super) fn claim(
    labels: &LabelsWriter,
    stage: &StageSpec,
    key: ContentHash,
) -> Result<(), Error> {
    let file = path(labels, stage.name, KEY);
    if fs::read_to_string(&file).is_ok_and(|found| found == key.to_string()) {
        return Ok(());
    }
    clear_one(labels, stage)?;
    atomic::create_directory(&labels.directory().join(FOLDER))?;
    Ok(atomic::write_bytes(&file, key.to_string().as_bytes())?)
}

/// Removes what is left of finished stages.
pub(super) fn clear(labels: &LabelsWriter, stages: &[&StageSpec]) -> Result<(), Error> {
    stages.iter().try_for_each(|stage| clear_one(labels, stage))?;
    // Not there, or not empty: another stage's work is left in it.
    let _ = fs::remove_dir(labels.directory().join(FOLDER));
    Ok(())
}

/// After a failure: claims of stages that got no frame done say nothing and are withdrawn, and with them a
/// directory that holds nothing else. What fails here is tidied by the next run.
pub(super) fn leave(labels: &LabelsWriter, stages: &[&StageSpec]) {
    for stage in stages {
        let notes = fs::read_dir(path(labels, stage.name, NOTES));
        let has_notes = notes.is_ok_and(|mut entries| entries.next().is_some());
        let has_parts = labels.parts(stage.table).map_or(true, |parts| !parts.is_empty());
        if !has_notes && !has_parts && !path(labels, stage.name, STATE).exists() {
            let _ = clear_one(labels, stage);
        }
    }
    // Each only if it is empty.
    let _ = fs::remove_dir(labels.directory().join(FOLDER));
    let _ = fs::remove_dir(labels.directory());
}

/// The key goes last: as long as it is there, so is everything that it vouches for.
fn clear_one(labels: &LabelsWriter, stage: &StageSpec) -> Result<(), Error> {
    remove(&path(labels, stage.name, NOTES), |path| fs::remove_dir_all(path))?;
    remove(&path(labels, stage.name, STATE), |path| fs::remove_file(path))?;
    labels.remove_parts(stage.table)?;
    remove(&path(labels, stage.name, KEY), |path| fs::remove_file(path))
}

fn remove(path: &Path, remove: fn(&Path) -> std::io::Result<()>) -> Result<(), Error> {
    match remove(path) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => {
            Err(StoreError::write(path, 0, cause).into())
        }
        _ => Ok(()),
    }
}
