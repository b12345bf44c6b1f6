//! A bounding volume hierarchy over a few hundred bodies.

use nalgebra::{Point3, Vector3};

/// Most bodies of a leaf.
const LEAF_SIZE: usize = 2;

/// An axis-aligned box.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) low: Point3<f64>,
    pub(crate) high: Point3<f64>,
}

impl Bounds {
    fn union(self, other: Self) -> Self {
        Self { low: self.low.inf(&other.low), high: self.high.sup(&other.high) }
    }

    /// Distance at which a ray enters, if before `limit`.
    fn enter(&self, origin: &Point3<f64>, inverse: &Vector3<f64>, limit: f64) -> Option<f64> {
        let a = (self.low - origin).component_mul(inverse);
        let b = (self.high - origin).component_mul(inverse);
        let enter = a.inf(&b).max().max(0.0);
        let leave = a.sup(&b).min().min(limit);
        (enter <= leave).then_some(enter)
    }
}

struct Node {
    bounds: Bounds,
    /// First entry of `order` for a leaf, left child for an inner node (the right one follows it).
    first: usize,
    /// Bodies in the leaf; 0 for an inner node.
    count: usize,
}

/// The hierarchy. Bodies are known by their index in the slice it was built from.
pub(crate) struct Bvh {
    nodes: Vec<Node>,
    order: Vec<usize>,
}

impl Bvh {
    /// Splits at the median of the widest axis.
    pub(crate) fn build(bounds: &[Bounds]) -> Self {
        let mut bvh = Self { nodes: Vec::new(), order: (0..bounds.len()).collect() };
        if !bounds.is_empty() {
            bvh.nodes.push(Node { bounds: bounds[0], first: 0, count: 0 });
            bvh.split(0, bounds, 0, bounds.len());
        }
        bvh
    }

    fn split(&mut self, node: usize, bounds: &[Bounds], start: usize, end: usize) {
        let all = self.order[start..end].iter().map(|&i| bounds[i]).reduce(Bounds::union);
        let all = all.expect("a node holds at least one body");
        if end - start <= LEAF_SIZE {
            self.nodes[node] = Node { bounds: all, first: start, count: end - start };
            return;
        }
        let axis = (all.high - all.low).imax();
        let centre = |i: usize| bounds[i].low[axis] + bounds[i].high[axis];
        self.order[start..end].sort_by(|&a, &b| centre(a).total_cmp(&centre(b)).then(a.cmp(&b)));
        let (middle, left) = ((start + end) / 2, self.nodes.len());
        self.nodes[node] = Node { bounds: all, first: left, count: 0 };
        (0..2).for_each(|_| self.nodes.push(Node { bounds: all, first: 0, count: 0 }));
        self.split(left, bounds, start, middle);
        self.split(left + 1, bounds, middle, end);
    }

    /// Visits bodies whose box the ray enters before `limit`. `visit` returns the new limit.
    pub(crate) fn traverse(
        &self,
        origin: &Point3<f64>,
        direction: &Vector3<f64>,
        mut limit: f64,
        mut visit: impl FnMut(usize, f64) -> f64,
    ) {
        let inverse = direction.map(|d| 1.0 / d);
        let (mut stack, mut top) = ([0usize; 64], usize::from(!self.nodes.is_empty()));
        while top > 0 {
            top -= 1;
            let node = &self.nodes[stack[top]];
            if node.bounds.enter(origin, &inverse, limit).is_none() {
                continue;
            }
            if node.count == 0 {
                stack[top] = node.first;
                stack[top + 1] = node.first + 1;
                top += 2;
                continue;
            }
            for &body in &self.order[node.first..node.first + node.count] {
                limit = visit(body, limit);
            }
        }
    }
}
