//! Vectors of 32-bit floating-point numbers.

use super::portable::Portable;

/// Lanes of [`Floats::F`].
pub(crate) const FLOATS: usize = 16;

/// Operations on 16 lanes of `f32`. Masks have bit `i` for lane `i`.
pub(crate) trait Floats: Copy {
    /// 16 lanes of `f32`.
    type F: Copy;

    fn load_f(self, from: &[f32; FLOATS]) -> Self::F;
    fn store_f(self, value: Self::F, to: &mut [f32; FLOATS]);
    fn splat_f(self, value: f32) -> Self::F;
    fn add_f(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub_f(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul_f(self, a: Self::F, b: Self::F) -> Self::F;
    fn div_f(self, a: Self::F, b: Self::F) -> Self::F;
    /// `b` where either is NaN.
    fn min_f(self, a: Self::F, b: Self::F) -> Self::F;
    /// `b` where either is NaN.
    fn max_f(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a b + c`, rounded once or twice: only for bounds with slack, whose last bit decides nothing.
    fn mul_add_loosely(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// False where either is NaN.
    fn less_f(self, a: Self::F, b: Self::F) -> u16;
    /// False where either is NaN.
    fn at_most_f(self, a: Self::F, b: Self::F) -> u16;
    /// Lanes of `yes` where the bit is set, else of `no`. Moves bits, whatever number they are.
    fn select_f(self, mask: u16, yes: Self::F, no: Self::F) -> Self::F;
}

/// `a - b` and the like over all lanes.
#[inline(always)]
fn zip(a: [f32; FLOATS], b: [f32; FLOATS], f: impl Fn(f32, f32) -> f32) -> [f32; FLOATS] {
    let mut out = [0.0; FLOATS];
    for i in 0..FLOATS {
        out[i] = f(a[i], b[i]);
    }
    out
}

#[inline(always)]
fn mask(a: [f32; FLOATS], b: [f32; FLOATS], f: impl Fn(f32, f32) -> bool) -> u16 {
    (0..FLOATS).fold(0, |mask, i| mask | u16::from(f(a[i], b[i])) << i)
}

impl Floats for Portable {
    type F = [f32; FLOATS];

    #[inline(always)]
    fn load_f(self, from: &[f32; FLOATS]) -> Self::F {
        *from
    }
    #[inline(always)]
    fn store_f(self, value: Self::F, to: &mut [f32; FLOATS]) {
        *to = value;
    }
    #[inline(always)]
    fn splat_f(self, value: f32) -> Self::F {
        [value; FLOATS]
    }
    #[inline(always)]
    fn add_f(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub_f(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul_f(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn div_f(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    fn min_f(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max_f(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn mul_add_loosely(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        self.add_f(self.mul_f(a, b), c)
    }
    #[inline(always)]
    fn less_f(self, a: Self::F, b: Self::F) -> u16 {
        mask(a, b, |a, b| a < b)
    }
    #[inline(always)]
    fn at_most_f(self, a: Self::F, b: Self::F) -> u16 {
        mask(a, b, |a, b| a <= b)
    }
    #[inline(always)]
    fn select_f(self, mask: u16, yes: Self::F, no: Self::F) -> Self::F {
        let mut out = no;
        for i in 0..FLOATS {
            if mask >> i & 1 == 1 {
                out[i] = yes[i];
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, Kernel, Simd};

    /// Every operation on one set of inputs: the lanes as bits, and the masks.
    struct Every([[f32; FLOATS]; 2]);

    impl Kernel for Every {
        type Output = (Vec<[u32; FLOATS]>, [u16; 2]);

        fn run<I: Isa>(self, isa: I) -> Self::Output {
            let [a, b] = self.0.map(|lanes| isa.load_f(&lanes));
            let lanes = [
                isa.splat_f(self.0[0][3]),
                isa.add_f(a, b),
                isa.sub_f(a, b),
                isa.mul_f(a, b),
                isa.div_f(a, b),
                isa.min_f(a, b),
                isa.max_f(a, b),
                isa.select_f(0b1010_0110_0011_1001, a, b),
            ];
            let bits = lanes.map(|value| {
                let mut out = [0.0; FLOATS];
                isa.store_f(value, &mut out);
                // Which NaN an operation makes is not defined.
                out.map(|lane| if lane.is_nan() { u32::MAX } else { lane.to_bits() })
            });
            (bits.to_vec(), [isa.less_f(a, b), isa.at_most_f(a, b)])
        }
    }

    #[test]
    fn all_instruction_sets_agree_on_numbers_and_no_numbers() {
        let mut a: [f32; FLOATS] = std::array::from_fn(|i| (i as f32 - 7.3) * 1.7);
        let mut b: [f32; FLOATS] = std::array::from_fn(|i| 3.1 - i as f32 * 0.4);
        (a[2], b[5], a[6], b[6]) = (f32::NAN, f32::NAN, f32::INFINITY, f32::INFINITY);
        (a[9], b[9], b[10]) = (0.5, 0.5, 0.0);
        let expected = Simd::portable().run(Every([a, b]));
        assert_eq!(expected.0[1][1], (a[1] + b[1]).to_bits());
        assert_eq!((expected.0[5][2], expected.0[7][0]), (b[2].to_bits(), a[0].to_bits()));
        assert_eq!(expected.1.map(|mask| mask >> 9 & 1), [0, 1]);
        for simd in Simd::available() {
            assert_eq!(simd.run(Every([a, b])), expected, "{simd:?}");
        }
    }

    /// The loose sum is the exact one to a rounding.
    #[test]
    fn loose_sums_are_near() {
        struct Sum;
        impl Kernel for Sum {
            type Output = [f32; FLOATS];
            fn run<I: Isa>(self, isa: I) -> Self::Output {
                let x = isa.splat_f(1.1);
                let mut out = [0.0; FLOATS];
                isa.store_f(isa.mul_add_loosely(x, x, isa.splat_f(0.3)), &mut out);
                out
            }
        }
        for simd in Simd::available() {
            assert!(simd.run(Sum).iter().all(|sum| (sum - 1.51).abs() < 3e-7));
        }
    }
}
