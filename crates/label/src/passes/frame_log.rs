//! What a stage said of each frame, kept beside the parts until the stage is done.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use ommatidia_scene::Skipped;
use ommatidia_store::atomic;
use ommatidia_store::labels::LabelsWriter;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::pipeline::scratch;

/// What a stage said of one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FrameNote {
    /// 0 to 1; `None` where there was nothing to be confident of.
    pub(super) confidence: Option<f64>,
    pub(super) skipped: Vec<Skipped>,
}

/// A folder with a file per frame.
pub(super) struct FrameLog {
    folder: PathBuf,
}

impl FrameLog {
    pub(super) fn open(labels: &LabelsWriter, stage: &str) -> Result<Self, Error> {
        let folder = scratch::path(labels, stage, scratch::NOTES);
        atomic::create_directory(&folder)?;
        atomic::clean(&folder);
        Ok(Self { folder })
    }

    fn file(&self, frame: usize) -> PathBuf {
        self.folder.join(format!("{frame:06}.json"))
    }

    /// Written before the frame's part, so that a frame with a part has a note.
    pub(super) fn write(&self, frame: usize, note: &FrameNote) -> Result<(), Error> {
        let bytes = serde_json::to_vec(note).expect("a note is plain data");
        Ok(atomic::write_among_many(&self.file(frame), &bytes)?)
    }

    /// Mean confidence over frames, and all that was skipped with equal entries summed.
    pub(super) fn summary(&self, frames: usize) -> Result<(f64, Vec<Skipped>), Error> {
        let (mut sum, mut count, mut skipped) = (0.0, 0u32, Vec::new());
        for frame in 0..frames {
            let path = self.file(frame);
            let bytes =
                fs::read(&path).map_err(|cause| ommatidia_store::Error::read(&path, cause))?;
            let note: FrameNote =
                serde_json::from_slice(&bytes).map_err(|cause| Error::Checkpoint {
                    stage: "labelling",
                    reason: format!("{}: {cause}", path.display()),
                })?;
            sum += note.confidence.unwrap_or(0.0);
            count += u32::from(note.confidence.is_some());
            skipped.extend(note.skipped);
        }
        Ok((if count > 0 { sum / f64::from(count) } else { 0.0 }, merge(skipped)))
    }
}

/// Sums the counts of equal entries; in the order of their words.
pub(super) fn merge(skipped: Vec<Skipped>) -> Vec<Skipped> {
    let mut counts = BTreeMap::new();
    for Skipped { what, why, count } in skipped {
        *counts.entry((what, why)).or_insert(0) += count;
    }
    counts.into_iter().map(|((what, why), count)| Skipped { what, why, count }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let labels = LabelsWriter::open(folder.path()).unwrap();
        let log = FrameLog::open(&labels, "depth").unwrap();
        let skip =
            |what: &str, count| Skipped { what: what.to_owned(), why: "dark".to_owned(), count };
        log.write(
            0,
            &FrameNote { confidence: Some(0.5), skipped: vec![skip("b", 1), skip("a", 2)] },
        )
        .unwrap();
        log.write(1, &FrameNote { confidence: None, skipped: vec![skip("a", 3)] }).unwrap();
        log.write(2, &FrameNote { confidence: Some(1.0), skipped: vec![] }).unwrap();
        assert_eq!(log.summary(3).unwrap(), (0.75, vec![skip("a", 5), skip("b", 1)]));
        assert!(log.summary(4).is_err());
    }
}
