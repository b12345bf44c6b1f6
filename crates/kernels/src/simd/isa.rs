//! The vector operations that kernels are written in.

/// Lanes of [`Isa::Bytes`] and [`Isa::Words`].
pub(crate) const LANES: usize = 64;

/// Operations on 64 lanes of 8 or 16 bits. A value of an implementing type proves that the
/// processor has the instructions.
pub(crate) trait Isa: super::Floats {
    /// 64 lanes of 8 bits, unsigned.
    type Bytes: Copy;
    /// 64 lanes of 16 bits, unsigned.
    type Words: Copy;

    fn load(self, from: &[u8; LANES]) -> Self::Bytes;
    fn store(self, value: Self::Bytes, to: &mut [u8; LANES]);
    fn splat(self, value: u8) -> Self::Bytes;
    fn min(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    fn add_saturating(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    fn add(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    fn sub(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    /// The smallest lane.
    fn least(self, value: Self::Bytes) -> u8;
    /// Lane `i` is lane `i - 1` of `here`; lane 0 is the last of `below`.
    fn moved_up(self, below: Self::Bytes, here: Self::Bytes) -> Self::Bytes;
    /// Lane `i` is lane `i + 1` of `here`; the last lane is the first of `above`.
    fn moved_down(self, here: Self::Bytes, above: Self::Bytes) -> Self::Bytes;

    fn widen(self, value: Self::Bytes) -> Self::Words;
    fn load_words(self, from: &[u16; LANES]) -> Self::Words;
    fn store_words(self, value: Self::Words, to: &mut [u16; LANES]);
    fn splat_words(self, value: u16) -> Self::Words;
    fn add_words(self, a: Self::Words, b: Self::Words) -> Self::Words;
    fn min_words(self, a: Self::Words, b: Self::Words) -> Self::Words;
    fn max_words(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// The smallest lane.
    fn least_word(self, value: Self::Words) -> u16;
    /// Bit `i` is set where the lanes `i` are equal.
    fn equal_words(self, a: Self::Words, b: Self::Words) -> u64;
    /// `a` and `b` below 2^15: lanes of `yes` where `a < b`, else of `no`.
    fn select_less(
        self,
        a: Self::Words,
        b: Self::Words,
        yes: Self::Words,
        no: Self::Words,
    ) -> Self::Words;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Kernel, Simd};
    use crate::stereo::test_images::random;

    /// Every operation on one set of inputs, as plain numbers.
    struct Every {
        a: [u8; LANES],
        b: [u8; LANES],
        v: [u16; LANES],
        w: [u16; LANES],
    }

    #[derive(Debug, PartialEq)]
    struct Results {
        bytes: Vec<[u8; LANES]>,
        words: Vec<[u16; LANES]>,
        scalars: (u8, u16, u64),
    }

    impl Kernel for Every {
        type Output = Results;

        fn run<I: Isa>(self, isa: I) -> Results {
            let (a, b) = (isa.load(&self.a), isa.load(&self.b));
            let (v, w) = (isa.load_words(&self.v), isa.load_words(&self.w));
            let bytes = [
                isa.splat(self.a[3]),
                isa.min(a, b),
                isa.add_saturating(a, b),
                isa.add(a, b),
                isa.sub(a, b),
                isa.moved_up(a, b),
                isa.moved_down(a, b),
            ];
            let words = [
                isa.widen(a),
                isa.splat_words(self.v[3]),
                isa.add_words(v, w),
                isa.min_words(v, w),
                isa.max_words(v, w),
                isa.select_less(v, w, v, isa.splat_words(7)),
            ];
            let store = |value| {
                let mut out = [0; LANES];
                isa.store(value, &mut out);
                out
            };
            let store_words = |value| {
                let mut out = [0; LANES];
                isa.store_words(value, &mut out);
                out
            };
            Results {
                bytes: bytes.map(store).to_vec(),
                words: words.map(store_words).to_vec(),
                scalars: (isa.least(a), isa.least_word(v), isa.equal_words(v, w)),
            }
        }
    }

    fn expected(e: &Every) -> Results {
        let bytes = |f: &dyn Fn(usize) -> u8| std::array::from_fn::<u8, LANES, _>(f);
        let words = |f: &dyn Fn(usize) -> u16| std::array::from_fn::<u16, LANES, _>(f);
        let (a, b, v, w) = (e.a, e.b, e.v, e.w);
        Results {
            bytes: vec![
                [a[3]; LANES],
                bytes(&|i| a[i].min(b[i])),
                bytes(&|i| a[i].saturating_add(b[i])),
                bytes(&|i| a[i].wrapping_add(b[i])),
                bytes(&|i| a[i].wrapping_sub(b[i])),
                bytes(&|i| if i == 0 { a[LANES - 1] } else { b[i - 1] }),
                bytes(&|i| if i + 1 == LANES { b[0] } else { a[i + 1] }),
            ],
            words: vec![
                words(&|i| u16::from(a[i])),
                [v[3]; LANES],
                words(&|i| v[i] + w[i]),
                words(&|i| v[i].min(w[i])),
                words(&|i| v[i].max(w[i])),
                words(&|i| if v[i] < w[i] { v[i] } else { 7 }),
            ],
            scalars: (
                a.into_iter().min().expect("lanes"),
                v.into_iter().min().expect("lanes"),
                (0..LANES).filter(|&i| v[i] == w[i]).map(|i| 1 << i).sum(),
            ),
        }
    }

    #[test]
    fn all_instruction_sets_do_what_the_names_say() {
        let mut next = random(9);
        for _ in 0..200 {
            let every = Every {
                a: std::array::from_fn(|_| next() as u8),
                b: std::array::from_fn(|_| next() as u8),
                v: std::array::from_fn(|_| (next() & 0x3fff) as u16),
                w: std::array::from_fn(|_| (next() & 0x3fff) as u16),
            };
            let mut every = every;
            every.w[5] = every.v[5];
            let wanted = expected(&every);
            for simd in Simd::available() {
                let Every { a, b, v, w } = every;
                assert_eq!(simd.run(Every { a, b, v, w }), wanted, "{simd:?}");
            }
        }
    }
}
