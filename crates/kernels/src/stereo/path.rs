//! Semi-global aggregation: one step of a path, and rows of steps in all directions.
//!
//! Hirschmüller 2008, Eq. (13). Path costs stay in 8 bits: subtracting the previous minimum bounds
//! them by the largest matching cost plus the larger penalty.

use crate::simd::multiversion;

/// Disparities per group; a path's costs are whole groups.
pub(crate) const LANES: usize = 64;
/// Entries around a pixel's costs that stand for impossible disparities.
pub(crate) const GUARD: usize = 32;

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
pub(crate) struct Fronts {
    disparities: usize,
    costs: Vec<u8>,
    minima: Vec<u8>,
}

impl Fronts {
    /// `count` paths that have not started.
    pub(crate) fn reset(&mut self, count: usize, disparities: usize) {
        let stride = disparities + GUARD;
        self.disparities = disparities;
        self.costs.clear();
        self.costs.resize(count * stride + GUARD, 0);
        self.minima.clear();
        self.minima.resize(count, 0);
        for guard in self.costs.chunks_mut(stride) {
            let end = guard.len().min(GUARD);
            guard[..end].fill(IMPOSSIBLE);
        }
    }

    #[inline(always)]
    fn slot(&mut self, path: usize) -> (&mut [u8], &mut u8) {
        let start = path * (self.disparities + GUARD);
        let costs = &mut self.costs[start..start + self.disparities + 2 * GUARD];
        (costs, &mut self.minima[path])
    }

    /// The path begins anew: before the first pixel nothing was paid.
    #[inline(always)]
    fn restart(&mut self, path: usize) {
        let disparities = self.disparities;
        let (costs, minimum) = self.slot(path);
        costs[GUARD..GUARD + disparities].fill(0);
        *minimum = 0;
    }
}

/// Sums of path costs at one pixel.
pub(crate) type Sums<const GROUPS: usize> = [[u16; LANES]; GROUPS];

#[inline(always)]
fn lanes<T>(values: &[T], at: usize) -> &[T; LANES] {
    values[at..at + LANES].first_chunk().expect("a group has LANES entries")
}

#[inline(always)]
fn least(values: &[u8; LANES]) -> u8 {
    values.iter().fold(u8::MAX, |least, &value| least.min(value))
}

/// Moves one path forward by one pixel. Eq. (13), less the previous minimum.
#[inline(always)]
fn advance<const GROUPS: usize>(
    (costs, minimum): (&mut [u8], &mut u8),
    matching: &[u8],
    small: u8,
    large: u8,
) -> [[u8; LANES]; GROUPS] {
    assert!(costs.len() == GROUPS * LANES + 2 * GUARD && matching.len() == GROUPS * LANES);
    let previous = *minimum;
    let jump = previous.saturating_add(large);
    let mut next = [[0; LANES]; GROUPS];
    let mut low = [u8::MAX; LANES];
    for group in 0..GROUPS {
        let at = GUARD + group * LANES;
        let (below, same, above) = (lanes(costs, at - 1), lanes(costs, at), lanes(costs, at + 1));
        let matching = lanes(matching, group * LANES);
        for i in 0..LANES {
            let near = below[i].min(above[i]).saturating_add(small);
            let cost = same[i].min(near).min(jump).wrapping_sub(previous).wrapping_add(matching[i]);
            next[group][i] = cost;
            low[i] = low[i].min(cost);
        }
    }
    for group in 0..GROUPS {
        costs[GUARD + group * LANES..][..LANES].copy_from_slice(&next[group]);
    }
    *minimum = least(&low);
    next
}

#[inline(always)]
fn add<const GROUPS: usize>(sums: &mut Sums<GROUPS>, costs: &[[u8; LANES]; GROUPS]) {
    for group in 0..GROUPS {
        for i in 0..LANES {
            sums[group][i] += u16::from(costs[group][i]);
        }
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

multiversion! {
    /// Both horizontal paths of one row; `sums` is overwritten with their sum.
    pub(crate) fn horizontal(
        simd,
        fronts: &mut Fronts,
        row: Row<'_>,
        forward: &mut [u8],
        sums: &mut [u16],
    ) {
        with_groups!(fronts.disparities, GROUPS => {
            horizontal_groups::<GROUPS>(fronts, row, forward, sums)
        })
    }
}

#[inline(always)]
fn horizontal_groups<const GROUPS: usize>(
    fronts: &mut Fronts,
    row: Row<'_>,
    forward: &mut [u8],
    sums: &mut [u16],
) {
    let Row { matching, guide, penalties, .. } = row;
    let disparities = GROUPS * LANES;
    fronts.restart(0);
    fronts.restart(1);
    for x in 0..guide.len() {
        let large = penalties.between(guide[x], guide[x.saturating_sub(1)]);
        let matching = &matching[x * disparities..(x + 1) * disparities];
        let costs = advance::<GROUPS>(fronts.slot(0), matching, penalties.small, large);
        for group in 0..GROUPS {
            forward[x * disparities + group * LANES..][..LANES].copy_from_slice(&costs[group]);
        }
    }
    for x in (0..guide.len()).rev() {
        let large = penalties.between(guide[x], guide[(x + 1).min(guide.len() - 1)]);
        let matching = &matching[x * disparities..(x + 1) * disparities];
        let costs = advance::<GROUPS>(fronts.slot(1), matching, penalties.small, large);
        for group in 0..GROUPS {
            let at = x * disparities + group * LANES;
            let forward = lanes(forward, at);
            let sums = &mut sums[at..at + LANES];
            for i in 0..LANES {
                sums[i] = u16::from(forward[i]) + u16::from(costs[group][i]);
            }
        }
    }
}

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

    /// Moves all vertical paths one row on and hands each pixel's sum of the three to `visit`.
    #[inline(always)]
    pub(crate) fn advance_row<const GROUPS: usize>(
        &mut self,
        row: Row<'_>,
        mut visit: impl FnMut(usize, Sums<GROUPS>),
    ) {
        let Row { matching, guide, previous_guide, penalties } = row;
        let width = guide.len();
        if width == 0 {
            return;
        }
        let disparities = GROUPS * LANES;
        let shift = self.rows_done % width;
        // The diagonals that enter the image at this row.
        let (mut west, mut east) = ((width - shift) % width, shift);
        self.from_west.restart(west);
        self.from_east.restart((width - 1 + shift) % width);
        let small = penalties.small;
        for x in 0..width {
            let matching = &matching[x * disparities..(x + 1) * disparities];
            let here = guide[x];
            let mut sums = [[0; LANES]; GROUPS];
            let large = penalties.between(here, previous_guide[x]);
            let costs = advance::<GROUPS>(self.straight.slot(x), matching, small, large);
            add(&mut sums, &costs);
            let large = penalties.between(here, previous_guide[x.saturating_sub(1)]);
            let costs = advance::<GROUPS>(self.from_west.slot(west), matching, small, large);
            add(&mut sums, &costs);
            let large = penalties.between(here, previous_guide[(x + 1).min(width - 1)]);
            let costs = advance::<GROUPS>(self.from_east.slot(east), matching, small, large);
            add(&mut sums, &costs);
            visit(x, sums);
            west = if west + 1 == width { 0 } else { west + 1 };
            east = if east + 1 == width { 0 } else { east + 1 };
        }
        self.rows_done += 1;
    }
}
