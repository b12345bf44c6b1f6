//! Statistics, and the normalised images.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{Sizes, planes, sums};
use crate::simd::{Simd, multiversion};

/// Of each channel over a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// Mean.
    pub mean: Vec<f32>,
    /// Mean square distance from it.
    pub variance: Vec<f32>,
}

/// Mean and variance of each channel.
pub fn statistics(simd: Simd, sizes: &Sizes, x: &[f32]) -> Statistics {
    assert_eq!(x.len(), sizes.len(), "numbers of the images");
    // Of the distance from one number of the channel, lest a large mean eats the digits.
    let shift = |channel: usize| x[channel * sizes.pixels];
    let sums: Vec<[f64; 2]> = x
        .par_chunks(sizes.pixels.max(1))
        .enumerate()
        .with_min_len(sizes.planes_at_once())
        .map(|(plane, x)| sums::moments(simd, x, shift(plane % sizes.channels)))
        .collect();
    let count = (sizes.batch * sizes.pixels) as f64;
    let channel = |channel: usize| {
        let [first, second] = super::backward::over_batch(sizes, &sums, channel);
        let off = first / count;
        let variance = (second / count - off * off).max(0.0);
        ((f64::from(shift(channel)) + off) as f32, variance as f32)
    };
    let (mean, variance) = (0..sizes.channels).map(channel).unzip();
    Statistics { mean, variance }
}

/// `scale · x + shift` per channel, plus the shortcut, cut off below 0 where `relu` is asked for.
pub fn apply(
    simd: Simd,
    sizes: &Sizes,
    x: &[f32],
    [scale, shift]: [&[f32]; 2],
    shortcut: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    assert_eq!(x.len(), sizes.len(), "numbers of the images");
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    planes(sizes, |plane, out| {
        let channel = plane % sizes.channels;
        let (x, line) =
            (&x[plane * sizes.pixels..][..sizes.pixels], [scale[channel], shift[channel]]);
        match shortcut {
            Some(shortcut) => {
                onto(simd, x, &shortcut[plane * sizes.pixels..][..sizes.pixels], line, floor, out);
            }
            None => along(simd, x, line, floor, out),
        }
    })
}

/// The larger; NaN where the value is.
#[inline(always)]
fn at_least(floor: f32, value: f32) -> f32 {
    if value < floor { floor } else { value }
}

multiversion! {
    fn along(simd, x: &[f32], line: [f32; 2], floor: f32, out: &mut [MaybeUninit<f32>]) {
        for (out, x) in out.iter_mut().zip(x) {
            out.write(at_least(floor, line[0] * x + line[1]));
        }
    }
}

multiversion! {
    fn onto(simd, x: &[f32], shortcut: &[f32], line: [f32; 2], floor: f32, out: &mut [MaybeUninit<f32>]) {
        for ((out, x), shortcut) in out.iter_mut().zip(x).zip(shortcut) {
            out.write(at_least(floor, line[0] * x + line[1] + shortcut));
        }
    }
}
