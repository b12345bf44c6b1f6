//! Lidar returns as true depth: which of them the camera can see.
//!
//! A lidar that sits beside the camera looks past the edges of near things: above the roof of a car it
//! measures a wall that the camera, lower, sees the car in front of. Projected as they are, such
//! returns put the wall's depth on the car's pixels.
//!
//! The test: project all returns twice through the camera's model, once as seen from the lidar's
//! origin and once from the camera's. Between the two views a return moves by its parallax, the nearer
//! the farther. A return P is hidden by a nearer return O if the move takes O over it: before it, P lay
//! beyond O in the direction that O moves; after it, P lies behind O's position or so little beyond it
//! that the surface, which reaches on average half way to the lidar's next return, covers it. Far
//! behind it, P must also have something nearer on its other side: past a pole one sees again.
//! Slanted ground is safe: its returns come closer together but keep their order.

use nalgebra::{Point2, Point3, Vector2, Vector3};
use ommatidia_geometry::{Camera, CameraModel, Intrinsics, Lidar, Pose};
use ommatidia_scene::DepthMap;
use serde::{Deserialize, Serialize};

/// When a return counts as hidden.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VisibilityConfig {
    /// The one in front is nearer by more than this share of the depth behind.
    pub min_depth_gap_share: f64,
    /// Distance across the direction of the parallax within which one return covers another: half of
    /// the lidar's horizontal sampling (0.08 to 0.4 degrees on cars) and some for its beam's width.
    pub cover_rad: f64,
    /// Distance along the parallax up to which two returns of one surface cover what is between them:
    /// the lidar's vertical sampling, 0.4 to 1.3 degrees on cars, and what nearness to the camera adds.
    pub between_rad: f64,
    /// Of the gap that the lidar saw between the two, what may be left in the camera's view.
    pub max_gap_left_share: f64,
}

impl Default for VisibilityConfig {
    /// 5 % is beyond lidar noise and the thickness of a car's shell; half of the gap is left to road
    /// seen from at least half of the lidar's height.
    fn default() -> Self {
        Self {
            min_depth_gap_share: 0.05,
            cover_rad: 0.005,
            between_rad: 0.035,
            max_gap_left_share: 0.5,
        }
    }
}

/// How a lidar looks into one camera's image.
#[derive(Debug, Clone, Copy)]
pub struct LidarView<'a> {
    /// The camera's projection.
    pub intrinsics: &'a Intrinsics,
    /// Width of the image, pixels.
    pub width: usize,
    /// Height of the image, pixels.
    pub height: usize,
    /// Where the lidar was when it measured; its origin is where the rays start.
    pub camera_from_lidar: Pose<Camera, Lidar>,
}

/// Sparse true depth, with an account of what is not in it.
#[derive(Debug, Clone, PartialEq)]
pub struct VisibleReturns {
    /// Depth of the nearest visible return per pixel, confidence 255 there.
    pub depth: DepthMap,
    /// Returns behind the camera, outside its image or not finite.
    pub outside: usize,
    /// Returns removed because something nearer hides them.
    pub hidden: usize,
    /// Visible returns that share a pixel with a nearer one.
    pub merged: usize,
}

/// A return inside the image.
#[derive(Debug, Clone, Copy)]
struct Return {
    pixel: Point2<f64>,
    /// Where the lidar's view has it, pixels.
    from_lidar: Point2<f64>,
    depth_m: f64,
}

/// Lidar returns that the camera sees, as a sparse depth map at the image's resolution.
/// `points_in_lidar_m`: one sweep in the lidar's frame, metres.
pub fn visible_projection(
    points_in_lidar_m: &[[f32; 3]],
    view: &LidarView<'_>,
    config: &VisibilityConfig,
) -> VisibleReturns {
    let returns: Vec<Return> =
        points_in_lidar_m.iter().filter_map(|point| project(point, view)).collect();
    let hidden = find_hidden(&returns, view, config);
    let mut visible = VisibleReturns {
        depth: DepthMap::empty(view.width, view.height),
        outside: points_in_lidar_m.len() - returns.len(),
        hidden: hidden.iter().filter(|&&is| is).count(),
        merged: 0,
    };
    for (seen, _) in returns.iter().zip(&hidden).filter(|(_, hidden)| !**hidden) {
        let index = seen.pixel.y as usize * view.width + seen.pixel.x as usize;
        let depth_m = &mut visible.depth.depth_m[index];
        if *depth_m > 0.0 {
            visible.merged += 1;
        }
        if *depth_m == 0.0 || seen.depth_m < f64::from(*depth_m) {
            *depth_m = seen.depth_m as f32;
            visible.depth.confidence[index] = 255;
        }
    }
    visible
}

