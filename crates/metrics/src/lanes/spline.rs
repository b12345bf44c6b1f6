//! The spline through a CULane lane's points.

type Point = [f32; 2];

/// Points per piece of the spline in the official program.
const STEPS: usize = 50;

/// CULane's interpolation: the natural spline through three or more points, 50 points per piece and the last
/// one; fewer points are left as they are. In 32-bit points as the official program holds them.
pub fn culane_spline(points: &[Point]) -> Vec<Point> {
    if points.len() <= 2 { points.to_vec() } else { natural_spline(points, STEPS) }
}

/// Points of the natural cubic spline over the length of chords, `steps` per piece and the last point.
///
/// As `Spline::cal_fun` of CULane's evaluation: second derivatives from the tridiagonal system with zero at both
/// ends. Points that coincide divide by their distance, 0, and give NaN, which nothing draws.
pub fn natural_spline(points: &[Point], steps: usize) -> Vec<Point> {
    let n = points.len();
    assert!(n > 2, "a spline has three points");
    let chord: Vec<f64> = points
        .windows(2)
        .map(|p| {
            let d = [p[1][0] - p[0][0], p[1][1] - p[0][1]].map(f64::from);
            (d[0] * d[0] + d[1] * d[1]).sqrt()
        })
        .collect();
    let curvature = [0, 1].map(|axis| second_derivatives(points, &chord, axis));
    let mut found = Vec::with_capacity((n - 1) * steps + 1);
    for i in 0..n - 1 {
        let h = chord[i];
        let cubic = [0, 1].map(|axis| {
            let (m, next) = (curvature[axis][i], curvature[axis][i + 1]);
            let rise = f64::from(points[i + 1][axis] - points[i][axis]);
            let b = rise / h - (2.0 * h * m + h * next) / 6.0;
            [f64::from(points[i][axis]), b, m / 2.0, (next - m) / (6.0 * h)]
        });
        for k in 0..steps {
            let t = h / steps as f64 * k as f64;
            found
                .push(cubic.map(|[a, b, c, d]| (a + b * t + c * t.powi(2) + d * t.powi(3)) as f32));
        }
    }
    found.push(points[n - 1]);
    found
}

/// Second derivatives at the points, by the Thomas algorithm.
fn second_derivatives(points: &[Point], chord: &[f64], axis: usize) -> Vec<f64> {
    let inner = points.len() - 2;
    let slope = |i: usize| f64::from(points[i + 1][axis] - points[i][axis]) / chord[i];
    let (mut upper, mut right) = (vec![0.0; inner], vec![0.0; inner]);
    for i in 0..inner {
        let (before_upper, before_right) =
            if i == 0 { (0.0, 0.0) } else { (upper[i - 1], right[i - 1]) };
        let pivot = 2.0 * (chord[i] + chord[i + 1]) - chord[i] * before_upper;
        upper[i] = chord[i + 1] / pivot;
        right[i] = (6.0 * (slope(i + 1) - slope(i)) - chord[i] * before_right) / pivot;
    }
    let mut found = vec![0.0; points.len()];
    for i in (0..inner).rev() {
        found[i + 1] = right[i] - upper[i] * found[i + 2];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_through_its_points_and_keeps_straight_lines_straight() {
        let points = [[0.0, 0.0], [3.0, 4.0], [9.0, 5.0], [12.0, 1.0]];
        let found = natural_spline(&points, 10);
        assert_eq!(found.len(), 31);
        for (k, p) in points.iter().enumerate() {
            let at = found[10 * k];
            assert!((at[0] - p[0]).abs() < 1e-5 && (at[1] - p[1]).abs() < 1e-5, "{at:?} {p:?}");
        }
        let straight = natural_spline(&[[0.0, 0.0], [1.0, 2.0], [4.0, 8.0]], 50);
        assert!(straight.iter().all(|p| (p[1] - 2.0 * p[0]).abs() < 1e-5));
        assert_eq!(culane_spline(&points[..2]), &points[..2]);
    }
}
