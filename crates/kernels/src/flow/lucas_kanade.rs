//! Patches followed by pyramidal Lucas–Kanade.
//!
//! Inverse compositional (Baker & Matthews 2004, *Lucas–Kanade 20 years on*, section 3.2), coarse to
//! fine (Bouguet 2001), for a patch that also changes by a gain and an offset: with the gradients'
//! and the template's means removed, the offset drops out and the gain is a third unknown of a
//! linear system whose matrix is constant.

use nalgebra::{Matrix3, Vector3};

use super::Pyramid;
use super::pyramid::{Level, PAD};
use crate::simd::{Simd, multiversion};

/// Side of the square patch, pixels of its level.
const SIDE: usize = 16;
/// With one more on each side, for central differences.
const WIDE: usize = SIDE + 2;
/// From the patch's centre to its first sample.
const HALF: f32 = 0.5 * (SIDE as f32 - 1.0);
/// Weight of a row or column: the biweight window. What is off the centre moves otherwise than the centre
/// where the surface bends or turns, by the square of its offset; this window's variance is half of that
/// of an even one, and so is the error.
const WEIGHT: [f32; SIDE] = {
    let mut weight = [0.0; SIDE];
    let mut i = 0;
    while i < SIDE {
        let offset = (i as f32 - HALF) / (HALF + 1.0);
        let parabola = 1.0 - offset * offset;
        weight[i] = parabola * parabola;
        i += 1;
    }
    weight
};
/// Sum of the weights of a patch.
const COUNT: f32 = {
    let (mut sum, mut i) = (0.0, 0);
    while i < SIDE {
        sum += WEIGHT[i];
        i += 1;
    }
    sum * sum
};

/// Offsets in the image tracked from, for offsets `(u, v)` in the image tracked to, pixels of the full
/// image: the change of view, as far as it is known, to the second order. Patches on slanted planes need
/// the second: seen from nearer, the lower half of a patch of road grows more than its upper half, and
/// its middle is found too low by half the patch's variance times the curvature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warp {
    /// Derivative: rows are x and y in the image tracked from, columns `u` and `v`.
    pub linear: [[f32; 2]; 2],
    /// Coefficients of `u²`, `u v`, `v²`, for x and y, 1/px.
    pub quadratic: [[f32; 3]; 2],
}

impl Warp {
    /// No change of view.
    pub const IDENTITY: Self = Self { linear: [[1.0, 0.0], [0.0, 1.0]], quadratic: [[0.0; 3]; 2] };

    fn is_finite(&self) -> bool {
        self.linear.iter().flatten().chain(self.quadratic.iter().flatten()).all(|x| x.is_finite())
    }

    /// The same at a level of the pyramid, whose pixels are `scale` times as wide.
    fn at_scale(&self, scale: f32) -> Self {
        Self { quadratic: self.quadratic.map(|row| row.map(|q| q * scale)), ..*self }
    }

    /// The offset in the image tracked from.
    pub fn offset(&self, u: f32, v: f32) -> [f32; 2] {
        [0, 1].map(|axis| {
            let ([a, b], [c, d, e]) = (self.linear[axis], self.quadratic[axis]);
            a * u + b * v + (c * u + d * v) * u + e * v * v
        })
    }
}

/// How to track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LkOptions {
    /// Coarsest level used, from 0.
    pub coarsest: usize,
    /// Most iterations of each level.
    pub iterations: usize,
    /// Stop a level when the step is shorter, pixels of the level.
    pub epsilon_px: f32,
    /// Weakest texture accepted: smaller eigenvalue of the patch's mean structure tensor.
    pub min_strength: f32,
}

impl Default for LkOptions {
    fn default() -> Self {
        Self { coarsest: 3, iterations: 15, epsilon_px: 0.01, min_strength: 1.0 }
    }
}

/// A patch found again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tracked {
    /// Its centre, pixels.
    pub position: [f32; 2],
    /// Correlation of the two patches, without offset and gain, at most 1.
    pub correlation: f32,
}

