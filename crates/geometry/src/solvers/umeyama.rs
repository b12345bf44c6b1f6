//! Alignment of two point sets by a similarity or rigid transform.

use nalgebra::{Matrix3, Point3, Rotation3, UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};

use super::check_data;
use crate::{Error, Pose};

const NAME: &str = "umeyama";
/// The second singular value of the covariance below this share of the first: collinear points.
const COLLINEAR: f64 = 1e-12;

/// A similarity transform: `p_in_a = scale * (rotation * p_in_b) + translation`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Similarity<A, B> {
    /// Length in `A` of a unit length in `B`.
    pub scale: f64,
    /// Rotation from `B` to `A`, and the origin of `B` in `A`, metres.
    pub rigid: Pose<A, B>,
}

impl<A, B> Clone for Similarity<A, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, B> Copy for Similarity<A, B> {}

impl<A, B> PartialEq for Similarity<A, B> {
    fn eq(&self, other: &Self) -> bool {
        self.scale == other.scale && self.rigid == other.rigid
    }
}

impl<A, B> std::ops::Mul<Point3<f64>> for Similarity<A, B> {
    type Output = Point3<f64>;
    fn mul(self, p_in_b: Point3<f64>) -> Point3<f64> {
        self.rigid * Point3::from(p_in_b.coords * self.scale)
    }
}

impl<A, B> Similarity<A, B> {
    /// `b_from_a`.
    pub fn inverse(&self) -> Similarity<B, A> {
        let rotation = self.rigid.rotation.inverse();
        let translation = -(rotation * self.rigid.translation) / self.scale;
        Similarity { scale: 1.0 / self.scale, rigid: Pose::new(rotation, translation) }
    }

    /// Moves a frame seen in `B` into `A`; what is attached to the frame keeps its size.
    pub fn map_pose<C>(&self, b_from_c: &Pose<B, C>) -> Pose<A, C> {
        let origin = *self * Point3::from(b_from_c.translation);
        Pose::new(self.rigid.rotation * b_from_c.rotation, origin.coords)
    }
}

/// Whether [`umeyama`] estimates the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleMode {
    /// Scale 1: a rigid alignment.
    Fixed,
    /// Scale estimated.
    Estimated,
}

/// The transform `a_from_b` with the smallest weighted sum of squared distances between `points_in_a`
/// and the moved `points_in_b`, which correspond by index. Never a reflection. `weights` default to 1.
///
/// Umeyama, *Least-squares estimation of transformation parameters between two point patterns*,
/// PAMI 1991, Eq. (34) to (43).
///
/// # Errors
/// Fewer than three points, lengths that differ, numbers that are not finite, negative weights,
/// points that coincide or are collinear (the rotation about their line is undetermined).
pub fn umeyama<A, B>(
    points_in_a: &[Point3<f64>],
    points_in_b: &[Point3<f64>],
    weights: Option<&[f64]>,
    scale: ScaleMode,
) -> Result<Similarity<A, B>, Error> {
    let (left, right) = (points_in_a.len(), points_in_b.len());
    for right in [right, weights.map_or(left, <[f64]>::len)] {
        if left != right {
            return Err(Error::UnequalLengths { estimator: NAME, left, right });
        }
    }
    let is_finite = |p: &Point3<f64>| p.iter().all(|x| x.is_finite());
    check_data(NAME, points_in_a, 3, is_finite)?;
    check_data(NAME, points_in_b, 3, is_finite)?;
    let degenerate = |reason| Error::Degenerate { estimator: NAME, reason };
    if let Some(weights) = weights {
        check_data(NAME, weights, 3, |w| w.is_finite())?;
        if weights.iter().any(|w| *w < 0.0) {
            return Err(degenerate("a weight is negative"));
        }
    }
    let weight = |i: usize| weights.map_or(1.0, |w| w[i]);
    let total: f64 = (0..left).map(weight).sum();
    if total <= 0.0 {
        return Err(degenerate("all weights are zero"));
    }
    let mean = |points: &[Point3<f64>]| -> Vector3<f64> {
        points.iter().enumerate().map(|(i, p)| p.coords * (weight(i) / total)).sum()
    };
    let (mean_a, mean_b) = (mean(points_in_a), mean(points_in_b));
    let (mut covariance, mut variance_b) = (Matrix3::zeros(), 0.0);
    for (i, (a, b)) in points_in_a.iter().zip(points_in_b).enumerate() {
        let (a, b) = (a.coords - mean_a, b.coords - mean_b);
        covariance += a * b.transpose() * (weight(i) / total);
        variance_b += b.norm_squared() * (weight(i) / total);
    }
    let (rotation, trace) = rotation_of(&covariance)
        .ok_or_else(|| degenerate("the points coincide or are collinear"))?;
    let scale = match scale {
        ScaleMode::Fixed => 1.0,
        ScaleMode::Estimated => trace / variance_b,
    };
    if !scale.is_finite() || scale <= 0.0 {
        return Err(degenerate("the scale would be zero, negative or infinite"));
    }
    let translation = mean_a - rotation * mean_b * scale;
    Ok(Similarity { scale, rigid: Pose::new(rotation, translation) })
}

