//! Run-time choice of vector instructions.
//!
//! A kernel's body is written once and compiled for each instruction set: plain loops by
//! `multiversion!`, explicit vectors as a `Kernel` over an `Isa`. All versions do the same
//! arithmetic in the same order (the compiler neither reorders nor fuses operations on floating-point
//! numbers), so their results are identical.

mod floats;
mod isa;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
mod x86_floats;

pub(crate) use floats::{FLOATS, Floats};
pub(crate) use isa::{Isa, LANES};

/// Vector instructions that this processor has. Only obtainable by asking the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simd(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Simd {
    /// The widest that this processor has.
    pub fn detect() -> Self {
        Self::available().pop().unwrap_or_else(Self::portable)
    }

    /// What every processor of the target has: SSE2 on x86-64, NEON on AArch64.
    pub fn portable() -> Self {
        Self(Level::Portable)
    }

    /// All that this processor has, from narrow to wide.
    pub fn available() -> Vec<Self> {
        let levels = std::iter::once(Level::Portable);
        #[cfg(target_arch = "x86_64")]
        let levels = levels
            .chain(has_avx2().then_some(Level::Avx2))
            .chain((has_avx2() && has_avx512()).then_some(Level::Avx512));
        levels.map(Self).collect()
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }

    /// Runs a kernel with these instructions.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn avx2<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: this function is only entered where the processor has AVX2.
            kernel.run(unsafe { x86::Avx2::new() })
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(
            enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bitalg,avx512vpopcntdq"
        )]
        fn avx512<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: this function is only entered where the processor has AVX-512 with BW and VBMI.
            kernel.run(unsafe { x86::Avx512::new() })
        }

        match self.0 {
            Level::Portable => kernel.run(portable::Portable),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Simd` of this level exists only where the processor has these features.
            Level::Avx2 => unsafe { avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a `Simd` of this level exists only where the processor has these features.
            Level::Avx512 => unsafe { avx512(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512bitalg")
        && is_x86_feature_detected!("avx512vpopcntdq")
}

/// A computation written over explicit vectors. Mark `run` and all it calls `#[inline(always)]`, or
/// they are compiled without the wide instructions.
pub(crate) trait Kernel {
    type Output;
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

/// Compiles one function body for each instruction set and chooses at run time by a leading
/// [`Simd`] argument.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident(simd, $($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name(simd: $crate::simd::Simd, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                portable($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(
                enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bitalg,avx512vpopcntdq"
            )]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                portable($($arg),*)
            }

            match simd.level() {
                $crate::simd::Level::Portable => portable($($arg),*),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a `Simd` of this level exists only where the processor has these features.
                $crate::simd::Level::Avx2 => unsafe { avx2($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a `Simd` of this level exists only where the processor has these features.
                $crate::simd::Level::Avx512 => unsafe { avx512($($arg),*) },
            }
        }
    };
}

pub(crate) use multiversion;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detects_the_widest_of_those_available() {
        let available = Simd::available();
        assert_eq!(available[0], Simd::portable());
        assert_eq!(available.last(), Some(&Simd::detect()));
    }
}
