//! Masks as run lengths, COCO's way: down the columns, first the pixels outside.

use super::polygon;
use crate::Error;

/// Pixels of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    width: u32,
    height: u32,
    /// Lengths of runs outside and inside in turn, column by column.
    runs: Vec<u32>,
    area: u64,
}

/// Most pixels of an image.
const MAX_PIXELS: u64 = 1 << 30;

impl Mask {
    /// From run lengths.
    ///
    /// # Errors
    /// [`Error::Row`] where they do not add up to the image's pixels.
    pub fn from_runs(width: u32, height: u32, runs: Vec<u32>) -> Result<Self, Error> {
        let fail = |what: String| Err(Error::row("mask", 0, what));
        let pixels = u64::from(width) * u64::from(height);
        if pixels > MAX_PIXELS {
            return fail(format!("{width} x {height} pixels are too many"));
        }
        let sum: u64 = runs.iter().map(|&run| u64::from(run)).sum();
        if sum != pixels {
            return fail(format!("runs of {sum} pixels in an image of {width} x {height}"));
        }
        let area = runs.iter().skip(1).step_by(2).map(|&run| u64::from(run)).sum();
        Ok(Self { width, height, runs, area })
    }

    /// From pixels row by row.
    ///
    /// # Errors
    /// [`Error::Row`] where they are not as many as the image has.
    pub fn from_pixels(
        width: u32,
        height: u32,
        pixels: impl Iterator<Item = bool>,
    ) -> Result<Self, Error> {
        let pixels: Vec<bool> = pixels.collect();
        let (w, h) = (width as usize, height as usize);
        if pixels.len() != w * h {
            let what = format!("{} pixels in an image of {width} x {height}", pixels.len());
            return Err(Error::row("mask", 0, what));
        }
        let (mut runs, mut inside, mut length) = (Vec::new(), false, 0);
        for pixel in (0..w).flat_map(|x| (0..h).map(move |y| y * w + x)).map(|i| pixels[i]) {
            if pixel != inside {
                runs.push(length);
                (inside, length) = (pixel, 0);
            }
            length += 1;
        }
        runs.push(length);
        Self::from_runs(width, height, runs)
    }