/// Finds the patch around `point` of `from` in `to`, near `guess`. Positions in pixels of the full
/// image, pixel centres at integer + 0.5. `None` if it leaves the image, has too little texture, or
/// does not converge.
pub fn track(
    simd: Simd,
    (from, to): (&Pyramid, &Pyramid),
    point: [f32; 2],
    guess: [f32; 2],
    warp: &Warp,
    options: &LkOptions,
) -> Option<Tracked> {
    let coarsest = options.coarsest.min(from.levels.len() - 1).min(to.levels.len() - 1);
    let finite = point.iter().chain(&guess).all(|x| x.is_finite()) && warp.is_finite();
    if !finite || !from.levels[0].holds(point) {
        return None;
    }
    let mut found = guess;
    for index in (0..=coarsest).rev() {
        let scale = (1u32 << index) as f32;
        let at_level = |p: [f32; 2]| [p[0] / scale, p[1] / scale];
        let patch = Patch::read(simd, &from.levels[index], at_level(point), &warp.at_scale(scale));
        let aligned = patch.normal_inverse(options.min_strength).and_then(|inverse| {
            patch.align(simd, &to.levels[index], at_level(found), &inverse, options)
        });
        match aligned {
            Some(p) => found = [p[0] * scale, p[1] * scale],
            // A coarse level may fail where the fine one does not.
            None if index > 0 => {}
            None => return None,
        }
        if index == 0 {
            let correlation = patch.correlation(simd, &to.levels[0], found)?;
            return Some(Tracked { position: found, correlation });
        }
    }
    None
}

/// Correlation of the patch around `point` with those around `others` at one level, without offset
/// and gain, in `[-1, 1]`. Positions in pixels of the full image. `None` outside the image or without
/// texture.
pub fn correlate(
    simd: Simd,
    (from, to): (&Pyramid, &Pyramid),
    level: usize,
    (point, others): ([f32; 2], &[[f32; 2]]),
    warp: &Warp,
) -> Vec<Option<f32>> {
    let scale = (1u32 << level) as f32;
    let at_level = |p: [f32; 2]| [p[0] / scale, p[1] / scale];
    let levels = from.levels.get(level).zip(to.levels.get(level));
    let Some((from, to)) = levels.filter(|(from, _)| from.holds(at_level(point))) else {
        return vec![None; others.len()];
    };
    let patch = Patch::read(simd, from, at_level(point), &warp.at_scale(scale));
    others.iter().map(|&other| patch.correlation(simd, to, at_level(other))).collect()
}

impl Level {
    fn holds(&self, point: [f32; 2]) -> bool {
        (0.0..self.width as f32).contains(&point[0])
            && (0.0..self.height as f32).contains(&point[1])
    }

    /// Bilinear value at an offset from a point; beyond the border, the border.
    fn sample(&self, x: f32, y: f32) -> f32 {
        let limit_x = (self.stride - 2) as f32;
        let limit_y = (self.height + 2 * PAD - 2) as f32;
        let x = (x - 0.5 + PAD as f32).clamp(0.0, limit_x);
        let y = (y - 0.5 + PAD as f32).clamp(0.0, limit_y);
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let start = row * self.stride + column;
        let (above, below) = (&self.data[start..start + 2], &self.data[start + self.stride..][..2]);
        let top = above[0] + fx * (above[1] - above[0]);
        let bottom = below[0] + fx * (below[1] - below[0]);
        top + fy * (bottom - top)
    }

    /// First sample's cell and the bilinear weights of a patch of `side` centred at a point inside.
    fn corner(&self, centre: [f32; 2], side: usize) -> (usize, [f32; 4]) {
        let half = 0.5 * (side as f32 - 1.0);
        let x = centre[0] - 0.5 - half + PAD as f32;
        let y = centre[1] - 0.5 - half + PAD as f32;
        let (column, row) = (x as usize, y as usize);
        let (fx, fy) = (x - column as f32, y - row as f32);
        let weights = [(1. - fx) * (1. - fy), fx * (1. - fy), (1. - fx) * fy, fx * fy];
        (row * self.stride + column, weights)
    }
}

/// A template with its gradients, their means removed, times the window's weights.
struct Patch {
    values: [[f32; SIDE]; SIDE],
    by_x: [[f32; SIDE]; SIDE],
    by_y: [[f32; SIDE]; SIDE],
    mean: f32,
    /// Weighted sums of products: x x, x y, y y, x t, y t, t t.
    products: [f32; 6],
}