/// The rotation `U S V^T` and `trace(D S)`. `None` if two singular values vanish.
pub(super) fn rotation_of(covariance: &Matrix3<f64>) -> Option<(UnitQuaternion<f64>, f64)> {
    let svd = covariance.try_svd(true, true, f64::EPSILON, 200)?;
    let (u, v_t, d) = (svd.u?, svd.v_t?, svd.singular_values);
    let mut order = [0, 1, 2];
    order.sort_by(|&l, &r| d[r].total_cmp(&d[l]));
    let spans_a_plane = d[order[1]] > COLLINEAR * d[order[0]] && d[order[0]] > f64::MIN_POSITIVE;
    if !spans_a_plane {
        return None;
    }
    let mut signs = Vector3::from_element(1.0);
    if u.determinant() * v_t.determinant() < 0.0 {
        signs[order[2]] = -1.0;
    }
    let rotation = u * Matrix3::from_diagonal(&signs) * v_t;
    let rotation =
        UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(rotation));
    Some((rotation, d.dot(&signs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solvers::testing::{Random, spread};
    use crate::{Ego, World};

    fn scene(random: &mut Random, count: usize, flatness: f64) -> Vec<Point3<f64>> {
        (0..count)
            .map(|_| {
                let p = random.vector();
                Point3::new(10.0 * p.x, 10.0 * p.y, 10.0 * flatness * p.z)
            })
            .collect()
    }

    fn moved(truth: &Similarity<World, Ego>, points: &[Point3<f64>]) -> Vec<Point3<f64>> {
        points.iter().map(|p| *truth * *p).collect()
    }

    #[test]
    fn exact_on_solids_and_planes() {
        let mut random = Random::new(41);
        let mut errors = Vec::new();
        for trial in 0..5_000 {
            let rigid = random.pose(3.1);
            let truth: Similarity<World, Ego> =
                Similarity { scale: random.between(0.01, 100.0), rigid };
            let points = scene(&mut random, 3 + trial % 20, if trial % 2 == 0 { 1.0 } else { 0.0 });
            let found: Similarity<World, Ego> =
                umeyama(&moved(&truth, &points), &points, None, ScaleMode::Estimated).unwrap();
            errors.push(
                (found.scale / truth.scale - 1.0).abs()
                    + found.rigid.rotation.angle_to(&truth.rigid.rotation),
            );
        }
        let (median, worst) = spread(&mut errors);
        println!("umeyama: median {median:.1e}, worst {worst:.1e}");
        assert!(median < 1e-13 && worst < 1e-8, "{median} {worst}");
    }

    #[test]
    fn inverse_undoes() {
        let mut random = Random::new(42);
        let truth: Similarity<World, Ego> = Similarity { scale: 2.5, rigid: random.pose(2.0) };
        let p = Point3::new(1.0, -2.0, 3.0);
        assert!((truth.inverse() * (truth * p) - p).norm() < 1e-14);
    }

    #[test]
    fn a_mirrored_set_still_gets_a_rotation() {
        let mut random = Random::new(43);
        let points = scene(&mut random, 30, 1.0);
        let mirrored: Vec<_> = points.iter().map(|p| Point3::new(-p.x, p.y, p.z)).collect();
        let found = umeyama::<World, Ego>(&mirrored, &points, None, ScaleMode::Fixed).unwrap();
        let matrix = found.rigid.rotation_matrix();
        assert!((matrix.determinant() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn no_small_motion_improves_the_fit() {
        let mut random = Random::new(44);
        let points = scene(&mut random, 20, 1.0);
        let targets: Vec<_> = scene(&mut random, 20, 0.1)
            .iter()
            .zip(&points)
            .map(|(noise, p)| p + noise.coords * 0.05)
            .collect();
        let weights: Vec<f64> = (0..20).map(|_| random.uniform()).collect();
        let cost = |s: &Similarity<World, Ego>| -> f64 {
            let distance = |i: usize| (*s * points[i] - targets[i]).norm_squared() * weights[i];
            (0..20).map(distance).sum()
        };
        let best = umeyama(&targets, &points, Some(&weights), ScaleMode::Estimated).unwrap();
        for _ in 0..200 {
            let step = nalgebra::Vector6::from_fn(|_, _| 1e-4 * random.normal());
            let other = Similarity {
                scale: best.scale * (1.0 + 1e-4 * random.normal()),
                rigid: best.rigid.retract(&step),
            };
            assert!(cost(&other) >= cost(&best));
        }
    }

    #[test]
    fn zero_weight_removes_a_point() {
        let mut random = Random::new(45);
        let truth: Similarity<World, Ego> = Similarity { scale: 1.0, rigid: random.pose(1.0) };
        let points = scene(&mut random, 8, 1.0);
        let mut targets = moved(&truth, &points);
        targets[3].x += 100.0;
        let mut weights = [1.0; 8];
        weights[3] = 0.0;
        let found: Similarity<World, Ego> =
            umeyama(&targets, &points, Some(&weights), ScaleMode::Fixed).unwrap();
        assert!((truth.rigid.inverse() * found.rigid).log().norm() < 1e-12);
    }

    #[test]
    fn degenerate_and_bad_input() {
        let line: Vec<_> =
            (0..9).map(|i| Point3::new(f64::from(i), 2.0 * f64::from(i), 0.5)).collect();
        let same = [Point3::new(1.0, 2.0, 3.0); 5];
        let run = |a: &[Point3<f64>], b: &[Point3<f64>], w: Option<&[f64]>| {
            umeyama::<World, Ego>(a, b, w, ScaleMode::Estimated)
        };
        assert!(matches!(run(&line, &line, None), Err(Error::Degenerate { .. })));
        assert!(matches!(run(&same, &same, None), Err(Error::Degenerate { .. })));
        assert!(matches!(run(&line[..2], &line[..2], None), Err(Error::TooFewData { .. })));
        assert!(matches!(run(&line, &line[..4], None), Err(Error::UnequalLengths { .. })));
        assert!(matches!(run(&line, &line, Some(&[1.0])), Err(Error::UnequalLengths { .. })));
        let mut nan = line.clone();
        nan[4].z = f64::NAN;
        assert!(matches!(run(&line, &nan, None), Err(Error::NotFinite { index: 4, .. })));
    }
}