    /// From polygons, each its corners x, y in turn, pixels: what any of them holds. Outlines are drawn five times
    /// finer and cross each column at its middle, as `rleFrPoly` of pycocotools 2.0 does.
    ///
    /// # Errors
    /// [`Error::Row`] for a polygon of fewer than three corners, an odd count, or a corner that is not finite or far
    /// outside the image.
    pub fn from_polygons(width: u32, height: u32, polygons: &[Vec<f64>]) -> Result<Self, Error> {
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            let what = format!("{width} x {height} pixels are too many");
            return Err(Error::row("mask", 0, what));
        }
        let mut ends = Vec::new();
        for (row, polygon) in polygons.iter().enumerate() {
            polygon::check(polygon, width, height)
                .map_err(|what| Error::row("polygon", row, what))?;
            ends.extend(polygon::inside(polygon, width, height));
        }
        ends.sort_unstable();
        let mut runs: Vec<u32> = Vec::new();
        let (mut at, mut start) = (0u32, None);
        for (first, last) in ends {
            match start {
                Some((from, to)) if first <= to => start = Some((from, last.max(to))),
                _ => {
                    if let Some((from, to)) = start.replace((first, last)) {
                        runs.extend([from - at, to - from]);
                        at = to;
                    }
                }
            }
        }
        if let Some((from, to)) = start {
            runs.extend([from - at, to - from]);
            at = to;
        }
        runs.push(width * height - at);
        Self::from_runs(width, height, runs)
    }

    /// From the text that COCO's files hold: six bits a character from `0` on, the last with bit 5 clear,
    /// and from the fourth run on the difference to the run two before.
    ///
    /// # Errors
    /// [`Error::Row`] for other characters, or where the runs do not add up.
    pub fn from_text(width: u32, height: u32, text: &[u8]) -> Result<Self, Error> {
        let fail = |what: &str| Error::row("mask", 0, what);
        let mut runs: Vec<u32> = Vec::new();
        let mut bytes = text.iter();
        while bytes.len() > 0 {
            let (mut value, mut shift) = (0i64, 0);
            loop {
                let byte = *bytes.next().ok_or_else(|| fail("the text ends within a number"))?;
                let bits = byte.checked_sub(48).filter(|bits| *bits < 64);
                let bits = bits.ok_or_else(|| fail("the text has a character outside 0 to o"))?;
                if shift > 30 {
                    return Err(fail("the text has a number of more than 32 bits"));
                }
                value |= i64::from(bits & 0x1f) << shift;
                shift += 5;
                if bits & 0x20 == 0 {
                    if bits & 0x10 != 0 {
                        value |= -1 << shift;
                    }
                    break;
                }
            }
            if runs.len() > 2 {
                value += i64::from(runs[runs.len() - 2]);
            }
            runs.push(u32::try_from(value).map_err(|_| fail("the text has a negative run"))?);
        }
        Self::from_runs(width, height, runs)
    }

    /// Width and height, pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Pixels inside.
    pub fn area(&self) -> u64 {
        self.area
    }

    /// Left, top, width, height in pixels; `None` of nothing.
    pub fn bounds(&self) -> Option<[f64; 4]> {
        let height = u64::from(self.height);
        let (mut left, mut right, mut top, mut bottom) = (u64::MAX, 0, u64::MAX, 0);
        let mut at = 0u64;
        for (i, &run) in self.runs.iter().enumerate() {
            let end = at + u64::from(run);
            if i % 2 == 1 && run > 0 {
                let last = end - 1;
                let (first_column, last_column) = (at / height, last / height);
                left = left.min(first_column);
                right = right.max(last_column);
                if first_column == last_column {
                    top = top.min(at % height);
                    bottom = bottom.max(last % height);
                } else {
                    (top, bottom) = (0, height - 1);
                }
            }
            at = end;
        }
        (self.area > 0).then(|| {
            [left as f64, top as f64, (right - left + 1) as f64, (bottom - top + 1) as f64]
        })
    }

    /// Pixels in both.
    pub fn intersection(&self, other: &Self) -> u64 {
        let (mut a, mut b) = (self.runs.iter().copied(), other.runs.iter().copied());
        let (mut left_a, mut left_b) = (a.next(), b.next());
        let (mut inside_a, mut inside_b) = (false, false);
        let mut both = 0;
        while let (Some(x), Some(y)) = (left_a, left_b) {
            let step = x.min(y);
            both += if inside_a && inside_b { u64::from(step) } else { 0 };
            (left_a, left_b) = (Some(x - step), Some(y - step));
            if x == step {
                (left_a, inside_a) = (a.next(), !inside_a);
            }
            if y == step {
                (left_b, inside_b) = (b.next(), !inside_b);
            }
        }
        both
    }

    /// Intersection over union; over this mask's own area against a crowd.
    pub fn overlap(&self, truth: &Self, crowd: bool) -> f64 {
        let both = self.intersection(truth);
        let union = if crowd { self.area } else { self.area + truth.area - both };
        if both == 0 { 0.0 } else { both as f64 / union as f64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_pycocotools_own() {
        // pycocotools.mask.encode of a 4 x 5 image whose pixels (row, column) 1,1 2,1 1,2 are set.
        let pixels = (0..20).map(|i| [6, 11, 7].contains(&i));
        let mask = Mask::from_pixels(5, 4, pixels).unwrap();
        assert_eq!(mask.runs, [5, 2, 2, 1, 10]);
        assert_eq!(Mask::from_text(5, 4, b"522O8").unwrap(), mask);
        assert_eq!((mask.area(), mask.bounds()), (3, Some([1.0, 1.0, 2.0, 2.0])));
    }

    #[test]
    fn polygons_are_pycocotools_own() {
        // pycocotools 2.0.10: mask.encode, or area and decode, of mask.merge(mask.frPyObjects(polygons, 12, 16)).
        let check = |polygons: &[&[f64]], expected: &[u32]| {
            let polygons: Vec<Vec<f64>> = polygons.iter().map(|p| p.to_vec()).collect();
            assert_eq!(Mask::from_polygons(16, 12, &polygons).unwrap().runs, expected);
        };
        check(
            &[&[2.0, 3.0, 9.0, 3.0, 9.0, 8.0, 2.0, 8.0]],
            &[27, 5, 7, 5, 7, 5, 7, 5, 7, 5, 7, 5, 7, 5, 88],
        );
        check(
            &[&[1.3, 0.2, 14.7, 5.5, 6.1, 11.9, 3.3, 4.0]],
            &[
                25, 1, 11, 3, 9, 6, 7, 8, 4, 10, 3, 8, 4, 7, 5, 6, 7, 5, 7, 4, 9, 2, 10, 1, 11, 1,
                18,
            ],
        );
        check(
            &[&[-5.0, -3.0, 8.0, 6.0, 20.0, 30.0, 0.0, 9.0]],
            &[1, 8, 4, 9, 4, 10, 3, 9, 4, 8, 4, 8, 5, 7, 6, 6, 7, 5, 9, 3, 11, 1, 60],
        );
        check(
            &[
                &[1.0, 1.0, 6.0, 1.0, 6.0, 6.0, 1.0, 6.0],
                &[4.0, 4.0, 12.0, 4.5, 11.2, 10.0, 3.0, 9.0],
            ],
            &[13, 5, 7, 5, 7, 8, 4, 8, 4, 8, 7, 5, 7, 6, 6, 6, 6, 6, 6, 6, 7, 3, 52],
        );
        check(
            &[&[2.0, 2.0, 13.0, 10.0, 13.0, 2.0, 2.0, 10.0]],
            &[26, 8, 5, 6, 7, 4, 8, 3, 10, 2, 22, 2, 9, 3, 9, 4, 7, 6, 5, 8, 38],
        );
        let refused = |polygon: &[f64], words: &str| {
            let error = Mask::from_polygons(16, 12, &[polygon.to_vec()]).unwrap_err().to_string();
            assert!(error.contains("polygon 0") && error.contains(words), "{error}");
        };
        refused(&[1.0, 2.0, 3.0, 4.0], "4 numbers");
        refused(&[1.0, 2.0, 3.0, 4.0, f64::NAN, 2.0], "finite");
        refused(&[1.0, 2.0, 3.0, 4.0, 1e9, 2.0], "outside");
    }

    #[test]
    fn what_is_no_mask_is_refused() {
        let check = |result: Result<Mask, Error>, expected: &str| {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(Mask::from_runs(2, 2, vec![1, 2]), "runs of 3 pixels in an image of 2 x 2");
        check(Mask::from_runs(1 << 20, 1 << 20, vec![]), "too many");
        check(Mask::from_pixels(2, 2, [true].into_iter()), "1 pixels");
        check(Mask::from_text(2, 2, b"4 "), "outside 0 to o");
        check(Mask::from_text(2, 2, b"o"), "ends within");
        check(Mask::from_text(2, 2, b"oooooooooo0"), "more than 32 bits");
        check(Mask::from_text(2, 2, b"N"), "negative");
    }

    proptest! {
        #[test]
        fn runs_agree_with_pixels(
            a in proptest::collection::vec(any::<bool>(), 35),
            b in proptest::collection::vec(any::<bool>(), 35),
        ) {
            let mask = |pixels: &[bool]| Mask::from_pixels(7, 5, pixels.iter().copied()).unwrap();
            let both = a.iter().zip(&b).filter(|(a, b)| **a && **b).count() as u64;
            prop_assert_eq!(mask(&a).intersection(&mask(&b)), both);
            prop_assert_eq!(mask(&a).overlap(&mask(&b), false), mask(&b).overlap(&mask(&a), false));
            let columns = || (0..7usize).filter(|x| (0..5).any(|y| a[y * 7 + x]));
            let rows = || (0..5usize).filter(|y| (0..7).any(|x| a[y * 7 + x]));
            let bounds = columns().min().map(|left| {
                let (right, top, bottom) =
                    (columns().max().unwrap(), rows().min().unwrap(), rows().max().unwrap());
                [left, top, right - left + 1, bottom - top + 1].map(|n| n as f64)
            });
            prop_assert_eq!(mask(&a).bounds(), bounds);
        }
    }
}
