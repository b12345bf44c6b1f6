//! A foreign drive into a clip, and what its annotators say into labels beside it.

use std::path::{Path, PathBuf};

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{Input, Provenance, Skipped, VectorSpace};

use crate::formats::Drive;
use crate::labels::{ClipIdentity, Manifest, SpaceWriter};
use crate::{ClipSummary, ClipWriter, Error};

/// What an import made.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The clip.
    pub clip: ClipSummary,
    /// From the first to the last frame, seconds.
    pub duration_s: f64,
    /// The source gives poses.
    pub has_poses: bool,
    /// Labels with the source's annotations, if it has any: beside the clip, `NAME.truth`.
    pub truth: Option<PathBuf>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

/// Reads a drive to its end. `advance` is told the frames done. The clip appears whole or not at all,
/// then the annotations.
///
/// # Errors
/// Whatever the drive or the writers return. Of the clip nothing is left then, unless only its annotations failed.
pub fn import(
    drive: &mut dyn Drive,
    out: &Path,
    mut advance: impl FnMut(usize),
) -> Result<Imported, Error> {
    let clip = ClipWriter::create(out, drive.header())?;
    let mut truth = TruthWriter::new(out);
    let written = match write(drive, clip, &mut truth, &mut advance) {
        Ok(written) => written,
        Err(cause) => {
            truth.discard();
            return Err(cause);
        }
    };
    let Written { clip, times, has_poses } = written;
    let duration_s = match (times.first(), times.last()) {
        (Some(&first), Some(&last)) => (last - first).as_secs_f64(),
        _ => 0.0,
    };
    let truth = truth.finish(drive, &clip, times)?;
    Ok(Imported { clip, duration_s, has_poses, truth, skipped: drive.skipped() })
}

/// A clip in its place.
struct Written {
    clip: ClipSummary,
    times: Vec<Timestamp>,
    has_poses: bool,
}

fn write(
    drive: &mut dyn Drive,
    mut clip: ClipWriter,
    truth: &mut TruthWriter,
    advance: &mut impl FnMut(usize),
) -> Result<Written, Error> {
    let (mut times, mut has_poses) = (Vec::new(), false);
    while let Some(mut frame) = drive.next_frame()? {
        has_poses |= !frame.poses.is_empty();
        let annotations = frame.truth.take();
        clip.write(&frame)?;
        if let Some(space) = annotations {
            truth.write(times.len() as u32, &space)?;
        }
        times.push(frame.timestamp);
        advance(times.len());
    }
    Ok(Written { clip: clip.finish()?, times, has_poses })
}

/// Writes annotations frame by frame; makes no directory before there is one.
struct TruthWriter {
    directory: PathBuf,
    labels: Option<SpaceWriter>,
}

impl TruthWriter {
    fn new(clip: &Path) -> Self {
        Self { directory: clip.with_extension("truth"), labels: None }
    }

    fn write(&mut self, frame: u32, space: &VectorSpace) -> Result<(), Error> {
        // What an import that was killed left is removed: this one starts from the beginning.
        let labels = match &mut self.labels {
            Some(labels) => labels,
            none => none.insert(SpaceWriter::create(&self.directory)?),
        };
        labels.write(frame, space)
    }

    /// Takes back the parts of an import that failed, and the directory if nothing else is in it.
    fn discard(&self) {
        if let Some(labels) = &self.labels {
            labels.discard();
        }
    }

    fn finish(
        self,
        drive: &dyn Drive,
        clip: &ClipSummary,
        frames: Vec<Timestamp>,
    ) -> Result<Option<PathBuf>, Error> {
        let Some(labels) = self.labels else { return Ok(None) };
        let header = drive.header();
        let identity = ClipIdentity { id: header.id.clone(), content_hash: clip.content_hash };
        let input = Input { name: format!("clip {}", header.id), blake3: clip.content_hash };
        let provenance = Provenance::new(vec![input], header.provenance.config.clone());
        let mut manifest =
            Manifest::new(identity, provenance, header.taxonomy.clone(), drive.true_rig().clone());
        manifest.frames = frames;
        labels.finish(manifest, "annotations", clip.content_hash)?;
        Ok(Some(self.directory))
    }
}

#[cfg(test)]
mod tests {
    use ommatidia_scene::{LaneGraph, Skipped};

    use super::*;
    use crate::labels::Table;
    use crate::{ClipHeader, FrameData, testing};

    /// Some frames with annotations, then the end or an error.
    struct Annotated {
        header: ClipHeader,
        frames: std::vec::IntoIter<FrameData>,
        fails: bool,
    }

    impl Annotated {
        fn new(annotate: impl Fn(&mut VectorSpace), fails: bool) -> Self {
            let (header, mut frames) = testing::drive(2);
            for frame in &mut frames {
                let mut space = VectorSpace { timestamp: frame.timestamp, ..Default::default() };
                annotate(&mut space);
                frame.truth = Some(space);
            }
            Self { header, frames: frames.into_iter(), fails }
        }
    }

    impl Drive for Annotated {
        fn header(&self) -> &ClipHeader {
            &self.header
        }

        fn next_frame(&mut self) -> Result<Option<FrameData>, Error> {
            let next = self.frames.next();
            if next.is_none() && self.fails {
                return Err(Error::source(Path::new("source"), "breaks off"));
            }
            Ok(next)
        }

        fn skipped(&self) -> Vec<Skipped> {
            Vec::new()
        }
    }

    #[test]
    fn a_failed_import_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut drive = Annotated::new(|space| space.objects = Some(Vec::new()), true);
        assert!(import(&mut drive, &directory.path().join("clip.mcap"), |_| ()).is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn annotations_of_an_earlier_import_do_not_stay() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("clip.mcap");
        let objects = |space: &mut VectorSpace| space.objects = Some(Vec::new());
        let lanes = |space: &mut VectorSpace| space.lanes = Some(LaneGraph::default());
        import(&mut Annotated::new(objects, false), &out, |_| ()).unwrap();
        let truth = import(&mut Annotated::new(lanes, false), &out, |_| ()).unwrap().truth.unwrap();
        let labels = crate::Labels::open(&truth).unwrap();
        assert!(labels.has(Table::Lanes) && !labels.has(Table::Objects));
    }
}
