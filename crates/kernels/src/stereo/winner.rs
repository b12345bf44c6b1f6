//! Winner takes all: the best disparity of each pixel, between samples, checked from the other view.

use super::path::groups_mut;
use crate::simd::{Isa, LANES};

/// Disparities are fixed-point: this many units to a pixel, as in KITTI's files.
pub const UNITS: u16 = 256;

/// The best disparities of one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Winners {
    width: usize,
    /// Disparities this close to the best are not its rivals.
    rival_gap: usize,
    /// Best disparity per pixel, whole pixels.
    best: Vec<u16>,
    /// Cost of the best match of each pixel of the right row, reversed ...
    right_cost: Vec<u16>,
    /// ... and its disparity.
    right_best: Vec<u16>,
}

/// What is known of one pixel's match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Winner {
    /// In [`UNITS`] of a pixel.
    pub(crate) disparity: u16,
    /// How much worse the best rival is, 0 as good to 255 twice as costly or more.
    pub(crate) lead: u8,
}

/// Above every sum of path costs, and below 2^15 for signed comparisons.
const NO_MATCH: u16 = 0x7fff;

impl Winners {
    /// Before a row of `width` pixels.
    pub(crate) fn start(&mut self, width: usize, disparities: usize, rival_gap: usize) {
        (self.width, self.rival_gap) = (width, rival_gap);
        self.best.clear();
        self.best.resize(width, 0);
        self.right_cost.clear();
        self.right_cost.resize(width + disparities, NO_MATCH);
        self.right_best.clear();
        self.right_best.resize(width + disparities, NO_MATCH);
    }

    /// Takes the summed path costs of pixel `x`; pixels come in ascending order.
    #[inline(always)]
    pub(crate) fn take<I: Isa, const GROUPS: usize>(
        &mut self,
        isa: I,
        x: usize,
        sums: &[I::Words; GROUPS],
    ) -> Winner {
        let start = self.width - 1 - x;
        let costs = groups_mut::<u16, GROUPS>(&mut self.right_cost[start..], 0);
        let disparities = groups_mut::<u16, GROUPS>(&mut self.right_best[start..], 0);
        for group in 0..GROUPS {
            let here = isa.load_words(&INDEX[group]);
            let cost = isa.load_words(&costs[group]);
            let before = isa.load_words(&disparities[group]);
            // Of equal costs the first one stays, which has the smaller disparity.
            let better = isa.select_less(sums[group], cost, here, before);
            isa.store_words(better, &mut disparities[group]);
            isa.store_words(isa.min_words(sums[group], cost), &mut costs[group]);
        }
        let winner = pick(isa, sums, self.rival_gap);
        self.best[x] = winner.disparity_px;
        winner.refined
    }

    /// The right image sees pixel `x` at the same disparity, give or take `tolerance` pixels.
    #[inline(always)]
    pub(crate) fn is_consistent(&self, x: usize, tolerance: u16) -> bool {
        let best = self.best[x];
        let partner = self.width - 1 - x + usize::from(best);
        partner < self.width && self.right_best[partner].abs_diff(best) <= tolerance
    }
}

struct Picked {
    disparity_px: u16,
    refined: Winner,
}

/// The disparity that each lane stands for.
static INDEX: [[u16; LANES]; 4] = {
    let mut index = [[0; LANES]; 4];
    let mut i = 0;
    while i < 4 * LANES {
        index[i / LANES][i % LANES] = i as u16;
        i += 1;
    }
    index
};

#[inline(always)]
fn least<I: Isa, const GROUPS: usize>(isa: I, sums: &[I::Words; GROUPS]) -> u16 {
    let mut low = sums[0];
    for group in 1..GROUPS {
        low = isa.min_words(low, sums[group]);
    }
    isa.least_word(low)
}

