//! Corners worth following, spread over the image. Shi & Tomasi 1994, *Good features to track*.

use rayon::prelude::*;

use super::Level;
use crate::simd::{Simd, multiversion};

/// Rows and columns of the window that gradients are summed over: 2 * RADIUS + 1.
const RADIUS: usize = 2;
const SIDE: usize = 2 * RADIUS + 1;

/// Rows that one task works on.
const ROWS_PER_TASK: usize = 64;

/// A corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Corner {
    /// Position, pixels, pixel centres at integer + 0.5.
    pub position: [f32; 2],
    /// The smaller eigenvalue of the mean structure tensor, squared grey values per squared pixel.
    pub strength: f32,
}

/// How corners are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CornerOptions {
    /// Side of the square cells, pixels.
    pub cell_px: usize,
    /// Most corners of a cell, strongest first.
    pub per_cell: usize,
    /// Weakest that counts, squared grey values per squared pixel.
    pub min_strength: f32,
    /// Distance from the image's rim that is left out, pixels.
    pub border_px: usize,
}

/// Local maxima of [`minimum_eigenvalues`], the strongest of each cell; cells row by row.
pub fn corners(simd: Simd, level: &Level, options: &CornerOptions) -> Vec<Vec<Corner>> {
    let strengths = minimum_eigenvalues(simd, level);
    let cell = options.cell_px.max(1);
    let (columns, rows) = (level.width.div_ceil(cell), level.height.div_ceil(cell));
    let border = options.border_px.max(1);
    let in_cell = |index: usize| {
        let (left, top) = (index % columns * cell, index / columns * cell);
        let mut found: Vec<Corner> = Vec::new();
        for y in top.max(border)..(top + cell).min(level.height.saturating_sub(border)) {
            for x in left.max(border)..(left + cell).min(level.width.saturating_sub(border)) {
                let strength = strengths[y * level.width + x];
                let weakest = found.get(options.per_cell.wrapping_sub(1)).map(|c| c.strength);
                let floor = weakest.map_or(options.min_strength, |w| w.max(options.min_strength));
                if strength > floor && is_maximum(&strengths, level.width, x, y) {
                    let at = found.partition_point(|corner| corner.strength >= strength);
                    let position = [x as f32 + 0.5, y as f32 + 0.5];
                    found.insert(at, Corner { position, strength });
                    found.truncate(options.per_cell);
                }
            }
        }
        found
    };
    (0..columns * rows).map(in_cell).collect()
}

/// Larger than its eight neighbours; of equals the first in reading order counts.
fn is_maximum(strengths: &[f32], width: usize, x: usize, y: usize) -> bool {
    let centre = y * width + x;
    let value = strengths[centre];
    let before = [centre - width - 1, centre - width, centre - width + 1, centre - 1];
    let after = [centre + 1, centre + width - 1, centre + width, centre + width + 1];
    before.iter().all(|&i| strengths[i] < value) && after.iter().all(|&i| strengths[i] <= value)
}

/// For each pixel the smaller eigenvalue of the structure tensor averaged over 5 x 5 pixels.
/// Row-major, `width * height`. Gradients are central differences.
pub fn minimum_eigenvalues(simd: Simd, level: &Level) -> Vec<f32> {
    let mut strengths = vec![0.0; level.width * level.height];
    let bands = strengths.par_chunks_mut(ROWS_PER_TASK * level.width).enumerate();
    bands.for_each(|(band, out)| band_strengths(simd, level, band * ROWS_PER_TASK, out));
    strengths
}

/// Strengths of some rows, from `first`.
fn band_strengths(simd: Simd, level: &Level, first: usize, out: &mut [f32]) {
    let width = level.width;
    // Horizontally summed products of the last rows, as a ring.
    let mut ring = vec![[vec![0.0; width], vec![0.0; width], vec![0.0; width]]; SIDE];
    let mut products = [(); 3].map(|()| vec![0.0; width + 2 * RADIUS]);
    let rows = out.len() / width;
    for step in 0..rows + 2 * RADIUS {
        let y = first as isize + step as isize - RADIUS as isize;
        let y = y.clamp(0, level.height as isize - 1);
        let lines = [y - 1, y, y + 1].map(|y| level.row_with_neighbours(y));
        let [xx, xy, yy] = &mut products;
        gradient_products(simd, lines, xx, xy, yy);
        for (product, sum) in products.iter_mut().zip(&mut ring[step % SIDE]) {
            sum_along(simd, product, sum);
        }
        if step >= 2 * RADIUS {
            let row = &mut out[(step - 2 * RADIUS) * width..][..width];
            smaller_eigenvalues(simd, &ring, row);
        }
    }
}

