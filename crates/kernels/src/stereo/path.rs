//! Semi-global aggregation: one step of a path, and rows of steps in all directions.
//!
//! Hirschmüller 2008, Eq. (13). Path costs stay in 8 bits: subtracting the previous minimum bounds
//! them by the largest matching cost plus the larger penalty.

use crate::simd::{Isa, Kernel, LANES};

/// Path cost of an impossible disparity; saturating additions keep it out of every minimum.
const IMPOSSIBLE: u8 = u8::MAX;

/// Penalties of a disparity change between neighbours on a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Penalties {
    /// For a change by one: slanted surfaces.
    pub small: u8,
    /// For any larger change, by the absolute difference of the two pixels' intensities: depth edges
    /// go with intensity edges. Hirschmüller 2008, section 2.2.
    pub large: [u8; 256],
}

impl Penalties {
    /// `large = max(least, most - share * difference)`.
    pub fn new(small: u8, least: u8, most: u8, share: f32) -> Self {
        assert!(small <= least && least <= most, "penalties ascend: {small}, {least}, {most}");
        let large = |difference: usize| {
            (f32::from(most) - share * difference as f32).clamp(f32::from(least), f32::from(most))
        };
        Self { small, large: std::array::from_fn(|difference| large(difference) as u8) }
    }

    #[inline(always)]
    fn between(&self, a: u8, b: u8) -> u8 {
        self.large[usize::from(a.abs_diff(b))]
    }
}

/// The path costs at the end of each of several paths that advance independently.
#[derive(Debug, Clone, Default)]
struct Fronts {
    costs: Vec<u8>,
    minima: Vec<u8>,
}

impl Fronts {
    /// `count` paths before their first pixel, where nothing was paid.
    fn reset(&mut self, count: usize, disparities: usize) {
        self.costs.clear();
        self.costs.resize(count * disparities, 0);
        self.minima.clear();
        self.minima.resize(count, 0);
    }

    /// One path begins anew.
    #[inline(always)]
    fn restart(&mut self, path: usize, disparities: usize) {
        self.costs[path * disparities..(path + 1) * disparities].fill(0);
        self.minima[path] = 0;
    }

    /// Moves one path forward by one pixel.
    #[inline(always)]
    fn advance<I: Isa, const GROUPS: usize>(
        &mut self,
        isa: I,
        path: usize,
        matching: &[I::Bytes; GROUPS],
        penalties: (u8, u8),
    ) -> [I::Bytes; GROUPS] {
        let costs = groups_mut::<u8, GROUPS>(&mut self.costs, path);
        let mut front = Front { costs: load(isa, costs), minimum: self.minima[path] };
        front.advance(isa, matching, penalties);
        store(isa, &front.costs, costs);
        self.minima[path] = front.minimum;
        front.costs
    }
}

/// The groups of costs of one pixel.
#[inline(always)]
pub(super) fn groups<T, const GROUPS: usize>(values: &[T], pixel: usize) -> &[[T; LANES]; GROUPS] {
    let size = GROUPS * LANES;
    let (groups, _) = values[pixel * size..(pixel + 1) * size].as_chunks();
    groups.first_chunk().expect("a pixel has GROUPS groups")
}

#[inline(always)]
pub(super) fn groups_mut<T, const GROUPS: usize>(
    values: &mut [T],
    pixel: usize,
) -> &mut [[T; LANES]; GROUPS] {
    let size = GROUPS * LANES;
    let (groups, _) = values[pixel * size..(pixel + 1) * size].as_chunks_mut();
    groups.first_chunk_mut().expect("a pixel has GROUPS groups")
}

#[inline(always)]
fn load<I: Isa, const GROUPS: usize>(isa: I, from: &[[u8; LANES]; GROUPS]) -> [I::Bytes; GROUPS] {
    let mut groups = [isa.splat(0); GROUPS];
    for group in 0..GROUPS {
        groups[group] = isa.load(&from[group]);
    }
    groups
}