impl Patch {
    fn read(simd: Simd, level: &Level, centre: [f32; 2], warp: &Warp) -> Self {
        let mut wide = [[0.0; WIDE]; WIDE];
        if *warp == Warp::IDENTITY {
            let (start, weights) = level.corner(centre, WIDE);
            read_straight(simd, &level.data[start..], level.stride, &weights, &mut wide);
        } else {
            for (j, row) in wide.iter_mut().enumerate() {
                let v = j as f32 - HALF - 1.0;
                for (i, value) in row.iter_mut().enumerate() {
                    let u = i as f32 - HALF - 1.0;
                    let [x, y] = warp.offset(u, v);
                    *value = level.sample(centre[0] + x, centre[1] + y);
                }
            }
        }
        let mut patch = Self {
            values: [[0.0; SIDE]; SIDE],
            by_x: [[0.0; SIDE]; SIDE],
            by_y: [[0.0; SIDE]; SIDE],
            mean: 0.0,
            products: [0.0; 6],
        };
        differentiate(simd, &wide, &mut patch);
        patch
    }

    /// Inverse of the normal matrix of (x, y, gain); `None` with less texture than asked for.
    fn normal_inverse(&self, min_strength: f32) -> Option<Matrix3<f32>> {
        let [xx, xy, yy, xt, yt, tt] = self.products;
        // What the gain explains is no texture: the Schur complement of its row.
        let share = 1.0 / tt.max(f32::MIN_POSITIVE);
        let (a, b, c) = (xx - xt * xt * share, xy - xt * yt * share, yy - yt * yt * share);
        let smaller = 0.5 * (a + c) - (0.25 * (a - c) * (a - c) + b * b).sqrt();
        if smaller <= min_strength * COUNT {
            return None;
        }
        Matrix3::new(xx, xy, xt, xy, yy, yt, xt, yt, tt).try_inverse()
    }

    fn align(
        &self,
        simd: Simd,
        level: &Level,
        mut centre: [f32; 2],
        inverse: &Matrix3<f32>,
        options: &LkOptions,
    ) -> Option<[f32; 2]> {
        let start = centre;
        for _ in 0..options.iterations {
            if !level.holds(centre) {
                return None;
            }
            let (first, weights) = level.corner(centre, SIDE);
            let sums = compare(simd, &level.data[first..], level.stride, &weights, self);
            let solved = inverse * Vector3::new(sums[0], sums[1], sums[2]);
            let gain = solved.z;
            if !(0.2..5.0).contains(&gain) {
                return None;
            }
            // The image looks like the template seen from `centre + d`.
            let d = [solved.x / gain, solved.y / gain];
            let length = d[0].hypot(d[1]);
            let shorten = (0.25 * SIDE as f32 / length).min(1.0);
            centre = [centre[0] - shorten * d[0], centre[1] - shorten * d[1]];
            if (centre[0] - start[0]).hypot(centre[1] - start[1]) > SIDE as f32 {
                return None;
            }
            if length < options.epsilon_px {
                break;
            }
        }
        level.holds(centre).then_some(centre)
    }

    fn correlation(&self, simd: Simd, level: &Level, centre: [f32; 2]) -> Option<f32> {
        if !level.holds(centre) {
            return None;
        }
        let (first, weights) = level.corner(centre, SIDE);
        let sums = compare(simd, &level.data[first..], level.stride, &weights, self);
        let own = self.products[5];
        let other = sums[4] - sums[3] * sums[3] / COUNT;
        let norm = (own * other).sqrt();
        (norm > 1e-3).then(|| sums[2] / norm)
    }
}

multiversion! {
    fn read_straight(
        simd,
        data: &[f32],
        stride: usize,
        weights: &[f32; 4],
        wide: &mut [[f32; WIDE]; WIDE],
    ) {
        for (j, row) in wide.iter_mut().enumerate() {
            let above = &data[j * stride..][..WIDE + 1];
            let below = &data[(j + 1) * stride..][..WIDE + 1];
            for i in 0..WIDE {
                row[i] = weights[0] * above[i]
                    + weights[1] * above[i + 1]
                    + weights[2] * below[i]
                    + weights[3] * below[i + 1];
            }
        }
    }
}

