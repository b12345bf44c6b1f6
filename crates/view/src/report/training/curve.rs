//! Long rows of numbers as lines of few points.

use crate::report::chart::Series;

/// Means over `count` stretches of steps; what is no number is left out.
pub(super) fn mean_curve(points: &[[f64; 2]], count: usize) -> Vec<[f64; 2]> {
    let finite: Vec<[f64; 2]> = points.iter().copied().filter(|p| p[1].is_finite()).collect();
    let stretch = finite.len().div_ceil(count.max(1)).max(1);
    let mean = |stretch: &[[f64; 2]]| {
        let sum = |axis: usize| stretch.iter().map(|p| p[axis]).sum::<f64>();
        [0, 1].map(|axis| sum(axis) / stretch.len() as f64)
    };
    finite.chunks(stretch).map(mean).collect()
}

/// At most about `count` of the points, and the last one.
pub(super) fn plain_curve(points: &[[f64; 2]], count: usize) -> Vec<[f64; 2]> {
    let every = points.len().div_ceil(count.max(1)).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points
        .iter()
        .enumerate()
        .filter(|(i, p)| p[1].is_finite() && (i.is_multiple_of(every) || *i == last));
    kept.map(|(_, p)| *p).collect()
}

/// Cuts off what is above nearly all of the lines, so that the first steps do not flatten the rest.
pub(super) fn cut_off(series: &mut [Series]) {
    let mut all: Vec<f64> = series.iter().flat_map(|s| s.points.iter().map(|p| p[1])).collect();
    all.sort_unstable_by(f64::total_cmp);
    let Some(&usual) = all.get(all.len() * 95 / 100) else { return };
    let low = all[0];
    let limit = usual + 0.25 * (usual - low);
    for point in series.iter_mut().flat_map(|series| &mut series.points) {
        point[1] = point[1].min(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_leave_out_what_is_no_number() {
        let points = [[1.0, 2.0], [2.0, f64::NAN], [3.0, 4.0], [4.0, 10.0]];
        assert_eq!(mean_curve(&points, 2), [[2.0, 3.0], [4.0, 10.0]]);
        assert_eq!(mean_curve(&[], 2), [[0.0; 2]; 0]);
        assert_eq!(plain_curve(&points, 2), [[1.0, 2.0], [3.0, 4.0], [4.0, 10.0]]);
    }
}
