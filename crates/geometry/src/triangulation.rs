//! A point from the rays under which several cameras see it.
//!
//! Works on bearings, so it serves every central camera; an angle stands for pixels divided by the
//! focal length.

use nalgebra::{Matrix2x3, Matrix3, Point3, Unit, Vector2, Vector3};
use serde::{Deserialize, Serialize};

use crate::{Camera, Pose};

/// One view of the point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting<W> {
    /// Where the camera was; metres.
    pub world_from_camera: Pose<W, Camera>,
    /// The ray under which it saw the point, in its own frame.
    pub bearing: Unit<Vector3<f64>>,
}

impl<W> Sighting<W> {
    fn is_finite(&self) -> bool {
        self.world_from_camera.is_finite() && self.bearing.iter().all(|x| x.is_finite())
    }

    fn origin(&self) -> Point3<f64> {
        self.world_from_camera.translation.into()
    }

    fn direction(&self) -> Vector3<f64> {
        self.world_from_camera.rotate(&self.bearing)
    }
}

/// When a point counts as determined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TriangulationConfig {
    /// Least angle between two of the rays, radians. 1.5 degrees, as COLMAP's triangulator.
    pub min_parallax_rad: f64,
    /// Largest angle between a ray and the direction to the point, radians. 2 degrees, as COLMAP's.
    pub max_error_rad: f64,
    /// Standard deviation of a ray's direction about each axis, radians: a pixel at a focal length
    /// of 1000 pixels. Scales the covariance only.
    pub sigma_rad: f64,
}

impl Default for TriangulationConfig {
    fn default() -> Self {
        Self {
            min_parallax_rad: 1.5f64.to_radians(),
            max_error_rad: 2f64.to_radians(),
            sigma_rad: 1e-3,
        }
    }
}

/// A triangulated point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Triangulated {
    /// In the world, metres.
    pub point: Point3<f64>,
    /// Of the point, square metres, for [`TriangulationConfig::sigma_rad`].
    pub covariance: Matrix3<f64>,
    /// Largest angle between two rays, radians.
    pub parallax_rad: f64,
    /// Root mean square over the views of the sine of the angle between ray and point.
    pub rms_error_rad: f64,
}

/// Why the rays do not determine a point. Views are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TriangulationFailure {
    /// A single ray has no depth.
    #[error("{have} views given, at least 2 needed")]
    TooFewViews {
        /// How many were given.
        have: usize,
    },
    /// NaN or infinity in a pose or a ray.
    #[error("view {view} has a number that is not finite")]
    NotFinite {
        /// Which.
        view: usize,
    },
    /// The rays are too close to parallel: the point is far, or the camera only turned.
    #[error("the rays are at most {parallax_rad} rad apart, {needed_rad} needed")]
    LowParallax {
        /// Largest angle between two rays, radians.
        parallax_rad: f64,
        /// From the config, radians.
        needed_rad: f64,
    },
    /// The rays meet behind a camera.
    #[error("the point is behind view {view}")]
    Behind {
        /// Which.
        view: usize,
    },
    /// A ray misses the point: a wrong match or a moving thing.
    #[error("view {view} misses the point by {error_rad} rad")]
    Inconsistent {
        /// Which misses most.
        view: usize,
        /// By how much, radians.
        error_rad: f64,
    },
    /// The refinement ran away.
    #[error("the refinement did not converge")]
    NotConverged,
}

const MAX_ITERATIONS: usize = 30;

/// The refinement has converged when a step is this share of the distance to the first camera.
const STEP_TOLERANCE: f64 = 1e-10;

/// The point that minimises the sum of squared sines of the angles between rays and directions to it.
///
/// # Errors
/// A [`TriangulationFailure`] says why there is none.
///
/// Start: the midpoint of the rays. Refinement: Levenberg–Marquardt on residuals in the tangent
/// planes of the bearings. Covariance: `sigma^2 (J^T J)^-1`. Hartley and Zisserman, *Multiple view
/// geometry*, 2004, sections 5.2 and 12.2.
pub fn triangulate<W>(
    sightings: &[Sighting<W>],
    config: &TriangulationConfig,
) -> Result<Triangulated, TriangulationFailure> {
    let have = sightings.len();
    if have < 2 {
        return Err(TriangulationFailure::TooFewViews { have });
    }
    if let Some(view) = sightings.iter().position(|s| !s.is_finite()) {
        return Err(TriangulationFailure::NotFinite { view });
    }
    let parallax_rad = parallax(sightings);
    let too_close =
        TriangulationFailure::LowParallax { parallax_rad, needed_rad: config.min_parallax_rad };
    if parallax_rad < config.min_parallax_rad {
        return Err(too_close);
    }
    let start = midpoint(sightings).ok_or(too_close)?;
    check_in_front(sightings, &start)?;
    let views: Vec<View> = sightings.iter().map(View::new).collect();
    let (point, normal) = refine(&views, start)?;
    check_in_front(sightings, &point)?;
    let rms_error_rad = check_errors(&views, &point, config)?;
    let inverse = normal.try_inverse().ok_or(too_close)?;
    let covariance = inverse * (config.sigma_rad * config.sigma_rad);
    Ok(Triangulated { point, covariance, parallax_rad, rms_error_rad })
}

