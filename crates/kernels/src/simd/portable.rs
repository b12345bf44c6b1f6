//! The operations as plain loops, which the compiler vectorises for any target.

use super::isa::{Isa, LANES};

/// Needs nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn zip<T: Copy + Default>(a: [T; LANES], b: [T; LANES], f: impl Fn(T, T) -> T) -> [T; LANES] {
    let mut out = [T::default(); LANES];
    for i in 0..LANES {
        out[i] = f(a[i], b[i]);
    }
    out
}

impl Isa for Portable {
    type Bytes = [u8; LANES];
    type Words = [u16; LANES];

    #[inline(always)]
    fn load(self, from: &[u8; LANES]) -> Self::Bytes {
        *from
    }
    #[inline(always)]
    fn store(self, value: Self::Bytes, to: &mut [u8; LANES]) {
        *to = value;
    }
    #[inline(always)]
    fn splat(self, value: u8) -> Self::Bytes {
        [value; LANES]
    }
    #[inline(always)]
    fn min(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        zip(a, b, u8::min)
    }
    #[inline(always)]
    fn add_saturating(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        zip(a, b, u8::saturating_add)
    }
    #[inline(always)]
    fn add(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        zip(a, b, u8::wrapping_add)
    }
    #[inline(always)]
    fn sub(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        zip(a, b, u8::wrapping_sub)
    }
    #[inline(always)]
    fn least(self, value: Self::Bytes) -> u8 {
        value.iter().fold(u8::MAX, |least, &lane| least.min(lane))
    }
    #[inline(always)]
    fn moved_up(self, below: Self::Bytes, here: Self::Bytes) -> Self::Bytes {
        let mut out = [below[LANES - 1]; LANES];
        out[1..].copy_from_slice(&here[..LANES - 1]);
        out
    }
    #[inline(always)]
    fn moved_down(self, here: Self::Bytes, above: Self::Bytes) -> Self::Bytes {
        let mut out = [above[0]; LANES];
        out[..LANES - 1].copy_from_slice(&here[1..]);
        out
    }
    #[inline(always)]
    fn widen(self, value: Self::Bytes) -> Self::Words {
        let mut out = [0; LANES];
        for i in 0..LANES {
            out[i] = u16::from(value[i]);
        }
        out
    }
    #[inline(always)]
    fn load_words(self, from: &[u16; LANES]) -> Self::Words {
        *from
    }
    #[inline(always)]
    fn store_words(self, value: Self::Words, to: &mut [u16; LANES]) {
        *to = value;
    }
    #[inline(always)]
    fn splat_words(self, value: u16) -> Self::Words {
        [value; LANES]
    }
    #[inline(always)]
    fn add_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        zip(a, b, u16::wrapping_add)
    }
    #[inline(always)]
    fn min_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        zip(a, b, u16::min)
    }
    #[inline(always)]
    fn max_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        zip(a, b, u16::max)
    }
    #[inline(always)]
    fn least_word(self, value: Self::Words) -> u16 {
        value.iter().fold(u16::MAX, |least, &lane| least.min(lane))
    }
    #[inline(always)]
    fn equal_words(self, a: Self::Words, b: Self::Words) -> u64 {
        (0..LANES).fold(0, |mask, i| mask | u64::from(a[i] == b[i]) << i)
    }
    #[inline(always)]
    fn select_less(
        self,
        a: Self::Words,
        b: Self::Words,
        yes: Self::Words,
        no: Self::Words,
    ) -> Self::Words {
        let mut out = no;
        for i in 0..LANES {
            out[i] = if a[i] < b[i] { yes[i] } else { no[i] };
        }
        out
    }
}
