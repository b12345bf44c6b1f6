//! Plane sweep through posed images, aggregated like a stereo pair.
//!
//! Collins 1996; census costs; of several views the better half counts, so that what is hidden from
//! some does not matter (Kang, Szeliski and Chai 2001).

use ommatidia_scene::GrayImage;
use rayon::prelude::*;

use super::census::census;
use super::cost::OUTSIDE;
use super::matcher::{Costs, Scratch, SgmConfig};
use super::winner::UNITS;
use crate::simd::{LANES, Simd, multiversion};

/// An image of the same scene from elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct SweepView<'a> {
    /// The image.
    pub image: &'a GrayImage,
    /// Takes `(x, y, 1)` in the target, pixel centres at integer + 0.5, to where a point at infinity
    /// is seen, homogeneous, row-major: `K' R K^-1`.
    pub at_infinity: [f32; 9],
    /// Added once per unit of inverse depth: `K' t`.
    pub per_inverse_depth: [f32; 3],
}

impl SweepView<'_> {
    /// Where a target pixel's point at an inverse depth is seen, pixels; `None` behind the view.
    pub fn seen(&self, [x, y]: [f32; 2], inverse_depth: f32) -> Option<[f32; 2]> {
        let [u, v, w] = self.homogeneous(x, y);
        let [du, dv, dw] = self.per_inverse_depth;
        let w = w + inverse_depth * dw;
        (w > 0.0).then(|| [(u + inverse_depth * du) / w, (v + inverse_depth * dv) / w])
    }

    #[inline(always)]
    fn homogeneous(&self, x: f32, y: f32) -> [f32; 3] {
        let h = &self.at_infinity;
        let row = |i: usize| h[i] * x + h[i + 1] * y + h[i + 2];
        [row(0), row(3), row(6)]
    }
}

/// Planes at evenly spaced inverse depths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Planes {
    /// Inverse depth of the first plane, 1/m.
    pub first: f32,
    /// From one plane to the next, 1/m.
    pub step: f32,
    /// How many: 64, 128, 192 or 256.
    pub count: usize,
    /// Planes this close to the best are not its rivals: as many as it takes to move by a pixel.
    pub rival_gap: usize,
}

impl Planes {
    /// Inverse depth of a place between planes in 1/256 plane, 1/m.
    pub fn inverse_depth(&self, place: u16) -> f32 {
        self.first + self.step * f32::from(place) / f32::from(UNITS)
    }

    /// The place of an inverse depth in 1/256 plane, at least 1; `None` outside the sweep.
    pub fn place(&self, inverse_depth: f32) -> Option<u16> {
        let place = (inverse_depth - self.first) / self.step * f32::from(UNITS);
        let last = (self.count - 1) as f32 * f32::from(UNITS);
        (-0.5..=last).contains(&place).then(|| place.round().max(1.0) as u16)
    }
}

/// Result of a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Place between planes in 1/256 plane, at least 1, row-major.
    pub places: Vec<u16>,
    /// How much worse the best rival is, 0 as good to 255 twice as costly or more.
    pub lead: Vec<u8>,
    /// Matching cost of the plane chosen: differing census bits, 31 where no view sees the point.
    pub cost: Vec<u8>,
}

/// Memory that is used again from one sweep to the next. Holds no result.
#[derive(Debug, Default)]
pub struct Sweeper {
    scratch: Scratch,
}

struct SweepCosts<'a> {
    simd: Simd,
    width: usize,
    target: &'a [u64],
    views: &'a [(SweepView<'a>, Vec<u64>)],
    planes: Planes,
}

impl Sweeper {
    /// Sweeps `target` through `views`.
    pub fn compute(
        &mut self,
        simd: Simd,
        target: &GrayImage,
        views: &[SweepView<'_>],
        planes: Planes,
    ) -> Swept {
        let mut words = Vec::new();
        census(simd, target, &mut words);
        let views: Vec<_> = views
            .iter()
            .filter(|view| !view.image.data.is_empty())
            .map(|view| {
                let mut words = Vec::new();
                census(simd, view.image, &mut words);
                (*view, words)
            })
            .collect();
        let config =
            SgmConfig { rival_gap: planes.rival_gap, ..SgmConfig::for_range(planes.count) };
        assert_eq!(config.disparities, planes.count, "planes come in groups of {LANES}");
        let width = target.width;
        let costs = SweepCosts { simd, width, target: &words, views: &views, planes };
        let found = self.scratch.aggregate(simd, &costs, target, &config);
        let cost = |(i, &place): (usize, &u16)| {
            let plane = (usize::from(place) + usize::from(UNITS / 2)) / usize::from(UNITS);
            self.scratch.cost(i * planes.count + plane.min(planes.count - 1))
        };
        let cost = found.values.par_iter().enumerate().map(cost).collect();
        Swept { places: found.values, lead: found.lead, cost }
    }
}

impl Costs for SweepCosts<'_> {
    fn row(&self, y: usize, out: &mut [u8]) {
        let target = &self.target[y * self.width..(y + 1) * self.width];
        let mut others = vec![0; out.len()];
        match self.views {
            [] => out.fill(OUTSIDE),
            [(view, words)] => view_row(self.simd, view, words, (y, target), self.planes, out),
            [(view, words), rest @ ..] => {
                view_row(self.simd, view, words, (y, target), self.planes, out);
                for (view, words) in rest {
                    view_row(self.simd, view, words, (y, target), self.planes, &mut others);
                    out.iter_mut().zip(&others).for_each(|(best, &other)| *best = other.min(*best));
                }
            }
        }
    }
}

