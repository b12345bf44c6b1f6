//! Relative pose of two calibrated views: cheirality, Sampson's error, refinement.

use nalgebra::{Matrix3, Matrix3x2, SMatrix, SVector, Unit, UnitQuaternion, Vector3};

use super::{
    BearingPair, check_data, decompose_essential, essential_matrix, five_point,
    levenberg::{Normal, minimise},
    linear::tangent_basis,
};
use crate::{Camera, Error, Loss, Pose, so3};

/// A pose between two views up to scale, with its essential matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelativePose {
    /// Translation of unit length.
    pub second_from_first: Pose<Camera, Camera>,
    essential: Matrix3<f64>,
}

/// Least pairs of five in front of both cameras: a far point may fall behind by noise.
const LEAST_IN_FRONT: usize = 3;

/// The poses that put five pairs on their epipolar planes, and most of them in front of both
/// cameras: of the four poses of each essential matrix the one that most pairs support.
///
/// # Errors
/// As [`five_point`].
pub fn relative_poses(pairs: &[BearingPair; 5]) -> Result<Vec<RelativePose>, Error> {
    let essentials = five_point(pairs)?;
    let votes = |pose: &Pose<Camera, Camera>| pairs.iter().filter(|p| is_in_front(pose, p)).count();
    let supported = |essential: &Matrix3<f64>| {
        let poses = decompose_essential(essential)?;
        let votes = poses.map(|pose| votes(&pose));
        let best = (0..4).rev().max_by_key(|&i| votes[i])?;
        (votes[best] >= LEAST_IN_FRONT).then(|| RelativePose::new_unchecked(poses[best]))
    };
    Ok(essentials.iter().filter_map(supported).collect())
}

/// The rays meet at positive depth in both cameras (nearest points of the two rays).
pub fn is_in_front(second_from_first: &Pose<Camera, Camera>, pair: &BearingPair) -> bool {
    let t = second_from_first.translation;
    let (a, b) = (second_from_first.rotation * pair.first.into_inner(), pair.second);
    let (cosine, along_a, along_b) = (a.dot(&b), a.dot(&t), b.dot(&t));
    // Depths times the positive 1 - cosine^2.
    cosine * along_b - along_a > 0.0 && along_b - cosine * along_a > 0.0
}

impl RelativePose {
    /// From a pose; its translation is scaled to unit length. `None` if that is zero or not finite.
    pub fn new(second_from_first: &Pose<Camera, Camera>) -> Option<Self> {
        let norm = second_from_first.translation.norm();
        (second_from_first.is_finite() && norm > 0.0).then(|| {
            let translation = second_from_first.translation / norm;
            Self::new_unchecked(Pose::new(second_from_first.rotation, translation))
        })
    }

    fn new_unchecked(second_from_first: Pose<Camera, Camera>) -> Self {
        Self { second_from_first, essential: essential_matrix(&second_from_first) }
    }

    /// Of the four poses of an essential matrix, the one with most pairs in front of both cameras.
    ///
    /// # Errors
    /// No or non-finite pairs; a matrix that is zero or not finite; no pair in front under any pose.
    pub fn from_essential(essential: &Matrix3<f64>, pairs: &[BearingPair]) -> Result<Self, Error> {
        const NAME: &str = "RelativePose::from_essential";
        check_data(NAME, pairs, 1, BearingPair::is_finite)?;
        let degenerate = |reason| Error::Degenerate { estimator: NAME, reason };
        let poses = decompose_essential(essential)
            .ok_or_else(|| degenerate("the essential matrix is zero or not finite"))?;
        let votes = poses.map(|pose| pairs.iter().filter(|p| is_in_front(&pose, p)).count());
        let best = (0..4).rev().max_by_key(|&i| votes[i]).filter(|&i| votes[i] > 0);
        let best = best.ok_or_else(|| degenerate("no pair lies in front of both cameras"))?;
        Ok(Self::new_unchecked(poses[best]))
    }

    /// `E = [t]x R`.
    pub fn essential(&self) -> &Matrix3<f64> {
        &self.essential
    }

