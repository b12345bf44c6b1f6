//! Reads labels.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{
    CameraView, DepthMap, LaneGraph, Object, Occupancy, PoseSample, Surface, Trajectory,
    VectorSpace,
};

use super::{
    DepthRow, LanesRow, Manifest, NormalsRow, ObjectsRow, OpticalFlowRow, Row, SemanticsRow,
    SurfaceRow, Table, TableReader, VoxelsRow,
};
use crate::Error;

/// The labels of one clip: the manifest in memory, tables on disk. Tables are opened when first asked for;
/// a table that is not there says nothing about any frame.
#[derive(Debug)]
pub struct Labels {
    directory: PathBuf,
    manifest: Manifest,
    voxels: Lazy<VoxelsRow>,
    surface: Lazy<SurfaceRow>,
    objects: Lazy<ObjectsRow>,
    lanes: Lazy<LanesRow>,
    depth: Lazy<DepthRow>,
    semantics: Lazy<SemanticsRow>,
    normals: Lazy<NormalsRow>,
    optical_flow: Lazy<OpticalFlowRow>,
}

/// A table that is opened when first asked for.
type Lazy<R> = OnceLock<Option<TableReader<R>>>;

impl Labels {
    /// Opens a labels directory.
    ///
    /// # Errors
    /// As [`Manifest::read`].
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let manifest = Manifest::read(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            manifest,
            voxels: OnceLock::new(),
            surface: OnceLock::new(),
            objects: OnceLock::new(),
            lanes: OnceLock::new(),
            depth: OnceLock::new(),
            semantics: OnceLock::new(),
            normals: OnceLock::new(),
            optical_flow: OnceLock::new(),
        })
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What they are of and how they were made.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Times of the clip's frames.
    pub fn frames(&self) -> &[Timestamp] {
        &self.manifest.frames
    }

    /// Whether there is such a table.
    pub fn has(&self, table: Table) -> bool {
        self.path(table).is_file()
    }

    /// Compares every table with the hash that the manifest holds of it.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] names the first table that differs.
    pub fn verify(&self) -> Result<(), Error> {
        for record in self.manifest.stages.iter().flat_map(|stage| &stage.outputs) {
            let path = self.path(record.table);
            if crate::hash::of_file(&path)? != record.blake3 {
                let what = "is not what the manifest says it is; run omma label again".to_owned();
                return Err(Error::Labels { path, what });
            }
        }
        Ok(())
    }

    /// The vehicle's path.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if the table is damaged or the manifest does not name its source.
    pub fn trajectory(&self) -> Result<Option<Trajectory>, Error> {
        let path = self.path(Table::Trajectory);
        if !self.has(Table::Trajectory) {
            return Ok(None);
        }
        let wrong = |what: String| Error::Labels { path: path.clone(), what };
        let (source, scale) = self.manifest.trajectory.ok_or_else(|| {
            wrong("the manifest does not name its source; run omma label again".to_owned())
        })?;
        let table = TableReader::<PoseSample>::open(&path)?;
        let samples = table.rows().collect::<Result<_, _>>()?;
        Trajectory::new(source, scale, samples).map(Some).map_err(|cause| wrong(cause.to_string()))
    }

    /// Occupancy of a frame; `None` where it was not estimated.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if the table is damaged.
    pub fn occupancy(&self, timestamp: Timestamp) -> Result<Option<Occupancy>, Error> {
        Ok(self.one(&self.voxels, timestamp)?.map(|row| row.occupancy))
    }

    /// Ground of a frame; `None` where it was not estimated.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if the table is damaged.
    pub fn surface(&self, timestamp: Timestamp) -> Result<Option<Surface>, Error> {
        Ok(self.one(&self.surface, timestamp)?.map(|row| row.surface))
    }

    /// Objects of a frame; `None` where they were not estimated.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if the table is damaged.
    pub fn objects(&self, timestamp: Timestamp) -> Result<Option<Vec<Object>>, Error> {
        Ok(self.one(&self.objects, timestamp)?.map(|row| row.objects))
    }

    /// Lanes of a frame; `None` where they were not estimated.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if the table is damaged.
    pub fn lanes(&self, timestamp: Timestamp) -> Result<Option<LaneGraph>, Error> {
        Ok(self.one(&self.lanes, timestamp)?.map(|row| row.lanes))
    }

    /// Depth of a frame in one camera; `None` where it was not estimated.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if the table is damaged.
    pub fn depth(&self, timestamp: Timestamp, camera: &str) -> Result<Option<DepthMap>, Error> {
        let rows = self.all(&self.depth, timestamp)?;
        let row = rows.into_iter().find(|row| row.camera == camera);
        row.map(|row| self.map(&row)).transpose()
    }

    /// Everything about a frame but what its cameras see.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if a table is damaged.
    pub fn vector_space(&self, timestamp: Timestamp) -> Result<VectorSpace, Error> {
        Ok(VectorSpace {
            timestamp,
            occupancy: self.occupancy(timestamp)?,
            surface: self.surface(timestamp)?,
            objects: self.objects(timestamp)?,
            lanes: self.lanes(timestamp)?,
            cameras: Vec::new(),
        })
    }

    /// What the cameras see in a frame: those of which anything is known, by name.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if a table is damaged.
    pub fn cameras(&self, timestamp: Timestamp) -> Result<Vec<CameraView>, Error> {
        let mut views = std::collections::BTreeMap::<String, CameraView>::new();
        let view = |camera: &String| CameraView { camera: camera.clone(), ..Default::default() };
        for row in self.all(&self.depth, timestamp)? {
            let depth = Some(self.map(&row)?);
            views.entry(row.camera.clone()).or_insert_with(|| view(&row.camera)).depth = depth;
        }
        for row in self.all(&self.semantics, timestamp)? {
            let entry = views.entry(row.camera.clone()).or_insert_with(|| view(&row.camera));
            (entry.semantics, entry.instances) = (row.semantics, row.instances);
        }
        for row in self.all(&self.normals, timestamp)? {
            let entry = views.entry(row.camera.clone()).or_insert_with(|| view(&row.camera));
            entry.normals = Some(row.normals);
        }
        for row in self.all(&self.optical_flow, timestamp)? {
            let entry = views.entry(row.camera.clone()).or_insert_with(|| view(&row.camera));
            entry.flow = Some(row.flow_px());
        }
        Ok(views.into_values().collect())
    }

    fn map(&self, row: &DepthRow) -> Result<DepthMap, Error> {
        let path = self.path(Table::Depth);
        let wrong = |what| format!("depth of {} at {} s: {what}", row.camera, row.timestamp);
        row.map().map_err(|what| Error::Labels { path, what: wrong(what) })
    }

    fn path(&self, table: Table) -> PathBuf {
        self.directory.join(table.file_name())
    }

    fn one<R: Row>(&self, table: &Lazy<R>, timestamp: Timestamp) -> Result<Option<R>, Error> {
        let mut rows = self.all(table, timestamp)?;
        if rows.len() > 1 {
            let what =
                format!("there are {} entries at {timestamp} s; run omma label again", rows.len());
            return Err(Error::Labels { path: self.path(R::TABLE), what });
        }
        Ok(rows.pop())
    }

    fn all<R: Row>(&self, table: &Lazy<R>, timestamp: Timestamp) -> Result<Vec<R>, Error> {
        if table.get().is_none() {
            let open = || TableReader::open(&self.path(R::TABLE));
            let opened = self.has(R::TABLE).then(open).transpose()?;
            // Another thread may have opened it meanwhile; either will do.
            let _ = table.set(opened);
        }
        let table = table.get().and_then(Option::as_ref);
        table.map_or_else(|| Ok(Vec::new()), |table| table.at(timestamp))
    }
}
