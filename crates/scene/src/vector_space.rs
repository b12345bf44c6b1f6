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
    /// Unit normal of the surface in the camera frame times 127, row-major, towards the camera; zeros
    /// where there is none.
    pub normals: Option<Vec<[i8; 3]>>,
    /// Optical flow, pixels right and down, row-major: from each pixel to where the same point of the
    /// same thing is in this camera's image of the clip's next frame, whether or not something hides
    /// it there; NaN where there is no point or no next frame.
    pub flow: Option<Vec<[f32; 2]>>,
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
