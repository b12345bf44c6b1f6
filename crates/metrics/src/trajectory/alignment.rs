//! Moving an estimate onto the truth before errors are taken.

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};

use super::EgoPose;
use crate::Error;

/// What may be changed about the estimate before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// Nothing.
    #[default]
    None,
    /// Where it starts and which way it points.
    Se3,
    /// That and its scale.
    Sim3,
}

/// `p_in_truth = scale * rotation * p_in_estimate + translation`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// Metres of the truth per metre of the estimate.
    pub scale: f64,
    /// Rotation from the estimate's world to the truth's.
    pub rotation: UnitQuaternion<f64>,
    /// Translation, metres of the truth.
    pub translation: Vector3<f64>,
}

impl Similarity {
    /// Leaves everything where it is.
    pub fn identity() -> Self {
        Self { scale: 1.0, rotation: UnitQuaternion::identity(), translation: Vector3::zeros() }
    }

    /// The pose in the truth's world.
    pub fn apply(&self, world_from_ego: &EgoPose) -> EgoPose {
        let position = self.rotation * world_from_ego.translation * self.scale + self.translation;
        EgoPose::new(self.rotation * world_from_ego.rotation, position)
    }
}

impl Alignment {
    /// The least-squares alignment of the estimate's positions onto the paired truth's.
    ///
    /// # Errors
    /// [`Error::DegenerateAlignment`] where the positions leave it open.
    pub fn fit(self, truth: &[EgoPose], estimate: &[EgoPose]) -> Result<Similarity, Error> {
        let with_scale = match self {
            Self::None => return Ok(Similarity::identity()),
            Self::Se3 => false,
            Self::Sim3 => true,
        };
        umeyama(truth, estimate, with_scale)
            .ok_or(Error::DegenerateAlignment { poses: truth.len() })
    }
}

/// Umeyama 1991, Eqs. (34) to (43), from estimate (x) to truth (y).
fn umeyama(truth: &[EgoPose], estimate: &[EgoPose], with_scale: bool) -> Option<Similarity> {
    assert_eq!(truth.len(), estimate.len(), "poses are paired before they are aligned");
    let n = truth.len() as f64;
    let mean = |poses: &[EgoPose]| poses.iter().map(|p| p.translation).sum::<Vector3<f64>>() / n;
    let (mean_x, mean_y) = (mean(estimate), mean(truth));
    let mut variance_x = 0.0;
    let mut covariance = Matrix3::zeros();
    for (y, x) in truth.iter().zip(estimate) {
        let (dx, dy) = (x.translation - mean_x, y.translation - mean_y);
        variance_x += dx.norm_squared() / n;
        covariance += dy * dx.transpose() / n;
    }
    let svd = covariance.svd(true, true);
    let (u, v_t, d) = (svd.u?, svd.v_t?, svd.singular_values);
    // Rank 2 fixes a rotation; relative, so that neither metres nor kilometres matter.
    if !(d[0] > 0.0 && d[1] > 1e-12 * d[0]) {
        return None;
    }
    let mut s = Vector3::repeat(1.0);
    if u.determinant() * v_t.determinant() < 0.0 {
        s.z = -1.0;
    }
    let rotation = Rotation3::from_matrix_unchecked(u * Matrix3::from_diagonal(&s) * v_t);
    let scale = if with_scale { d.dot(&s) / variance_x } else { 1.0 };
    let translation = mean_y - rotation * mean_x * scale;
    let rotation = UnitQuaternion::from_rotation_matrix(&rotation);
    Some(Similarity { scale, rotation, translation })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trajectory::testing::{helix, random_pose};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_the_similarity_that_was_applied(seed in 0u64..200, scale in 0.1..10.0f64) {
            let truth = helix(40);
            let from = random_pose(seed);
            let moved = Similarity { scale, rotation: from.rotation, translation: from.translation };
            let estimate: Vec<EgoPose> = truth.iter().map(|pose| moved.apply(pose)).collect();
            let back = Alignment::Sim3.fit(&truth, &estimate).unwrap();
            for (truth, estimate) in truth.iter().zip(&estimate) {
                let error = (back.apply(estimate).inverse() * *truth).log().norm();
                prop_assert!(error < 1e-9, "{error}");
            }
            prop_assert!((back.scale * scale - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_straight_line_fixes_no_rotation() {
        let line: Vec<EgoPose> = (0..5)
            .map(|i| EgoPose::new(UnitQuaternion::identity(), Vector3::new(f64::from(i), 0.0, 0.0)))
            .collect();
        let error = Alignment::Se3.fit(&line, &line).unwrap_err();
        assert_eq!(error, Error::DegenerateAlignment { poses: 5 });
        assert_eq!(Alignment::None.fit(&line, &line).unwrap(), Similarity::identity());
    }
}
