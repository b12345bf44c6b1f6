//! Why something could not be read, written or imported.

use std::io;
use std::path::{Path, PathBuf};

use ommatidia_scene::{RigError, TaxonomyError, TrajectoryError};
use thiserror::Error;

/// Why something could not be read, written or imported. Each variant names the file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system would not read it.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The operating system would not write it.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The disk, or the user's share of it, is full. Nothing half-written is left.
    #[error(
        "no space left to write {}: the disk was full after {written_bytes} bytes of it, and nothing of it was kept. The whole file needs more than that: free space or choose another disk",
        path.display()
    )]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// How far the writing came.
        written_bytes: u64,
    },
    /// Another process writes there.
    #[error(
        "{} is being written by another process; wait until it is done or choose another directory",
        path.display()
    )]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// No format recognises the source.
    #[error(
        "{} is in no format that is known here ({known}); name one with --format, or describe a folder of images with a rig file",
        path.display()
    )]
    UnknownFormat {
        /// The source.
        path: PathBuf,
        /// Names of the formats.
        known: String,
    },
    /// A file that another one refers to, or that the format requires, is not there.
    #[error("{} is missing: {needed_by}", path.display())]
    MissingFile {
        /// The file.
        path: PathBuf,
        /// What refers to it or needs it.
        needed_by: String,
    },
    /// A sensor has data and no calibration.
    #[error("{}: sensor {sensor} has no calibration", path.display())]
    MissingCalibration {
        /// Where the calibration should be.
        path: PathBuf,
        /// The sensor.
        sensor: String,
    },
    /// A program that reads the source is not installed.
    #[error("{program} is not installed, and {} cannot be read without it: {what}", path.display())]
    MissingProgram {
        /// The program.
        program: &'static str,
        /// The source.
        path: PathBuf,
        /// What to do.
        what: String,
    },
    /// A foreign file does not hold what its format promises.
    #[error("{}: {what}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// Where in it (line, record, field), what is wrong, and what would be right.
        what: String,
    },
    /// A rig cannot be used.
    #[error("{}: {cause}", path.display())]
    Rig {
        /// Where it was read.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: RigError,
    },
    /// Poses make no trajectory.
    #[error("{}: {cause}", path.display())]
    Trajectory {
        /// Where they were read.
        path: PathBuf,
        /// What is wrong with them.
        #[source]
        cause: TrajectoryError,
    },
    /// A taxonomy cannot be used.
    #[error("{}: {cause}", path.display())]
    Taxonomy {
        /// Where it was read.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: TaxonomyError,
    },
    /// An image cannot be decoded, or is not what its calibration says.
    #[error("image {origin}: {what}")]
    Image {
        /// The image's file, or its clip, topic and time.
        origin: String,
        /// What is wrong.
        what: String,
    },
    /// A frame cannot go into a clip.
    #[error("frame {frame} for {}: {what}", path.display())]
    Frame {
        /// The clip being written.
        path: PathBuf,
        /// The frame, from 0.
        frame: usize,
        /// The sensor and what is wrong with its data.
        what: String,
    },
    /// A clip is damaged, cut short or not a clip.
    #[error("clip {}: {what}", path.display())]
    Clip {
        /// The file.
        path: PathBuf,
        /// Where in it, what is wrong and what to do.
        what: String,
    },
    /// Labels are damaged, incomplete or not labels.
    #[error("labels {}: {what}", path.display())]
    Labels {
        /// The file or directory.
        path: PathBuf,
        /// Where in it, what is wrong and what to do.
        what: String,
    },
}

impl Error {
    /// Wraps what the system said on reading.
    pub fn read(path: &Path, cause: io::Error) -> Self {
        Self::Read { path: path.to_owned(), cause }
    }

    /// Wraps what the system said on writing; tells a full disk apart.
    pub fn write(path: &Path, written_bytes: u64, cause: io::Error) -> Self {
        let path = path.to_owned();
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, written_bytes }
            }
            _ => Self::Write { path, cause },
        }
    }

    /// A foreign file that does not hold what its format promises.
    pub fn source(path: &Path, what: impl Into<String>) -> Self {
        Self::Source { path: path.to_owned(), what: what.into() }
    }

    /// The machine is at fault (disk, permissions, memory), not the input: exit code 4, not 2.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Write { .. }
            | Self::DiskFull { .. }
            | Self::Busy { .. }
            | Self::MissingProgram { .. } => true,
            Self::Read { cause, .. } => !matches!(
                cause.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidData
                    | io::ErrorKind::UnexpectedEof
            ),
            _ => false,
        }
    }
}
