//! Census transform over a 9 x 7 window: which neighbours are brighter than the centre.
//!
//! Zabih and Woodfill 1994. It depends on the order of intensities alone, so two cameras may differ
//! in gain and offset.

use rayon::prelude::*;

use crate::simd::{Simd, multiversion};
use ommatidia_scene::GrayImage;

/// Columns to each side of the centre.
pub const RADIUS_X: usize = 4;
/// Rows to each side of the centre.
pub const RADIUS_Y: usize = 3;
/// Bits used of each word: the window without its centre.
pub const BITS: u32 = 62;

const WINDOW_X: usize = 2 * RADIUS_X + 1;
const WINDOW_Y: usize = 2 * RADIUS_Y + 1;
const BLOCK: usize = 64;

/// One word per pixel, row-major. Outside the image the nearest pixel counts.
///
/// Bit `k` is set where the `k`-th neighbour, in row-major order without the centre, is brighter.
pub fn census(simd: Simd, image: &GrayImage, words: &mut Vec<u64>) {
    let (width, height) = (image.width, image.height);
    words.clear();
    words.resize(width * height, 0);
    if width == 0 || height == 0 {
        return;
    }
    let stride = width.next_multiple_of(BLOCK) + 2 * RADIUS_X;
    let mut padded = vec![0u8; stride * (height + 2 * RADIUS_Y)];
    padded.par_chunks_exact_mut(stride).enumerate().for_each(|(row, line)| {
        let source = image.row(row.saturating_sub(RADIUS_Y).min(height - 1));
        line[..RADIUS_X].fill(source[0]);
        line[RADIUS_X..RADIUS_X + width].copy_from_slice(source);
        line[RADIUS_X + width..].fill(source[width - 1]);
    });
    words.par_chunks_exact_mut(width).enumerate().for_each(|(y, line)| {
        census_row(simd, &padded[y * stride..(y + WINDOW_Y) * stride], stride, line);
    });
}

multiversion! {
    /// `window`: the padded rows around one row of the image.
    fn census_row(simd, window: &[u8], stride: usize, words: &mut [u64]) {
        for (block, words) in words.chunks_mut(BLOCK).enumerate() {
            let start = block * BLOCK;
            let lane = |dx: usize, dy: usize| -> &[u8; BLOCK] {
                let at = dy * stride + start + dx;
                window[at..at + BLOCK].first_chunk().expect("rows are padded to whole blocks")
            };
            let centre = lane(RADIUS_X, RADIUS_Y);
            let mut planes = [[0u8; BLOCK]; 8];
            let mut bit = 0;
            for dy in 0..WINDOW_Y {
                for dx in 0..WINDOW_X {
                    if (dx, dy) == (RADIUS_X, RADIUS_Y) {
                        continue;
                    }
                    let neighbour = lane(dx, dy);
                    let plane = &mut planes[bit / 8];
                    let flag = 1u8 << (bit % 8);
                    for i in 0..BLOCK {
                        plane[i] |= if neighbour[i] > centre[i] { flag } else { 0 };
                    }
                    bit += 1;
                }
            }
            for (i, word) in words.iter_mut().enumerate() {
                *word = u64::from_le_bytes(std::array::from_fn(|k| planes[k][i]));
            }
        }
    }
}

/// The definition, pixel by pixel.
pub fn census_reference(image: &GrayImage) -> Vec<u64> {
    let clamp = |v: isize, size: usize| v.clamp(0, size as isize - 1) as usize;
    let mut words = Vec::with_capacity(image.width * image.height);
    for y in 0..image.height as isize {
        for x in 0..image.width as isize {
            let centre = image.at(x as usize, y as usize);
            let (mut word, mut bit) = (0u64, 0);
            for dy in -(RADIUS_Y as isize)..=RADIUS_Y as isize {
                for dx in -(RADIUS_X as isize)..=RADIUS_X as isize {
                    if (dx, dy) != (0, 0) {
                        let (u, v) = (clamp(x + dx, image.width), clamp(y + dy, image.height));
                        word |= u64::from(image.at(u, v) > centre) << bit;
                        bit += 1;
                    }
                }
            }
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stereo::test_images::noise;

    #[test]
    fn equals_its_definition_at_all_sizes() {
        for (width, height) in [(0, 0), (1, 1), (3, 2), (64, 1), (65, 9), (131, 8)] {
            let image = noise(width, height, 7);
            let expected = census_reference(&image);
            for simd in Simd::available() {
                let mut words = vec![1; 5];
                census(simd, &image, &mut words);
                assert_eq!(words, expected, "{width}x{height} {simd:?}");
            }
        }
    }

    #[test]
    fn ignores_gain_and_offset() {
        let image = noise(40, 20, 3);
        let dark = image.data.iter().map(|v| v / 2).collect::<Vec<_>>();
        let bright = dark.iter().map(|v| v + 100).collect();
        let words = census_reference(&GrayImage::new(40, 20, dark));
        assert_eq!(census_reference(&GrayImage::new(40, 20, bright)), words);
        assert!(words.iter().all(|word| word >> BITS == 0));
    }
}
