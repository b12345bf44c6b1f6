//! Walking down a tree with a packet or a ray.

use super::node::{Child, Node};
use super::packet::Window;
use super::{Vector, dot, minus, scaled};
use crate::simd::{FLOATS, Isa};

/// Decides which children of a node may matter.
pub(super) trait Gate<I: Isa> {
    /// Bit per child, and how near each begins, in the gate's own unit.
    fn pass(&self, isa: I, node: &Node, limit: f32) -> (u16, I::F);
}

/// What a walk is for.
pub(super) trait Visitor<I: Isa> {
    /// Children that begin farther are of no interest, in the gate's unit; negative infinity ends the walk.
    fn limit(&self) -> f32;
    fn leaf(&mut self, isa: I, first: usize, count: usize, stack: &mut Stack);
}

/// Children to visit, and where they begin.
pub(super) type Stack = Vec<(Child, f32)>;

/// Visits the leaves that the gate passes, near ones first.
#[inline(always)]
pub(super) fn walk<I: Isa>(
    isa: I,
    nodes: &[Node],
    gate: &impl Gate<I>,
    visitor: &mut impl Visitor<I>,
    stack: &mut Stack,
) {
    if nodes.is_empty() {
        return;
    }
    let base = stack.len();
    stack.push((Child::node(0), f32::NEG_INFINITY));
    while stack.len() > base {
        let Some((child, near)) = stack.pop() else { return };
        let limit = visitor.limit();
        if near > limit {
            continue;
        }
        match child.get() {
            Err((first, count)) => {
                visitor.leaf(isa, first, count, stack);
                if visitor.limit() == f32::NEG_INFINITY {
                    stack.truncate(base);
                }
            }
            Ok(index) => {
                let node = &nodes[index];
                let (mut mask, nears) = gate.pass(isa, node, limit);
                if mask == 0 {
                    continue;
                }
                let mut near = [0.0; FLOATS];
                isa.store_f(nears, &mut near);
                let bottom = stack.len();
                while mask != 0 {
                    let slot = mask.trailing_zeros() as usize;
                    mask &= mask - 1;
                    let entry = (node.children[slot], near[slot]);
                    stack.push(entry);
                    let mut at = stack.len() - 1;
                    // The nearest goes on top.
                    while at > bottom && stack[at - 1].1 < entry.1 {
                        stack[at] = stack[at - 1];
                        at -= 1;
                    }
                    stack[at] = entry;
                }
            }
        }
    }
}

/// A plane and, for each component of its normal, which side of a box lies farthest along it.
#[derive(Clone, Copy)]
struct Plane<F> {
    components: [F; 3],
    sides: [usize; 3],
    offset: F,
}

impl<F: Copy> Plane<F> {
    #[inline(always)]
    fn new<I: Isa<F = F>>(isa: I, (n, offset): (Vector, f32)) -> Self {
        Self {
            components: [isa.splat_f(n[0]), isa.splat_f(n[1]), isa.splat_f(n[2])],
            sides: [
                if n[0] > 0.0 { 3 } else { 0 },
                if n[1] > 0.0 { 4 } else { 1 },
                if n[2] > 0.0 { 5 } else { 2 },
            ],
            offset: isa.splat_f(offset),
        }
    }

    /// How far the farthest corner of each child lies within the plane.
    #[inline(always)]
    fn farthest<I: Isa<F = F>>(&self, isa: I, node: &Node) -> F {
        let mut sum = self.offset;
        for axis in 0..3 {
            let side = isa.load_f(&node.bounds[self.sides[axis]]);
            sum = isa.mul_add_loosely(self.components[axis], side, sum);
        }
        sum
    }
}

/// The space that a packet sweeps: within four planes and ahead of a fifth.
pub(super) struct Region<I: Isa> {
    /// Normals point inwards.
    planes: [Plane<I::F>; 5],
    /// Against the rays.
    back: Plane<I::F>,
    zero: I::F,
}

/// Rounding of a sum of three products, relative to the largest coordinate, with room to spare.
const SLACK: f32 = 3e-6;

impl<I: Isa> Region<I> {
    /// The pyramid of a pencil from `apex`; `reach`: largest coordinate that it is compared with.
    #[inline(always)]
    pub(super) fn pyramid(isa: I, window: &Window, apex: Vector, reach: f32) -> Self {
        let [u, v, along] = window.axes;
        let [[left, right], [top, bottom]] = window.extent;
        let behind = |n: Vector| (n, -dot(n, apex));
        let planes = [
            behind(minus(u, scaled(along, left))),
            behind(minus(scaled(along, right), u)),
            behind(minus(v, scaled(along, top))),
            behind(minus(scaled(along, bottom), v)),
            behind(along),
        ];
        Self::new(isa, planes, (along, dot(along, apex)), reach + largest(apex))
    }

