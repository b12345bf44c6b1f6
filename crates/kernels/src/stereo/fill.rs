//! Fills holes in a disparity image along its rows.

use rayon::prelude::*;

use super::UNITS;

/// How far and how boldly holes are filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FillConfig {
    /// Both sides of a hole belong to one surface if they differ by no more, 1/256 pixel ...
    pub same_surface: u16,
    /// ... plus this for each pixel of the hole's length.
    pub slope: u16,
    /// Pixels whose distance to their support is larger stay empty.
    pub longest_px: usize,
}

/// Over how many pixels of support the slope of a surface is taken.
const SLOPE_SPAN: usize = 16;

/// Fills zeros of `values` and gives the distance to the support for every pixel filled, else 0.
///
/// Between two sides of one surface disparity is interpolated. Otherwise the hole lies behind the
/// nearer side, hidden from the other camera: the farther side goes on along its own slope. At the
/// image's edge the one side there is goes on. Distances saturate at 255 pixels; where only one side
/// supports a pixel its distance counts double.
pub fn fill_rows(values: &mut [u16], width: usize, config: &FillConfig) -> Vec<u8> {
    let mut distance = vec![0; values.len()];
    if width > 0 {
        let rows = values.par_chunks_exact_mut(width).zip(distance.par_chunks_exact_mut(width));
        rows.for_each(|(row, distance)| fill_row(row, distance, config));
    }
    distance
}

fn fill_row(row: &mut [u16], distance: &mut [u8], config: &FillConfig) {
    let mut x = 0;
    while x < row.len() {
        if row[x] != 0 {
            x += 1;
            continue;
        }
        let start = x;
        while x < row.len() && row[x] == 0 {
            x += 1;
        }
        fill_hole(row, distance, start..x, config);
    }
}

fn fill_hole(
    row: &mut [u16],
    distance: &mut [u8],
    hole: std::ops::Range<usize>,
    config: &FillConfig,
) {
    let left = hole.start.checked_sub(1).filter(|&x| distance[x] == 0 && row[x] != 0);
    let right = Some(hole.end).filter(|&x| x < row.len());
    let length = hole.len();
    let slack = usize::from(config.same_surface) + usize::from(config.slope) * length;
    match (left, right) {
        (Some(a), Some(b)) if usize::from(row[a].abs_diff(row[b])) <= slack => {
            let (from, to) = (i64::from(row[a]), i64::from(row[b]));
            for x in hole {
                let near = (x - a).min(b - x);
                if near <= config.longest_px {
                    let value = from + (to - from) * (x - a) as i64 / (length as i64 + 1);
                    (row[x], distance[x]) = (value as u16, near.min(255) as u8);
                }
            }
        }
        (Some(a), Some(b)) if row[a] < row[b] => extend(row, distance, a, hole, config),
        (Some(a), None) => extend(row, distance, a, hole, config),
        (_, Some(b)) => extend(row, distance, b, hole, config),
        (None, None) => {}
    }
}

/// Goes on from pixel `support` into the hole next to it, along the slope of what lies behind it.
fn extend(
    row: &mut [u16],
    distance: &mut [u8],
    support: usize,
    hole: std::ops::Range<usize>,
    config: &FillConfig,
) {
    let slope = slope_at(row, distance, support, support < hole.start);
    for x in hole {
        let away = x.abs_diff(support);
        if 2 * away <= config.longest_px {
            let value = i64::from(row[support]) + slope * away as i64 / SLOPE_SPAN as i64;
            let value = value.clamp(1, i64::from(u16::MAX));
            (row[x], distance[x]) = (value as u16, (2 * away).min(255) as u8);
        }
    }
}

/// Change of disparity over [`SLOPE_SPAN`] pixels towards the hole; 0 where the support is too short
/// or not smooth.
fn slope_at(row: &[u16], distance: &[u8], support: usize, hole_is_right: bool) -> i64 {
    let step = |k: usize| {
        let x = if hole_is_right { support.checked_sub(k) } else { Some(support + k) };
        x.filter(|&x| x < row.len() && row[x] != 0 && distance[x] == 0).map(|x| row[x])
    };
    let mut previous = row[support];
    for k in 1..=SLOPE_SPAN {
        match step(k) {
            Some(value) if value.abs_diff(previous) <= UNITS => previous = value,
            _ => return 0,
        }
    }
    i64::from(row[support]) - i64::from(previous)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: FillConfig = FillConfig { same_surface: 512, slope: 0, longest_px: 50 };

    fn check(row: &[u16], expected: &[u16]) {
        let mut found = row.to_vec();
        let distance = fill_rows(&mut found, row.len(), &CONFIG);
        assert_eq!(found, expected);
        for x in 0..row.len() {
            assert_eq!(distance[x] > 0, row[x] == 0 && expected[x] > 0, "pixel {x}");
        }
    }

    #[test]
    fn one_surface_is_interpolated() {
        check(&[1000, 0, 0, 0, 1400], &[1000, 1100, 1200, 1300, 1400]);
    }

    #[test]
    fn what_is_hidden_belongs_to_the_background() {
        check(&[1000, 0, 0, 9000], &[1000, 1000, 1000, 9000]);
        check(&[9000, 0, 0, 1000], &[9000, 1000, 1000, 1000]);
    }

    #[test]
    fn margins_go_on_along_the_slope() {
        let ramp: Vec<u16> = (0..40).map(|x| 4000 - 32 * x).collect();
        let mut row = ramp.clone();
        row[..10].fill(0);
        check(&row, &ramp);
        let mut row = ramp.clone();
        row[30..].fill(0);
        check(&row, &ramp);
    }

    #[test]
    fn nothing_comes_from_nothing() {
        check(&[], &[]);
        check(&[0, 0, 0], &[0, 0, 0]);
    }

    #[test]
    fn far_from_support_stays_empty() {
        let mut row = vec![0; 200];
        row[0] = 700;
        let mut expected = vec![0; 200];
        expected[..=25].fill(700);
        check(&row, &expected);
    }
}
