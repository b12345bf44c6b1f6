//! Labels of a clip: a directory with `manifest.json` and one Parquet table per kind of label.
//!
//! Columns and units are in `docs/labels.md`. Long work writes parts (`.parts/TABLE/NNNNNN.parquet`), each
//! atomically; [`LabelsWriter::assemble`] joins their row groups into `TABLE.parquet` without encoding
//! them again. Each row group carries its BLAKE3, which readers compare before they decode it.

mod bits;
mod columns;
mod depth;
mod lanes;
mod manifest;
mod normals;
mod objects;
mod optical_flow;
mod parquet_file;
mod parquet_write;
mod reader;
mod semantics;
mod spaces;
mod surface;
mod table;
mod trajectory;
mod voxels;
mod writer;

#[cfg(test)]
mod tests;

pub use depth::DepthRow;
pub use lanes::LanesRow;
pub use manifest::{ClipIdentity, Manifest, StageRecord, TableRecord};
pub use normals::NormalsRow;
pub use objects::ObjectsRow;
pub use optical_flow::OpticalFlowRow;
pub use reader::Labels;
pub use semantics::SemanticsRow;
pub use spaces::SpaceWriter;
pub use surface::SurfaceRow;
pub use table::{Row, Table, TableReader};
pub use voxels::VoxelsRow;
pub use writer::LabelsWriter;
