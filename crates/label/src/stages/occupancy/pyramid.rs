//! How far each image region is free, at all scales.

use rayon::prelude::*;

/// What is known of a square of pixels.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Nearest end of free space among the pixels that have a depth, metres along the optical axis.
    nearest_m: f32,
    /// Farthest; 0 where no pixel has a depth.
    farthest_m: f32,
    /// Mean confidence, 0 to 1; a pixel without a depth counts 0.
    confidence: f32,
}

struct Level {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
}

/// Free distance under squares of 1, 2, 4, … pixels. A voxel is carved if all of the pixels that it
/// covers see past it, so that a thin pole is not carved by the background beside it.
pub(super) struct Pyramid {
    levels: Vec<Level>,
}

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Footprint {
    pub(super) u: f32,
    pub(super) v: f32,
    /// Half its side.
    pub(super) radius: f32,
}

impl Pyramid {
    /// `pixel(x, y)`: end of free space (metres) and confidence (0 to 1), `None` without a depth.
    pub(super) fn new(
        (width, height): (usize, usize),
        pixel: impl Fn(usize, usize) -> Option<(f32, f32)> + Sync,
    ) -> Self {
        let empty = Cell { nearest_m: f32::INFINITY, farthest_m: 0.0, confidence: 0.0 };
        let mut cells = vec![empty; width * height];
        cells.par_chunks_mut(width.max(1)).enumerate().for_each(|(y, row)| {
            for (x, cell) in row.iter_mut().enumerate() {
                if let Some((end_m, confidence)) = pixel(x, y) {
                    *cell = Cell { nearest_m: end_m, farthest_m: end_m, confidence };
                }
            }
        });
        let mut levels = vec![Level { width, height, cells }];
        while levels.last().is_some_and(|last| last.width > 1 && last.height > 1) {
            levels.push(halve(&levels[levels.len() - 1]));
        }
        Self { levels }
    }

    /// The cells of the finest level whose squares are no smaller than half the footprint's radius.
    fn cover(&self, footprint: &Footprint) -> Option<(&Level, [usize; 4])> {
        let index =
            ((footprint.radius.max(1.0) as u32).ilog2() as usize).min(self.levels.len() - 1);
        let level = &self.levels[index];
        let scale = 1.0 / (1u32 << index) as f32;
        let range = |centre: f32, len: usize| {
            let low = ((centre - footprint.radius) * scale).floor();
            let high = ((centre + footprint.radius) * scale).floor();
            (high >= 0.0 && low < len as f32)
                .then(|| (low.max(0.0) as usize, (high as usize).min(len - 1)))
        };
        let (left, right) = range(footprint.u, level.width)?;
        let (top, bottom) = range(footprint.v, level.height)?;
        Some((level, [left, right, top, bottom]))
    }

    /// Mean confidence of the pixels, if all that have a depth are free up to `depth_m`.
    #[inline]
    pub(super) fn free_to(&self, footprint: &Footprint, depth_m: f32) -> Option<f32> {
        let (level, [left, right, top, bottom]) = self.cover(footprint)?;
        let mut confidence = 0.0;
        for y in top..=bottom {
            for cell in &level.cells[y * level.width + left..=y * level.width + right] {
                if cell.nearest_m < depth_m {
                    return None;
                }
                confidence += cell.confidence;
            }
        }
        Some(confidence / ((right - left + 1) * (bottom - top + 1)) as f32)
    }

    /// Whether any pixel may be free up to `depth_m`.
    pub(super) fn any_free_to(&self, footprint: &Footprint, depth_m: f32) -> bool {
        let Some((level, [left, right, top, bottom])) = self.cover(footprint) else { return false };
        (top..=bottom).any(|y| {
            let row = &level.cells[y * level.width + left..=y * level.width + right];
            row.iter().any(|cell| cell.farthest_m >= depth_m)
        })
    }
}

fn halve(fine: &Level) -> Level {
    let (width, height) = (fine.width.div_ceil(2), fine.height.div_ceil(2));
    let cell = |index: usize| {
        let (x, y) = (index % width * 2, index / width * 2);
        let (right, below) = ((x + 1).min(fine.width - 1), (y + 1).min(fine.height - 1));
        let four = [(x, y), (right, y), (x, below), (right, below)];
        let four = four.map(|(x, y)| fine.cells[y * fine.width + x]);
        Cell {
            nearest_m: four.iter().fold(f32::INFINITY, |least, c| least.min(c.nearest_m)),
            farthest_m: four.iter().fold(0.0, |most, c| most.max(c.farthest_m)),
            confidence: four.iter().map(|c| c.confidence).sum::<f32>() / 4.0,
        }
    };
    Level { width, height, cells: (0..width * height).into_par_iter().map(cell).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        depth: impl Fn(usize, usize) -> Option<f32> + Sync,
        at: [f32; 3],
        expected: Option<f32>,
    ) {
        let pyramid = Pyramid::new((40, 24), |x, y| depth(x, y).map(|d| (d, 1.0)));
        let [u, v, radius] = at;
        assert_eq!(pyramid.free_to(&Footprint { u, v, radius }, 10.0), expected, "{at:?}");
    }

    #[test]
    fn one_near_pixel_stops_the_carving() {
        let pole = |x: usize, _| Some(if x == 20 { 5.0 } else { 50.0 });
        for (at, expected) in [
            ([20.5, 12.0, 0.2], None),
            ([18.0, 12.0, 3.0], None),
            ([10.0, 12.0, 3.0], Some(1.0)),
            ([30.0, 12.0, 3.0], Some(1.0)),
            ([-20.0, 12.0, 3.0], None),
        ] {
            check(pole, at, expected);
        }
    }

    #[test]
    fn missing_pixels_take_confidence() {
        let half = |x: usize, _| x.is_multiple_of(2).then_some(50.0);
        check(half, [20.0, 12.0, 4.0], Some(0.5));
        check(|_, _| None, [20.0, 12.0, 4.0], Some(0.0));
    }
}
