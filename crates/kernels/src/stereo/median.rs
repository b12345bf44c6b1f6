//! Median of 3 x 3 pixels.

use rayon::prelude::*;

use crate::simd::{Isa, Kernel, LANES, Simd};

/// Each pixel's median with its eight neighbours; border pixels stay as they are.
pub fn median_3x3(simd: Simd, values: &[u16], width: usize, out: &mut Vec<u16>) {
    out.clear();
    out.extend_from_slice(values);
    if width < 3 {
        return;
    }
    let height = values.len() / width;
    out.par_chunks_exact_mut(width).enumerate().for_each(|(y, out)| {
        if y > 0 && y + 1 < height {
            let rows = &values[(y - 1) * width..(y + 2) * width];
            simd.run(MedianRow { rows, out });
        }
    });
}

struct MedianRow<'a> {
    /// Three rows.
    rows: &'a [u16],
    out: &'a mut [u16],
}

impl Kernel for MedianRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let width = self.out.len();
        let inner = width - 2;
        let mut x = 0;
        while x + LANES <= inner {
            let [a, b, c] = [0, 1, 2].map(|row| &self.rows[row * width + x..][..LANES + 2]);
            let nine = [window(isa, a), window(isa, b), window(isa, c)];
            isa.store_words(median(isa, nine), first_lanes_mut(&mut self.out[x + 1..]));
            x += LANES;
        }
        for x in x..inner {
            let mut nine = [0; 9];
            for row in 0..3 {
                nine[3 * row..3 * row + 3].copy_from_slice(&self.rows[row * width + x..][..3]);
            }
            nine.sort_unstable();
            self.out[x + 1] = nine[4];
        }
    }
}

#[inline(always)]
fn first_lanes_mut(values: &mut [u16]) -> &mut [u16; LANES] {
    values.first_chunk_mut().expect("a whole vector fits")
}

/// Three vectors that start one pixel apart.
#[inline(always)]
fn window<I: Isa>(isa: I, row: &[u16]) -> [I::Words; 3] {
    let mut lanes = [isa.splat_words(0); 3];
    for dx in 0..3 {
        lanes[dx] = isa.load_words(row[dx..].first_chunk().expect("a whole vector fits"));
    }
    lanes
}

/// Smallest, middle, largest of three.
#[inline(always)]
fn sort<I: Isa>(isa: I, [a, b, c]: [I::Words; 3]) -> [I::Words; 3] {
    let (low, high) = (isa.min_words(a, b), isa.max_words(a, b));
    let (middle, high) = (isa.min_words(high, c), isa.max_words(high, c));
    [isa.min_words(low, middle), isa.max_words(low, middle), high]
}

/// The middle of nine: of the largest of the smallest, the middle of the middles and the smallest of
/// the largest of three sorted triples. Smith 1996.
#[inline(always)]
fn median<I: Isa>(isa: I, [a, b, c]: [[I::Words; 3]; 3]) -> I::Words {
    let (a, b, c) = (sort(isa, a), sort(isa, b), sort(isa, c));
    let low = isa.max_words(isa.max_words(a[0], b[0]), c[0]);
    let middle = sort(isa, [a[1], b[1], c[1]])[1];
    let high = isa.min_words(isa.min_words(a[2], b[2]), c[2]);
    sort(isa, [low, middle, high])[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stereo::test_images::random;

    fn reference(values: &[u16], width: usize) -> Vec<u16> {
        let height = values.len() / width.max(1);
        let mut out = values.to_vec();
        for y in 1..height.saturating_sub(1) {
            for x in 1..width.saturating_sub(1) {
                let pixel = |i: usize| values[(y + i / 3 - 1) * width + x + i % 3 - 1];
                let mut nine: Vec<u16> = (0..9).map(pixel).collect();
                nine.sort_unstable();
                out[y * width + x] = nine[4];
            }
        }
        out
    }

    #[test]
    fn equals_its_definition_at_all_sizes() {
        let mut next = random(8);
        for (width, height) in [(0, 0), (1, 1), (2, 5), (3, 3), (66, 4), (67, 3), (200, 7)] {
            let values: Vec<u16> = (0..width * height).map(|_| next() as u16).collect();
            for simd in Simd::available() {
                let mut found = Vec::new();
                median_3x3(simd, &values, width, &mut found);
                assert_eq!(found, reference(&values, width), "{width}x{height} {simd:?}");
            }
        }
    }
}