multiversion! {
    /// Costs of one row (its number, its words) against one view.
    fn view_row(
        simd,
        view: &SweepView<'_>,
        words: &[u64],
        row: (usize, &[u64]),
        planes: Planes,
        out: &mut [u8],
    ) {
        let (y, target) = row;
        let (width, height) = (view.image.width as f32, view.image.height as f32);
        let [du, dv, dw] = view.per_inverse_depth;
        for (x, (&word, out)) in target.iter().zip(out.chunks_exact_mut(planes.count)).enumerate() {
            let [u, v, w] = view.homogeneous(x as f32 + 0.5, y as f32 + 0.5);
            for (group, out) in out.chunks_exact_mut(LANES).enumerate() {
                let mut places = [u32::MAX; LANES];
                for i in 0..LANES {
                    let inverse = planes.first + planes.step * (group * LANES + i) as f32;
                    let w = w + inverse * dw;
                    let (column, row) = ((u + inverse * du) / w, (v + inverse * dv) / w);
                    let inside = (w > 0.0)
                        & (column >= 0.0)
                        & (column < width)
                        & (row >= 0.0)
                        & (row < height);
                    let place = row as u32 * width as u32 + column as u32;
                    places[i] = if inside { place } else { u32::MAX };
                }
                for i in 0..LANES {
                    out[i] = match words.get(places[i] as usize) {
                        Some(other) => (word ^ other).count_ones() as u8,
                        None => OUTSIDE,
                    };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stereo::test_images::noise;

    const PLANES: Planes = Planes { first: 0.0, step: 0.01, count: 64, rival_gap: 1 };

    /// A view `baseline` to the right with a focal length of 100 pixels sees a point at inverse depth
    /// `i` moved left by `100 baseline i`.
    fn beside(image: &GrayImage, baseline: f32) -> SweepView<'_> {
        SweepView {
            image,
            at_infinity: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
            per_inverse_depth: [-100.0 * baseline, 0.0, 0.0],
        }
    }

    fn crop(image: &GrayImage, start: usize, width: usize) -> GrayImage {
        let rows = image.data.chunks_exact(image.width);
        let data = rows.flat_map(|row| row[start..start + width].to_vec()).collect();
        GrayImage::new(width, image.height, data)
    }

    /// A plane at inverse depth 0.1/m (10 m), seen from beside.
    #[test]
    fn finds_a_plane_with_every_instruction_set() {
        let scene = noise(160, 30, 21);
        let (target, right, left) =
            (crop(&scene, 20, 120), crop(&scene, 30, 120), crop(&scene, 10, 120));
        let views = [beside(&right, 1.0), beside(&left, -1.0)];
        let mut results = Vec::new();
        for simd in Simd::available() {
            let found = Sweeper::default().compute(simd, &target, &views, PLANES);
            let right_ones = found.places.iter().filter(|place| place.abs_diff(10 * 256) < 64);
            assert!(right_ones.count() > found.places.len() * 98 / 100, "{simd:?}");
            assert!(
                found.cost.iter().filter(|&&cost| cost < 8).count() > found.cost.len() * 9 / 10
            );
            results.push(found);
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn nothing_is_seen_without_views_or_pixels() {
        let image = noise(9, 4, 1);
        let simd = Simd::detect();
        let found = Sweeper::default().compute(simd, &image, &[], PLANES);
        assert!(
            found.lead.iter().all(|&lead| lead == 0) && found.cost.iter().all(|&c| c == OUTSIDE)
        );
        let none = GrayImage::new(0, 0, Vec::new());
        let found = Sweeper::default().compute(simd, &none, &[beside(&image, 1.0)], PLANES);
        assert_eq!(found, Swept::default());
    }

    #[test]
    fn places_and_inverse_depths_agree() {
        for place in [1, 255, 4000, 63 * 256] {
            assert_eq!(PLANES.place(PLANES.inverse_depth(place)), Some(place));
        }
        assert_eq!((PLANES.place(-0.1), PLANES.place(0.7)), (None, None));
    }

    #[test]
    fn seen_agrees_with_the_costs_geometry() {
        let image = noise(9, 4, 1);
        let view = beside(&image, 0.5);
        assert_eq!(view.seen([60.0, 2.0], 0.2), Some([50.0, 2.0]));
        let behind = SweepView { per_inverse_depth: [0.0, 0.0, -10.0], ..view };
        assert_eq!(behind.seen([60.0, 2.0], 0.2), None);
    }
}
