//! Gradients.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::{Sizes, Statistics, planes, sums};
use crate::simd::{Simd, multiversion};

/// What the forward pass knew.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its input.
    pub x: &'a [f32],
    /// Its output, where a ReLU made it.
    pub rectified: Option<&'a [f32]>,
    /// Of its input.
    pub statistics: &'a Statistics,
    /// Scale of each channel after normalisation.
    pub gamma: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
}

/// By everything that went in.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// By the input.
    pub x: Vec<f32>,
    /// By the scale of each channel.
    pub gamma: Vec<f32>,
    /// By the shift of each channel.
    pub beta: Vec<f32>,
    /// By the shortcut, where it was asked for and differs from the gradient given.
    pub shortcut: Option<Vec<f32>>,
}

/// Sums of one channel over the batch, in order.
pub(super) fn over_batch(sizes: &Sizes, sums: &[[f64; 2]], channel: usize) -> [f64; 2] {
    let planes = (0..sizes.batch).map(|image| sums[image * sizes.channels + channel]);
    planes.fold([0.0; 2], |total, plane| [total[0] + plane[0], total[1] + plane[1]])
}

/// Gradients, of a gradient by the output. `shortcut`: also by the shortcut, where a ReLU changes it.
pub fn backward(
    simd: Simd,
    sizes: &Sizes,
    known: &Known<'_>,
    gradient: &[f32],
    shortcut: bool,
) -> Gradients {
    assert_eq!(known.x.len(), sizes.len(), "numbers of the images");
    assert_eq!(gradient.len(), sizes.len(), "numbers of the gradient");
    let Known { x, rectified, statistics, gamma, epsilon } = *known;
    let pixels = sizes.pixels;
    let of = |all: &'_ [f32], plane: usize| -> std::ops::Range<usize> {
        debug_assert_eq!(all.len(), sizes.len());
        plane * pixels..(plane + 1) * pixels
    };
    let plane_sums: Vec<[f64; 2]> = (0..sizes.batch * sizes.channels)
        .into_par_iter()
        .with_min_len(sizes.planes_at_once())
        .map(|plane| {
            let mean = statistics.mean[plane % sizes.channels];
            let range = of(x, plane);
            let out = rectified.map(|out| &out[range.clone()]);
            sums::slopes(simd, &x[range.clone()], out, &gradient[range], mean)
        })
        .collect();
    let count = (sizes.batch * pixels) as f64;
    let (mut by_gamma, mut by_beta, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for channel in 0..sizes.channels {
        let [sum, along] = over_batch(sizes, &plane_sums, channel);
        let inverse = 1.0 / (f64::from(statistics.variance[channel]) + f64::from(epsilon)).sqrt();
        let scale = f64::from(gamma[channel]) * inverse;
        // By x: scale (g - mean(g) - x̂ mean(g x̂)), with x̂ = inverse (x - mean).
        let slope = -scale * inverse * inverse * along / count;
        let offset = -scale * sum / count - slope * f64::from(statistics.mean[channel]);
        by_gamma.push((along * inverse) as f32);
        by_beta.push(sum as f32);
        lines.push([scale as f32, slope as f32, offset as f32]);
    }
    let by_x = planes(sizes, |plane, out| {
        let (range, line) = (of(x, plane), lines[plane % sizes.channels]);
        match rectified {
            Some(known) => {
                let known = &known[range.clone()];
                masked(simd, &x[range.clone()], known, &gradient[range], line, out);
            }
            None => plain(simd, &x[range.clone()], &gradient[range], line, out),
        }
    });
    let by_shortcut = rectified.filter(|_| shortcut).map(|known| {
        planes(sizes, |plane, out| {
            let range = of(known, plane);
            mask(simd, &known[range.clone()], &gradient[range], out);
        })
    });
    Gradients { x: by_x, gamma: by_gamma, beta: by_beta, shortcut: by_shortcut }
}

multiversion! {
    fn plain(simd, x: &[f32], gradient: &[f32], line: [f32; 3], out: &mut [MaybeUninit<f32>]) {
        for ((out, x), g) in out.iter_mut().zip(x).zip(gradient) {
            out.write(line[0] * g + (line[1] * x + line[2]));
        }
    }
}

multiversion! {
    fn masked(
        simd,
        x: &[f32],
        known: &[f32],
        gradient: &[f32],
        line: [f32; 3],
        out: &mut [MaybeUninit<f32>],
    ) {
        for (((out, x), g), known) in out.iter_mut().zip(x).zip(gradient).zip(known) {
            let g = if *known > 0.0 { *g } else { 0.0 };
            out.write(line[0] * g + (line[1] * x + line[2]));
        }
    }
}

multiversion! {
    fn mask(simd, known: &[f32], gradient: &[f32], out: &mut [MaybeUninit<f32>]) {
        for ((out, g), known) in out.iter_mut().zip(gradient).zip(known) {
            out.write(if *known > 0.0 { *g } else { 0.0 });
        }
    }
}