    /// Sampson's error, radians: to first order, how far the two rays must turn to meet.
    /// Points behind a camera are not punished.
    ///
    /// Hartley & Zisserman 2003, Eq. (11.9), with the gradients taken on the spheres of bearings.
    pub fn sampson_rad(&self, pair: &BearingPair) -> f64 {
        let (in_second, in_first) =
            (self.essential * *pair.first, self.essential.tr_mul(&pair.second));
        let e = pair.second.dot(&in_second);
        let squared = in_second.norm_squared() + in_first.norm_squared() - 2.0 * e * e;
        // At both epipoles the constraint says nothing, and neither does the pair.
        if squared <= f64::MIN_POSITIVE { 0.0 } else { e.abs() / squared.sqrt() }
    }

    /// Minimises the robust sum of Sampson's errors (radians) over rotation and direction of
    /// translation.
    ///
    /// # Errors
    /// Fewer than five pairs, or numbers that are not finite.
    pub fn refine(&self, pairs: &[BearingPair], loss: Loss) -> Result<Self, Error> {
        const NAME: &str = "RelativePose::refine";
        check_data(NAME, pairs, 5, BearingPair::is_finite)?;
        let linearise = |model: &(Self, Matrix3x2<f64>)| {
            let mut normal = Normal::zero();
            for pair in pairs {
                let (residual, jacobian) = model.0.sampson_jacobian(&model.1, pair);
                normal.add(&SVector::<f64, 1>::new(residual), &jacobian, loss, 1.0);
            }
            normal
        };
        let with_basis = |pose: Self| {
            (pose, tangent_basis(&Unit::new_unchecked(pose.second_from_first.translation)))
        };
        let moved = |model: &(Self, Matrix3x2<f64>), step: &SVector<f64, 5>| {
            with_basis(model.0.retract(&model.1, step))
        };
        let minimum = minimise(with_basis(*self), 30, 1e-12, linearise, moved);
        let undetermined =
            Error::Degenerate { estimator: NAME, reason: "Sampson's error is not finite" };
        minimum.map(|m| m.model.0).ok_or(undetermined)
    }

    /// Rotates by `step[0..3]` on the right and moves the translation along its tangents.
    fn retract(&self, tangents: &Matrix3x2<f64>, step: &SVector<f64, 5>) -> Self {
        let turn: Vector3<f64> = step.fixed_rows::<3>(0).into();
        let rotation = self.second_from_first.rotation * so3::exp(&turn);
        let translation = self.second_from_first.translation + tangents * step.fixed_rows::<2>(3);
        Self::new_unchecked(Pose::new(
            UnitQuaternion::new_normalize(rotation.into_inner()),
            translation.normalize(),
        ))
    }