    /// The prism of a beam around `origin`; `least`: where its first ray starts.
    #[inline(always)]
    pub(super) fn prism(isa: I, window: &Window, origin: Vector, least: f32, reach: f32) -> Self {
        let [u, v, along] = window.axes;
        let at = [u, v, along].map(|axis| dot(axis, origin));
        let [[left, right], [top, bottom]] = window.extent;
        let planes = [
            (u, -(at[0] + left)),
            (scaled(u, -1.0), at[0] + right),
            (v, -(at[1] + top)),
            (scaled(v, -1.0), at[1] + bottom),
            (along, -(at[2] + least)),
        ];
        Self::new(isa, planes, (along, at[2]), reach + largest(origin))
    }

    #[inline(always)]
    fn new(isa: I, planes: [(Vector, f32); 5], (along, from): (Vector, f32), reach: f32) -> Self {
        let wider = |(n, offset): (Vector, f32)| {
            (n, offset + SLACK * reach * (n[0].abs() + n[1].abs() + n[2].abs()))
        };
        let [a, b, c, d, e] = planes;
        let back = wider((scaled(along, -1.0), from));
        Self {
            planes: [
                Plane::new(isa, wider(a)),
                Plane::new(isa, wider(b)),
                Plane::new(isa, wider(c)),
                Plane::new(isa, wider(d)),
                Plane::new(isa, wider(e)),
            ],
            back: Plane::new(isa, back),
            zero: isa.splat_f(0.0),
        }
    }
}

fn largest(p: Vector) -> f32 {
    p[0].abs().max(p[1].abs()).max(p[2].abs())
}

impl<I: Isa> Gate<I> for Region<I> {
    #[inline(always)]
    fn pass(&self, isa: I, node: &Node, limit: f32) -> (u16, I::F) {
        let mut mask = u16::MAX;
        for i in 0..5 {
            mask &= isa.at_most_f(self.zero, self.planes[i].farthest(isa, node));
        }
        let near = isa.sub_f(self.zero, self.back.farthest(isa, node));
        (mask & isa.at_most_f(near, isa.splat_f(limit)), near)
    }
}

/// The boxes that one ray passes (Kay and Kajiya 1986), with bounds on rounding (Ize 2013).
pub(super) struct Slabs<I: Isa> {
    inverse: [I::F; 3],
    /// Origin as seen from the near and the far sides: a little outside of both.
    origin: [[I::F; 2]; 3],
    /// Near and far side of each axis.
    sides: [[usize; 2]; 3],
    zero: I::F,
}

impl<I: Isa> Slabs<I> {
    #[inline(always)]
    pub(super) fn new(isa: I, origin: Vector, direction: Vector, reach: f32) -> Self {
        let pad = 0.3 * SLACK * (reach + largest(origin));
        let zero = isa.splat_f(0.0);
        let mut slabs =
            Self { inverse: [zero; 3], origin: [[zero; 2]; 3], sides: [[0; 2]; 3], zero };
        for axis in 0..3 {
            let d = direction[axis];
            // A component that is zero, or nearly, keeps its sign and a finite inverse.
            slabs.inverse[axis] = isa.splat_f(1.0 / d.abs().max(1e-20).copysign(d));
            let up = d.is_sign_positive();
            let pad = if up { pad } else { -pad };
            slabs.origin[axis] = [isa.splat_f(origin[axis] + pad), isa.splat_f(origin[axis] - pad)];
            slabs.sides[axis] = if up { [axis, axis + 3] } else { [axis + 3, axis] };
        }
        slabs
    }
}

impl<I: Isa> Gate<I> for Slabs<I> {
    #[inline(always)]
    fn pass(&self, isa: I, node: &Node, limit: f32) -> (u16, I::F) {
        let (mut near, mut far) = (self.zero, isa.splat_f(limit));
        for axis in 0..3 {
            let first = isa.load_f(&node.bounds[self.sides[axis][0]]);
            let last = isa.load_f(&node.bounds[self.sides[axis][1]]);
            let first = isa.sub_f(first, self.origin[axis][0]);
            let last = isa.sub_f(last, self.origin[axis][1]);
            near = isa.max_f(isa.mul_f(first, self.inverse[axis]), near);
            far = isa.min_f(isa.mul_f(last, self.inverse[axis]), far);
        }
        let near = isa.mul_f(near, isa.splat_f(1.0 - 1e-6));
        (isa.at_most_f(near, isa.mul_f(far, isa.splat_f(1.0 + 1e-6))), near)
    }
}
