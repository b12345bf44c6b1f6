//! Rectification of stereo pairs, and maps from any camera into a pinhole's image.

use nalgebra::{Matrix3, Point2, Point3, Rotation3, UnitQuaternion, Vector3};
use rayon::prelude::*;

use super::{CameraModel, Intrinsics, Pinhole};
use crate::frames::Rectified;
use crate::{Camera, Pose};

/// One camera of a pair; `R` is any frame fixed to both (the ego).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StereoView<R> {
    /// Projection.
    pub intrinsics: Intrinsics,
    /// Image width, pixels.
    pub width: u32,
    /// Image height, pixels.
    pub height: u32,
    /// Mounting, metres.
    pub rig_from_camera: Pose<R, Camera>,
}

/// Two virtual pinholes with one image plane and rows in common.
///
/// With `disparity = x_first - x_second` at equal rows, a point's depth along z of [`Rectified`] is
/// `pinhole.fx * baseline_m / disparity`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rectification {
    /// Rotation only: both frames sit in the first camera's centre.
    pub rectified_from_first: Pose<Rectified, Camera>,
    /// Rotation only: both frames sit in the second camera's centre.
    pub rectified_from_second: Pose<Rectified, Camera>,
    /// Of both virtual cameras, `fx = fy`.
    pub pinhole: Pinhole,
    /// Width of both virtual images, pixels: the first camera's.
    pub width: u32,
    /// Height of both virtual images, pixels: the first camera's.
    pub height: u32,
    /// Distance of the centres, metres.
    pub baseline_m: f64,
}

/// Why a pair cannot be rectified.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRectifiable {
    /// A pose or a parameter is NaN or infinite, or a focal length is not positive.
    #[error("a pose or an intrinsic parameter of the pair is not usable; check the calibration")]
    Calibration,
    /// The centres coincide.
    #[error("the cameras are {baseline_m} m apart, at least {MIN_BASELINE_M} m needed")]
    ShortBaseline {
        /// Distance of the centres, metres.
        baseline_m: f64,
    },
    /// One camera is ahead of the other, so that rows cannot be made parallel to the baseline
    /// without turning the view away from what the cameras see.
    #[error(
        "the baseline is {angle_deg} degrees from the viewing direction, at least {MIN_BASELINE_ANGLE_DEG} needed"
    )]
    BaselineAlongView {
        /// Angle between baseline and mean optical axis, degrees, 0 to 90.
        angle_deg: f64,
    },
    /// The cameras look in directions too different for one image plane.
    #[error(
        "an optical axis is {angle_deg} degrees from the common one, at most {MAX_TURN_DEG} allowed"
    )]
    DivergingViews {
        /// Larger angle between an optical axis and the common one, degrees.
        angle_deg: f64,
    },
    /// The second camera is on the first one's left.
    #[error("the second camera is left of the first; swap them")]
    Swapped,
}

/// Below this the baseline's direction is noise.
const MIN_BASELINE_M: f64 = 1e-3;

/// Below this the virtual cameras would be turned by more than half a right angle.
const MIN_BASELINE_ANGLE_DEG: f64 = 45.0;

/// Beyond this a pinhole stretches the image beyond use.
const MAX_TURN_DEG: f64 = 45.0;

