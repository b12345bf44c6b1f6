//! Resampling of an image through a fixed table: rectification and undistortion.

use ommatidia_scene::GrayImage;
use rayon::prelude::*;

/// Weights are fixed-point with this many bits.
const WEIGHT_BITS: u32 = 7;
const ONE: u32 = 1 << WEIGHT_BITS;

/// Where each target pixel comes from, ready for use on many images.
#[derive(Debug, Clone, PartialEq)]
pub struct Remap {
    width: usize,
    height: usize,
    source_width: usize,
    source_height: usize,
    samples: Vec<Sample>,
}

/// The four source pixels around one place, and how they mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    /// Index of the upper left one; `NOWHERE` outside the source.
    index: u32,
    /// Share of the right column, of [`ONE`].
    right: u8,
    /// Share of the lower row.
    lower: u8,
}

const NOWHERE: u32 = u32::MAX;

impl Remap {
    /// From source coordinates of each target pixel, row by row, pixel centres at integer + 0.5; NaN
    /// where the source does not see it. Bilinear, the border repeated for half a pixel.
    pub fn new(width: usize, height: usize, source_px: &[[f32; 2]], source: [usize; 2]) -> Self {
        assert_eq!(source_px.len(), width * height, "one source place per target pixel");
        let [source_width, source_height] = source;
        let place = |value: f32, size: usize| -> Option<(usize, u8)> {
            if size == 0 || value.is_nan() || value < 0.0 || value > size as f32 {
                return None;
            }
            let from_first = (value - 0.5).clamp(0.0, (size - 1) as f32);
            let first = (from_first as usize).min(size.saturating_sub(2));
            Some((first, ((from_first - first as f32) * ONE as f32).round() as u8))
        };
        let sample = |&[x, y]: &[f32; 2]| match (place(x, source_width), place(y, source_height)) {
            (Some((x, right)), Some((y, lower))) => {
                Sample { index: (y * source_width + x) as u32, right, lower }
            }
            _ => Sample { index: NOWHERE, right: 0, lower: 0 },
        };
        let samples = source_px.iter().map(sample).collect();
        Self { width, height, source_width, source_height, samples }
    }

    /// The target image; 0 where the source does not see it.
    pub fn apply(&self, source: &GrayImage) -> GrayImage {
        let size = (source.width, source.height);
        assert_eq!(
            size,
            (self.source_width, self.source_height),
            "the source has the table's size"
        );
        let step_x = usize::from(self.source_width > 1);
        let step_y = if self.source_height > 1 { self.source_width } else { 0 };
        let mut data = vec![0; self.samples.len()];
        data.par_chunks_mut(self.width.max(1))
            .zip(self.samples.par_chunks(self.width.max(1)))
            .for_each(|(out, samples)| {
                for (out, sample) in out.iter_mut().zip(samples) {
                    if sample.index != NOWHERE {
                        let at = sample.index as usize;
                        let pixel = |offset: usize| u32::from(source.data[at + offset]);
                        let (right, lower) = (u32::from(sample.right), u32::from(sample.lower));
                        let upper_row = (ONE - right) * pixel(0) + right * pixel(step_x);
                        let lower_row =
                            (ONE - right) * pixel(step_y) + right * pixel(step_x + step_y);
                        let sum = (ONE - lower) * upper_row + lower * lower_row;
                        *out = ((sum + ONE * ONE / 2) >> (2 * WEIGHT_BITS)) as u8;
                    }
                }
            });
        GrayImage::new(self.width, self.height, data)
    }
}

/// Halves an image: the mean of 2 x 2 pixels, an odd last column or row dropped.
pub fn halve(image: &GrayImage) -> GrayImage {
    let (width, height) = (image.width / 2, image.height / 2);
    let mut data = vec![0; width * height];
    data.par_chunks_mut(width.max(1)).enumerate().for_each(|(y, out)| {
        let (upper, lower) = (image.row(2 * y), image.row(2 * y + 1));
        for (x, out) in out.iter_mut().enumerate() {
            let four = [upper[2 * x], upper[2 * x + 1], lower[2 * x], lower[2 * x + 1]];
            *out = ((four.iter().map(|&v| u32::from(v)).sum::<u32>() + 2) / 4) as u8;
        }
    });
    GrayImage::new(width, height, data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stereo::test_images::noise;

    fn map(width: usize, height: usize, f: impl Fn(f32, f32) -> [f32; 2]) -> Vec<[f32; 2]> {
        let pixel = |i: usize| f((i % width) as f32 + 0.5, (i / width) as f32 + 0.5);
        (0..width * height).map(pixel).collect()
    }

    #[test]
    fn identity_and_whole_shifts_copy() {
        let image = noise(23, 11, 6);
        let same = Remap::new(23, 11, &map(23, 11, |x, y| [x, y]), [23, 11]);
        assert_eq!(same.apply(&image), image);
        let moved =
            Remap::new(20, 9, &map(20, 9, |x, y| [x + 3.0, y + 2.0]), [23, 11]).apply(&image);
        for y in 0..9 {
            assert_eq!(moved.row(y), &image.row(y + 2)[3..]);
        }
    }

    #[test]
    fn close_to_bilinear_interpolation_in_floating_point() {
        let image = noise(40, 30, 2);
        let places = map(33, 21, |x, y| [0.9 * x + 0.13 * y + 1.0, 1.1 * y - 0.05 * x + 3.0]);
        let found = Remap::new(33, 21, &places, [40, 30]).apply(&image);
        for (i, [x, y]) in places.iter().enumerate() {
            let (u, v) = (x - 0.5, y - 0.5);
            let (x0, y0) = (u.floor() as usize, v.floor() as usize);
            let (fx, fy) = (u - x0 as f32, v - y0 as f32);
            let pixel = |dx, dy| f32::from(image.at(x0 + dx, y0 + dy));
            let upper = pixel(0, 0) * (1.0 - fx) + pixel(1, 0) * fx;
            let lower = pixel(0, 1) * (1.0 - fx) + pixel(1, 1) * fx;
            let exact = upper * (1.0 - fy) + lower * fy;
            assert!((f32::from(found.data[i]) - exact).abs() < 3.0, "pixel {i}");
        }
    }

    #[test]
    fn what_the_source_does_not_see_is_black() {
        let white = GrayImage::new(4, 1, vec![255; 4]);
        let places = [[f32::NAN, 0.5], [-0.1, 0.5], [4.1, 0.5], [2.0, 0.5]];
        assert_eq!(Remap::new(4, 1, &places, [4, 1]).apply(&white).data, [0, 0, 0, 255]);
        let none = GrayImage::new(0, 0, Vec::new());
        assert!(Remap::new(2, 1, &[[0.5, 0.5]; 2], [0, 0]).apply(&none).data == [0, 0]);
    }

    #[test]
    fn halving_takes_means() {
        let image = GrayImage::new(5, 2, vec![0, 4, 8, 8, 99, 0, 4, 9, 10, 99]);
        assert_eq!(halve(&image), GrayImage::new(2, 1, vec![2, 9]));
    }
}
