//! What the lens does: fall-off, glare, dirt.

use super::LinearImage;
use crate::noise::Stream;

/// Less light towards the corners.
pub(super) struct FallOff {
    size: [usize; 2],
    strength: f32,
}

impl FallOff {
    /// `strength`: share of the light that the corners lose.
    pub(super) fn new(width: usize, height: usize, strength: f32) -> Self {
        Self { size: [width, height], strength }
    }

    pub(super) fn size(&self) -> [usize; 2] {
        self.size
    }

    /// The fourth power of the cosine, the natural fall-off of a thin lens, scaled to the corners.
    pub(super) fn apply(&self, y: usize, row: &mut [[f32; 3]]) {
        let [width, height] = self.size.map(|side| side as f32);
        let corner = 0.25 * (width * width + height * height);
        // (1 + tan^2)^-2 at the corner is 1 - strength.
        let tan_squared = (1.0 - self.strength).powf(-0.5) - 1.0;
        let down = y as f32 + 0.5 - 0.5 * height;
        for (x, pixel) in row.iter_mut().enumerate() {
            let across = x as f32 + 0.5 - 0.5 * width;
            let radius = (across * across + down * down) / corner;
            let through = 1.0 / (1.0 + tan_squared * radius);
            *pixel = pixel.map(|light| light * through * through);
        }
    }
}

/// Light scattered around bright places: a coarse image, blurred at two widths.
pub(super) struct Glare {
    cells: [usize; 2],
    rgb: Vec<[f32; 3]>,
    share: f32,
    mean: [f32; 3],
}

/// Pixels of a side of a coarse cell.
const CELL_PX: usize = 8;
/// Widths of the scattered light over the image's width, and their shares (a narrow core, a wide veil:
/// the shape of measured glare spread functions, McCann and Rizzi 2007).
const GLARE_WIDTHS: [(f32, f32); 2] = [(0.012, 0.65), (0.08, 0.35)];

impl Glare {
    pub(super) fn new(light: &LinearImage, share: f32) -> Self {
        let cells = [light.width.div_ceil(CELL_PX).max(1), light.height.div_ceil(CELL_PX).max(1)];
        let coarse = shrink(light, cells);
        let count = coarse.len() as f32;
        let mean = std::array::from_fn(|c| coarse.iter().map(|rgb| rgb[c]).sum::<f32>() / count);
        let mut rgb = vec![[0.0; 3]; coarse.len()];
        for (width, weight) in GLARE_WIDTHS {
            let radius = ((width * cells[0] as f32).round() as usize).max(1);
            let mut wide = coarse.clone();
            // Three boxes are close to a Gaussian.
            for _ in 0..3 {
                box_blur(&mut wide, cells, radius, 1);
                box_blur(&mut wide, cells, radius, cells[0]);
            }
            for (sum, add) in rgb.iter_mut().zip(&wide) {
                *sum = std::array::from_fn(|c| sum[c] + weight * add[c]);
            }
        }
        Self { cells, rgb, share, mean }
    }

    /// Average radiance of the picture.
    pub(super) fn mean(&self) -> [f32; 3] {
        self.mean
    }

    pub(super) fn add(&self, y: usize, row: &mut [[f32; 3]]) {
        if self.share == 0.0 {
            return;
        }
        let [across, down] = self.cells;
        let place = |i: usize, count: usize| {
            let at = ((i as f32 + 0.5) / CELL_PX as f32 - 0.5).clamp(0.0, (count - 1) as f32);
            (at as usize, (at as usize + 1).min(count - 1), at.fract())
        };
        let (top, bottom, t) = place(y, down);
        for (x, pixel) in row.iter_mut().enumerate() {
            let (left, right, s) = place(x, across);
            let at = |column: usize, line: usize| self.rgb[line * across + column];
            let corners = [at(left, top), at(right, top), at(left, bottom), at(right, bottom)];
            for c in 0..3 {
                let above = corners[0][c] + s * (corners[1][c] - corners[0][c]);
                let below = corners[2][c] + s * (corners[3][c] - corners[2][c]);
                let veil = above + t * (below - above);
                pixel[c] += self.share * (veil - pixel[c]);
            }
        }
    }
}