multiversion! {
    fn gradient_products(simd, lines: [&[f32]; 3], xx: &mut [f32], xy: &mut [f32], yy: &mut [f32]) {
        let width = lines[1].len() - 2;
        let [above, here, below] = lines.map(|line| &line[..width + 2]);
        let (xx, xy, yy) = (
            &mut xx[RADIUS..RADIUS + width],
            &mut xy[RADIUS..RADIUS + width],
            &mut yy[RADIUS..RADIUS + width],
        );
        for x in 0..width {
            let gx = 0.5 * (here[x + 2] - here[x]);
            let gy = 0.5 * (below[x + 1] - above[x + 1]);
            xx[x] = gx * gx;
            xy[x] = gx * gy;
            yy[x] = gy * gy;
        }
    }
}

multiversion! {
    /// Sums over the window along x. Beyond the rim the products are zero.
    fn sum_along(simd, product: &[f32], sum: &mut [f32]) {
        let width = sum.len();
        let product = &product[..width + 2 * RADIUS];
        for x in 0..width {
            sum[x] = product[x] + product[x + 1] + product[x + 2] + product[x + 3] + product[x + 4];
        }
    }
}

multiversion! {
    fn smaller_eigenvalues(simd, ring: &[[Vec<f32>; 3]], out: &mut [f32]) {
        let width = out.len();
        let rows: [[&[f32]; 3]; SIDE] = std::array::from_fn(|i| {
            std::array::from_fn(|k| &ring[i][k][..width])
        });
        let scale = 1.0 / (SIDE * SIDE) as f32;
        for x in 0..width {
            let total = |k: usize| {
                rows[0][k][x] + rows[1][k][x] + rows[2][k][x] + rows[3][k][x] + rows[4][k][x]
            };
            let (xx, xy, yy) = (total(0), total(1), total(2));
            let (mean, half) = (0.5 * (xx + yy), 0.5 * (xx - yy));
            out[x] = scale * (mean - (half * half + xy * xy).sqrt());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Pyramid, test_images::waves};
    use ommatidia_scene::GrayImage;

    fn reference(level: &Level, x: isize, y: isize) -> f32 {
        let (width, height) = (level.width as isize, level.height as isize);
        let at = |x: isize, y: isize| {
            level.at(x.clamp(0, width - 1) as usize, y.clamp(0, height - 1) as usize)
        };
        let mut tensor = nalgebra::Matrix2::<f32>::zeros();
        for v in y - 2..=y + 2 {
            let v = v.clamp(0, height - 1);
            for u in x - 2..=x + 2 {
                if (0..width).contains(&u) {
                    let gradient = nalgebra::Vector2::new(
                        0.5 * (at(u + 1, v) - at(u - 1, v)),
                        0.5 * (at(u, v + 1) - at(u, v - 1)),
                    );
                    tensor += gradient * gradient.transpose() / 25.0;
                }
            }
        }
        tensor.symmetric_eigenvalues().min()
    }

    #[test]
    fn agrees_with_the_reference_on_every_instruction_set() {
        let image = waves(143, 151, 0.0, 0.0);
        let portable = Pyramid::new(Simd::portable(), &image, 1);
        let expected = minimum_eigenvalues(Simd::portable(), &portable.levels[0]);
        for simd in Simd::available() {
            assert_eq!(minimum_eigenvalues(simd, &portable.levels[0]), expected);
        }
        for (x, y) in [(0, 0), (142, 150), (70, 63), (70, 64), (70, 65), (5, 100)] {
            let found = expected[y * 143 + x];
            let plain = reference(&portable.levels[0], x as isize, y as isize);
            assert!((found - plain).abs() < 0.01 * plain.abs() + 0.05, "{found} {plain}");
        }
    }

    #[test]
    fn finds_the_corners_of_a_square_and_nothing_on_a_plain_wall() {
        let value = |i: usize| {
            let (x, y) = (i % 64, i / 64);
            if (20..40).contains(&x) && (24..44).contains(&y) { 200 } else { 50 }
        };
        let square = GrayImage::new(64, 64, (0..64 * 64).map(value).collect());
        let options = CornerOptions { cell_px: 32, per_cell: 2, min_strength: 5.0, border_px: 4 };
        let simd = Simd::detect();
        let found = corners(simd, &Pyramid::new(simd, &square, 1).levels[0], &options);
        let strongest: Vec<[f32; 2]> = found.iter().map(|cell| cell[0].position).collect();
        for (position, expected) in
            strongest.iter().zip([[20., 24.], [40., 24.], [20., 44.], [40., 44.]])
        {
            let off = (position[0] - expected[0]).hypot(position[1] - expected[1]);
            assert!(off < 3.0, "{position:?} instead of {expected:?}");
        }
        let wall = GrayImage::new(64, 64, vec![90; 64 * 64]);
        let found = corners(simd, &Pyramid::new(simd, &wall, 1).levels[0], &options);
        assert!(found.iter().all(Vec::is_empty));
    }
}
