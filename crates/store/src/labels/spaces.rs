//! Writes whole vector spaces as labels.

use std::path::Path;

use ommatidia_scene::{ContentHash, VectorSpace};

use super::{
    DepthRow, LabelsWriter, LanesRow, Manifest, NormalsRow, ObjectsRow, OpticalFlowRow, Row,
    SemanticsRow, StageRecord, SurfaceRow, Table, VoxelsRow,
};
use crate::Error;

/// Writes vector spaces frame by frame, each part of one into its table, and the manifest at the end.
#[derive(Debug)]
pub struct SpaceWriter {
    labels: LabelsWriter,
    written: Vec<Table>,
}

impl SpaceWriter {
    /// Opens or creates the directory, and removes parts that a killed writer left.
    ///
    /// # Errors
    /// As [`LabelsWriter::open`].
    pub fn create(directory: &Path) -> Result<Self, Error> {
        let labels = LabelsWriter::open(directory)?;
        Table::ALL.iter().try_for_each(|&table| labels.remove_parts(table))?;
        Ok(Self { labels, written: Vec::new() })
    }

    /// Writes what is there in a frame. Frames ascend in number and time.
    ///
    /// # Errors
    /// As [`LabelsWriter::write_part`].
    pub fn write(&mut self, frame: u32, space: &VectorSpace) -> Result<(), Error> {
        let labels = &self.labels;
        let timestamp = space.timestamp;
        let mut written = Vec::new();
        let voxels = space.occupancy.clone().map(|occupancy| VoxelsRow { timestamp, occupancy });
        write_rows(labels, frame, voxels.as_slice(), &mut written)?;
        let surface = space.surface.clone().map(|surface| SurfaceRow { timestamp, surface });
        write_rows(labels, frame, surface.as_slice(), &mut written)?;
        let objects = space.objects.clone().map(|objects| ObjectsRow { timestamp, objects });
        write_rows(labels, frame, objects.as_slice(), &mut written)?;
        let lanes = space.lanes.clone().map(|lanes| LanesRow { timestamp, lanes });
        write_rows(labels, frame, lanes.as_slice(), &mut written)?;
        written.extend(write_cameras(labels, frame, space)?);
        written.retain(|table| !self.written.contains(table));
        self.written.extend(written);
        Ok(())
    }

    /// Takes back all parts, and the directory if nothing else is in it.
    pub fn discard(&self) {
        for table in Table::ALL {
            // What failed is reported; a part that stays is removed by the next writer.
            let _ = self.labels.remove_parts(table);
        }
        let _ = std::fs::remove_dir(self.labels.directory());
    }

    /// Joins the tables, removes those of an earlier writer that this one does not have, and writes the
    /// manifest with one more stage of this name.
    ///
    /// # Errors
    /// As [`LabelsWriter::assemble`] and [`LabelsWriter::finish`].
    pub fn finish(
        self,
        mut manifest: Manifest,
        stage: &str,
        key: ContentHash,
    ) -> Result<(), Error> {
        for table in Table::ALL.into_iter().filter(|table| !self.written.contains(table)) {
            self.labels.remove_table(table)?;
        }
        let assemble = |&table| self.labels.assemble(table);
        manifest.stages.push(StageRecord {
            name: stage.to_owned(),
            key,
            confidence: 1.0,
            skipped: Vec::new(),
            outputs: self.written.iter().map(assemble).collect::<Result<_, _>>()?,
        });
        self.labels.finish(&manifest)?;
        self.written.iter().try_for_each(|&table| self.labels.remove_parts(table))
    }
}

/// Writes what the cameras see; the tables that got something.
fn write_cameras(
    labels: &LabelsWriter,
    frame: u32,
    space: &VectorSpace,
) -> Result<Vec<Table>, Error> {
    let timestamp = space.timestamp;
    let unfit = |what| Error::Labels { path: labels.directory().to_owned(), what };
    let (mut depth, mut semantics, mut normals, mut flow) = (vec![], vec![], vec![], vec![]);
    for view in &space.cameras {
        let camera = || view.camera.clone();
        if let Some(map) = &view.depth {
            depth.push(DepthRow::exact(timestamp, camera(), map).map_err(unfit)?);
        }
        if view.semantics.is_some() || view.instances.is_some() {
            let (classes, instances) = (view.semantics.clone(), view.instances.clone());
            let camera = camera();
            semantics.push(SemanticsRow { timestamp, camera, semantics: classes, instances });
        }
        if let Some(given) = view.normals.clone() {
            normals.push(NormalsRow { timestamp, camera: camera(), normals: given });
        }
        if let Some(given) = &view.flow {
            flow.push(OpticalFlowRow::new(timestamp, camera(), given));
        }
    }
    let mut written = Vec::new();
    write_rows(labels, frame, &depth, &mut written)?;
    write_rows(labels, frame, &semantics, &mut written)?;
    write_rows(labels, frame, &normals, &mut written)?;
    write_rows(labels, frame, &flow, &mut written)?;
    Ok(written)
}

/// Writes rows, if there are any, as the part of a frame, and notes their table.
fn write_rows<R: Row>(
    labels: &LabelsWriter,
    frame: u32,
    rows: &[R],
    written: &mut Vec<Table>,
) -> Result<(), Error> {
    if !rows.is_empty() {
        labels.write_part(frame, rows)?;
        written.push(R::TABLE);
    }
    Ok(())
}
