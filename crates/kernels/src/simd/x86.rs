//! The operations in AVX2 and AVX-512 instructions.

use core::arch::x86_64::*;

use super::isa::{Isa, LANES};

/// Proof of AVX2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

/// Proof of AVX-512 with BW, VL and VBMI.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx2 {
    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        Self(())
    }
}

impl Avx512 {
    /// # Safety
    /// The processor has AVX-512 F, BW, VL and VBMI.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Self {
        Self(())
    }
}

impl Isa for Avx2 {
    type Bytes = [__m256i; 2];
    type Words = [__m256i; 4];

    #[inline(always)]
    fn load(self, from: &[u8; LANES]) -> Self::Bytes {
        // SAFETY: `self` proves AVX2; the array has 64 lanes, access is unaligned.
        unsafe { [0, 32].map(|at| _mm256_loadu_si256(from[at..].as_ptr().cast())) }
    }
    #[inline(always)]
    fn store(self, value: Self::Bytes, to: &mut [u8; LANES]) {
        // SAFETY: `self` proves AVX2; the array has 64 lanes, access is unaligned.
        unsafe {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), value[0]);
            _mm256_storeu_si256(to[32..].as_mut_ptr().cast(), value[1])
        }
    }
    #[inline(always)]
    fn splat(self, value: u8) -> Self::Bytes {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_set1_epi8(value as i8); 2] }
    }
    #[inline(always)]
    fn min(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_min_epu8(a[0], b[0]), _mm256_min_epu8(a[1], b[1])] }
    }
    #[inline(always)]
    fn add_saturating(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_adds_epu8(a[0], b[0]), _mm256_adds_epu8(a[1], b[1])] }
    }
    #[inline(always)]
    fn add(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_add_epi8(a[0], b[0]), _mm256_add_epi8(a[1], b[1])] }
    }
    #[inline(always)]
    fn sub(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_sub_epi8(a[0], b[0]), _mm256_sub_epi8(a[1], b[1])] }
    }
    #[inline(always)]
    fn least(self, value: Self::Bytes) -> u8 {
        // SAFETY: `self` proves AVX2.
        unsafe { least_byte(_mm256_min_epu8(value[0], value[1])) }
    }
    #[inline(always)]
    fn moved_up(self, below: Self::Bytes, here: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX2.
        unsafe { [move_up(below[1], here[0]), move_up(here[0], here[1])] }
    }
    #[inline(always)]
    fn moved_down(self, here: Self::Bytes, above: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX2.
        unsafe { [move_down(here[0], here[1]), move_down(here[1], above[0])] }
    }
    #[inline(always)]
    fn widen(self, value: Self::Bytes) -> Self::Words {
        // SAFETY: `self` proves AVX2.
        unsafe {
            let wide = |half| {
                [
                    _mm256_cvtepu8_epi16(_mm256_castsi256_si128(half)),
                    _mm256_cvtepu8_epi16(_mm256_extracti128_si256::<1>(half)),
                ]
            };
            let (low, high) = (wide(value[0]), wide(value[1]));
            [low[0], low[1], high[0], high[1]]
        }
    }
    #[inline(always)]
    fn load_words(self, from: &[u16; LANES]) -> Self::Words {
        // SAFETY: `self` proves AVX2; the array has 64 lanes, access is unaligned.
        unsafe { [0, 16, 32, 48].map(|at| _mm256_loadu_si256(from[at..].as_ptr().cast())) }
    }
    #[inline(always)]
    fn store_words(self, value: Self::Words, to: &mut [u16; LANES]) {
        // SAFETY: `self` proves AVX2; the array has 64 lanes, access is unaligned.
        unsafe {
            for (i, part) in value.into_iter().enumerate() {
                _mm256_storeu_si256(to[16 * i..].as_mut_ptr().cast(), part)
            }
        }
    }
    #[inline(always)]
    fn splat_words(self, value: u16) -> Self::Words {
        // SAFETY: `self` proves AVX2.
        unsafe { [_mm256_set1_epi16(value as i16); 4] }
    }
    #[inline(always)]
    fn add_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: `self` proves AVX2.
        unsafe {
            [
                _mm256_add_epi16(a[0], b[0]),
                _mm256_add_epi16(a[1], b[1]),
                _mm256_add_epi16(a[2], b[2]),
                _mm256_add_epi16(a[3], b[3]),
            ]
        }
    }
    #[inline(always)]
    fn min_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: `self` proves AVX2.
        unsafe {
            [
                _mm256_min_epu16(a[0], b[0]),
                _mm256_min_epu16(a[1], b[1]),
                _mm256_min_epu16(a[2], b[2]),
                _mm256_min_epu16(a[3], b[3]),
            ]
        }
    }
    #[inline(always)]
    fn max_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: `self` proves AVX2.
        unsafe {
            [
                _mm256_max_epu16(a[0], b[0]),
                _mm256_max_epu16(a[1], b[1]),
                _mm256_max_epu16(a[2], b[2]),
                _mm256_max_epu16(a[3], b[3]),
            ]
        }
    }
    #[inline(always)]
    fn least_word(self, value: Self::Words) -> u16 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            least_word(_mm256_min_epu16(
                _mm256_min_epu16(value[0], value[1]),
                _mm256_min_epu16(value[2], value[3]),
            ))
        }
    }
    #[inline(always)]
    fn equal_words(self, a: Self::Words, b: Self::Words) -> u64 {
        // SAFETY: `self` proves AVX2.
        unsafe {
            u64::from(equal_mask([a[0], a[1]], [b[0], b[1]]))
                | u64::from(equal_mask([a[2], a[3]], [b[2], b[3]])) << 32
        }
    }
    #[inline(always)]
    fn select_less(
        self,
        a: Self::Words,
        b: Self::Words,
        yes: Self::Words,
        no: Self::Words,
    ) -> Self::Words {
        // SAFETY: `self` proves AVX2.
        unsafe {
            std::array::from_fn(|i| {
                _mm256_blendv_epi8(no[i], yes[i], _mm256_cmpgt_epi16(b[i], a[i]))
            })
        }
    }
}