#[inline(always)]
fn store<I: Isa, const GROUPS: usize>(
    isa: I,
    groups: &[I::Bytes; GROUPS],
    to: &mut [[u8; LANES]; GROUPS],
) {
    for group in 0..GROUPS {
        isa.store(groups[group], &mut to[group]);
    }
}

/// The end of one path.
#[derive(Clone, Copy)]
struct Front<B, const GROUPS: usize> {
    costs: [B; GROUPS],
    minimum: u8,
}

impl<B: Copy, const GROUPS: usize> Front<B, GROUPS> {
    /// Eq. (13), less the previous minimum.
    #[inline(always)]
    fn advance<I: Isa<Bytes = B>>(
        &mut self,
        isa: I,
        matching: &[B; GROUPS],
        (small, large): (u8, u8),
    ) {
        let impossible = isa.splat(IMPOSSIBLE);
        let small = isa.splat(small);
        let previous = isa.splat(self.minimum);
        let jump = isa.splat(self.minimum.saturating_add(large));
        let old = self.costs;
        let mut low = impossible;
        for group in 0..GROUPS {
            let below = if group == 0 { impossible } else { old[group - 1] };
            let above = if group + 1 == GROUPS { impossible } else { old[group + 1] };
            let below = isa.moved_up(below, old[group]);
            let above = isa.moved_down(old[group], above);
            let near = isa.add_saturating(isa.min(below, above), small);
            let best = isa.min(isa.min(old[group], near), jump);
            let cost = isa.add(isa.sub(best, previous), matching[group]);
            self.costs[group] = cost;
            low = isa.min(low, cost);
        }
        self.minimum = isa.least(low);
    }

    /// Advances to pixel `x` of a row from its neighbour `before`.
    #[inline(always)]
    fn enter<I: Isa<Bytes = B>>(&mut self, isa: I, row: Row<'_>, x: usize, before: usize) {
        let large = row.penalties.between(row.guide[x], row.guide[before]);
        let matching = load(isa, groups::<u8, GROUPS>(row.matching, x));
        self.advance(isa, &matching, (row.penalties.small, large));
    }
}

/// Runs one body with the number of groups known at compile time.
macro_rules! with_groups {
    ($disparities:expr, $groups:ident => $body:expr) => {
        match $disparities / LANES {
            1 => {
                const $groups: usize = 1;
                $body
            }
            2 => {
                const $groups: usize = 2;
                $body
            }
            3 => {
                const $groups: usize = 3;
                $body
            }
            4 => {
                const $groups: usize = 4;
                $body
            }
            _ => panic!("1 to 4 groups of {LANES} disparities, not {}", $disparities),
        }
    };
}
pub(crate) use with_groups;

/// One row as the vertical paths see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// Matching costs, disparity fastest.
    pub(crate) matching: &'a [u8],
    /// Intensities of this row.
    pub(crate) guide: &'a [u8],
    /// Intensities of the row that the paths come from.
    pub(crate) previous_guide: &'a [u8],
    pub(crate) penalties: &'a Penalties,
}

impl Row<'_> {
    /// Disparities per pixel.
    pub(crate) fn disparities(&self) -> usize {
        self.matching.len() / self.guide.len()
    }
}

/// Both horizontal paths of one row; `sums` is overwritten with their sum.
pub(crate) struct Horizontal<'a> {
    pub(crate) row: Row<'a>,
    /// As long as the row's matching costs; its content is of no interest.
    pub(crate) first: &'a mut [u8],
    pub(crate) sums: &'a mut [u16],
}

impl Kernel for Horizontal<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        with_groups!(self.row.disparities(), GROUPS => self.both_ways::<I, GROUPS>(isa))
    }
}

