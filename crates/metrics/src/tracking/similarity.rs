//! How similar boxes are, for matching tracks.

/// A box in an image: left, top, right, bottom, pixels.
pub type ImageBox = [f64; 4];

/// Intersection over union of two boxes in an image; 0 where one has no area.
pub fn iou_2d(a: &ImageBox, b: &ImageBox) -> f64 {
    let (common, area_a, area_b) = overlap(a, b);
    let union = area_a + area_b - common;
    if area_a <= f64::EPSILON || area_b <= f64::EPSILON || union <= f64::EPSILON {
        return 0.0;
    }
    common / union
}

/// Share of `a` that lies in `b`; 0 where `a` has no area.
pub fn share_inside(a: &ImageBox, b: &ImageBox) -> f64 {
    let (common, area_a, _) = overlap(a, b);
    if area_a <= f64::EPSILON { 0.0 } else { common / area_a }
}

fn overlap(a: &ImageBox, b: &ImageBox) -> (f64, f64, f64) {
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |c: &ImageBox| (c[2] - c[0]) * (c[3] - c[1]);
    (width * height, area(a), area(b))
}

/// 1 where two centres are the same, falling to 0 at `zero_distance_m`; `_calculate_euclidean_similarity` of TrackEval.
pub fn by_center<const N: usize>(a: &[f64; N], b: &[f64; N], zero_distance_m: f64) -> f64 {
    let squared: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    (1.0 - squared.sqrt() / zero_distance_m).max(0.0)
}

/// Similarity of each pair, row-major, a row for each of `truth`.
pub fn table<T>(truth: &[T], predicted: &[T], similarity: impl Fn(&T, &T) -> f64) -> Vec<f64> {
    truth
        .iter()
        .flat_map(|a| predicted.iter().map(|b| similarity(a, b)).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_overlap() {
        let check = |a, b, expected| assert_eq!(iou_2d(&a, &b), expected);
        check([0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0], 1.0);
        check([0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0], 1.0 / 3.0);
        check([0.0, 0.0, 2.0, 2.0], [5.0, 5.0, 6.0, 6.0], 0.0);
        check([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], 0.0);
        assert_eq!(share_inside(&[0.0, 0.0, 2.0, 2.0], &[1.0, 0.0, 9.0, 9.0]), 0.5);
    }
}
