//! Winner takes all: the best disparity of each pixel, between samples, checked from the other view.

use super::path::{LANES, Sums};

/// Disparities are fixed-point: this many units to a pixel, as in KITTI's files.
pub const UNITS: u16 = 256;

/// The best disparities of one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Winners {
    width: usize,
    /// Best disparity per pixel, whole pixels.
    best: Vec<u16>,
    /// `cost << 16 | disparity` of the best match of each pixel of the right row, reversed.
    right: Vec<u32>,
}

/// What is known of one pixel's match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Winner {
    /// In [`UNITS`] of a pixel.
    pub(crate) disparity: u16,
    /// How much worse the best rival is, 0 as good to 255 twice as costly or more.
    pub(crate) lead: u8,
}

const NO_MATCH: u32 = u32::MAX;

impl Winners {
    /// Before a row of `width` pixels.
    pub(crate) fn start(&mut self, width: usize, disparities: usize) {
        self.width = width;
        self.best.clear();
        self.best.resize(width, 0);
        self.right.clear();
        self.right.resize(width + disparities, NO_MATCH);
    }

    /// Takes the summed path costs of pixel `x`.
    #[inline(always)]
    pub(crate) fn take<const GROUPS: usize>(&mut self, x: usize, sums: &Sums<GROUPS>) -> Winner {
        let start = self.width - 1 - x;
        let keys = &mut self.right[start..start + GROUPS * LANES];
        for (group, keys) in keys.chunks_exact_mut(LANES).enumerate() {
            for i in 0..LANES {
                let key = u32::from(sums[group][i]) << 16 | (group * LANES + i) as u32;
                keys[i] = keys[i].min(key);
            }
        }
        let winner = pick(sums);
        self.best[x] = winner.disparity_px;
        winner.refined
    }

    /// The right image sees pixel `x` at the same disparity, give or take `tolerance` pixels.
    #[inline(always)]
    pub(crate) fn is_consistent(&self, x: usize, tolerance: u16) -> bool {
        let best = self.best[x];
        let partner = self.width - 1 - x + usize::from(best);
        partner < self.width && (self.right[partner] as u16).abs_diff(best) <= tolerance
    }
}

struct Picked {
    disparity_px: u16,
    refined: Winner,
}

#[inline(always)]
fn least(values: &[u16; LANES]) -> u16 {
    values.iter().fold(u16::MAX, |least, &value| least.min(value))
}

#[inline(always)]
fn pick<const GROUPS: usize>(sums: &Sums<GROUPS>) -> Picked {
    let mut low = [u16::MAX; LANES];
    for group in 0..GROUPS {
        for i in 0..LANES {
            low[i] = low[i].min(sums[group][i]);
        }
    }
    let cost = least(&low);
    let mut first = [u16::MAX; LANES];
    for group in 0..GROUPS {
        for i in 0..LANES {
            let index = (group * LANES + i) as u16;
            let candidate = if sums[group][i] == cost { index } else { u16::MAX };
            first[i] = first[i].min(candidate);
        }
    }
    let best = least(&first);
    let mut rival = [u16::MAX; LANES];
    for group in 0..GROUPS {
        for i in 0..LANES {
            let index = (group * LANES + i) as u16;
            let far = index.wrapping_sub(best).wrapping_add(1) > 2;
            rival[i] = rival[i].min(if far { sums[group][i] } else { u16::MAX });
        }
    }
    let flat = sums.as_flattened();
    let at = usize::from(best);
    let below = flat[at.saturating_sub(1)];
    let above = flat[(at + 1).min(flat.len() - 1)];
    Picked { disparity_px: best, refined: refine(best, cost, below, above, least(&rival)) }
}

/// Equiangular fit through three costs: suits costs that grow linearly with the offset, as Hamming
/// distances do. Shimizu and Okutomi 2001, for sums of absolute differences.
#[inline(always)]
fn refine(best: u16, cost: u16, below: u16, above: u16, rival: u16) -> Winner {
    let (cost, below, above) = (i32::from(cost), i32::from(below), i32::from(above));
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

    fn sums_with(valley: usize, costs: [u16; 3]) -> Sums<2> {
        let mut sums = [[500; LANES]; 2];
        let flat = sums.as_flattened_mut();
        flat[valley - 1..=valley + 1].copy_from_slice(&costs);
        sums
    }

    fn check(valley: usize, costs: [u16; 3], expected: Winner) {
        assert_eq!(pick(&sums_with(valley, costs)).refined, expected, "{costs:?}");
    }

    #[test]
    fn finds_the_valley_between_samples() {
        check(64, [300, 100, 300], Winner { disparity: 64 * 256, lead: 255 });
        check(63, [300, 100, 200], Winner { disparity: 63 * 256 + 64, lead: 255 });
        check(100, [250, 250, 300], Winner { disparity: 99 * 256 + 128, lead: 51 });
    }

    #[test]
    fn a_rival_takes_the_lead_away() {
        let mut sums = sums_with(20, [300, 200, 300]);
        sums[1][30] = 210;
        assert_eq!(pick(&sums).refined.lead, 12);
    }

    #[test]
    fn a_pixel_hidden_from_the_right_is_inconsistent() {
        let mut winners = Winners::default();
        winners.start(10, 64);
        let valley = |at: usize, cost: u16| {
            let mut sums: Sums<1> = [[500; LANES]; 1];
            sums[0][at] = cost;
            sums
        };
        // Pixels 5 and 7 both claim pixel 4 of the right row; the cheaper one gets it.
        winners.take(5, &valley(1, 80));
        winners.take(7, &valley(3, 40));
        assert!(winners.is_consistent(7, 1) && !winners.is_consistent(5, 1));
    }
}
