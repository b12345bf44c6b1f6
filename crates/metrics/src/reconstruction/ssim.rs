//! Structural similarity.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Picture;
use crate::Error;

/// Settings, with the names and defaults of `skimage.metrics.structural_similarity` 0.26.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SsimConfig {
    /// Largest sample minus the smallest that there may be: 255 for 8 bits.
    pub data_range: f64,
    /// Side of the window, odd; with a Gaussian it follows from sigma.
    pub window: usize,
    /// Gaussian weights of this sigma, cut at 3.5 sigma, instead of even ones; Wang et al. use 1.5.
    pub gaussian_sigma: Option<f64>,
    /// Divide covariances by `N - 1` instead of `N`; Wang et al. do not.
    pub sample_covariance: bool,
    /// Constant of the luminance term.
    pub k1: f64,
    /// Constant of the contrast term.
    pub k2: f64,
}

impl Default for SsimConfig {
    fn default() -> Self {
        Self {
            data_range: 255.0,
            window: 7,
            gaussian_sigma: None,
            sample_covariance: true,
            k1: 0.01,
            k2: 0.03,
        }
    }
}

impl SsimConfig {
    /// The settings of Wang et al. 2004, *Image quality assessment: from error visibility to structural
    /// similarity*: Gaussian of 1.5 pixels, covariances over `N`.
    pub fn wang_2004(data_range: f64) -> Self {
        Self { data_range, gaussian_sigma: Some(1.5), sample_covariance: false, ..Self::default() }
    }

    /// Weights along one axis; they sum to 1.
    fn weights(&self) -> Vec<f64> {
        let Some(sigma) = self.gaussian_sigma else {
            return vec![1.0 / self.window as f64; self.window];
        };
        let radius = (3.5 * sigma + 0.5) as i64;
        let raw: Vec<f64> =
            (-radius..=radius).map(|x| (-0.5 / (sigma * sigma) * (x * x) as f64).exp()).collect();
        let sum: f64 = raw.iter().sum();
        raw.iter().map(|w| w / sum).collect()
    }
}

/// Mean structural similarity over the pixels whose window is inside the picture, and over channels. Wang et
/// al. 2004, Eq. (13), with C3 = C2 / 2.
///
/// # Errors
/// Pictures of different size, or smaller than the window; settings that make no window.
pub fn ssim(
    truth: &Picture<'_>,
    estimate: &Picture<'_>,
    config: &SsimConfig,
) -> Result<f64, Error> {
    truth.check_like(estimate)?;
    let sigma_fits = config.gaussian_sigma.is_none_or(|sigma| sigma > 0.0 && sigma < 1e3);
    let range_fits = config.data_range > 0.0 && config.data_range.is_finite();
    if config.window.is_multiple_of(2) || !range_fits || !sigma_fits {
        let what = format!("{config:?}: the window must be odd, range and sigma positive");
        return Err(Error::Protocol { name: "ssim".to_owned(), what });
    }
    let weights = config.weights();
    let side = weights.len();
    if truth.width < side || truth.height < side {
        let what = format!("{}x{} is smaller than the window, {side}", truth.width, truth.height);
        return Err(Error::row("truth", "picture", what));
    }
    let channels: Vec<f64> = (0..truth.channels)
        .into_par_iter()
        .map(|channel| of_channel(truth, estimate, channel, config, &weights))
        .collect();
    Ok(channels.iter().sum::<f64>() / channels.len() as f64)
}

fn of_channel(
    truth: &Picture<'_>,
    estimate: &Picture<'_>,
    channel: usize,
    config: &SsimConfig,
    weights: &[f64],
) -> f64 {
    let plane = |picture: &Picture<'_>| -> Vec<f64> {
        picture.samples.iter().skip(channel).step_by(picture.channels).copied().collect()
    };
    let (x, y) = (plane(truth), plane(estimate));
    let size = (truth.width, truth.height);
    let product =
        |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let smooth = |plane: &[f64]| filtered(plane, size, weights);
    let (ux, uy) = (smooth(&x), smooth(&y));
    let (uxx, uyy, uxy) =
        (smooth(&product(&x, &x)), smooth(&product(&y, &y)), smooth(&product(&x, &y)));
    let pixels = (weights.len() * weights.len()) as f64;
    let norm = if config.sample_covariance { pixels / (pixels - 1.0) } else { 1.0 };
    let c1 = (config.k1 * config.data_range).powi(2);
    let c2 = (config.k2 * config.data_range).powi(2);
    let similarity = |i: usize| {
        let (vx, vy) = (norm * (uxx[i] - ux[i] * ux[i]), norm * (uyy[i] - uy[i] * uy[i]));
        let vxy = norm * (uxy[i] - ux[i] * uy[i]);
        let luminance = (2.0 * ux[i] * uy[i] + c1) / (ux[i] * ux[i] + uy[i] * uy[i] + c1);
        luminance * (2.0 * vxy + c2) / (vx + vy + c2)
    };
    (0..ux.len()).map(similarity).sum::<f64>() / ux.len() as f64
}

/// The separable filter at the pixels whose window is inside.
fn filtered(plane: &[f64], (width, height): (usize, usize), weights: &[f64]) -> Vec<f64> {
    let (inner_w, inner_h) = (width - weights.len() + 1, height - weights.len() + 1);
    let mut across = Vec::with_capacity(inner_w * height);
    for row in plane.chunks_exact(width) {
        across.extend(
            row.windows(weights.len())
                .map(|window| window.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>()),
        );
    }
    let mut found = vec![0.0; inner_w * inner_h];
    for (y, row) in found.chunks_exact_mut(inner_w).enumerate() {
        for (k, weight) in weights.iter().enumerate() {
            let source = &across[(y + k) * inner_w..(y + k + 1) * inner_w];
            row.iter_mut().zip(source).for_each(|(sum, v)| *sum += weight * v);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::ransac::Random;

    fn noise(seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        (0..20 * 16 * 3).map(|_| 255.0 * random.uniform()).collect()
    }

    fn of(a: &[f64], b: &[f64], config: &SsimConfig) -> Result<f64, Error> {
        let picture = |samples| Picture { width: 20, height: 16, channels: 3, samples };
        ssim(&picture(a), &picture(b), config)
    }

    #[test]
    fn identity_symmetry_and_noise() {
        let (a, b) = (noise(1), noise(2));
        for config in [SsimConfig::default(), SsimConfig::wang_2004(255.0)] {
            assert!((of(&a, &a, &config).unwrap() - 1.0).abs() < 1e-12);
            let (ab, ba) = (of(&a, &b, &config).unwrap(), of(&b, &a, &config).unwrap());
            assert!((ab - ba).abs() < 1e-12 && ab.abs() < 0.3, "{ab} {ba}");
        }
    }

    #[test]
    fn settings_that_make_no_window_are_refused() {
        let a = noise(1);
        let even = SsimConfig { window: 8, ..SsimConfig::default() };
        assert!(of(&a, &a, &even).is_err());
        let wide = SsimConfig { window: 17, ..SsimConfig::default() };
        assert!(of(&a, &a, &wide).unwrap_err().to_string().contains("smaller than the window, 17"));
    }
}
