//! Lidar returns as depth, where the configuration asks for them.

use nalgebra::Point3;
use ommatidia_geometry::{Camera, CameraModel, Lidar, Pose};
use ommatidia_scene::{CameraSensor, DepthMap, PointCloud};

use super::confidence;

/// Columns and rows around a return within which a nearer one hides it, at [`REFERENCE_WIDTH`]. The
/// lidar sits elsewhere than the camera and sees behind what hides a surface from it.
const HIDING: (usize, usize) = (2, 4);
/// Columns and rows around a return that may take its depth: the gaps between scan lines.
const SPREAD: (usize, usize) = (1, 3);
/// Image width at which these hold; they grow with it.
const REFERENCE_WIDTH: usize = 1241;
/// A return is hidden if one nearby is nearer than this share of its depth.
const NEARER: f32 = 0.85;

/// Puts returns into a depth map: exactly at their pixels, and around them where nothing was matched.
pub(super) fn fuse(
    map: &mut DepthMap,
    cloud: &PointCloud,
    camera: &CameraSensor,
    camera_from_lidar: &Pose<Camera, Lidar>,
) {
    let visible = visible(&project(map, cloud, camera, camera_from_lidar), map.width);
    let (columns, rows) = scaled(SPREAD, map.width);
    let spread = nearest_around(&visible, map.width, columns, rows);
    for i in 0..visible.len() {
        if visible[i].is_finite() {
            (map.depth_m[i], map.confidence[i]) = (visible[i], u8::MAX);
        } else if spread[i].is_finite() && map.confidence[i] < confidence::BESIDE_LIDAR {
            (map.depth_m[i], map.confidence[i]) = (spread[i], confidence::BESIDE_LIDAR);
        }
    }
}

fn scaled((columns, rows): (usize, usize), width: usize) -> (usize, usize) {
    let scale = |size: usize| (size * width).div_ceil(REFERENCE_WIDTH).max(1);
    (scale(columns), scale(rows))
}

/// The nearest return in each pixel, metres; infinite where there is none.
fn project(
    map: &DepthMap,
    cloud: &PointCloud,
    camera: &CameraSensor,
    camera_from_lidar: &Pose<Camera, Lidar>,
) -> Vec<f32> {
    let mut nearest = vec![f32::INFINITY; map.depth_m.len()];
    for xyz_m in &cloud.xyz_m {
        let point = *camera_from_lidar * Point3::from(xyz_m.map(f64::from));
        let Some(seen) = camera.intrinsics.project(&point) else { continue };
        let inside =
            (0.0..map.width as f64).contains(&seen.x) && (0.0..map.height as f64).contains(&seen.y);
        if inside && point.z > 0.0 {
            let pixel = &mut nearest[seen.y as usize * map.width + seen.x as usize];
            *pixel = pixel.min(point.z as f32);
        }
    }
    nearest
}

/// Returns without those that the camera cannot see.
fn visible(returns: &[f32], width: usize) -> Vec<f32> {
    let (columns, rows) = scaled(HIDING, width);
    let nearest = nearest_around(returns, width, columns, rows);
    let keep = |(&depth, &near): (&f32, &f32)| {
        if near < NEARER * depth { f32::INFINITY } else { depth }
    };
    returns.iter().zip(&nearest).map(keep).collect()
}

/// Smallest value within a window.
fn nearest_around(values: &[f32], width: usize, columns: usize, rows: usize) -> Vec<f32> {
    let along = |values: &[f32], i: usize, range: std::ops::RangeInclusive<isize>, step: usize| {
        let near = |k: isize| values.get(i.checked_add_signed(k * step as isize)?).copied();
        range.filter_map(near).fold(f32::INFINITY, f32::min)
    };
    let sideways: Vec<f32> = (0..values.len())
        .map(|i| {
            let x = i % width;
            let (west, east) = (columns.min(x), columns.min(width - 1 - x));
            along(values, i, -(west as isize)..=east as isize, 1)
        })
        .collect();
    let rows = rows as isize;
    (0..values.len()).map(|i| along(&sideways, i, -rows..=rows, width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ommatidia_geometry::Intrinsics;
    use ommatidia_geometry::camera::Pinhole;
    use ommatidia_scene::Shutter;

    fn fused(points: &[[f32; 3]], map: &mut DepthMap) {
        let camera = CameraSensor {
            name: "front".to_owned(),
            width: 40,
            height: 20,
            intrinsics: Intrinsics::Pinhole(Pinhole { fx: 20.0, fy: 20.0, cx: 20.0, cy: 10.0 }),
            ego_from_camera: Pose::identity(),
            shutter: Shutter::Global,
        };
        let cloud = PointCloud { xyz_m: points.to_vec(), ..PointCloud::default() };
        fuse(map, &cloud, &camera, &Pose::identity());
    }

    #[test]
    fn returns_land_at_their_pixels_and_hidden_ones_do_not() {
        let mut map = DepthMap::empty(40, 20);
        // Straight ahead at 5 m; just beside it in the image, but at 20 m behind; far to the side.
        fused(&[[0.0, 0.0, 5.0], [1.1, 0.0, 20.0], [6.0, 0.0, 10.0]], &mut map);
        assert_eq!((map.at(20, 10), map.confidence[10 * 40 + 20]), (Some(5.0), 255));
        assert_eq!(map.at(21, 10), Some(5.0), "the nearer return's surroundings");
        assert_eq!(map.at(32, 10), Some(10.0));
        assert_eq!(map.at(5, 5), None);
    }

    #[test]
    fn matches_stay_beside_returns() {
        let mut map = DepthMap::empty(40, 20);
        map.depth_m.fill(7.0);
        map.confidence.fill(confidence::MATCHED);
        fused(&[[0.0, 0.0, 5.0], [0.0, 0.0, -5.0]], &mut map);
        assert_eq!((map.at(20, 10), map.at(21, 10)), (Some(5.0), Some(7.0)));
    }
}
