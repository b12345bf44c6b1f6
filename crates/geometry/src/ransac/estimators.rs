//! The solvers as estimators. Residuals on bearings are angles in radians.

use nalgebra::{Matrix3, Point3, UnitQuaternion};

use super::Estimator;
use crate::solvers::{
    BearingPair, Homography, PixelPair, PointBearing, PoseRefinementConfig, RelativePose,
    RigObservation, ScaleMode, Similarity, eight_point, homography, p3p, refine_pose,
    relative_poses, rotation_between, sampson_px, seven_point, umeyama,
};
use crate::{Camera, Loss, Pose};

/// Relative pose by the five-point method; residual: Sampson's error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RelativePoseEstimator {
    /// Of the refinement.
    pub loss: Loss,
}

impl Default for RelativePoseEstimator {
    fn default() -> Self {
        Self { loss: Loss::Squared }
    }
}

impl Estimator for RelativePoseEstimator {
    type Datum = BearingPair;
    type Model = RelativePose;
    const NAME: &'static str = "relative pose";
    const SAMPLE_SIZE: usize = 5;

    fn estimate(&self, sample: &[BearingPair]) -> Vec<RelativePose> {
        sample.try_into().ok().and_then(|s| relative_poses(s).ok()).unwrap_or_default()
    }

    fn residual(&self, model: &RelativePose, datum: &BearingPair) -> f64 {
        model.sampson_rad(datum)
    }

    fn refine(&self, model: &RelativePose, inliers: &[BearingPair]) -> Option<RelativePose> {
        let refined = model.refine(inliers, self.loss).ok()?;
        // Five pairs may have voted for the wrong side; all inliers know better.
        RelativePose::from_essential(refined.essential(), inliers).ok()
    }
}

/// A camera's pose by three points; residual: angle between ray and point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AbsolutePoseEstimator<W> {
    /// Of the refinement.
    pub refinement: PoseRefinementConfig,
    frame: std::marker::PhantomData<fn() -> W>,
}

impl<W> AbsolutePoseEstimator<W> {
    /// With settings for the refinement.
    pub fn new(refinement: PoseRefinementConfig) -> Self {
        Self { refinement, frame: std::marker::PhantomData }
    }
}

impl<W> Default for AbsolutePoseEstimator<W> {
    fn default() -> Self {
        Self::new(PoseRefinementConfig::default())
    }
}

impl<W> Estimator for AbsolutePoseEstimator<W> {
    type Datum = PointBearing;
    /// `camera_from_world`.
    type Model = Pose<Camera, W>;
    const NAME: &'static str = "absolute pose";
    const SAMPLE_SIZE: usize = 3;

    fn estimate(&self, sample: &[PointBearing]) -> Vec<Pose<Camera, W>> {
        sample.try_into().ok().and_then(|s| p3p(s).ok()).unwrap_or_default()
    }

    fn residual(&self, model: &Pose<Camera, W>, datum: &PointBearing) -> f64 {
        crate::solvers::angle_rad(&(*model * datum.point).coords, &datum.bearing)
    }

    fn refine(&self, model: &Pose<Camera, W>, inliers: &[PointBearing]) -> Option<Pose<Camera, W>> {
        let observations: Vec<RigObservation<Camera>> = inliers
            .iter()
            .map(|d| RigObservation::new(d.point, d.bearing, Pose::identity()))
            .collect();
        let refined = refine_pose(&model.inverse(), &observations, &self.refinement).ok()?;
        Some(refined.world_from_body.inverse())
    }
}

/// A rig's pose: three points of one camera (draw with [`super::Grouped`]), measured on all cameras.
///
/// Three rays of one camera suffice wherever one camera sees three points, and have four solutions
/// where three rays of several cameras have eight (Nistér & Stewénius 2007); the refinement and the
/// score use all cameras.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RigPoseEstimator<W, B> {
    /// Of the refinement.
    pub refinement: PoseRefinementConfig,
    frames: std::marker::PhantomData<fn() -> (W, B)>,
}

impl<W, B> RigPoseEstimator<W, B> {
    /// With settings for the refinement.
    pub fn new(refinement: PoseRefinementConfig) -> Self {
        Self { refinement, frames: std::marker::PhantomData }
    }
}

impl<W, B> Default for RigPoseEstimator<W, B> {
    fn default() -> Self {
        Self::new(PoseRefinementConfig::default())
    }
}

impl<W, B> Estimator for RigPoseEstimator<W, B> {
    type Datum = RigObservation<B>;
    /// `world_from_body`.
    type Model = Pose<W, B>;
    const NAME: &'static str = "rig pose";
    const SAMPLE_SIZE: usize = 3;

