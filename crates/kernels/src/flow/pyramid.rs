//! Image pyramids for patch tracking.

use ommatidia_scene::GrayImage;

use crate::simd::{Simd, multiversion};

/// Border that repeats the edge, so that a patch centred on the image's rim can be read.
pub(super) const PAD: usize = 12;

/// Smallest side of a level, pixels.
const MIN_SIDE: usize = 16;

/// One level, 32-bit grey values with a repeated border.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Pixels along x, without the border.
    pub width: usize,
    /// Pixels along y, without the border.
    pub height: usize,
    pub(super) stride: usize,
    pub(super) data: Vec<f32>,
}

/// Levels from the full image to the smallest, each half the one before.
///
/// Coordinates follow the pixel-centre convention at every level: a point at `p` in the image is at
/// `p / 2^l` in level `l`, because the filter `[1 3 3 1] / 8` is centred between two pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Pyramid {
    /// From fine to coarse; never empty.
    pub levels: Vec<Level>,
}

impl Level {
    fn blank(width: usize, height: usize) -> Self {
        let stride = width + 2 * PAD;
        Self { width, height, stride, data: vec![0.0; stride * (height + 2 * PAD)] }
    }

    /// The value at column `x`, row `y`.
    pub fn at(&self, x: usize, y: usize) -> f32 {
        self.data[(y + PAD) * self.stride + x + PAD]
    }

    /// Row `y` with its border: entry `x + PAD` is column `x`; `y` counts from the border's top.
    fn padded_row(&self, y: usize) -> &[f32] {
        &self.data[y * self.stride..(y + 1) * self.stride]
    }

    /// Row `y`, columns from -1 to `width`, `y` in `-1..=height`.
    pub(super) fn row_with_neighbours(&self, y: isize) -> &[f32] {
        &self.padded_row((y + PAD as isize) as usize)[PAD - 1..PAD + self.width + 1]
    }

    fn from_image(simd: Simd, image: &GrayImage) -> Self {
        let mut level = Self::blank(image.width, image.height);
        let stride = level.stride;
        for y in 0..image.height {
            let row = &mut level.data[(y + PAD) * stride + PAD..][..image.width];
            widen(simd, image.row(y), row);
        }
        level.repeat_edges();
        level
    }

    fn halved(&self, simd: Simd) -> Self {
        let mut level = Self::blank(self.width / 2, self.height / 2);
        let mut mixed = vec![0.0; self.stride];
        let (width, stride) = (level.width, level.stride);
        for y in 0..level.height {
            // Rows 2y - 1 to 2y + 2 of this level.
            let rows = [0, 1, 2, 3].map(|i| self.padded_row(2 * y + PAD - 1 + i));
            mix_rows(simd, rows, &mut mixed);
            let row = &mut level.data[(y + PAD) * stride + PAD..][..width];
            halve_row(simd, &mixed[PAD - 1..], row);
        }
        level.repeat_edges();
        level
    }

    fn repeat_edges(&mut self) {
        let (stride, width, height) = (self.stride, self.width, self.height);
        for y in PAD..PAD + height {
            let row = &mut self.data[y * stride..(y + 1) * stride];
            let (first, last) = (row[PAD], row[PAD + width - 1]);
            row[..PAD].fill(first);
            row[PAD + width..].fill(last);
        }
        for y in 0..PAD {
            self.data.copy_within(PAD * stride..(PAD + 1) * stride, y * stride);
            let bottom = PAD + height - 1;
            self.data
                .copy_within(bottom * stride..(bottom + 1) * stride, (bottom + 1 + y) * stride);
        }
    }
}

impl Pyramid {
    /// The pyramid of an image with at most `levels` levels; fewer where a side would fall below 16.
    pub fn new(simd: Simd, image: &GrayImage, levels: usize) -> Self {
        let mut built = vec![Level::from_image(simd, image)];
        while built.len() < levels {
            let last = &built[built.len() - 1];
            if last.width.min(last.height) < 2 * MIN_SIDE {
                break;
            }
            let next = last.halved(simd);
            built.push(next);
        }
        Self { levels: built }
    }
}

multiversion! {
    fn widen(simd, from: &[u8], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = f32::from(*from);
        }
    }
}

multiversion! {
    fn mix_rows(simd, rows: [&[f32]; 4], to: &mut [f32]) {
        let [a, b, c, d] = rows.map(|row| &row[..to.len()]);
        for x in 0..to.len() {
            to[x] = 0.125 * (a[x] + d[x]) + 0.375 * (b[x] + c[x]);
        }
    }
}

multiversion! {
    fn halve_row(simd, from: &[f32], to: &mut [f32]) {
        for (to, taps) in to.iter_mut().zip(from.windows(4).step_by(2)) {
            *to = 0.125 * (taps[0] + taps[3]) + 0.375 * (taps[1] + taps[2]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::test_images::waves;

    #[test]
    fn halving_agrees_with_the_plain_filter() {
        let image = waves(75, 52, 0.0, 0.0);
        let tap = [0.125f32, 0.375, 0.375, 0.125];
        for simd in Simd::available() {
            let pyramid = Pyramid::new(simd, &image, 2);
            let (full, half) = (&pyramid.levels[0], &pyramid.levels[1]);
            assert_eq!((half.width, half.height), (37, 26));
            let clamped =
                |x: isize, y: isize| full.at(x.clamp(0, 74) as usize, y.clamp(0, 51) as usize);
            for (x, y) in [(0, 0), (36, 25), (11, 7), (0, 20)] {
                let mut expected = 0.0;
                for (j, v) in tap.iter().enumerate() {
                    for (i, h) in tap.iter().enumerate() {
                        let (x, y) = (2 * x + i as isize - 1, 2 * y + j as isize - 1);
                        expected += v * h * clamped(x, y);
                    }
                }
                let found = half.at(x as usize, y as usize);
                assert!((found - expected).abs() < 1e-3, "({x}, {y}): {found}, {expected}");
            }
        }
    }

    #[test]
    fn small_images_have_one_level() {
        let image = GrayImage::new(20, 3, vec![7; 60]);
        let pyramid = Pyramid::new(Simd::detect(), &image, 5);
        assert_eq!(pyramid.levels.len(), 1);
        assert!(pyramid.levels[0].data.iter().all(|&value| value == 7.0));
    }

    #[test]
    fn instruction_sets_agree_bit_for_bit() {
        let image = waves(131, 97, 0.3, 0.1);
        let expected = Pyramid::new(Simd::portable(), &image, 4);
        for simd in Simd::available() {
            assert_eq!(Pyramid::new(simd, &image, 4), expected);
        }
    }
}
