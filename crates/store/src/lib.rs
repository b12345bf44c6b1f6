//! What lies on disk: clips as MCAP files, labels as Parquet tables, readers of foreign data sets.
//!
//! Every writer is atomic: a kill at any moment leaves the old file or the new one. Every reader
//! checks what it reads and returns an [`Error`] that names the file; none panics on bad bytes.

pub mod atomic;
pub mod clip;
pub mod depth_png;
pub mod error;
mod file_at;
pub mod formats;
pub mod hash;
pub mod image;
pub mod import;
pub mod labels;
mod pose_record;
pub mod results;
pub mod tensors;
#[cfg(test)]
mod testing;
pub mod trajectory_text;

pub use clip::{ClipHeader, ClipReader, ClipSummary, ClipWriter, EncodedImage, FrameData};
pub use error::Error;
pub use labels::{Labels, LabelsWriter};
