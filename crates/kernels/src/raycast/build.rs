//! Top-down building with binned surface area (Wald 2007), straight to wide nodes (Wald, Benthin and
//! Boulos 2008). Large subtrees are built in parallel; the result does not depend on how.

use rayon::prelude::*;

use super::node::{Bounds, Child, Node};
use crate::simd::FLOATS;

/// Something with a box.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Primitive {
    pub(crate) bounds: Bounds,
    pub(crate) index: u32,
}

impl Primitive {
    /// Twice the centre.
    #[inline(always)]
    fn centre(&self, axis: usize) -> f32 {
        self.bounds.low[axis] + self.bounds.high[axis]
    }
}

const BINS: usize = 16;
/// Below this number a subtree is built by whoever asks for it.
const PARALLEL: usize = 4096;
/// While slots are free, leaves with more primitives than this are still split.
const SMALL_LEAF: usize = 6;

/// A run of primitives that becomes a child.
#[derive(Debug, Clone, Copy)]
struct Run {
    first: usize,
    count: usize,
    bounds: Bounds,
}

impl Run {
    fn of(primitives: &[Primitive], first: usize, count: usize) -> Self {
        let mut bounds = Bounds::EMPTY;
        primitives[first..first + count].iter().for_each(|p| bounds.hold(&p.bounds));
        Self { first, count, bounds }
    }
}

/// Orders the primitives so that each leaf is a run of them and returns the nodes, root first.
/// Leaves hold at most `leaf` primitives, which is at most 16. No primitives: no nodes.
pub(crate) fn build(primitives: &mut [Primitive], leaf: usize) -> Vec<Node> {
    if primitives.is_empty() { Vec::new() } else { subtree(primitives, 0, leaf) }
}

/// `offset`: primitives before this subtree's.
fn subtree(primitives: &mut [Primitive], offset: usize, leaf: usize) -> Vec<Node> {
    let mut runs = widen(primitives, leaf);
    runs.sort_by_key(|run| run.first);
    let mut root = Node::empty();
    for (slot, run) in runs.iter().enumerate() {
        if run.count <= leaf {
            root.set(slot, Child::leaf(offset + run.first, run.count), &run.bounds);
        }
    }
    let (mut inner, mut rest, mut at) = (Vec::new(), primitives, 0);
    for (slot, run) in runs.iter().enumerate().filter(|(_, run)| run.count > leaf) {
        let (part, behind) = rest.split_at_mut(run.first - at).1.split_at_mut(run.count);
        (rest, at) = (behind, run.first + run.count);
        inner.push((slot, run, part));
    }
    let grow = |(slot, run, part): (usize, &Run, &mut [Primitive])| {
        (slot, run.bounds, subtree(part, offset + run.first, leaf))
    };
    let grown: Vec<_> = if at >= PARALLEL {
        inner.into_par_iter().map(grow).collect()
    } else {
        inner.into_iter().map(grow).collect()
    };
    let mut nodes = vec![root];
    for (slot, bounds, subtree) in grown {
        let by = nodes.len();
        nodes[0].set(slot, Child::node(by), &bounds);
        nodes.extend(subtree.into_iter().map(|mut node| {
            node.children = node.children.map(|child| child.moved(by));
            node
        }));
    }
    nodes
}

/// Splits all primitives into up to 16 runs: always the one whose box a ray meets most likely.
fn widen(primitives: &mut [Primitive], leaf: usize) -> Vec<Run> {
    let mut runs = vec![Run::of(primitives, 0, primitives.len())];
    while runs.len() < FLOATS {
        let widest = |least: usize| {
            let candidates = runs.iter().enumerate().filter(|(_, run)| run.count > least);
            candidates.max_by(|a, b| weight(a.1).total_cmp(&weight(b.1))).map(|(i, _)| i)
        };
        let Some(chosen) = widest(leaf).or_else(|| widest(SMALL_LEAF.min(leaf))) else { break };
        let run = runs.swap_remove(chosen);
        let part = &mut primitives[run.first..run.first + run.count];
        let left = split(part);
        runs.push(Run::of(primitives, run.first, left));
        runs.push(Run::of(primitives, run.first + left, run.count - left));
    }
    runs
}

fn weight(run: &Run) -> f32 {
    run.bounds.half_area()
}

#[derive(Debug, Clone, Copy)]
struct Bin {
    bounds: Bounds,
    count: usize,
}

/// Where centres along one axis fall into bins.
#[derive(Debug, Clone, Copy)]
struct Binning {
    low: f32,
    scale: f32,
}

impl Binning {
    #[inline(always)]
    fn bin(&self, centre: f32) -> usize {
        (((centre - self.low) * self.scale) as usize).min(BINS - 1)
    }
}

/// Partitions the primitives (two or more) in place; how many are left of the cut.
fn split(primitives: &mut [Primitive]) -> usize {
    let mut centres = Bounds::EMPTY;
    for primitive in primitives.iter() {
        centres.hold_point([0, 1, 2].map(|axis| primitive.centre(axis)));
    }
    let extent = [0, 1, 2].map(|axis| centres.high[axis] - centres.low[axis]);
    let best = best_cut(primitives, &centres, extent);
    if let Some((axis, binning, last_left)) = best {
        return partition(primitives, |p| binning.bin(p.centre(axis)) <= last_left);
    }
    // All centres coincide, or are too far apart for their scale: any halves do.
    primitives.len() / 2
}

