//! Images for the tests of this module.

use ommatidia_scene::GrayImage;

/// A xorshift generator: the same numbers everywhere.
pub(crate) fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Independent pixels.
pub(crate) fn noise(width: usize, height: usize, seed: u64) -> GrayImage {
    let mut next = random(seed);
    GrayImage::new(width, height, (0..width * height).map(|_| (next() >> 40) as u8).collect())
}
