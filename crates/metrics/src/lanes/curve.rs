//! Distances between polylines, and points along them. Coordinates in any one unit.

/// Distance of two points.
pub fn distance<const D: usize>(a: &[f64; D], b: &[f64; D]) -> f64 {
    (0..D).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
}

/// Mean of both directions' mean distance to the nearest point; NaN where a side is empty.
///
/// OpenLane-V2's and MapTR's chamfer distance: between points, not between lines.
pub fn chamfer<const D: usize>(a: &[[f64; D]], b: &[[f64; D]]) -> f64 {
    let to = |from: &[[f64; D]], onto: &[[f64; D]]| {
        let nearest =
            |p: &[f64; D]| onto.iter().map(|q| distance(p, q)).fold(f64::INFINITY, f64::min);
        from.iter().map(nearest).sum::<f64>() / from.len() as f64
    };
    (to(a, b) + to(b, a)) / 2.0
}

/// Discrete Fréchet distance; infinite where a side is empty. Eiter and Mannila 1994.
pub fn frechet<const D: usize>(a: &[[f64; D]], b: &[[f64; D]]) -> f64 {
    // One row of the coupling table at a time.
    let mut row = vec![f64::INFINITY; b.len()];
    for (i, p) in a.iter().enumerate() {
        let mut diagonal = f64::INFINITY;
        for (j, q) in b.iter().enumerate() {
            let reached = match (i, j) {
                (0, 0) => f64::NEG_INFINITY,
                (0, _) => row[j - 1],
                (_, 0) => row[0],
                _ => row[j].min(row[j - 1]).min(diagonal),
            };
            diagonal = row[j];
            row[j] = reached.max(distance(p, q));
        }
    }
    if a.is_empty() { f64::INFINITY } else { row.last().copied().unwrap_or(f64::INFINITY) }
}

/// Length of a polyline.
pub fn length<const D: usize>(points: &[[f64; D]]) -> f64 {
    points.windows(2).map(|pair| distance(&pair[0], &pair[1])).sum()
}

/// `count` points at equal steps along a polyline, first and last included; none for an empty one.
pub fn resample<const D: usize>(points: &[[f64; D]], count: usize) -> Vec<[f64; D]> {
    let Some(last) = points.last() else { return Vec::new() };
    let total = length(points);
    let (mut segment, mut behind) = (0, 0.0);
    let mut found = Vec::with_capacity(count);
    for k in 0..count {
        let wanted = if k + 1 == count { total } else { total * k as f64 / (count - 1) as f64 };
        let point = loop {
            let Some(pair) = points.get(segment..segment + 2) else { break *last };
            let size = distance(&pair[0], &pair[1]);
            if wanted <= behind + size && size > 0.0 {
                let share = ((wanted - behind) / size).clamp(0.0, 1.0);
                break std::array::from_fn(|i| pair[0][i] + share * (pair[1][i] - pair[0][i]));
            }
            behind += size;
            segment += 1;
        };
        found.push(point);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn curve() -> impl Strategy<Value = Vec<[f64; 3]>> {
        proptest::collection::vec(proptest::array::uniform3(-10.0..10.0f64), 1..12)
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_and_vanish_on_the_same_line(a in curve(), b in curve()) {
            prop_assert_eq!(chamfer(&a, &a), 0.0);
            prop_assert_eq!(frechet(&a, &a), 0.0);
            prop_assert!((chamfer(&a, &b) - chamfer(&b, &a)).abs() < 1e-12);
            prop_assert_eq!(frechet(&a, &b), frechet(&b, &a));
            // Each point couples with one at least as far as its nearest.
            prop_assert!(chamfer(&a, &b) <= frechet(&a, &b) + 1e-12);
        }

        #[test]
        fn resampled_points_are_evenly_spread(a in curve(), count in 2usize..40) {
            let found = resample(&a, count);
            prop_assert_eq!(found.len(), count);
            prop_assert!(distance(&found[0], &a[0]) < 1e-9);
            prop_assert!(distance(&found[count - 1], a.last().unwrap()) < 1e-9);
            prop_assert!(length(&found) <= length(&a) + 1e-9);
        }
    }

    #[test]
    fn by_hand() {
        let line = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]];
        assert_eq!(
            resample(&line, 5),
            [[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [4.0, 2.0], [4.0, 4.0]]
        );
        assert_eq!(frechet(&line, &[[0.0, 3.0], [4.0, 4.0]]), 4.0);
        assert_eq!(chamfer(&[[0.0, 0.0]], &[[3.0, 4.0], [0.0, 1.0]]), (1.0 + 3.0) / 2.0);
        // A line that runs the other way is near point by point, and far as a path.
        let back: Vec<[f64; 2]> = line.into_iter().rev().collect();
        assert_eq!(chamfer(&line, &back), 0.0);
        assert_eq!(frechet(&line, &back), 32.0f64.sqrt());
        assert_eq!(resample(&[[1.0, 2.0]], 3), [[1.0, 2.0]; 3]);
        assert!(resample::<2>(&[], 3).is_empty());
        assert_eq!(frechet::<2>(&[], &line), f64::INFINITY);
    }
}