/// The rotations and the common pinhole that make a pair's rows correspond. The first camera is the
/// left one (or the upper one of a vertical pair, whose images are then turned by a quarter).
///
/// x of [`Rectified`] points from the first to the second centre, z is the mean optical axis made
/// orthogonal to it. The focal length is the mean of the pair's, and the principal point puts the
/// mean of the two image centres in the middle; for a pair that is rectified already this gives
/// back its own pinhole.
///
/// # Errors
/// [`NotRectifiable`] says why not.
///
/// Source: Fusiello, Trucco and Verri, *A compact algorithm for rectification of stereo pairs*,
/// 2000, with the mean axis of Bouguet's toolbox.
pub fn rectify<R>(
    first: &StereoView<R>,
    second: &StereoView<R>,
) -> Result<Rectification, NotRectifiable> {
    let usable = |view: &StereoView<R>| {
        let (fx, fy) = view.intrinsics.focal_px();
        let numbers = view.intrinsics.parameters();
        view.rig_from_camera.is_finite()
            && numbers.iter().all(|x| x.is_finite())
            && fx > 0.0
            && fy > 0.0
    };
    if !usable(first) || !usable(second) {
        return Err(NotRectifiable::Calibration);
    }
    let rig_from_rectified = common_rotation(first, second)?;
    let rotation_from = |view: &StereoView<R>| {
        let rotation = rig_from_rectified.inverse() * view.rig_from_camera.rotation;
        Pose::new(rotation, Vector3::zeros())
    };
    let rectified_from_first = rotation_from(first);
    let rectified_from_second = rotation_from(second);
    let centres = [
        centre_on_plane(first, &rectified_from_first)?,
        centre_on_plane(second, &rectified_from_second)?,
    ];
    let mean_focal = |view: &StereoView<R>| {
        let (fx, fy) = view.intrinsics.focal_px();
        0.5 * (fx + fy)
    };
    let focal = 0.5 * (mean_focal(first) + mean_focal(second));
    let centre = nalgebra::center(&centres[0], &centres[1]);
    let pinhole = Pinhole {
        fx: focal,
        fy: focal,
        cx: 0.5 * f64::from(first.width) - focal * centre.x,
        cy: 0.5 * f64::from(first.height) - focal * centre.y,
    };
    let baseline = second.rig_from_camera.translation - first.rig_from_camera.translation;
    Ok(Rectification {
        rectified_from_first,
        rectified_from_second,
        pinhole,
        width: first.width,
        height: first.height,
        baseline_m: baseline.norm(),
    })
}

/// `rig_from_rectified`.
fn common_rotation<R>(
    first: &StereoView<R>,
    second: &StereoView<R>,
) -> Result<UnitQuaternion<f64>, NotRectifiable> {
    let (first, second) = (&first.rig_from_camera, &second.rig_from_camera);
    let baseline = second.translation - first.translation;
    let baseline_m = baseline.norm();
    if baseline_m < MIN_BASELINE_M {
        return Err(NotRectifiable::ShortBaseline { baseline_m });
    }
    let x = baseline / baseline_m;
    let axes = [first.rotate(&Vector3::z()), second.rotate(&Vector3::z())];
    let angle_deg = axes[0].angle(&axes[1]).to_degrees();
    if angle_deg > 2.0 * MAX_TURN_DEG {
        return Err(NotRectifiable::DivergingViews { angle_deg: 0.5 * angle_deg });
    }
    let view = (axes[0] + axes[1]).normalize();
    let angle_deg = x.dot(&view).abs().min(1.0).acos().to_degrees();
    if angle_deg < MIN_BASELINE_ANGLE_DEG {
        return Err(NotRectifiable::BaselineAlongView { angle_deg });
    }
    let z = (view - x * x.dot(&view)).normalize();
    let turn = |axis: &Vector3<f64>| axis.angle(&z).to_degrees();
    let angle_deg = turn(&axes[0]).max(turn(&axes[1]));
    if angle_deg > MAX_TURN_DEG {
        return Err(NotRectifiable::DivergingViews { angle_deg });
    }
    let across = first.rotate(&Vector3::x()) + second.rotate(&Vector3::x());
    let down = first.rotate(&Vector3::y()) + second.rotate(&Vector3::y());
    // Along the longer of its two components, the baseline must point right, or down.
    let (right, below) = (x.dot(&across), x.dot(&down));
    if (if right.abs() >= below.abs() { right } else { below }) < 0.0 {
        return Err(NotRectifiable::Swapped);
    }
    let axes = Matrix3::from_columns(&[x, z.cross(&x), z]);
    Ok(UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes)))
}