#[inline(always)]
fn pick<I: Isa, const GROUPS: usize>(
    isa: I,
    sums: &[I::Words; GROUPS],
    rival_gap: usize,
) -> Picked {
    let cost = least(isa, sums);
    let wanted = isa.splat_words(cost);
    let mut at = 0;
    for group in (0..GROUPS).rev() {
        let equal = isa.equal_words(sums[group], wanted);
        if equal != 0 {
            at = group * LANES + equal.trailing_zeros() as usize;
        }
    }
    // The sums with room at both ends; the winner and its neighbours are struck out of them below.
    let mut flat = [NO_MATCH; 4 * LANES + 2];
    for group in 0..GROUPS {
        isa.store_words(sums[group], &mut groups_mut::<u16, GROUPS>(&mut flat[1..], 0)[group]);
    }
    let neighbours = [flat[at], flat[at + 2]];
    let mut rivals = [isa.splat_words(0); GROUPS];
    let last = (at + 1 + rival_gap).min(flat.len() - 1);
    flat[(at + 1).saturating_sub(rival_gap)..=last].fill(NO_MATCH);
    for group in 0..GROUPS {
        rivals[group] = isa.load_words(&groups_mut::<u16, GROUPS>(&mut flat[1..], 0)[group]);
    }
    let refined = refine(at as u16, cost, neighbours, least(isa, &rivals));
    Picked { disparity_px: at as u16, refined }
}

/// Equiangular fit through three costs: suits costs that grow linearly with the offset, as Hamming
/// distances do. Shimizu and Okutomi 2001, for sums of absolute differences.
#[inline(always)]
fn refine(best: u16, cost: u16, neighbours: [u16; 2], rival: u16) -> Winner {
    let cost = i32::from(cost);
    // Beyond the ends of the search the cost is taken to rise as it does on the other side.
    let [below, above] = match neighbours.map(i32::from) {
        [below, above] if below == i32::from(NO_MATCH) => [above, above],
        [below, above] if above == i32::from(NO_MATCH) => [below, below],
        both => both,
    };
    let rise = (below.max(above) - cost).max(1);
    let offset = (below - above) * i32::from(UNITS) / (2 * rise);
    let disparity = i32::from(best) * i32::from(UNITS) + offset;
    let lead = 255 * (i32::from(rival) - cost) / cost.max(1);
    // 0 stands for no estimate, so a point at infinity is one unit away from it.
    Winner { disparity: disparity.clamp(1, 65535) as u16, lead: lead.clamp(0, 255) as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, Simd};

    type Sums = [[u16; LANES]; 2];

    struct PickFrom<'a>(&'a Sums);

    impl Kernel for PickFrom<'_> {
        type Output = Winner;

        fn run<I: Isa>(self, isa: I) -> Winner {
            pick(isa, &[isa.load_words(&self.0[0]), isa.load_words(&self.0[1])], 1).refined
        }
    }

    struct Take<'a>(&'a mut Winners, usize, &'a Sums);

    impl Kernel for Take<'_> {
        type Output = ();

        fn run<I: Isa>(self, isa: I) {
            let Self(winners, x, sums) = self;
            winners.take(isa, x, &[isa.load_words(&sums[0]), isa.load_words(&sums[1])]);
        }
    }

    fn valley(at: usize, costs: [u16; 3]) -> Sums {
        let mut sums = [[500; LANES]; 2];
        sums.as_flattened_mut()[at - 1..=at + 1].copy_from_slice(&costs);
        sums
    }

    fn check(sums: &Sums, disparity: u16, lead: u8) {
        for simd in Simd::available() {
            assert_eq!(simd.run(PickFrom(sums)), Winner { disparity, lead }, "{simd:?}");
        }
    }

    #[test]
    fn finds_the_valley_between_samples() {
        check(&valley(64, [300, 100, 300]), 64 * 256, 255);
        check(&valley(63, [300, 100, 200]), 63 * 256 + 64, 255);
        check(&valley(100, [250, 250, 300]), 99 * 256 + 128, 51);
    }

    #[test]
    fn beyond_the_search_the_valley_is_symmetric() {
        check(&valley(1, [100, 300, 400]), 1, 255);
        check(&valley(126, [400, 300, 100]), 127 * 256, 255);
    }

    #[test]
    fn a_rival_takes_the_lead_away() {
        let mut sums = valley(20, [300, 200, 300]);
        sums[1][30] = 210;
        check(&sums, 20 * 256, 12);
    }

    #[test]
    fn a_pixel_hidden_from_the_right_is_inconsistent() {
        for simd in Simd::available() {
            let mut winners = Winners::default();
            winners.start(10, 2 * LANES, 1);
            // Pixels 5 and 7 both claim pixel 4 of the right row; the cheaper one gets it.
            simd.run(Take(&mut winners, 5, &valley(1, [500, 80, 500])));
            simd.run(Take(&mut winners, 7, &valley(3, [500, 40, 500])));
            assert!(winners.is_consistent(7, 1) && !winners.is_consistent(5, 1), "{simd:?}");
        }
    }
}
