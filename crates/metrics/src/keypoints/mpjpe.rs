//! Mean per joint position error in space, also after the best similarity.

use nalgebra::{Matrix3, Vector3};
use serde::Serialize;

use crate::Error;

/// Errors of one pose, metres, means over its joints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointErrors {
    /// As it is.
    pub mpjpe_m: f64,
    /// Once the root joints coincide; as it is where there is no root.
    pub root_aligned_m: f64,
    /// After the similarity (rotation, translation, scale) that fits best: PA-MPJPE.
    pub procrustes_m: f64,
}

/// Means over poses, metres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct JointReport {
    /// As they are.
    pub mpjpe_m: f64,
    /// Once the root joints coincide.
    pub root_aligned_mpjpe_m: f64,
    /// After the best similarity.
    pub pa_mpjpe_m: f64,
    /// Poses compared.
    pub poses: usize,
}

impl JointReport {
    /// Means over poses with equally many joints; `None` without any.
    pub fn of(errors: &[JointErrors]) -> Option<Self> {
        let mean = |size: fn(&JointErrors) -> f64| {
            errors.iter().map(size).sum::<f64>() / errors.len() as f64
        };
        (!errors.is_empty()).then(|| Self {
            mpjpe_m: mean(|e| e.mpjpe_m),
            root_aligned_mpjpe_m: mean(|e| e.root_aligned_m),
            pa_mpjpe_m: mean(|e| e.procrustes_m),
            poses: errors.len(),
        })
    }
}

/// Errors of a predicted pose; joints in any one frame, metres.
///
/// Ionescu et al. 2014 (Human3.6M), Eq. (8); Procrustes by Umeyama 1991.
///
/// # Errors
/// No joints, unequal numbers of them, a root that is none of them, or one that is not finite.
pub fn joint_errors(
    truth: &[[f64; 3]],
    predicted: &[[f64; 3]],
    root: Option<usize>,
) -> Result<JointErrors, Error> {
    if truth.is_empty() || truth.len() != predicted.len() {
        let what = format!("{} joints; the truth has {}", predicted.len(), truth.len());
        return Err(Error::row("prediction", "pose", what));
    }
    for (side, joints) in [("truth", truth), ("prediction", predicted)] {
        if let Some(joint) = joints.iter().position(|p| p.iter().any(|x| !x.is_finite())) {
            return Err(Error::row(side, format!("joint {joint}"), "is not finite"));
        }
    }
    let points = |joints: &[[f64; 3]]| -> Vec<Vector3<f64>> {
        joints.iter().map(|&p| Vector3::from(p)).collect()
    };
    let (truth, predicted) = (points(truth), points(predicted));
    let root = root.map_or(Ok(None), |root| match truth.get(root) {
        Some(t) => Ok(Some(t - predicted[root])),
        None => Err(Error::row("truth", format!("joint {root}"), "is the root, but not there")),
    })?;
    let mean = |moved: &dyn Fn(&Vector3<f64>) -> Vector3<f64>| {
        let off = truth.iter().zip(&predicted).map(|(t, p)| (t - moved(p)).norm());
        off.sum::<f64>() / truth.len() as f64
    };
    let shift = root.unwrap_or_else(Vector3::zeros);
    let (linear, translation) = procrustes(&truth, &predicted);
    Ok(JointErrors {
        mpjpe_m: mean(&|p| *p),
        root_aligned_m: mean(&|p| p + shift),
        procrustes_m: mean(&|p| linear * p + translation),
    })
}

/// Scaled rotation and translation that bring `predicted` onto `truth` with the least squared error. Joints on
/// a line leave the turn about it open, which changes no error; joints at one point are only shifted.
fn procrustes(truth: &[Vector3<f64>], predicted: &[Vector3<f64>]) -> (Matrix3<f64>, Vector3<f64>) {
    let n = truth.len() as f64;
    let mean = |points: &[Vector3<f64>]| points.iter().sum::<Vector3<f64>>() / n;
    let (mean_t, mean_p) = (mean(truth), mean(predicted));
    let (mut covariance, mut variance) = (Matrix3::zeros(), 0.0);
    for (t, p) in truth.iter().zip(predicted) {
        covariance += (t - mean_t) * (p - mean_p).transpose();
        variance += (p - mean_p).norm_squared();
    }
    let svd = covariance.svd(true, true);
    let (Some(u), Some(v_t)) = (svd.u, svd.v_t) else {
        unreachable!("both were asked for");
    };
    let mut signs = Vector3::repeat(1.0);
    if u.determinant() * v_t.determinant() < 0.0 {
        signs[svd.singular_values.imin()] = -1.0;
    }
    let rotation = u * Matrix3::from_diagonal(&signs) * v_t;
    let scale = if variance > 0.0 { svd.singular_values.dot(&signs) / variance } else { 1.0 };
    let linear = rotation * scale;
    (linear, mean_t - linear * mean_p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::UnitQuaternion;
    use ommatidia_geometry::ransac::Random;
    use proptest::prelude::*;

    fn pose(random: &mut Random, joints: usize) -> Vec<[f64; 3]> {
        (0..joints).map(|_| [0; 3].map(|_| random.uniform())).collect()
    }

    proptest! {
        #[test]
        fn procrustes_undoes_any_similarity_and_never_hurts_the_squares(
            seed in 0u64..100,
            joints in 1usize..20,
        ) {
            let mut random = Random::new(seed);
            let truth = pose(&mut random, joints);
            let turn = UnitQuaternion::from_euler_angles(
                random.uniform(), 6.0 * random.uniform(), -random.uniform());
            let moved: Vec<[f64; 3]> = truth
                .iter()
                .map(|&p| (turn * Vector3::from(p) * 2.5 + Vector3::new(3.0, -1.0, 7.0)).into())
                .collect();
            let errors = joint_errors(&truth, &moved, Some(0)).unwrap();
            prop_assert!(errors.procrustes_m < 1e-9, "{:?}", errors);
            let same = joint_errors(&truth, &truth, None).unwrap();
            prop_assert_eq!((same.mpjpe_m, same.root_aligned_m), (0.0, 0.0));
        }
    }

    #[test]
    fn by_hand() {
        let truth = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]];
        let shifted = [[0.0, 3.0, 4.0], [1.0, 3.0, 4.0]];
        let errors = joint_errors(&truth, &shifted, Some(1)).unwrap();
        assert_eq!((errors.mpjpe_m, errors.root_aligned_m), (5.0, 0.0));
        assert!(errors.procrustes_m < 1e-12);
        let report = JointReport::of(&[errors, errors]).unwrap();
        assert_eq!((report.mpjpe_m, report.poses), (5.0, 2));
        assert_eq!(JointReport::of(&[]), None);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let two = [[0.0; 3], [1.0; 3]];
        assert!(joint_errors(&two, &two[..1], None).is_err());
        assert!(joint_errors(&[], &[], None).is_err());
        assert!(joint_errors(&two, &two, Some(2)).unwrap_err().to_string().contains("joint 2"));
        let message = joint_errors(&two, &[[0.0; 3], [f64::NAN; 3]], None).unwrap_err().to_string();
        assert!(message.contains("prediction joint 1"), "{message}");
    }
}
