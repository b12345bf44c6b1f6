//! Ray casting over triangles: the nearest surface along rays, and whether anything is in the way.
//!
//! Two levels: a [`Tree`] over the triangles of one rigid mesh, and a [`Scene`] over placed trees
//! (Wald, Benthin and Slusallek 2003). Nodes have 16 children, chosen by the surface area heuristic,
//! and leaves hold up to 16 triangles, so that one vector operation tests all of them. Rays come
//! as a [`Pencil`] (16 rays from one point), as a [`Beam`] (16 parallel rays) or as a single [`Ray`].
//! Packets are tested against nodes as a whole, as the region between four planes (Reshetov, Soupikov
//! and Hurley 2005), and against triangles ray by ray.
//!
//! The result depends on rays and triangles alone: not on the tree, the instruction set or threads.
//! Of surfaces at the same distance the one with the smaller instance, then triangle, counts. Edges
//! that two triangles of a mesh share are watertight for rays from one point: the sign of the edge
//! function (Plücker's, as in Embree) is the same seen from both. A ray that aims exactly at a corner
//! may pass between its triangles.

mod build;
mod leaf;
mod node;
mod packet;
mod placement;
#[cfg(test)]
mod reference;
mod scene;
mod tree;
mod walk;

pub use packet::{Beam, Hits, NOTHING, Pencil, RAYS, Ray};
pub use placement::{Placement, Rigid};
pub use scene::{Scene, Workspace};
pub use tree::{Tree, TreeError};

/// A point or a direction.
pub(crate) type Vector = [f32; 3];

#[inline(always)]
pub(crate) fn dot(a: Vector, b: Vector) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[inline(always)]
pub(crate) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[inline(always)]
pub(crate) fn scaled(a: Vector, by: f32) -> Vector {
    a.map(|x| x * by)
}

#[inline(always)]
pub(crate) fn plus(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

#[inline(always)]
pub(crate) fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// The direction with length 1; `None` if it has none.
pub(crate) fn normalised(a: Vector) -> Option<Vector> {
    let length = dot(a, a).sqrt();
    (length.is_finite() && length > 1e-30).then(|| scaled(a, 1.0 / length))
}
