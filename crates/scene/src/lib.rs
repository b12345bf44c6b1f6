//! The narrow waist: [`Clip`], what sensors recorded, and [`VectorSpace`], what is there.
//!
//! Readers produce clips; the labeller, the network and the simulator produce vector spaces;
//! metrics compare two of them. Plain data, no I/O: what lies on disk is in `store`.

mod bits;
mod clip;
mod cloud;
mod depth;
mod image;
mod lanes;
mod motion;
mod objects;
mod occupancy;
mod provenance;
mod resample;
mod rig;
mod surface;
mod taxonomy;
mod trajectory;
mod vector_space;

pub use bits::BitGrid;
pub use clip::{Clip, CloudRef, Frame, ImageEncoding, ImageRef, Payload, Skipped};
pub use cloud::PointCloud;
pub use depth::DepthMap;
pub use image::{GrayImage, RgbImage};
pub use lanes::{Boundary, BoundaryKind, Crossing, Lane, LaneGraph};
pub use motion::{GnssSample, ImuSample, MotionReadings, WheelSample};
pub use objects::{Keypoint, Object, TrackId};
pub use occupancy::{GridSpec, Occupancy, Ranks, VoxelFlow};
pub use provenance::{ContentHash, Input, Provenance};
pub use rig::{CameraSensor, ImuSensor, LidarSensor, ReadoutDirection, Rig, RigError, Shutter};
pub use surface::{Drivable, Surface, SurfaceSpec};
pub use taxonomy::{Class, ClassId, Taxonomy, TaxonomyError};
pub use trajectory::{PoseSample, PoseSource, Scale, Trajectory, TrajectoryError};
pub use vector_space::{CameraView, VectorSpace};