/// The point with the least sum of squared distances to the rays' lines. `None` if they are parallel.
pub fn midpoint<W>(sightings: &[Sighting<W>]) -> Option<Point3<f64>> {
    let mut normal = Matrix3::zeros();
    let mut right = Vector3::zeros();
    // Relative to the first camera, so that world coordinates of kilometres cost no precision.
    let base = sightings.first()?.origin();
    for sighting in sightings {
        let direction = sighting.direction();
        let across = Matrix3::identity() - direction * direction.transpose();
        normal += across;
        right += across * (sighting.origin() - base);
    }
    let offset = normal.cholesky()?.solve(&right);
    offset.iter().all(|x| x.is_finite()).then(|| base + offset)
}

/// Largest angle between two of the rays, radians.
pub fn parallax<W>(sightings: &[Sighting<W>]) -> f64 {
    let directions: Vec<_> = sightings.iter().map(Sighting::direction).collect();
    let mut largest = 0.0f64;
    for (i, a) in directions.iter().enumerate() {
        for b in &directions[i + 1..] {
            largest = largest.max(a.cross(b).norm().atan2(a.dot(b)));
        }
    }
    largest
}

fn check_in_front<W>(
    sightings: &[Sighting<W>],
    point: &Point3<f64>,
) -> Result<(), TriangulationFailure> {
    let behind = |s: &Sighting<W>| (point - s.origin()).dot(&s.direction()) <= 0.0;
    match sightings.iter().position(behind) {
        Some(view) => Err(TriangulationFailure::Behind { view }),
        None => Ok(()),
    }
}

fn check_errors(
    views: &[View],
    point: &Point3<f64>,
    config: &TriangulationConfig,
) -> Result<f64, TriangulationFailure> {
    let errors = views.iter().map(|view| view.residual(point).0.norm());
    let (mut view, mut worst, mut sum) = (0, 0.0, 0.0);
    for (index, error) in errors.enumerate() {
        sum += error * error;
        if error > worst {
            (view, worst) = (index, error);
        }
    }
    let error_rad = worst.min(1.0).asin();
    if error_rad > config.max_error_rad {
        return Err(TriangulationFailure::Inconsistent { view, error_rad });
    }
    Ok((sum / views.len() as f64).sqrt())
}

/// A camera's centre and the basis of the plane across its ray, in the world.
struct View {
    origin: Point3<f64>,
    across: Matrix2x3<f64>,
}

impl View {
    fn new<W>(sighting: &Sighting<W>) -> Self {
        let direction = sighting.direction();
        let helper = Vector3::ith(direction.iamin(), 1.0);
        let first = direction.cross(&helper).normalize();
        let second = direction.cross(&first);
        let across = Matrix2x3::from_rows(&[first.transpose(), second.transpose()]);
        Self { origin: sighting.origin(), across }
    }

    /// The direction to the point in the plane across the ray, of length sin(angle), and its
    /// derivative by the point.
    fn residual(&self, point: &Point3<f64>) -> (Vector2<f64>, Matrix2x3<f64>) {
        let to_point = point - self.origin;
        let distance = to_point.norm();
        let direction = to_point / distance;
        let residual = self.across * direction;
        (residual, (self.across - residual * direction.transpose()) / distance)
    }
}

fn cost(views: &[View], point: &Point3<f64>) -> f64 {
    views.iter().map(|view| view.residual(point).0.norm_squared()).sum()
}

/// Levenberg–Marquardt; returns the point and `J^T J` there.
fn refine(
    views: &[View],
    start: Point3<f64>,
) -> Result<(Point3<f64>, Matrix3<f64>), TriangulationFailure> {
    let mut point = start;
    let mut current = cost(views, &point);
    let mut damping = 1e-6;
    for _ in 0..MAX_ITERATIONS {
        let (normal, gradient) = normal_equations(views, &point);
        let damped = normal + Matrix3::from_diagonal(&(normal.diagonal() * damping));
        let factor = damped.cholesky().ok_or(TriangulationFailure::NotConverged)?;
        let step = -factor.solve(&gradient);
        let distance = (point - views[0].origin).norm();
        if step.norm() <= STEP_TOLERANCE * distance {
            return Ok((point, normal));
        }
        let moved = cost(views, &(point + step));
        if moved <= current {
            point += step;
            current = moved;
            damping = (damping * 0.1f64).max(1e-12);
        } else {
            damping *= 10.0;
        }
    }
    Err(TriangulationFailure::NotConverged)
}

fn normal_equations(views: &[View], point: &Point3<f64>) -> (Matrix3<f64>, Vector3<f64>) {
    let mut normal = Matrix3::zeros();
    let mut gradient = Vector3::zeros();
    for view in views {
        let (residual, by_point) = view.residual(point);
        normal += by_point.transpose() * by_point;
        gradient += by_point.transpose() * residual;
    }
    (normal, gradient)
}

#[cfg(test)]
mod tests;