fn project(point_in_lidar_m: &[f32; 3], view: &LidarView<'_>) -> Option<Return> {
    let ray = Vector3::from(point_in_lidar_m.map(f64::from));
    // The ray from the lidar, turned into the camera's axes, is the point as a camera there sees it.
    let ray_in_camera = view.camera_from_lidar.rotate(&ray);
    let p_in_camera = Point3::from(ray_in_camera + view.camera_from_lidar.translation);
    let pixel = view.intrinsics.project(&p_in_camera)?;
    let inside = pixel.x >= 0.0
        && pixel.y >= 0.0
        && pixel.x < view.width as f64
        && pixel.y < view.height as f64;
    // Seen by a wide camera from beside the lidar, a close return may have no place in the other view.
    let from_lidar = view.intrinsics.project(&Point3::from(ray_in_camera)).unwrap_or(pixel);
    (inside && p_in_camera.z > 0.0).then_some(Return { pixel, from_lidar, depth_m: p_in_camera.z })
}

fn find_hidden(returns: &[Return], view: &LidarView<'_>, config: &VisibilityConfig) -> Vec<bool> {
    let bins = Bins::new(returns, view.width, view.height);
    let focal_px = view.intrinsics.focal_px().0;
    let (cover_px, between_px) = (config.cover_rad * focal_px, config.between_rad * focal_px);
    let mut evidence = vec![Evidence::default(); returns.len()];
    for front in returns {
        let shift = front.pixel - front.from_lidar;
        let shift_px = shift.norm();
        if shift_px < 1e-9 {
            continue;
        }
        let direction = shift / shift_px;
        let reach = Reach {
            front,
            direction,
            cover_px,
            between_px,
            max_depth_m: front.depth_m / (1.0 - config.min_depth_gap_share),
            max_gap_left_share: config.max_gap_left_share,
        };
        let (behind, beyond) =
            (front.pixel - direction * between_px, front.pixel + direction * between_px);
        for index in bins.between(&behind, &beyond, cover_px) {
            reach.judge(&returns[index], &mut evidence[index]);
        }
    }
    evidence.iter().map(|e| e.covered || (e.passed && e.backed)).collect()
}

/// What nearer returns say about one return.
#[derive(Debug, Clone, Copy, Default)]
struct Evidence {
    /// One has moved onto it.
    covered: bool,
    /// One has moved past it.
    passed: bool,
    /// One lies on the side that they came from.
    backed: bool,
}

/// What one return hides.
struct Reach<'a> {
    front: &'a Return,
    /// Unit vector of its parallax.
    direction: Vector2<f64>,
    cover_px: f64,
    between_px: f64,
    /// What is nearer than this is part of the same surface, metres.
    max_depth_m: f64,
    max_gap_left_share: f64,
}

impl Reach<'_> {
    fn judge(&self, other: &Return, evidence: &mut Evidence) {
        let gap = other.pixel - self.front.pixel;
        let along_px = gap.dot(&self.direction);
        if other.depth_m <= self.max_depth_m
            || across(&gap, &self.direction) > self.cover_px
            || along_px.abs() > self.between_px
        {
            return;
        }
        evidence.backed |= along_px > 0.0;
        let gap_from_lidar = other.from_lidar - self.front.from_lidar;
        let before_px = gap_from_lidar.dot(&self.direction);
        if before_px > 0.0
            && along_px <= self.max_gap_left_share * before_px
            && across(&gap_from_lidar, &self.direction) <= self.cover_px
        {
            evidence.passed = true;
            evidence.covered |= along_px.abs() <= self.cover_px;
        }
    }
}

fn across(gap: &Vector2<f64>, direction: &Vector2<f64>) -> f64 {
    gap.perp(direction).abs()
}

/// Returns by square of the image, to find those near a place.
struct Bins {
    columns: usize,
    rows: usize,
    /// Where each bin's returns start in `members`; one more than there are bins.
    starts: Vec<usize>,
    members: Vec<usize>,
}

/// Edge of a bin, pixels.
const BIN_PX: f64 = 8.0;