impl Horizontal<'_> {
    /// The paths start at both ends and meet: two independent chains keep the processor busy.
    #[inline(always)]
    fn both_ways<I: Isa, const GROUPS: usize>(self, isa: I) {
        let Self { row, first, sums } = self;
        let last = row.guide.len() - 1;
        let start = Front { costs: [isa.splat(0); GROUPS], minimum: 0 };
        let (mut forward, mut backward) = (start, start);
        for x in 0..=last {
            forward.enter(isa, row, x, x.saturating_sub(1));
            backward.enter(isa, row, last - x, (last - x + 1).min(last));
            // Whichever path comes second adds to what the first one left.
            let forward_is_first = 2 * x <= last;
            leave(isa, &forward, x, forward_is_first, first, sums);
            leave(isa, &backward, last - x, 2 * x < last, first, sums);
        }
    }
}

/// Leaves a path's costs at a pixel: in `first`, or together with what is there in `sums`.
#[inline(always)]
fn leave<I: Isa, const GROUPS: usize>(
    isa: I,
    front: &Front<I::Bytes, GROUPS>,
    pixel: usize,
    is_first: bool,
    first: &mut [u8],
    sums: &mut [u16],
) {
    let first = groups_mut::<u8, GROUPS>(first, pixel);
    if is_first {
        return store(isa, &front.costs, first);
    }
    let sums = groups_mut::<u16, GROUPS>(sums, pixel);
    for group in 0..GROUPS {
        let other = isa.widen(isa.load(&first[group]));
        isa.store_words(isa.add_words(other, isa.widen(front.costs[group])), &mut sums[group]);
    }
}

/// What a row of vertical steps hands its sums to.
pub(crate) trait Visit<const GROUPS: usize> {
    /// The sum of the three vertical path costs at pixel `x`.
    fn visit<I: Isa>(&mut self, isa: I, x: usize, sums: [I::Words; GROUPS]);
}

/// The three directions that reach a row from the row before it: straight and both diagonals.
///
/// Every diagonal keeps its own slot, so all paths advance in place.
#[derive(Debug, Clone, Default)]
pub(crate) struct VerticalFronts {
    straight: Fronts,
    from_west: Fronts,
    from_east: Fronts,
    rows_done: usize,
}

impl VerticalFronts {
    /// Before the first row.
    pub(crate) fn reset(&mut self, width: usize, disparities: usize) {
        self.straight.reset(width, disparities);
        self.from_west.reset(width, disparities);
        self.from_east.reset(width, disparities);
        self.rows_done = 0;
    }

    /// Moves all vertical paths one row on.
    #[inline(always)]
    pub(crate) fn advance_row<I: Isa, const GROUPS: usize>(
        &mut self,
        isa: I,
        row: Row<'_>,
        visitor: &mut impl Visit<GROUPS>,
    ) {
        let Row { matching, guide, previous_guide, penalties } = row;
        let width = guide.len();
        let disparities = GROUPS * LANES;
        let shift = self.rows_done % width;
        // The diagonals that enter the image at this row begin anew.
        let (mut west, mut east) = ((width - shift) % width, shift);
        self.from_west.restart(west, disparities);
        self.from_east.restart((width - 1 + shift) % width, disparities);
        for x in 0..width {
            let matching = load(isa, groups::<u8, GROUPS>(matching, x));
            let large = |before: usize| {
                (penalties.small, penalties.between(guide[x], previous_guide[before]))
            };
            let straight = self.straight.advance(isa, x, &matching, large(x));
            let before = large(x.saturating_sub(1));
            let from_west = self.from_west.advance(isa, west, &matching, before);
            let before = large((x + 1).min(width - 1));
            let from_east = self.from_east.advance(isa, east, &matching, before);
            let mut sums = [isa.splat_words(0); GROUPS];
            for group in 0..GROUPS {
                let diagonal =
                    isa.add_words(isa.widen(from_west[group]), isa.widen(from_east[group]));
                sums[group] = isa.add_words(isa.widen(straight[group]), diagonal);
            }
            visitor.visit(isa, x, sums);
            west = if west + 1 == width { 0 } else { west + 1 };
            east = if east + 1 == width { 0 } else { east + 1 };
        }
        self.rows_done += 1;
    }
}
