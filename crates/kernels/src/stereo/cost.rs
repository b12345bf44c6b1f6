//! Matching cost of one row of a rectified pair at every disparity.

use crate::simd::{LANES, Simd, multiversion};

/// Cost where the partner would lie outside the other image: what unrelated pixels cost on average.
pub const OUTSIDE: u8 = 31;

/// Largest cost: all bits of the census differ and the gradients too.
pub const LARGEST: u8 = 62 + 15;

/// One row of a prepared image: census words and horizontal gradients.
#[derive(Debug, Clone, Copy)]
pub struct CostRow<'a> {
    /// Census words.
    pub census: &'a [u64],
    /// Gradients, see [`gradient_row`].
    pub gradient: &'a [u8],
}

/// Costs of one row, disparity fastest: `out[x * disparities + d]`.
///
/// Hamming distance of the census words plus a truncated difference of gradients. `right` is the
/// right image's row **reversed**, with at least `disparities` entries more at its end, so that the
/// partners of ascending disparity lie side by side.
pub fn cost_row(
    simd: Simd,
    left: CostRow<'_>,
    right: CostRow<'_>,
    disparities: usize,
    out: &mut [u8],
) {
    let width = left.census.len();
    assert_eq!(out.len(), width * disparities, "costs of a row");
    assert!(disparities.is_multiple_of(LANES), "disparities come in groups of {LANES}");
    assert!(right.census.len() >= width + disparities && left.gradient.len() == width);
    assert!(right.gradient.len() >= width + disparities);
    cost_row_any(simd, left, right, disparities, out);
    for x in 0..width.min(disparities) {
        out[x * disparities..(x + 1) * disparities][x + 1..].fill(OUTSIDE);
    }
}

multiversion! {
    fn cost_row_any(
        simd,
        left: CostRow<'_>,
        right: CostRow<'_>,
        disparities: usize,
        out: &mut [u8],
    ) {
        let width = left.census.len();
        for x in 0..width {
            let (word, slope) = (left.census[x], left.gradient[x]);
            let start = width - 1 - x;
            let partners = &right.census[start..start + disparities];
            let slopes = &right.gradient[start..start + disparities];
            let out = &mut out[x * disparities..(x + 1) * disparities];
            let groups = partners.chunks_exact(LANES).zip(slopes.chunks_exact(LANES));
            for (out, (partners, slopes)) in out.chunks_exact_mut(LANES).zip(groups) {
                let mut bits = [0u8; LANES];
                for i in 0..LANES {
                    bits[i] = (word ^ partners[i]).count_ones() as u8;
                }
                for i in 0..LANES {
                    out[i] = bits[i] + (slopes[i].abs_diff(slope) >> GRADIENT_SHIFT).min(GRADIENT_MOST);
                }
            }
        }
    }
}

/// Differences of gradients count a quarter ...
const GRADIENT_SHIFT: u8 = 2;
/// ... and at most this.
const GRADIENT_MOST: u8 = 15;

/// Horizontal Sobel response of one row, offset to 128 and saturating.
///
/// `rows`: the row above, the row itself, the row below.
pub fn gradient_row(rows: [&[u8]; 3], out: &mut [u8]) {
    let width = out.len();
    for x in 0..width {
        let (west, east) = (x.saturating_sub(1), (x + 1).min(width - 1));
        let side =
            |x: usize| i32::from(rows[0][x]) + 2 * i32::from(rows[1][x]) + i32::from(rows[2][x]);
        out[x] = (128 + (side(east) - side(west)) / 2).clamp(0, 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stereo::test_images::random;

    fn check(width: usize, disparities: usize) {
        let mut next = random(width as u64 + 1);
        let words: Vec<u64> = (0..2 * width + disparities).map(|_| next() >> 2).collect();
        let slopes: Vec<u8> = (0..2 * width + disparities).map(|_| next() as u8).collect();
        let left = CostRow { census: &words[..width], gradient: &slopes[..width] };
        let right = CostRow { census: &words[width..], gradient: &slopes[width..] };
        let mut expected = vec![OUTSIDE; width * disparities];
        for x in 0..width {
            for d in 0..disparities.min(x + 1) {
                let partner = width - 1 - x + d;
                let bits = (left.census[x] ^ right.census[partner]).count_ones() as u8;
                let slope = left.gradient[x].abs_diff(right.gradient[partner]) / 4;
                expected[x * disparities + d] = bits + slope.min(15);
            }
        }
        for simd in Simd::available() {
            let mut out = vec![0; width * disparities];
            cost_row(simd, left, right, disparities, &mut out);
            assert_eq!(out, expected, "{width} x {disparities} {simd:?}");
            assert!(out.iter().all(|&cost| cost <= LARGEST));
        }
    }

    #[test]
    fn equals_its_definition_at_all_sizes() {
        for (width, disparities) in [(0, 64), (1, 64), (63, 128), (200, 64), (70, 192)] {
            check(width, disparities);
        }
    }

    #[test]
    fn gradient_of_a_ramp_is_its_slope() {
        let row: Vec<u8> = (0..20).map(|x| 5 * x).collect();
        let mut out = vec![0; 20];
        gradient_row([&row, &row, &row], &mut out);
        assert!(out[1..19].iter().all(|&slope| slope == 128 + 20), "{out:?}");
    }
}