fn shrink(light: &LinearImage, [across, down]: [usize; 2]) -> Vec<[f32; 3]> {
    let mut coarse = Vec::with_capacity(across * down);
    for line in 0..down {
        for column in 0..across {
            let rows = line * CELL_PX..((line + 1) * CELL_PX).min(light.height);
            let columns = column * CELL_PX..((column + 1) * CELL_PX).min(light.width);
            let count = (rows.len() * columns.len()).max(1) as f32;
            let mut sum = [0.0f32; 3];
            for y in rows {
                for pixel in &light.rgb[y * light.width..][columns.clone()] {
                    for c in 0..3 {
                        sum[c] += pixel[c];
                    }
                }
            }
            coarse.push(sum.map(|s| s / count));
        }
    }
    coarse
}

/// A running mean over `2 radius + 1` cells along rows (`stride` 1) or columns (`stride` the row's
/// length), the border repeated.
fn box_blur(cells: &mut [[f32; 3]], [across, down]: [usize; 2], radius: usize, stride: usize) {
    let (lines, length, step) =
        if stride == 1 { (down, across, across) } else { (across, down, 1) };
    let mut line = vec![[0.0f32; 3]; length];
    for index in 0..lines {
        let start = index * step;
        for (i, cell) in line.iter_mut().enumerate() {
            *cell = cells[start + i * stride];
        }
        let at = |i: isize| line[i.clamp(0, length as isize - 1) as usize];
        let reach = radius as isize;
        for c in 0..3 {
            let mut sum: f32 = (-reach..=reach).map(|i| at(i)[c]).sum();
            for i in 0..length as isize {
                cells[start + i as usize * stride][c] = sum / (2 * radius + 1) as f32;
                sum += at(i + reach + 1)[c] - at(i - reach)[c];
            }
        }
    }
}

/// Specks and smears on the lens, out of focus. They take light and scatter the picture's average.
pub(super) struct Dirt {
    width: usize,
    /// How much of each pixel is covered.
    cover: Vec<f32>,
}

impl Dirt {
    /// `share` of the lens is covered.
    pub(super) fn new(width: usize, height: usize, share: f32, seed: u64) -> Self {
        let mut stream = Stream::new(seed ^ 0xd1a7);
        let mut cover = vec![0.0f32; width * height];
        let area = (width * height) as f64;
        let mut left = f64::from(share) * area;
        while left > 0.0 {
            // Many small specks, few large smears.
            let radius = width as f64 * 0.008 * (1.0 / stream.range(0.02, 1.0)).powf(0.7);
            let (x, y) = (stream.range(0.0, width as f64), stream.range(0.0, height as f64));
            let (opacity, squeeze) = (stream.range(0.25, 0.85), stream.range(0.6, 1.6));
            spot(&mut cover, width, [x, y], [radius * squeeze, radius / squeeze], opacity as f32);
            left -= std::f64::consts::PI * radius * radius;
        }
        Self { width, cover }
    }

    pub(super) fn cover(&self, y: usize, row: &mut [[f32; 3]], mean: [f32; 3]) {
        let line = &self.cover[y * self.width..(y + 1) * self.width];
        for (pixel, &covered) in row.iter_mut().zip(line) {
            // Dry mud is brown and passes half of the scattered light.
            let veil = [0.50 * mean[0], 0.44 * mean[1], 0.36 * mean[2]];
            *pixel = std::array::from_fn(|c| pixel[c] + covered * (veil[c] - pixel[c]));
        }
    }
}

fn spot(cover: &mut [f32], width: usize, [x, y]: [f64; 2], [across, down]: [f64; 2], opacity: f32) {
    let height = cover.len() / width.max(1);
    let span = |centre: f64, half: f64, end: usize| {
        let low = (centre - half).floor().clamp(0.0, end as f64) as usize;
        low..(centre + half).ceil().clamp(low as f64, end as f64) as usize
    };
    for row in span(y, 1.5 * down, height) {
        for column in span(x, 1.5 * across, width) {
            let u = (column as f64 + 0.5 - x) / across;
            let v = (row as f64 + 0.5 - y) / down;
            let inside = (1.5 - (u * u + v * v).sqrt()).clamp(0.0, 1.0) as f32;
            let cell = &mut cover[row * width + column];
            *cell += opacity * inside * inside * (1.0 - *cell);
        }
    }
}