    /// Signed Sampson error and its derivative by [`Self::retract`]'s step.
    fn sampson_jacobian(
        &self,
        tangents: &Matrix3x2<f64>,
        pair: &BearingPair,
    ) -> (f64, SMatrix<f64, 1, 5>) {
        let (f1, f2) = (pair.first.into_inner(), pair.second.into_inner());
        let rotation = self.second_from_first.rotation_matrix();
        let (u, v) = (self.essential * f1, self.essential.tr_mul(&f2));
        let e = f2.dot(&u);
        let squared = u.norm_squared() + v.norm_squared() - 2.0 * e * e;
        if squared <= f64::MIN_POSITIVE {
            return (0.0, SMatrix::zeros());
        }
        let a = rotation * f1;
        let mut d_e = SMatrix::<f64, 1, 5>::zeros();
        let mut d_u = SMatrix::<f64, 3, 5>::zeros();
        let mut d_v = SMatrix::<f64, 3, 5>::zeros();
        d_e.fixed_columns_mut::<3>(0).tr_copy_from(&f1.cross(&v));
        d_e.fixed_columns_mut::<2>(3).copy_from(&(a.cross(&f2).transpose() * tangents));
        d_u.fixed_columns_mut::<3>(0).copy_from(&(-self.essential * so3::hat(&f1)));
        d_u.fixed_columns_mut::<2>(3).copy_from(&(-so3::hat(&a) * tangents));
        d_v.fixed_columns_mut::<3>(0).copy_from(&so3::hat(&v));
        d_v.fixed_columns_mut::<2>(3).copy_from(&(rotation.transpose() * so3::hat(&f2) * tangents));
        let d_squared = (u.transpose() * d_u + v.transpose() * d_v - d_e * (2.0 * e)) * 2.0;
        let norm = squared.sqrt();
        (e / norm, d_e / norm - d_squared * (0.5 * e / (squared * norm)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solvers::testing::{Random, spread};

    #[test]
    fn jacobian_matches_finite_differences() {
        let mut random = Random::new(31);
        for _ in 0..200 {
            let model = RelativePose::new(&random.pose(1.0)).unwrap();
            let pair = BearingPair { first: random.direction(), second: random.direction() };
            let tangents = tangent_basis(&Unit::new_unchecked(model.second_from_first.translation));
            let (_, jacobian) = model.sampson_jacobian(&tangents, &pair);
            for k in 0..5 {
                let at = |h: f64| {
                    let mut step = SVector::<f64, 5>::zeros();
                    step[k] = h;
                    model.retract(&tangents, &step).sampson_jacobian(&tangents, &pair).0
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                let error = (difference - jacobian[k]).abs();
                assert!(error < 1e-6 * (1.0 + difference.abs()), "{k}: {error}");
            }
        }
    }

    #[test]
    fn five_pairs_give_the_pose() {
        let mut random = Random::new(32);
        let mut errors = Vec::new();
        for _ in 0..5_000 {
            let truth: Pose<Camera, Camera> = random.pose(0.5);
            let pairs: [BearingPair; 5] = std::array::from_fn(|_| {
                loop {
                    let p = random.point_in_camera();
                    if (truth * p).z > 0.0 {
                        break BearingPair::new(p.coords, (truth * p).coords).unwrap();
                    }
                }
            });
            let truth = RelativePose::new(&truth).unwrap().second_from_first;
            let found = relative_poses(&pairs).unwrap();
            let error = |m: &RelativePose| (truth.inverse() * m.second_from_first).log().norm();
            errors.push(found.iter().map(error).fold(f64::MAX, f64::min));
        }
        let lost = errors.iter().filter(|e| **e > 1e-5).count();
        let (median, worst) = spread(&mut errors);
        println!(
            "relative_poses: median {median:.1e}, worst {worst:.1e}, {lost} of 5000 above 1e-5"
        );
        assert!(median < 1e-12 && lost <= 10, "{median}, {lost}");
    }

    #[test]
    fn refinement_reduces_noise_and_ignores_outliers() {
        let mut random = Random::new(33);
        let mut errors = Vec::new();
        for _ in 0..100 {
            let truth = RelativePose::new(&random.pose(0.3)).unwrap();
            let sigma = 1e-3;
            let mut pairs = random.pairs(&truth.second_from_first, 100, Random::point_in_camera);
            for pair in &mut pairs {
                pair.first = random.disturb(&pair.first, sigma);
                pair.second = random.disturb(&pair.second, sigma);
            }
            for pair in &mut pairs[..10] {
                pair.second = random.disturb(&pair.second, 0.3);
            }
            let basis = tangent_basis(&Unit::new_unchecked(truth.second_from_first.translation));
            let start = truth.retract(&basis, &SVector::from([0.01, -0.01, 0.01, 0.03, -0.03]));
            let found = start.refine(&pairs, Loss::Cauchy(2.0 * sigma)).unwrap();
            errors
                .push(found.second_from_first.rotation.angle_to(&truth.second_from_first.rotation));
        }
        let (median, worst) = spread(&mut errors);
        println!(
            "refine at 1 mrad noise, 10 % outliers: rotation median {median:.1e} rad, worst {worst:.1e}"
        );
        assert!(median < 1e-3 && worst < 1e-2, "{median} {worst}");
    }

    #[test]
    fn cheirality_picks_the_pose() {
        let mut random = Random::new(34);
        let truth = RelativePose::new(&random.pose(0.3)).unwrap();
        let pairs = random.pairs(&truth.second_from_first, 20, Random::point_in_camera);
        let found = RelativePose::from_essential(&-truth.essential(), &pairs).unwrap();
        let error = (truth.second_from_first.inverse() * found.second_from_first).log().norm();
        assert!(error < 1e-12, "{error}");
        assert!(matches!(
            RelativePose::from_essential(&Matrix3::zeros(), &pairs),
            Err(Error::Degenerate { .. })
        ));
        assert!(matches!(truth.refine(&pairs[..4], Loss::Squared), Err(Error::TooFewData { .. })));
    }
}
