//! Sums over the pixels of one plane.

use crate::simd::multiversion;

const LANES: usize = 16;

/// Numbers that are summed in single precision: 64 in each lane.
const BLOCK: usize = 64 * LANES;

/// Adds the lanes in a fixed order.
#[inline(always)]
fn total(lanes: [f32; LANES]) -> f64 {
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}

multiversion! {
    /// Sums of `x - shift` and of its square.
    pub(super) fn moments(simd, x: &[f32], shift: f32) -> [f64; 2] {
        let (mut first, mut second) = (0.0, 0.0);
        for block in x.chunks(BLOCK) {
            let (mut once, mut twice) = ([0.0_f32; LANES], [0.0_f32; LANES]);
            let (whole, rest) = block.as_chunks::<LANES>();
            for x in whole {
                for lane in 0..LANES {
                    let off = x[lane] - shift;
                    once[lane] += off;
                    twice[lane] += off * off;
                }
            }
            for (lane, x) in rest.iter().enumerate() {
                let off = x - shift;
                once[lane] += off;
                twice[lane] += off * off;
            }
            first += total(once);
            second += total(twice);
        }
        [first, second]
    }
}

multiversion! {
    /// Sums of `g` and of `g (x - mean)`, where `g` is the gradient, or 0 where `out` is not above 0.
    pub(super) fn slopes(simd, x: &[f32], out: Option<&[f32]>, gradient: &[f32], mean: f32) -> [f64; 2] {
        let (mut first, mut second) = (0.0, 0.0);
        for (block, (x, gradient)) in x.chunks(BLOCK).zip(gradient.chunks(BLOCK)).enumerate() {
            let (mut once, mut along) = ([0.0_f32; LANES], [0.0_f32; LANES]);
            let out = out.map(|out| &out[block * BLOCK..][..x.len()]);
            for start in (0..x.len()).step_by(LANES) {
                let end = (start + LANES).min(x.len());
                let (x, gradient) = (&x[start..end], &gradient[start..end]);
                let mut given = [0.0_f32; LANES];
                given[..gradient.len()].copy_from_slice(gradient);
                if let Some(out) = out {
                    for (given, out) in given.iter_mut().zip(&out[start..end]) {
                        *given = if *out > 0.0 { *given } else { 0.0 };
                    }
                }
                for ((once, along), (given, x)) in
                    once.iter_mut().zip(&mut along).zip(given.iter().zip(x))
                {
                    *once += given;
                    *along += given * (x - mean);
                }
            }
            first += total(once);
            second += total(along);
        }
        [first, second]
    }
}
