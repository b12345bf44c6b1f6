//! Semi-global matching by its definition, and the fast one held against it.

use ommatidia_scene::GrayImage;

use super::census::census_reference;
use super::cost::OUTSIDE;
use super::test_images::{noise, random};
use super::{Disparity, Matcher, SgmConfig};
use crate::simd::Simd;

/// Matching costs `[y][x][d]`.
fn costs(left: &GrayImage, right: &GrayImage, disparities: usize) -> Vec<Vec<Vec<i32>>> {
    let (width, height) = (left.width, left.height);
    let (words_left, words_right) = (census_reference(left), census_reference(right));
    let gradient = |image: &GrayImage, x: usize, y: usize| {
        let column = |x: usize| {
            let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)];
            let [above, here, below] = rows.map(|y| i32::from(image.at(x, y)));
            above + 2 * here + below
        };
        (128 + (column((x + 1).min(width - 1)) - column(x.saturating_sub(1))) / 2).clamp(0, 255)
    };
    let cost = |x: usize, y: usize, d: usize| {
        if d > x {
            return i32::from(OUTSIDE);
        }
        let bits = (words_left[y * width + x] ^ words_right[y * width + x - d]).count_ones() as i32;
        bits + ((gradient(left, x, y) - gradient(right, x - d, y)).abs() / 4).min(15)
    };
    let row = |y| (0..width).map(|x| (0..disparities).map(|d| cost(x, y, d)).collect()).collect();
    (0..height).map(row).collect()
}

/// Sums of the path costs of all eight directions.
fn sums(guide: &GrayImage, costs: &[Vec<Vec<i32>>], config: &SgmConfig) -> Vec<Vec<Vec<i32>>> {
    let (width, height) = (guide.width as isize, guide.height as isize);
    let mut sums: Vec<Vec<Vec<i32>>> =
        costs.iter().map(|row| row.iter().map(|c| vec![0; c.len()]).collect()).collect();
    let directions = [(1, 0), (-1, 0), (0, 1), (1, 1), (-1, 1), (0, -1), (1, -1), (-1, -1)];
    for (dx, dy) in directions {
        let mut paths = vec![vec![Vec::new(); width as usize]; height as usize];
        for i in 0..width * height {
            let i = if (dy, dx) > (0, 0) { i } else { width * height - 1 - i };
            let (x, y) = (i % width, i / width);
            let (px, py) = (x - dx, y - dy);
            let inside = (0..width).contains(&px) && (0..height).contains(&py);
            let matching = &costs[y as usize][x as usize];
            let path: Vec<i32> = if inside {
                let previous: &Vec<i32> = &paths[py as usize][px as usize];
                let (a, b) = (guide.at(x as usize, y as usize), guide.at(px as usize, py as usize));
                let large = i32::from(config.penalties.large[usize::from(a.abs_diff(b))]);
                let small = i32::from(config.penalties.small);
                let least = *previous.iter().min().expect("disparities");
                let best = |d: usize| {
                    let near = |d: Option<usize>| {
                        d.and_then(|d| previous.get(d)).map_or(i32::MAX, |cost| cost + small)
                    };
                    previous[d]
                        .min(near(d.checked_sub(1)))
                        .min(near(Some(d + 1)))
                        .min(least + large)
                };
                (0..matching.len()).map(|d| matching[d] + best(d) - least).collect()
            } else {
                matching.clone()
            };
            for (sum, cost) in sums[y as usize][x as usize].iter_mut().zip(&path) {
                *sum += cost;
            }
            paths[y as usize][x as usize] = path;
        }
    }
    sums
}

/// Whole disparities that win in the left and, per right pixel, in the right view.
fn winners(sums: &[Vec<Vec<i32>>]) -> (Vec<usize>, Vec<Option<usize>>) {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for row in sums {
        for (x, costs) in row.iter().enumerate() {
            left.push((0..costs.len()).min_by_key(|&d| costs[d]).expect("disparities"));
            let partner = |d: &usize| x + d < row.len();
            right.push((0..costs.len()).filter(partner).min_by_key(|&d| row[x + d][d]));
        }
    }
    (left, right)
}

fn check(left: &GrayImage, right: &GrayImage, disparities: usize) -> Disparity {
    let config = SgmConfig::for_range(disparities);
    let sums = sums(left, &costs(left, right, disparities), &config);
    let (best, best_right) = winners(&sums);
    let consistent: Vec<bool> = (0..best.len())
        .map(|i| {
            let x = i % left.width;
            let seen = best[i] <= x;
            seen && best_right[i - best[i]].is_some_and(|d| d.abs_diff(best[i]) <= 1)
        })
        .collect();
    let mut results = Vec::new();
    let mut matcher = Matcher::default();
    for simd in Simd::available() {
        let found = matcher.compute(simd, left, right, &config);
        for (i, &value) in found.values.iter().enumerate() {
            let exact = best[i] as i32 * 256;
            assert!((i32::from(value) - exact).abs() <= 128, "{simd:?} pixel {i}");
        }
        assert_eq!(found.consistent, consistent, "{simd:?}");
        results.push(found);
    }
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "all instruction sets agree");
    results.swap_remove(0)
}

/// A noise image and the same moved left by `shift`, both with a little noise of their own.
fn shifted(width: usize, height: usize, shift: usize) -> (GrayImage, GrayImage) {
    let scene = noise(width + shift, height, 11);
    let mut next = random(5);
    let mut view = |start: usize| {
        let rows = scene.data.chunks_exact(width + shift);
        let pixels = rows.flat_map(|row| row[start..start + width].to_vec());
        pixels.map(|v| v.saturating_add((next() >> 62) as u8)).collect()
    };
    let left = GrayImage::new(width, height, view(0));
    (left, GrayImage::new(width, height, view(shift)))
}

#[test]
fn equals_its_definition_on_noise_of_odd_sizes() {
    for (width, height, disparities) in
        [(1, 1, 64), (5, 1, 64), (1, 7, 64), (37, 9, 64), (90, 12, 128), (50, 5, 192), (30, 4, 256)]
    {
        check(&noise(width, height, 1), &noise(width, height, 2), disparities);
    }
}

#[test]
fn finds_a_known_shift() {
    let (left, right) = shifted(120, 24, 17);
    let found = check(&left, &right, 64);
    let pixels = (0..24).flat_map(|y| (24..116).map(move |x| y * 120 + x));
    let right_ones =
        pixels.filter(|&i| found.consistent[i] && found.values[i].abs_diff(17 * 256) < 64);
    assert!(right_ones.count() > 24 * 92 * 95 / 100);
}

#[test]
fn no_pixels_no_disparities() {
    let none = GrayImage::new(0, 0, Vec::new());
    let config = SgmConfig::for_range(64);
    let found = Matcher::default().compute(Simd::detect(), &none, &none, &config);
    assert_eq!(found, Disparity::default());
}
