//! Moving an estimate onto the truth before errors are taken.

use nalgebra::Point3;
use ommatidia_geometry::solvers::umeyama::ScaleMode;
use ommatidia_geometry::solvers::{Similarity, umeyama};
use ommatidia_geometry::{Pose, World};
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

impl Alignment {
    /// The least-squares alignment of the estimate's positions onto the paired truth's. Umeyama 1991.
    ///
    /// # Errors
    /// [`Error::DegenerateAlignment`] where the positions leave it open.
    pub fn fit(
        self,
        truth: &[EgoPose],
        estimate: &[EgoPose],
    ) -> Result<Similarity<World, World>, Error> {
        let scale = match self {
            Self::None => return Ok(Similarity { scale: 1.0, rigid: Pose::identity() }),
            Self::Se3 => ScaleMode::Fixed,
            Self::Sim3 => ScaleMode::Estimated,
        };
        let positions = |poses: &[EgoPose]| -> Vec<Point3<f64>> {
            poses.iter().map(|pose| Point3::from(pose.translation)).collect()
        };
        umeyama(&positions(truth), &positions(estimate), None, scale)
            .map_err(|_| Error::DegenerateAlignment { poses: truth.len() })
    }
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
            let moved = Similarity { scale, rigid: random_pose(seed).cast::<World, World>() };
            let estimate: Vec<EgoPose> = truth.iter().map(|pose| moved.map_pose(pose)).collect();
            let back = Alignment::Sim3.fit(&truth, &estimate).unwrap();
            for (truth, estimate) in truth.iter().zip(&estimate) {
                let error = (back.map_pose(estimate).inverse() * *truth).log().norm();
                prop_assert!(error < 1e-9, "{error}");
            }
            prop_assert!((back.scale * scale - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_straight_line_fixes_no_rotation() {
        let line: Vec<EgoPose> = (0..5)
            .map(|i| Pose::from_wxyz([1.0, 0.0, 0.0, 0.0], [f64::from(i), 0.0, 0.0]).unwrap())
            .collect();
        let error = Alignment::Se3.fit(&line, &line).unwrap_err();
        assert_eq!(error, Error::DegenerateAlignment { poses: 5 });
        assert_eq!(Alignment::None.fit(&line, &line).unwrap().scale, 1.0);
    }
}