impl Bins {
    fn new(returns: &[Return], width: usize, height: usize) -> Self {
        let along = |length: usize| (length as f64 / BIN_PX).ceil().max(1.0) as usize;
        let (columns, rows) = (along(width), along(height));
        let bin =
            |r: &Return| (r.pixel.y / BIN_PX) as usize * columns + (r.pixel.x / BIN_PX) as usize;
        let mut starts = vec![0; columns * rows + 1];
        returns.iter().for_each(|r| starts[bin(r) + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut members = vec![0; returns.len()];
        for (index, r) in returns.iter().enumerate() {
            let slot = &mut next[bin(r)];
            members[*slot] = index;
            *slot += 1;
        }
        Self { columns, rows, starts, members }
    }

    /// Returns in the bins around the box that spans two places.
    fn between(
        &self,
        a: &Point2<f64>,
        b: &Point2<f64>,
        margin_px: f64,
    ) -> impl Iterator<Item = usize> + '_ {
        let clamp =
            |value: f64, bins: usize| (value / BIN_PX).clamp(0.0, (bins - 1) as f64) as usize;
        let columns = clamp(a.x.min(b.x) - margin_px, self.columns)
            ..=clamp(a.x.max(b.x) + margin_px, self.columns);
        let rows =
            clamp(a.y.min(b.y) - margin_px, self.rows)..=clamp(a.y.max(b.y) + margin_px, self.rows);
        rows.flat_map(move |row| {
            let first = self.starts[row * self.columns + columns.start()];
            let last = self.starts[row * self.columns + columns.end() + 1];
            self.members[first..last].iter().copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::depth::testing::{Street, camera_from_lidar, kitti_camera};

    const WIDTH: usize = 1241;
    const HEIGHT: usize = 376;

    /// What is visible and lost lies between an object's highest ring and its edge: no return tells.
    /// Of the returns in the image that the street hides from the camera, the share found; and of
    /// those that it sees, the share removed.
    fn rates(
        origin_in_camera_m: [f64; 3],
        azimuth_step_deg: f64,
        elevations: &[f64],
    ) -> (f64, f64) {
        let street = Street::new();
        let intrinsics = kitti_camera();
        let camera_from_lidar = camera_from_lidar(origin_in_camera_m);
        let points = street.sweep(&camera_from_lidar, azimuth_step_deg, elevations);
        let view =
            LidarView { intrinsics: &intrinsics, width: WIDTH, height: HEIGHT, camera_from_lidar };
        let inside: Vec<&[f32; 3]> =
            points.iter().filter(|point| project(point, &view).is_some()).collect();
        let returns: Vec<Return> = inside.iter().filter_map(|p| project(p, &view)).collect();
        let hidden = find_hidden(&returns, &view, &VisibilityConfig::default());
        let (mut counts, mut removed) = ([0.0; 2], [0.0; 2]);
        for (point, hidden) in inside.iter().zip(hidden) {
            let p_in_camera = camera_from_lidar * Point3::from(point.map(f64::from));
            let seen = usize::from(street.sees(&p_in_camera));
            counts[seen] += 1.0;
            removed[seen] += f64::from(u8::from(hidden));
        }
        assert!(counts[0] > 30.0 && counts[1] > 1000.0, "{counts:?}");
        println!("hidden {} of {}, visible {} of {}", removed[0], counts[0], removed[1], counts[1]);
        (removed[0] / counts[0], removed[1] / counts[1])
    }

    fn elevations(from_deg: f64, to_deg: f64, count: usize) -> Vec<f64> {
        let step = (to_deg - from_deg) / (count - 1) as f64;
        (0..count).map(|i| from_deg + step * i as f64).collect()
    }

    #[test]
    fn hidden_returns_are_found_and_visible_ones_kept() {
        // KITTI: HDL-64, 0.17 degrees, 8 cm above and 27 cm behind the camera.
        let (found, lost) = rates([0.05, -0.08, -0.27], 0.17, &elevations(-24.8, 2.0, 64));
        assert!(found > 0.95 && lost < 0.03, "{found} {lost}");
        // A lidar on the roof, half a metre above and one behind, 32 lasers.
        let (found, lost) = rates([0.0, -0.5, -1.0], 0.33, &elevations(-30.7, 10.7, 32));
        assert!(found > 0.9 && lost < 0.06, "{found} {lost}");
        // Beside the camera.
        let (found, lost) = rates([0.8, -0.3, 0.0], 0.2, &elevations(-25.0, 15.0, 64));
        assert!(found > 0.95 && lost < 0.08, "{found} {lost}");
    }

    fn view(intrinsics: &Intrinsics, origin_in_camera_m: [f64; 3]) -> LidarView<'_> {
        let camera_from_lidar = camera_from_lidar(origin_in_camera_m);
        LidarView { intrinsics, width: WIDTH, height: HEIGHT, camera_from_lidar }
    }

    #[test]
    fn a_lidar_in_the_camera_hides_nothing_and_every_return_is_accounted_for() {
        let intrinsics = kitti_camera();
        let view = view(&intrinsics, [0.0; 3]);
        let mut points =
            Street::new().sweep(&view.camera_from_lidar, 0.4, &elevations(-24.0, 2.0, 32));
        points.extend([[f32::NAN; 3], [-5.0, 0.0, 0.0]]);
        let visible = visible_projection(&points, &view, &VisibilityConfig::default());
        assert_eq!(visible.hidden, 0);
        let kept = visible.depth.depth_m.iter().filter(|&&d| d > 0.0).count();
        assert_eq!(kept + visible.merged + visible.outside, points.len());
        assert!(visible.outside >= 2);
    }

    #[test]
    fn the_nearest_of_a_pixel_wins() {
        let intrinsics = kitti_camera();
        let points = [[20.0, 0.0, 0.0], [19.5, 0.0, 0.0], [19.8, 0.0, 0.0]];
        let visible =
            visible_projection(&points, &view(&intrinsics, [0.0; 3]), &VisibilityConfig::default());
        assert_eq!(visible.depth.at(607, 185), Some(19.5));
        assert_eq!((visible.merged, visible.hidden, visible.outside), (2, 0, 0));
    }

    #[test]
    fn nothing_measured_is_nothing_known() {
        let intrinsics = kitti_camera();
        let visible =
            visible_projection(&[], &view(&intrinsics, [0.0; 3]), &VisibilityConfig::default());
        assert_eq!(visible.depth.density(), 0.0);
    }
}