multiversion! {
    /// Values and central differences of the inner patch, means removed, weighted.
    fn differentiate(simd, wide: &[[f32; WIDE]; WIDE], patch: &mut Patch) {
        let mut lanes = [[0.0f32; SIDE]; 3];
        for j in 0..SIDE {
            for i in 0..SIDE {
                let value = wide[j + 1][i + 1];
                let by_x = 0.5 * (wide[j + 1][i + 2] - wide[j + 1][i]);
                let by_y = 0.5 * (wide[j + 2][i + 1] - wide[j][i + 1]);
                patch.values[j][i] = value;
                patch.by_x[j][i] = by_x;
                patch.by_y[j][i] = by_y;
                let weight = WEIGHT[j] * WEIGHT[i];
                lanes[0][i] += weight * value;
                lanes[1][i] += weight * by_x;
                lanes[2][i] += weight * by_y;
            }
        }
        let means = lanes.map(|lane| lane.iter().sum::<f32>() / COUNT);
        patch.mean = means[0];
        let mut products = [[0.0f32; SIDE]; 6];
        for j in 0..SIDE {
            for i in 0..SIDE {
                let weight = WEIGHT[j] * WEIGHT[i];
                let t = patch.values[j][i] - means[0];
                let x = patch.by_x[j][i] - means[1];
                let y = patch.by_y[j][i] - means[2];
                products[0][i] += weight * x * x;
                products[1][i] += weight * x * y;
                products[2][i] += weight * y * y;
                products[3][i] += weight * x * t;
                products[4][i] += weight * y * t;
                products[5][i] += weight * t * t;
                patch.values[j][i] = weight * t;
                patch.by_x[j][i] = weight * x;
                patch.by_y[j][i] = weight * y;
            }
        }
        patch.products = products.map(|lane| lane.iter().sum());
    }
}

