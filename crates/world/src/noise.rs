//! Deterministic hashes and value noise.

use nalgebra::Point3;

/// A well-mixed 64-bit hash of one word (splitmix64's finaliser; Steele et al. 2014).
pub(crate) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Uniform in `[0, 1)` from a hash.
pub(crate) fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1u64 << 53) as f64
}

/// A stream of uniform numbers from a seed.
pub(crate) struct Stream(u64);

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn range(&mut self, low: f64, high: f64) -> f64 {
        self.0 = mix(self.0);
        low + (high - low) * unit(self.0)
    }

    /// Standard normal (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.range(0.0, 1.0)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.range(0.0, 1.0)).cos()
    }

    /// A fresh seed.
    pub(crate) fn seed(&mut self) -> u64 {
        self.0 = mix(self.0);
        self.0
    }
}

/// Value at a lattice point, in `[-1, 1)`.
fn lattice(seed: u64, x: i64, y: i64, z: i64) -> f64 {
    let key = (x as u64).wrapping_mul(0x8da6_b343)
        ^ (y as u64).wrapping_mul(0xd816_3841_0000_0001)
        ^ (z as u64).wrapping_mul(0xcb1a_b31f_0001);
    2.0 * unit(mix(seed ^ key)) - 1.0
}

/// Smooth noise with features of about one unit, in `[-1, 1]`.
fn value_noise(seed: u64, p: &Point3<f64>) -> f64 {
    let base = p.coords.map(f64::floor);
    let t = (p.coords - base).map(|f| f * f * (3.0 - 2.0 * f));
    let (x, y, z) = (base.x as i64, base.y as i64, base.z as i64);
    let lerp = |a: f64, b: f64, share: f64| a + (b - a) * share;
    let along_x = |dy: i64, dz: i64| {
        lerp(lattice(seed, x, y + dy, z + dz), lattice(seed, x + 1, y + dy, z + dz), t.x)
    };
    let plane = |dz: i64| lerp(along_x(0, dz), along_x(1, dz), t.y);
    lerp(plane(0), plane(1), t.z)
}

/// Noise with detail at every scale from `coarsest_m` down to what a pixel of `footprint_m` resolves.
/// Each octave halves the wavelength and keeps `persistence` of the amplitude. Its deviation is about 0.5.
pub(crate) fn detail(
    seed: u64,
    p: &Point3<f64>,
    coarsest_m: f64,
    persistence: f64,
    footprint_m: f64,
) -> f64 {
    const OCTAVES: u64 = 10;
    let (mut sum, mut amplitude, mut wavelength) = (0.0, 1.0, coarsest_m);
    for octave in 0..OCTAVES {
        // Above half the sampling rate an octave only aliases; it fades in over one octave.
        let visible = (wavelength / (2.0 * footprint_m) - 1.0).clamp(0.0, 1.0);
        if visible == 0.0 {
            break;
        }
        sum += visible * amplitude * value_noise(mix(seed ^ octave), &(p / wavelength));
        amplitude *= persistence;
        wavelength *= 0.5;
    }
    sum * (1.0 - persistence * persistence).sqrt() * 1.4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_bounded_smooth_and_never_flat() {
        let at = |x: f64| value_noise(7, &Point3::new(x, 0.3, -2.7));
        let values: Vec<f64> = (0..1000).map(|i| at(f64::from(i) * 0.05 - 20.0)).collect();
        assert!(values.iter().all(|v| v.abs() <= 1.0));
        assert!(values.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.2));
        let mean = values.iter().sum::<f64>() / 1000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1000.0;
        assert!(variance > 0.05 && mean.abs() < 0.2, "variance {variance}, mean {mean}");
    }

    #[test]
    fn unresolved_octaves_vanish() {
        let p = Point3::new(0.31, 4.2, 1.1);
        assert_eq!(detail(1, &p, 1.0, 0.6, 10.0), 0.0);
        assert_ne!(detail(1, &p, 1.0, 0.6, 0.001), detail(1, &p, 1.0, 0.6, 0.2));
    }
}