/// Where the ray of a camera's image centre meets the rectified plane at unit depth.
fn centre_on_plane<R>(
    view: &StereoView<R>,
    rectified_from_camera: &Pose<Rectified, Camera>,
) -> Result<Point2<f64>, NotRectifiable> {
    let centre = Point2::new(0.5 * f64::from(view.width), 0.5 * f64::from(view.height));
    let ray = view.intrinsics.unproject(&centre).ok_or(NotRectifiable::Calibration)?;
    let ray = rectified_from_camera.rotate(&ray);
    if ray.z <= 0.0 {
        return Err(NotRectifiable::Calibration);
    }
    Ok(Point2::new(ray.x / ray.z, ray.y / ray.z))
}

impl Rectification {
    /// For each pixel of the first virtual image, where to look in the first camera's.
    pub fn first_map<R>(&self, first: &StereoView<R>) -> SourceMap {
        self.map(first, &self.rectified_from_first)
    }

    /// For each pixel of the second virtual image, where to look in the second camera's.
    pub fn second_map<R>(&self, second: &StereoView<R>) -> SourceMap {
        self.map(second, &self.rectified_from_second)
    }

    fn map<R>(
        &self,
        view: &StereoView<R>,
        rectified_from_camera: &Pose<Rectified, Camera>,
    ) -> SourceMap {
        let size = [self.width, self.height];
        let source_size = [view.width, view.height];
        SourceMap::new(&self.pinhole, size, &view.intrinsics, source_size, rectified_from_camera)
    }
}

/// For each pixel of a target image, the coordinates in a source image that show the same ray.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceMap {
    /// Target width, pixels.
    pub width: u32,
    /// Target height, pixels.
    pub height: u32,
    /// Row by row `[x, y]` in source pixels (centres at integer + 0.5); NaN where the ray is outside
    /// the source's domain or image.
    pub source_px: Vec<[f32; 2]>,
}

impl SourceMap {
    /// Of a target pinhole of `size` (width, height) that shares its centre with the source and is
    /// turned by `target_from_source` (its translation is not used).
    pub fn new<T>(
        target: &Pinhole,
        size: [u32; 2],
        source: &Intrinsics,
        source_size: [u32; 2],
        target_from_source: &Pose<T, Camera>,
    ) -> Self {
        let [width, height] = size;
        let source_from_target = target_from_source.inverse().rotation_matrix();
        let limits = source_size.map(f64::from);
        let mut source_px = vec![[f32::NAN; 2]; width as usize * height as usize];
        let rows = source_px.par_chunks_mut((width as usize).max(1)).enumerate();
        rows.for_each(|(row, line)| {
            for (column, entry) in line.iter_mut().enumerate() {
                let pixel = Point2::new(column as f64 + 0.5, row as f64 + 0.5);
                let on_plane = target.plane(&pixel);
                let ray = source_from_target * Vector3::new(on_plane.x, on_plane.y, 1.0);
                if let Some(seen) = source.project(&Point3::from(ray))
                    && (0.0..=limits[0]).contains(&seen.x)
                    && (0.0..=limits[1]).contains(&seen.y)
                {
                    *entry = [seen.x as f32, seen.y as f32];
                }
            }
        });
        Self { width, height, source_px }
    }

    /// Each pixel comes from itself, to within `tolerance_px`: the image can be used as it is.
    pub fn is_identity(&self, tolerance_px: f32) -> bool {
        let width = self.width as usize;
        self.source_px.iter().enumerate().all(|(index, [x, y])| {
            let (column, row) = ((index % width) as f32 + 0.5, (index / width) as f32 + 0.5);
            (x - column).abs() <= tolerance_px && (y - row).abs() <= tolerance_px
        })
    }

    /// Share of the target's pixels that have a source.
    pub fn coverage(&self) -> f64 {
        let seen = self.source_px.iter().filter(|[x, _]| x.is_finite()).count();
        seen as f64 / self.source_px.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests;