/// Axis, binning and last bin on the left of the cheapest cut; `None` if all centres share a bin.
fn best_cut(
    primitives: &[Primitive],
    centres: &Bounds,
    extent: [f32; 3],
) -> Option<(usize, Binning, usize)> {
    let binnings = [0, 1, 2].map(|axis| {
        let scale = BINS as f32 / extent[axis];
        Binning { low: centres.low[axis], scale: if scale.is_finite() { scale } else { 0.0 } }
    });
    let mut bins = [[Bin { bounds: Bounds::EMPTY, count: 0 }; BINS]; 3];
    for primitive in primitives {
        for axis in 0..3 {
            let bin = &mut bins[axis][binnings[axis].bin(primitive.centre(axis))];
            bin.bounds.hold(&primitive.bounds);
            bin.count += 1;
        }
    }
    let mut best: Option<(f32, usize, usize)> = None;
    for axis in 0..3 {
        let mut right_cost = [0.0; BINS];
        let (mut bounds, mut count) = (Bounds::EMPTY, 0);
        for i in (1..BINS).rev() {
            bounds.hold(&bins[axis][i].bounds);
            count += bins[axis][i].count;
            right_cost[i - 1] =
                if count == 0 { f32::NAN } else { bounds.half_area() * count as f32 };
        }
        (bounds, count) = (Bounds::EMPTY, 0);
        for i in 0..BINS - 1 {
            bounds.hold(&bins[axis][i].bounds);
            count += bins[axis][i].count;
            let cost = bounds.half_area() * count as f32 + right_cost[i];
            // NaN, which an empty side gives, is never less.
            if count > 0 && cost < best.map_or(f32::INFINITY, |best| best.0) {
                best = Some((cost, axis, i));
            }
        }
    }
    best.map(|(_, axis, last_left)| (axis, binnings[axis], last_left))
}

/// Moves those that fulfil the condition to the front; how many they are.
fn partition(primitives: &mut [Primitive], left: impl Fn(&Primitive) -> bool) -> usize {
    let (mut low, mut high) = (0, primitives.len());
    loop {
        while low < high && left(&primitives[low]) {
            low += 1;
        }
        while low < high && !left(&primitives[high - 1]) {
            high -= 1;
        }
        if low >= high {
            return low;
        }
        primitives.swap(low, high - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primitive(index: u32, low: [f32; 3], size: f32) -> Primitive {
        Primitive { bounds: Bounds { low, high: low.map(|x| x + size) }, index }
    }

    /// Each primitive lies in exactly one leaf, and every box on the way to it holds it.
    fn check(mut primitives: Vec<Primitive>, leaf: usize) {
        let count = primitives.len();
        let nodes = build(&mut primitives, leaf);
        let mut seen = vec![0; count];
        let mut stack: Vec<(usize, Option<Bounds>)> =
            if nodes.is_empty() { vec![] } else { vec![(0, None)] };
        while let Some((index, outer)) = stack.pop() {
            let node = &nodes[index];
            for slot in 0..FLOATS {
                let side = |at: usize| [0, 1, 2].map(|axis| node.bounds[at + axis][slot]);
                let bounds = Bounds { low: side(0), high: side(3) };
                if bounds.low[0] > bounds.high[0] {
                    continue;
                }
                let holds = |outer: &Bounds, inner: &Bounds| {
                    let mut both = *outer;
                    both.hold(inner);
                    both == *outer
                };
                assert!(outer.is_none_or(|outer| holds(&outer, &bounds)));
                match node.children[slot].get() {
                    Ok(child) => stack.push((child, Some(bounds))),
                    Err((first, held)) => {
                        assert!(held <= leaf);
                        for primitive in &primitives[first..first + held] {
                            assert!(holds(&bounds, &primitive.bounds));
                            seen[primitive.index as usize] += 1;
                        }
                    }
                }
            }
        }
        assert!(seen.iter().all(|&times| times == 1), "{count} primitives");
    }

    #[test]
    fn every_primitive_is_in_one_leaf() {
        let scattered = |count: u32| -> Vec<Primitive> {
            let at = |i: u32| {
                let spread = |by: u32| (i.wrapping_mul(by) >> 8) as f32 / 1e5;
                [spread(0x9e37_79b9), spread(0x85eb_ca6b), spread(0xc2b2_ae35)]
            };
            (0..count).map(|i| primitive(i, at(i), 1.0)).collect()
        };
        for count in [0, 1, 2, 15, 16, 17, 300, 20_000] {
            check(scattered(count), 16);
            check(scattered(count), 1);
        }
    }

    #[test]
    fn coinciding_and_huge_boxes_are_split_as_well() {
        check((0..1000).map(|i| primitive(i, [3.0; 3], 0.5)).collect(), 4);
        check((0..100).map(|i| primitive(i, [i as f32 * 1e37, 0.0, 0.0], 1e30)).collect(), 4);
    }

    #[test]
    fn the_tree_does_not_depend_on_threads() {
        let tree = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let at = |i: u32| [(i.wrapping_mul(0x9e37_79b9) >> 12) as f32, i as f32, 0.0];
            let mut primitives: Vec<_> = (0..30_000).map(|i| primitive(i, at(i), 2.0)).collect();
            let nodes = pool.install(|| build(&mut primitives, 16));
            let order: Vec<u32> = primitives.iter().map(|p| p.index).collect();
            (format!("{nodes:?}"), order)
        };
        assert!(tree(1) == tree(2));
    }
}
