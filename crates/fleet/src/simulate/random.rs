//! Random numbers that follow from what they are for.

/// A stream of random numbers (SplitMix64; Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of that seed and purpose.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut stream = Self(seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        stream.0 = stream.next() ^ purpose;
        stream
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Even over 0 to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Poisson's law with that mean, by multiplication (Knuth), in parts for large means.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        let (mut left, mut count) = (mean, 0);
        while left > 0.0 {
            let part = left.min(16.0);
            left -= part;
            let (limit, mut product) = ((-part).exp(), self.unit());
            while product > limit {
                product *= self.unit();
                count += 1;
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_variances() {
        let mut random = Random::new(1, 2);
        for mean in [0.1, 3.0, 50.0] {
            let draws: Vec<f64> = (0..20_000).map(|_| random.poisson(mean) as f64).collect();
            let average = draws.iter().sum::<f64>() / draws.len() as f64;
            let spread =
                draws.iter().map(|draw| (draw - average).powi(2)).sum::<f64>() / draws.len() as f64;
            assert!(
                (average - mean).abs() < 0.05 * mean.sqrt().max(mean * 0.02 + 0.3),
                "{mean}: {average}"
            );
            assert!((spread / mean - 1.0).abs() < 0.1, "{mean}: {spread}");
        }
    }
}
