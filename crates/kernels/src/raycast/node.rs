//! Nodes with 16 children and the axis-parallel boxes that bound them.

use super::Vector;
use crate::simd::FLOATS;

/// An axis-parallel box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) low: Vector,
    pub(crate) high: Vector,
}

impl Bounds {
    /// Holds nothing; a union with it changes nothing.
    pub(crate) const EMPTY: Self = Self { low: [f32::MAX; 3], high: [-f32::MAX; 3] };

    #[inline(always)]
    pub(crate) fn hold(&mut self, other: &Self) {
        for axis in 0..3 {
            self.low[axis] = self.low[axis].min(other.low[axis]);
            self.high[axis] = self.high[axis].max(other.high[axis]);
        }
    }

    #[inline(always)]
    pub(crate) fn hold_point(&mut self, p: Vector) {
        self.hold(&Self { low: p, high: p });
    }

    /// Half of the surface area; 0 for the empty box.
    #[inline(always)]
    pub(crate) fn half_area(&self) -> f32 {
        let [x, y, z] = [0, 1, 2].map(|axis| (self.high[axis] - self.low[axis]).max(0.0));
        x * y + y * z + z * x
    }

    /// The largest coordinate by magnitude.
    pub(crate) fn reach(&self) -> f32 {
        let largest = |reach: f32, x: &f32| reach.max(x.abs());
        self.low.iter().chain(&self.high).fold(0.0, largest)
    }
}

/// What a node's slot leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Child(u32);

/// Bit that tells leaves from nodes, and those below it that count what a leaf holds, less one.
const LEAF: u32 = 1 << 31;
const COUNT_SHIFT: u32 = 27;
/// Most primitives of one tree.
pub(crate) const MAX_PRIMITIVES: usize = 1 << COUNT_SHIFT;

impl Child {
    pub(crate) fn node(index: usize) -> Self {
        Self(index as u32)
    }

    pub(crate) fn leaf(first: usize, count: usize) -> Self {
        debug_assert!((1..=FLOATS).contains(&count) && first < MAX_PRIMITIVES);
        Self(LEAF | (count as u32 - 1) << COUNT_SHIFT | first as u32)
    }

    /// The same child after `by` nodes were put before its tree.
    pub(crate) fn moved(self, by: usize) -> Self {
        if self.0 & LEAF == 0 { Self(self.0 + by as u32) } else { self }
    }

    /// `Ok`: index of a node. `Err`: first primitive and number of a leaf.
    #[inline(always)]
    pub(crate) fn get(self) -> Result<usize, (usize, usize)> {
        if self.0 & LEAF == 0 {
            return Ok(self.0 as usize);
        }
        let first = self.0 & ((1 << COUNT_SHIFT) - 1);
        Err((first as usize, (self.0 >> COUNT_SHIFT & 15) as usize + 1))
    }
}

/// Bounds of a slot that holds nothing: no region and no ray reaches it, and sums stay finite.
const NOWHERE: f32 = 1e30;

/// Up to 16 children.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(crate) struct Node {
    /// Lower x, y, z, then upper x, y, z of each child.
    pub(crate) bounds: [[f32; FLOATS]; 6],
    pub(crate) children: [Child; FLOATS],
}

impl Node {
    pub(crate) fn empty() -> Self {
        let bounds =
            std::array::from_fn(|side| [if side < 3 { NOWHERE } else { -NOWHERE }; FLOATS]);
        Self { bounds, children: [Child(0); FLOATS] }
    }

    pub(crate) fn set(&mut self, slot: usize, child: Child, bounds: &Bounds) {
        for axis in 0..3 {
            self.bounds[axis][slot] = bounds.low[axis];
            self.bounds[axis + 3][slot] = bounds.high[axis];
        }
        self.children[slot] = child;
    }
}
