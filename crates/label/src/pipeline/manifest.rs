//! The manifest over a run: what is there, and what each stage adds.

use std::collections::BTreeMap;
use std::path::Path;

use ommatidia_scene::{ContentHash, Input, Provenance};
use ommatidia_store::labels::{ClipIdentity, LabelsWriter, Manifest, StageRecord, Table};
use ommatidia_store::{ClipReader, hash};

use super::LabelConfig;
use crate::Error;
use crate::passes::{Outcome, StageSpec};

/// The manifest of earlier runs on the same clip, or a new one. Settings are those of this run.
pub(super) fn current(
    reader: &ClipReader,
    directory: &Path,
    config: &LabelConfig,
) -> Result<Manifest, Error> {
    let clip = reader.clip();
    let identity = ClipIdentity { id: clip.id.clone(), content_hash: reader.content_hash() };
    let input = Input { name: format!("clip {}", clip.id), blake3: identity.content_hash };
    let config_json = serde_json::to_value(config).expect("the configuration is plain data");
    let mut fresh = Manifest::new(
        identity,
        Provenance::new(vec![input], config_json),
        clip.taxonomy.clone(),
        clip.rig.clone(),
    );
    fresh.frames = clip.frames.iter().map(|frame| frame.timestamp).collect();
    fresh.grid = Some(config.grid);
    fresh.surface = Some(config.surface_grid);
    match Manifest::read(directory) {
        Ok(found) if !found.stages.iter().all(|record| super::is_stage(&record.name)) => {
            Err(Error::NotMade { directory: directory.to_owned() })
        }
        // Stages of another version of the clip stay until they are made again: their keys differ.
        Ok(found) if found.clip.id == fresh.clip.id => {
            fresh.trajectory = found.trajectory;
            if !found.stages.is_empty() {
                fresh.rig = found.rig;
            }
            fresh.stages = found.stages;
            Ok(fresh)
        }
        Ok(found) => Err(Error::OtherClip {
            directory: directory.to_owned(),
            found: found.clip.id,
            wanted: fresh.clip.id,
        }),
        Err(ommatidia_store::Error::Read { cause, .. })
            if cause.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(fresh)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a stage's result of this key lies there, byte for byte as it was written.
pub(super) fn holds(
    manifest: &Manifest,
    directory: &Path,
    stage: &StageSpec,
    key: ContentHash,
) -> bool {
    let Some(record) =
        manifest.stages.iter().find(|record| record.name == stage.name && record.key == key)
    else {
        return false;
    };
    record.outputs.iter().all(|output| {
        let file = directory.join(output.table.file_name());
        // The length first: it costs nothing and tells most damage.
        std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() == output.bytes)
            && hash::of_file(&file).is_ok_and(|found| found == output.blake3)
    })
}

/// Takes out the results that these keys do not stand for, and removes their tables; the manifest first,
/// so that no kill leaves one that it vouches for and that is not there.
pub(super) fn drop_stale(
    manifest: &mut Manifest,
    labels: &LabelsWriter,
    keys: &BTreeMap<&'static str, ContentHash>,
) -> Result<(), Error> {
    let is_current = |record: &StageRecord| keys.get(record.name.as_str()) == Some(&record.key);
    let (current, stale): (Vec<StageRecord>, Vec<StageRecord>) =
        std::mem::take(&mut manifest.stages).into_iter().partition(is_current);
    manifest.stages = current;
    if stale.is_empty() {
        return Ok(());
    }
    if stale.iter().any(|record| record.outputs.iter().any(|o| o.table == Table::Trajectory)) {
        manifest.trajectory = None;
    }
    labels.finish(manifest)?;
    let outputs = stale.iter().flat_map(|record| &record.outputs);
    Ok(outputs.into_iter().try_for_each(|output| labels.remove_table(output.table))?)
}

/// Puts a stage's result in, in place of an earlier one.
pub(super) fn record(
    manifest: &mut Manifest,
    outcome: Outcome,
    keys: &BTreeMap<&'static str, ContentHash>,
) {
    if outcome.trajectory.is_some() {
        manifest.trajectory = outcome.trajectory;
    }
    if let Some(rig) = outcome.rig {
        manifest.rig = rig;
    }
    manifest.stages.retain(|record| record.name != outcome.stage);
    manifest.stages.push(StageRecord {
        name: outcome.stage.to_owned(),
        key: keys[outcome.stage],
        confidence: outcome.confidence,
        skipped: outcome.skipped,
        outputs: vec![outcome.output],
    });
    let order = super::stage_names();
    manifest.stages.sort_by_key(|record| order.iter().position(|name| *name == record.name));
}