impl Isa for Avx512 {
    type Bytes = __m512i;
    type Words = [__m512i; 2];

    #[inline(always)]
    fn load(self, from: &[u8; LANES]) -> Self::Bytes {
        // SAFETY: `self` proves AVX-512 F, BW and VL; the array has 64 lanes, access is unaligned.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store(self, value: Self::Bytes, to: &mut [u8; LANES]) {
        // SAFETY: `self` proves AVX-512 F, BW and VL; the array has 64 lanes, access is unaligned.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), value) }
    }
    #[inline(always)]
    fn splat(self, value: u8) -> Self::Bytes {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe { _mm512_set1_epi8(value as i8) }
    }
    #[inline(always)]
    fn min(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe { _mm512_min_epu8(a, b) }
    }
    #[inline(always)]
    fn add_saturating(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe { _mm512_adds_epu8(a, b) }
    }
    #[inline(always)]
    fn add(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe { _mm512_add_epi8(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe { _mm512_sub_epi8(a, b) }
    }
    #[inline(always)]
    fn least(self, value: Self::Bytes) -> u8 {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe {
            least_byte(_mm256_min_epu8(
                _mm512_castsi512_si256(value),
                _mm512_extracti64x4_epi64::<1>(value),
            ))
        }
    }
    #[inline(always)]
    fn moved_up(self, below: Self::Bytes, here: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe {
            let before = _mm512_alignr_epi64::<6>(here, below);
            _mm512_alignr_epi8::<15>(here, before)
        }
    }
    #[inline(always)]
    fn moved_down(self, here: Self::Bytes, above: Self::Bytes) -> Self::Bytes {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe {
            let after = _mm512_alignr_epi64::<2>(above, here);
            _mm512_alignr_epi8::<1>(after, here)
        }
    }
    #[inline(always)]
    fn widen(self, value: Self::Bytes) -> Self::Words {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe {
            [
                _mm512_cvtepu8_epi16(_mm512_castsi512_si256(value)),
                _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(value)),
            ]
        }
    }
    #[inline(always)]
    fn load_words(self, from: &[u16; LANES]) -> Self::Words {
        // SAFETY: `self` proves AVX-512 F, BW and VL; the array has 64 lanes, access is unaligned.
        unsafe { [0, 32].map(|at| _mm512_loadu_si512(from[at..].as_ptr().cast())) }
    }
    #[inline(always)]
    fn store_words(self, value: Self::Words, to: &mut [u16; LANES]) {
        // SAFETY: `self` proves AVX-512 F, BW and VL; the array has 64 lanes, access is unaligned.
        unsafe {
            _mm512_storeu_si512(to.as_mut_ptr().cast(), value[0]);
            _mm512_storeu_si512(to[32..].as_mut_ptr().cast(), value[1])
        }
    }
    #[inline(always)]
    fn splat_words(self, value: u16) -> Self::Words {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe { [_mm512_set1_epi16(value as i16); 2] }
    }
    #[inline(always)]
    fn add_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe { [_mm512_add_epi16(a[0], b[0]), _mm512_add_epi16(a[1], b[1])] }
    }
    #[inline(always)]
    fn min_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe { [_mm512_min_epu16(a[0], b[0]), _mm512_min_epu16(a[1], b[1])] }
    }
    #[inline(always)]
    fn max_words(self, a: Self::Words, b: Self::Words) -> Self::Words {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe { [_mm512_max_epu16(a[0], b[0]), _mm512_max_epu16(a[1], b[1])] }
    }
    #[inline(always)]
    fn least_word(self, value: Self::Words) -> u16 {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe {
            let half = _mm512_min_epu16(value[0], value[1]);
            least_word(_mm256_min_epu16(
                _mm512_castsi512_si256(half),
                _mm512_extracti64x4_epi64::<1>(half),
            ))
        }
    }
    #[inline(always)]
    fn equal_words(self, a: Self::Words, b: Self::Words) -> u64 {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe {
            u64::from(_mm512_cmpeq_epu16_mask(a[0], b[0]))
                | u64::from(_mm512_cmpeq_epu16_mask(a[1], b[1])) << 32
        }
    }
    #[inline(always)]
    fn select_less(
        self,
        a: Self::Words,
        b: Self::Words,
        yes: Self::Words,
        no: Self::Words,
    ) -> Self::Words {
        // SAFETY: `self` proves AVX-512 F, BW and VL.
        unsafe {
            [
                _mm512_mask_blend_epi16(_mm512_cmplt_epu16_mask(a[0], b[0]), no[0], yes[0]),
                _mm512_mask_blend_epi16(_mm512_cmplt_epu16_mask(a[1], b[1]), no[1], yes[1]),
            ]
        }
    }
}

