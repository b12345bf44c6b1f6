//! The lane graph.

use crate::ClassId;

/// How a boundary is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BoundaryKind {
    /// Not known or not marked.
    #[default]
    Unknown,
    /// An unbroken line.
    Solid,
    /// A broken line.
    Dashed,
    /// Two lines.
    Double,
    /// A kerb or other step.
    Kerb,
    /// The edge of what can be driven on, without a mark.
    RoadEdge,
}

/// A polyline in the ego frame, metres, with its kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Boundary {
    /// Points along the boundary, in driving direction of the lane that refers to it.
    pub points_m: Vec<[f32; 3]>,
    /// How it is marked.
    pub kind: BoundaryKind,
}

/// One lane segment. Edges hold lane identities.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lane {
    /// Identity, unique within the clip.
    pub id: u64,
    /// Driving line in the ego frame, metres, in driving direction.
    pub centreline_m: Vec<[f32; 3]>,
    /// Boundary on the left of the driving direction.
    pub left: Boundary,
    /// Boundary on the right.
    pub right: Boundary,
    /// Lane class, `ClassId::UNKNOWN` where the source does not say.
    pub class: ClassId,
    /// Lies within an intersection.
    pub in_intersection: bool,
    /// Lanes that this one leads into.
    pub successors: Vec<u64>,
    /// The lane to the left in the same direction.
    pub left_neighbour: Option<u64>,
    /// The lane to the right in the same direction.
    pub right_neighbour: Option<u64>,
}

/// A pedestrian crossing: a closed polygon in the ego frame, metres.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Crossing {
    /// Identity, unique within the clip.
    pub id: u64,
    /// Corners, counter-clockwise seen from above; the last joins the first.
    pub polygon_m: Vec<[f32; 3]>,
}

/// Lanes around the vehicle and how they join.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneGraph {
    /// Lane segments.
    pub lanes: Vec<Lane>,
    /// Crossings.
    pub crossings: Vec<Crossing>,
}
