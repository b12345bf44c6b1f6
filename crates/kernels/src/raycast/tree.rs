//! The triangles of one rigid mesh, ready for rays.

use rayon::prelude::*;
use thiserror::Error;

use super::Vector;
use super::build::{Primitive, build};
use super::node::{Bounds, MAX_PRIMITIVES, Node};
#[cfg(test)]
use super::{cross, minus};
use crate::simd::FLOATS;

/// Why triangles cannot be made a tree of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TreeError {
    /// A corner that does not exist.
    #[error("triangle {triangle} has corner {corner}, but there are {vertices} vertices")]
    Corner {
        /// The triangle.
        triangle: usize,
        /// Its corner's index.
        corner: u32,
        /// How many vertices there are.
        vertices: usize,
    },
    /// More than an index holds.
    #[error("{0} triangles in one mesh; split it into meshes of at most {MAX_PRIMITIVES}")]
    TooMany(usize),
}

/// Triangles under a hierarchy of boxes.
#[derive(Debug, Clone)]
pub struct Tree {
    pub(super) nodes: Vec<Node>,
    /// Leaf by leaf: x of all first corners, y, z, then the second and the third corners. Behind the
    /// last leaf there is room for a whole vector.
    pub(super) corners: Vec<f32>,
    /// Index of each triangle as given, leaf by leaf.
    pub(super) triangles: Vec<u32>,
    pub(super) bounds: Bounds,
    skipped: usize,
}

impl Tree {
    /// From vertices (metres) and the corners of triangles. Triangles with a coordinate that is not
    /// finite, or past 1e9 m, are left out and counted.
    ///
    /// # Errors
    /// A corner that is no vertex; more than 2^27 triangles.
    pub fn build(vertices_m: &[[f32; 3]], triangles: &[[u32; 3]]) -> Result<Self, TreeError> {
        if triangles.len() >= MAX_PRIMITIVES {
            return Err(TreeError::TooMany(triangles.len()));
        }
        let vertices = vertices_m.len();
        for (triangle, corners) in triangles.iter().enumerate() {
            if let Some(&corner) = corners.iter().find(|&&corner| corner as usize >= vertices) {
                return Err(TreeError::Corner { triangle, corner, vertices });
            }
        }
        let corners_of = |index: u32| triangles[index as usize].map(|i| vertices_m[i as usize]);
        let mut primitives: Vec<Primitive> = (0..triangles.len() as u32)
            .filter_map(|index| primitive(index, corners_of(index)))
            .collect();
        let nodes = build(&mut primitives, FLOATS);
        let mut bounds = Bounds::EMPTY;
        primitives.iter().for_each(|primitive| bounds.hold(&primitive.bounds));
        let order: Vec<u32> = primitives.iter().map(|primitive| primitive.index).collect();
        let corners = lay_out(&nodes, &order, corners_of);
        let skipped = triangles.len() - order.len();
        Ok(Self { nodes, corners, triangles: order, bounds, skipped })
    }

    /// How many triangles it holds.
    pub fn len(&self) -> usize {
        self.triangles.len()
    }

    /// It holds none.
    pub fn is_empty(&self) -> bool {
        self.triangles.is_empty()
    }

    /// How many triangles were left out because a coordinate was not finite.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + 4 * (self.corners.capacity() + self.triangles.capacity())
    }
}

/// Coordinates past this would overflow in products of three.
const FARTHEST_M: f32 = 1e9;

fn primitive(index: u32, corners: [Vector; 3]) -> Option<Primitive> {
    let mut bounds = Bounds::EMPTY;
    corners.iter().for_each(|&corner| bounds.hold_point(corner));
    let finite = corners.iter().flatten().all(|x| x.abs() <= FARTHEST_M);
    finite.then_some(Primitive { bounds, index })
}

/// Corners in the order of the leaves, as [`Tree::corners`] has them.
fn lay_out(
    nodes: &[Node],
    order: &[u32],
    corners_of: impl Fn(u32) -> [Vector; 3] + Sync,
) -> Vec<f32> {
    let mut leaves: Vec<(usize, usize)> = nodes
        .par_iter()
        .flat_map_iter(|node| {
            let held = |slot: usize| node.bounds[0][slot] <= node.bounds[3][slot];
            (0..FLOATS)
                .filter(move |&slot| held(slot))
                .filter_map(|slot| node.children[slot].get().err())
        })
        .collect();
    leaves.sort_unstable();
    let mut corners = Vec::with_capacity(9 * order.len() + FLOATS);
    for (first, count) in leaves {
        for row in 0..9 {
            let of = |&index: &u32| corners_of(index)[row / 3][row % 3];
            corners.extend(order[first..first + count].iter().map(of));
        }
    }
    corners.extend([0.0; FLOATS]);
    corners
}

/// Normal of a triangle, of twice its area in length.
#[cfg(test)]
pub(crate) fn area_normal(corners: [Vector; 3]) -> Vector {
    cross(minus(corners[1], corners[0]), minus(corners[2], corners[0]))
}