    fn estimate(&self, sample: &[RigObservation<B>]) -> Vec<Pose<W, B>> {
        let [a, b, c] = sample else { return Vec::new() };
        if a.body_from_camera != b.body_from_camera || a.body_from_camera != c.body_from_camera {
            return Vec::new();
        }
        let data = [a, b, c].map(|o| PointBearing { point: o.point, bearing: o.bearing });
        let body_from_camera = a.body_from_camera;
        let body_from_world = |pose: Pose<Camera, W>| body_from_camera * pose;
        let poses = p3p(&data).unwrap_or_default();
        poses.into_iter().map(|pose| body_from_world(pose).inverse()).collect()
    }

    fn residual(&self, model: &Pose<W, B>, datum: &RigObservation<B>) -> f64 {
        datum.angle_rad(model)
    }

    fn refine(&self, model: &Pose<W, B>, inliers: &[RigObservation<B>]) -> Option<Pose<W, B>> {
        Some(refine_pose(model, inliers, &self.refinement).ok()?.world_from_body)
    }
}

/// Fundamental matrix by seven points, refined by eight or more; residual: Sampson's error, pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FundamentalEstimator;

impl Estimator for FundamentalEstimator {
    type Datum = PixelPair;
    type Model = Matrix3<f64>;
    const NAME: &'static str = "fundamental matrix";
    const SAMPLE_SIZE: usize = 7;

    fn estimate(&self, sample: &[PixelPair]) -> Vec<Matrix3<f64>> {
        sample.try_into().ok().and_then(|s| seven_point(s).ok()).unwrap_or_default()
    }

    fn residual(&self, model: &Matrix3<f64>, datum: &PixelPair) -> f64 {
        sampson_px(model, datum)
    }

    fn refine(&self, _: &Matrix3<f64>, inliers: &[PixelPair]) -> Option<Matrix3<f64>> {
        eight_point(inliers).ok()
    }
}

/// Homography by four pairs; residual: the larger transfer angle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HomographyEstimator;

impl Estimator for HomographyEstimator {
    type Datum = BearingPair;
    type Model = Homography;
    const NAME: &'static str = "homography";
    const SAMPLE_SIZE: usize = 4;

    fn estimate(&self, sample: &[BearingPair]) -> Vec<Homography> {
        homography(sample).into_iter().collect()
    }

    fn residual(&self, model: &Homography, datum: &BearingPair) -> f64 {
        model.transfer_error_rad(datum)
    }

    fn refine(&self, _: &Homography, inliers: &[BearingPair]) -> Option<Homography> {
        homography(inliers).ok()
    }
}

/// A pure rotation by two pairs; residual: angle between rays. Where it explains as many pairs as
/// [`RelativePoseEstimator`], the translation cannot be known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RotationEstimator;

impl Estimator for RotationEstimator {
    type Datum = BearingPair;
    /// `second_from_first`.
    type Model = UnitQuaternion<f64>;
    const NAME: &'static str = "rotation";
    const SAMPLE_SIZE: usize = 2;

    fn estimate(&self, sample: &[BearingPair]) -> Vec<UnitQuaternion<f64>> {
        rotation_between(sample).into_iter().collect()
    }

    fn residual(&self, model: &UnitQuaternion<f64>, datum: &BearingPair) -> f64 {
        crate::solvers::angle_rad(&(model * datum.first.into_inner()), &datum.second)
    }

    fn refine(
        &self,
        _: &UnitQuaternion<f64>,
        inliers: &[BearingPair],
    ) -> Option<UnitQuaternion<f64>> {
        rotation_between(inliers).ok()
    }
}

/// The same point in two frames, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointPair {
    /// In the target frame.
    pub in_a: Point3<f64>,
    /// In the moved frame.
    pub in_b: Point3<f64>,
}

/// A similarity or rigid transform by three points; residual: distance in `A`, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimilarityEstimator<A, B> {
    /// Whether the scale is sought.
    pub scale: ScaleMode,
    frames: std::marker::PhantomData<fn() -> (A, B)>,
}

impl<A, B> SimilarityEstimator<A, B> {
    /// With or without scale.
    pub fn new(scale: ScaleMode) -> Self {
        Self { scale, frames: std::marker::PhantomData }
    }

    fn fit(&self, pairs: &[PointPair]) -> Option<Similarity<A, B>> {
        let (in_a, in_b): (Vec<_>, Vec<_>) = pairs.iter().map(|p| (p.in_a, p.in_b)).unzip();
        umeyama(&in_a, &in_b, None, self.scale).ok()
    }
}

impl<A, B> Estimator for SimilarityEstimator<A, B> {
    type Datum = PointPair;
    type Model = Similarity<A, B>;
    const NAME: &'static str = "similarity";
    const SAMPLE_SIZE: usize = 3;

    fn estimate(&self, sample: &[PointPair]) -> Vec<Similarity<A, B>> {
        self.fit(sample).into_iter().collect()
    }

    fn residual(&self, model: &Similarity<A, B>, datum: &PointPair) -> f64 {
        (*model * datum.in_b - datum.in_a).norm()
    }

    fn refine(&self, _: &Similarity<A, B>, inliers: &[PointPair]) -> Option<Similarity<A, B>> {
        self.fit(inliers)
    }
}
