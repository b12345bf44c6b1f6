//! Small numerics with the exact rules of the numeric tools that the official evaluations are written in.

/// Linear interpolation of `fp` over ascending `xp` at `x`; `left` and `right` beyond the ends. Where several `xp`
/// equal `x`, the last one counts. The rules of `numpy.interp`.
pub(crate) fn interpolate(x: f64, xp: &[f64], fp: &[f64], left: f64, right: f64) -> f64 {
    assert!(xp.len() == fp.len() && !xp.is_empty(), "as many values as places, at least one");
    if x.is_nan() {
        return x;
    }
    let last = xp.len() - 1;
    if x > xp[last] {
        return right;
    }
    let Some(j) = xp.partition_point(|&place| place <= x).checked_sub(1) else { return left };
    if j == last || xp[j] == x {
        return fp[j];
    }
    let slope = (fp[j + 1] - fp[j]) / (xp[j + 1] - xp[j]);
    let from_left = slope * (x - xp[j]) + fp[j];
    if !from_left.is_nan() {
        return from_left;
    }
    let from_right = slope * (x - xp[j + 1]) + fp[j + 1];
    if from_right.is_nan() && fp[j] == fp[j + 1] { fp[j] } else { from_right }
}

/// Mean of the numbers that are not NaN; NaN without such.
pub(crate) fn nan_mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0u64);
    for value in values.into_iter().filter(|value| !value.is_nan()) {
        sum += value;
        count += 1;
    }
    if count == 0 { f64::NAN } else { sum / count as f64 }
}

/// Mean; NaN of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sum in the order of `numpy.sum` over contiguous numbers: eight running sums, halves from 128 on.
pub(crate) fn pairwise_sum(values: &[f64]) -> f64 {
    const BLOCK: usize = 128;
    if values.len() < 8 {
        return values.iter().sum();
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % 8);
        return pairwise_sum(left) + pairwise_sum(right);
    }
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    let mut sums = [0.0; 8];
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    rest.iter().fold(((a + b) + (c + d)) + ((e + f) + (g + h)), |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_keeps_numpys_rules() {
        let check = |x: f64, expected: f64| {
            let (xp, fp) = ([0.0, 1.0, 1.0, 2.0], [5.0, 6.0, 8.0, 10.0]);
            assert_eq!(interpolate(x, &xp, &fp, -1.0, -2.0), expected, "{x}");
        };
        check(-0.1, -1.0);
        check(0.0, 5.0);
        check(0.5, 5.5);
        check(1.0, 8.0);
        check(1.5, 9.0);
        check(2.0, 10.0);
        check(2.1, -2.0);
        assert!(interpolate(f64::NAN, &[0.0], &[1.0], 0.0, 0.0).is_nan());
    }

    #[test]
    fn sums_are_complete() {
        for count in [0, 1, 7, 8, 9, 127, 128, 129, 1000] {
            let values: Vec<f64> = (0..count).map(f64::from).collect();
            assert_eq!(pairwise_sum(&values), f64::from(count * (count - 1) / 2));
        }
    }

    #[test]
    fn nan_is_left_out() {
        assert_eq!(nan_mean([1.0, f64::NAN, 3.0]), 2.0);
        assert!(nan_mean([f64::NAN]).is_nan());
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
    }
}
