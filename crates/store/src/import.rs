//! A foreign drive into a clip, and what its annotators say into labels beside it.

use std::path::{Path, PathBuf};

use ommatidia_scene::{Input, Provenance, Skipped, VectorSpace};

use crate::formats::Drive;
use crate::labels::{
    ClipIdentity, DepthRow, LabelsWriter, LanesRow, Manifest, ObjectsRow, SemanticsRow,
    StageRecord, SurfaceRow, Table, VoxelsRow,
};
use crate::{ClipHeader, ClipSummary, ClipWriter, Error};

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
    let mut clip = ClipWriter::create(out, drive.header())?;
    let mut truth = TruthWriter::new(out);
    let mut times = Vec::new();
    let mut has_poses = false;
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
    let duration_s = match (times.first(), times.last()) {
        (Some(&first), Some(&last)) => (last - first).as_secs_f64(),
        _ => 0.0,
    };
    let clip = clip.finish()?;
    let truth = truth.finish(drive.header(), &clip, times)?;
    Ok(Imported { clip, duration_s, has_poses, truth, skipped: drive.skipped() })
}

/// Writes annotations frame by frame; makes no directory before there is one.
struct TruthWriter {
    directory: PathBuf,
    labels: Option<LabelsWriter>,
    written: Vec<Table>,
}

impl TruthWriter {
    fn new(clip: &Path) -> Self {
        Self { directory: clip.with_extension("truth"), labels: None, written: Vec::new() }
    }

    fn write(&mut self, frame: u32, space: &VectorSpace) -> Result<(), Error> {
        if self.labels.is_none() {
            let labels = LabelsWriter::open(&self.directory)?;
            // Of an import that was killed: this one starts from the beginning.
            Table::ALL.iter().try_for_each(|&table| labels.remove_parts(table))?;
            self.labels = Some(labels);
        }
        let Some(labels) = &self.labels else { return Ok(()) };
        let timestamp = space.timestamp;
        let unfit = |what| Error::Labels { path: labels.directory().to_owned(), what };
        let mut written = Vec::new();
        if let Some(occupancy) = space.occupancy.clone() {
            labels.write_part(frame, &[VoxelsRow { timestamp, occupancy }])?;
            written.push(Table::Voxels);
        }
        if let Some(surface) = space.surface.clone() {
            labels.write_part(frame, &[SurfaceRow { timestamp, surface }])?;
            written.push(Table::Surface);
        }
        if let Some(objects) = space.objects.clone() {
            labels.write_part(frame, &[ObjectsRow { timestamp, objects }])?;
            written.push(Table::Objects);
        }
        if let Some(lanes) = space.lanes.clone() {
            labels.write_part(frame, &[LanesRow { timestamp, lanes }])?;
            written.push(Table::Lanes);
        }
        let (mut depth, mut semantics) = (Vec::new(), Vec::new());
        for view in &space.cameras {
            if let Some(map) = &view.depth {
                depth.push(DepthRow::new(timestamp, view.camera.clone(), map).map_err(unfit)?);
            }
            if view.semantics.is_some() || view.instances.is_some() {
                let (camera, classes, instances) =
                    (view.camera.clone(), view.semantics.clone(), view.instances.clone());
                semantics.push(SemanticsRow { timestamp, camera, semantics: classes, instances });
            }
        }
        if !depth.is_empty() {
            labels.write_part(frame, &depth)?;
            written.push(Table::Depth);
        }
        if !semantics.is_empty() {
            labels.write_part(frame, &semantics)?;
            written.push(Table::Semantics);
        }
        written.retain(|table| !self.written.contains(table));
        self.written.extend(written);
        Ok(())
    }

    fn finish(
        self,
        header: &ClipHeader,
        clip: &ClipSummary,
        frames: Vec<ommatidia_geometry::Timestamp>,
    ) -> Result<Option<PathBuf>, Error> {
        let Some(labels) = self.labels else { return Ok(None) };
        let outputs =
            self.written.iter().map(|&table| labels.assemble(table)).collect::<Result<_, _>>()?;
        let identity = ClipIdentity { id: header.id.clone(), content_hash: clip.content_hash };
        let input = Input { name: format!("clip {}", header.id), blake3: clip.content_hash };
        let provenance = Provenance::new(vec![input], header.provenance.config.clone());
        let mut manifest =
            Manifest::new(identity, provenance, header.taxonomy.clone(), header.rig.clone());
        manifest.frames = frames;
        manifest.stages.push(StageRecord {
            name: "annotations".to_owned(),
            key: clip.content_hash,
            confidence: 1.0,
            skipped: Vec::new(),
            outputs,
        });
        labels.finish(&manifest)?;
        Ok(Some(self.directory))
    }
}