multiversion! {
    /// Weighted sums over the patch of the image (less the template's mean) times gradient x, gradient y
    /// and template, of the image, and of its square. Lane by lane, so that every instruction set adds in
    /// the same order.
    fn compare(
        simd,
        data: &[f32],
        stride: usize,
        weights: &[f32; 4],
        patch: &Patch,
    ) -> [f32; 5] {
        let mut lanes = [[0.0f32; SIDE]; 5];
        for j in 0..SIDE {
            let above = &data[j * stride..][..SIDE + 1];
            let below = &data[(j + 1) * stride..][..SIDE + 1];
            let (values, by_x, by_y) = (&patch.values[j], &patch.by_x[j], &patch.by_y[j]);
            for i in 0..SIDE {
                let value = weights[0] * above[i]
                    + weights[1] * above[i + 1]
                    + weights[2] * below[i]
                    + weights[3] * below[i + 1]
                    - patch.mean;
                lanes[0][i] += value * by_x[i];
                lanes[1][i] += value * by_y[i];
                lanes[2][i] += value * values[i];
                let weighted = WEIGHT[j] * WEIGHT[i] * value;
                lanes[3][i] += weighted;
                lanes[4][i] += weighted * value;
            }
        }
        lanes.map(|lane| lane.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::test_images::waves;
    use ommatidia_scene::GrayImage;

    fn pyramid(image: &GrayImage) -> Pyramid {
        Pyramid::new(Simd::detect(), image, 4)
    }

    fn check(shift: [f32; 2], guess: [f32; 2], tolerance: f32) {
        let (from, to) = (waves(200, 160, 0.0, 0.0), waves(200, 160, shift[0], shift[1]));
        let (from, to) = (pyramid(&from), pyramid(&to));
        let point = [100.3, 80.7];
        let guess = [point[0] + guess[0], point[1] + guess[1]];
        let options = LkOptions::default();
        for simd in Simd::available() {
            let found = track(simd, (&from, &to), point, guess, &Warp::IDENTITY, &options).unwrap();
            let error = (found.position[0] - point[0] - shift[0])
                .hypot(found.position[1] - point[1] - shift[1]);
            assert!(error < tolerance, "shift {shift:?}: off by {error} px");
            assert!(found.correlation > 0.99, "{}", found.correlation);
        }
    }

    #[test]
    fn follows_shifts_to_a_fiftieth_of_a_pixel() {
        check([0.0, 0.0], [0.0, 0.0], 1e-3);
        check([0.37, -0.81], [0.0, 0.0], 0.02);
        check([5.6, 3.2], [0.0, 0.0], 0.02);
        check([15.3, -9.4], [12.0, -7.0], 0.02);
    }

    #[test]
    fn gain_and_offset_do_not_move_it() {
        let from = waves(120, 120, 0.0, 0.0);
        let mut to = waves(120, 120, 1.3, -0.6);
        to.data.iter_mut().for_each(|v| *v = (0.6 * f32::from(*v) + 40.0).round() as u8);
        let (from, to) = (pyramid(&from), pyramid(&to));
        let options = LkOptions::default();
        let point = [60.0, 60.0];
        let found =
            track(Simd::detect(), (&from, &to), point, point, &Warp::IDENTITY, &options).unwrap();
        let error = (found.position[0] - 61.3).hypot(found.position[1] - 59.4);
        assert!(error < 0.03, "off by {error} px");
    }

    #[test]
    fn a_known_change_of_scale_is_undone() {
        let from = waves(200, 200, 0.0, 0.0);
        let scale = 1.3f32;
        // Content at p moves to 100 + 1.3 (p - 100).
        let small = pyramid(&from);
        let data = (0..200 * 200).map(|i| {
            let x = ((i % 200) as f32 + 0.5 - 100.0) / scale + 100.0;
            let y = ((i / 200) as f32 + 0.5 - 100.0) / scale + 100.0;
            small.levels[0].sample(x, y).round() as u8
        });
        let to = pyramid(&GrayImage::new(200, 200, data.collect()));
        let warp = Warp { linear: [[1.0 / scale, 0.0], [0.0, 1.0 / scale]], ..Warp::IDENTITY };
        let point = [110.0, 95.0];
        let options = LkOptions::default();
        let found =
            track(Simd::detect(), (&small, &to), point, [112.0, 94.0], &warp, &options).unwrap();
        let error = (found.position[0] - 113.0).hypot(found.position[1] - 93.5);
        assert!(error < 0.05, "off by {error} px");
        assert!(found.correlation > 0.99);
    }

    #[test]
    fn a_known_curvature_is_undone() {
        // Rows of `to` show `from` at a square: as a road does from nearer.
        let from = pyramid(&waves(200, 200, 0.0, 0.0));
        let (centre, curvature) = ([110.0f32, 95.0f32], -4e-3f32);
        let data = (0..200 * 200).map(|i| {
            let x = (i % 200) as f32 + 0.5;
            let v = (i / 200) as f32 + 0.5 - centre[1];
            from.levels[0].sample(x, centre[1] + v + curvature * v * v).round() as u8
        });
        let to = pyramid(&GrayImage::new(200, 200, data.collect()));
        let error = |quadratic: [[f32; 3]; 2]| {
            let warp = Warp { quadratic, ..Warp::IDENTITY };
            let options = LkOptions { coarsest: 1, ..LkOptions::default() };
            let simd = Simd::detect();
            let found = track(simd, (&from, &to), centre, centre, &warp, &options).unwrap();
            (found.position[0] - centre[0]).hypot(found.position[1] - centre[1])
        };
        let (unknown, known) = (error([[0.0; 3]; 2]), error([[0.0; 3], [0.0, 0.0, curvature]]));
        assert!(known < 0.01 && unknown > 0.04, "{known} px, not knowing it {unknown} px");
    }

    #[test]
    fn walls_rims_and_nonsense_are_refused() {
        let wall = pyramid(&GrayImage::new(80, 80, vec![100; 6400]));
        let texture = pyramid(&waves(80, 80, 0.0, 0.0));
        let (simd, options) = (Simd::detect(), LkOptions::default());
        let go = |from: &Pyramid, to: &Pyramid, point: [f32; 2], guess: [f32; 2]| {
            track(simd, (from, to), point, guess, &Warp::IDENTITY, &options)
        };
        assert_eq!(go(&wall, &wall, [40.0, 40.0], [40.0, 40.0]), None);
        assert_eq!(go(&texture, &texture, [-1.0, 40.0], [40.0, 40.0]), None);
        assert_eq!(go(&texture, &texture, [40.0, 40.0], [400.0, 40.0]), None);
        assert_eq!(go(&texture, &texture, [f32::NAN, 40.0], [40.0, 40.0]), None);
        // On the rim itself the patch reads the border.
        assert!(go(&texture, &texture, [0.5, 0.5], [0.5, 0.5]).is_some());
        let places = ([40.0, 40.0], &[[40.0, 40.0], [400.0, 40.0]][..]);
        assert_eq!(correlate(simd, (&texture, &wall), 0, places, &Warp::IDENTITY), [None, None]);
        let same = correlate(simd, (&texture, &texture), 0, places, &Warp::IDENTITY);
        assert!(same[0].is_some_and(|c| c > 0.999) && same[1].is_none());
    }
}