/// The smallest of 32 lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn least_byte(value: __m256i) -> u8 {
    let half = _mm_min_epu8(_mm256_castsi256_si128(value), _mm256_extracti128_si256::<1>(value));
    // The smaller byte of each word, as a word with a zero high byte.
    let words = _mm_min_epu8(half, _mm_srli_epi16::<8>(half));
    _mm_cvtsi128_si32(_mm_minpos_epu16(words)) as u8
}

/// The smallest of 16 lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn least_word(value: __m256i) -> u16 {
    let half = _mm_min_epu16(_mm256_castsi256_si128(value), _mm256_extracti128_si256::<1>(value));
    _mm_cvtsi128_si32(_mm_minpos_epu16(half)) as u16
}

/// Lane `i` is lane `i - 1` of `here`; lane 0 is the last of `below`.
#[inline]
#[target_feature(enable = "avx2")]
fn move_up(below: __m256i, here: __m256i) -> __m256i {
    _mm256_alignr_epi8::<15>(here, _mm256_permute2x128_si256::<0x21>(below, here))
}

/// Lane `i` is lane `i + 1` of `here`; the last lane is the first of `above`.
#[inline]
#[target_feature(enable = "avx2")]
fn move_down(here: __m256i, above: __m256i) -> __m256i {
    _mm256_alignr_epi8::<1>(_mm256_permute2x128_si256::<0x21>(here, above), here)
}

/// Bit `i` is set where the words `i` are equal.
#[inline]
#[target_feature(enable = "avx2")]
fn equal_mask(a: [__m256i; 2], b: [__m256i; 2]) -> u32 {
    let (low, high) = (_mm256_cmpeq_epi16(a[0], b[0]), _mm256_cmpeq_epi16(a[1], b[1]));
    // Packing works within 128-bit halves; the permutation puts them in order.
    let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(low, high));
    _mm256_movemask_epi8(bytes) as u32
}
