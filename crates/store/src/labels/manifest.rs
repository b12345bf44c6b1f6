//! `manifest.json`: what the labels are of, and how they were made.

use std::path::Path;

use ommatidia_geometry::Timestamp;
use ommatidia_scene::{
    ContentHash, GridSpec, PoseSource, Provenance, Rig, Scale, Skipped, SurfaceSpec,
};
use serde::{Deserialize, Serialize};

use super::Table;
use crate::{Error, atomic};

/// The version that this program writes and reads.
const VERSION: u32 = 1;
/// File name within the labels directory.
pub(super) const NAME: &str = "manifest.json";

/// The clip that labels belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipIdentity {
    /// The clip's own name.
    pub id: String,
    /// As [`crate::ClipReader::content_hash`].
    pub content_hash: ContentHash,
}

/// One table file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRecord {
    /// Which.
    pub table: Table,
    /// Of the file's bytes.
    pub blake3: ContentHash,
    /// Size of the file.
    pub bytes: u64,
}

/// How one stage went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRecord {
    /// The stage's name.
    pub name: String,
    /// Hash of everything its result depends on: inputs, code, configuration.
    pub key: ContentHash,
    /// 0 to 1.
    pub confidence: f64,
    /// What it left out.
    pub skipped: Vec<Skipped>,
    /// Tables it wrote.
    pub outputs: Vec<TableRecord>,
}

/// What the labels are of, and how they were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// The clip.
    pub clip: ClipIdentity,
    /// Origin.
    pub provenance: Provenance,
    /// Name of the taxonomy that classes refer to.
    pub taxonomy: String,
    /// The clip's sensors, cameras where the odometry found them to be: what depth was made with.
    pub rig: Rig,
    /// Where the trajectory comes from and what fixes its scale; `None` without one.
    pub trajectory: Option<(PoseSource, Scale)>,
    /// Times of the clip's frames, ascending, whether or not they have labels.
    pub frames: Vec<Timestamp>,
    /// Voxels of the frames, unless their rows say otherwise.
    pub grid: Option<GridSpec>,
    /// Surface cells of the frames, unless their rows say otherwise.
    pub surface: Option<SurfaceSpec>,
    /// In the order in which they ran.
    pub stages: Vec<StageRecord>,
}

impl Manifest {
    /// Of a clip without any stage yet.
    pub fn new(clip: ClipIdentity, provenance: Provenance, taxonomy: String, rig: Rig) -> Self {
        Self {
            version: VERSION,
            clip,
            provenance,
            taxonomy,
            rig,
            trajectory: None,
            frames: Vec::new(),
            grid: None,
            surface: None,
            stages: Vec::new(),
        }
    }

    /// The record of a table, by whichever stage wrote it last.
    pub fn table(&self, table: Table) -> Option<&TableRecord> {
        let outputs = self.stages.iter().rev().flat_map(|stage| &stage.outputs);
        outputs.into_iter().find(|record| record.table == table)
    }

    /// Reads `manifest.json` of a labels directory.
    ///
    /// # Errors
    /// [`Error::Read`]; [`Error::Labels`] if it is not of this version or shape.
    pub fn read(directory: &Path) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let path = directory.join(NAME);
        let bytes = std::fs::read(&path).map_err(|cause| Error::read(&path, cause))?;
        let wrong = |what: String| Error::Labels { path: path.clone(), what };
        let json = |cause: serde_json::Error| wrong(format!("{cause}; run omma label again"));
        let found: Versioned = serde_json::from_slice(&bytes).map_err(json)?;
        if found.version != VERSION {
            let version = found.version;
            return Err(wrong(format!(
                "was written as version {version}, this program reads {VERSION}; run omma label again"
            )));
        }
        let manifest: Self = serde_json::from_slice(&bytes).map_err(json)?;
        if manifest.frames.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(wrong("its frames do not ascend in time; run omma label again".to_owned()));
        }
        manifest.rig.check().map_err(|cause| wrong(format!("{cause}; run omma label again")))?;
        Ok(manifest)
    }

    /// Writes `manifest.json` of a labels directory atomically.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::DiskFull`].
    pub fn write(&self, directory: &Path) -> Result<(), Error> {
        atomic::write_json(&directory.join(NAME), self)
    }
}
