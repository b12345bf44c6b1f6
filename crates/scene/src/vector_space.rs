//! What is there, at one time, in the ego frame.

use ommatidia_geometry::Timestamp;

use crate::{ClassId, DepthMap, LaneGraph, Object, Occupancy, Surface};

/// What one camera sees, per pixel.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CameraView {
    /// The camera's name in the rig.
    pub camera: String,
    /// Depth.
    pub depth: Option<DepthMap>,
    /// Class per pixel, row-major.
    pub semantics: Option<Vec<ClassId>>,
    /// Instance per pixel, row-major; 0 is none.
    pub instances: Option<Vec<u32>>,
}

/// The vector space at one timestamp. `None` means not estimated, an empty value means nothing there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VectorSpace {
    /// When.
    pub timestamp: Timestamp,
    /// Semantic voxels with flow.
    pub occupancy: Option<Occupancy>,
    /// Ground.
    pub surface: Option<Surface>,
    /// Boxes.
    pub objects: Option<Vec<Object>>,
    /// Lane graph.
    pub lanes: Option<LaneGraph>,
    /// Per camera, where asked for.
    pub cameras: Vec<CameraView>,
}
