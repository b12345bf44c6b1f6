//! A street of boxes, a lidar that measures it and a camera that sees some of that.

use nalgebra::{Point3, Rotation3, UnitQuaternion, Vector3};
use ommatidia_geometry::camera::Pinhole;
use ommatidia_geometry::{Camera, Intrinsics, Lidar, Pose};

/// Axis-aligned boxes in the camera's frame: smallest and largest corner, metres.
pub(super) struct Street {
    boxes: Vec<[[f64; 3]; 2]>,
}

/// KITTI's left camera.
pub(super) fn kitti_camera() -> Intrinsics {
    Intrinsics::Pinhole(Pinhole { fx: 718.856, fy: 718.856, cx: 607.19, cy: 185.22 })
}

/// A lidar (x forward, y left, z up) at this place in the camera's frame, metres.
pub(super) fn camera_from_lidar(origin_in_camera_m: [f64; 3]) -> Pose<Camera, Lidar> {
    let axes = Rotation3::from_basis_unchecked(&[Vector3::z(), -Vector3::x(), -Vector3::y()]);
    Pose::new(UnitQuaternion::from_rotation_matrix(&axes), origin_in_camera_m.into())
}

impl Street {
    /// Ground 1.65 m below the camera, three cars, two poles, a hedge and a house front.
    pub(super) fn new() -> Self {
        let boxes = vec![
            [[-200.0, 1.65, -50.0], [200.0, 3.0, 200.0]],
            [[1.5, 0.15, 6.0], [3.3, 1.65, 10.5]],
            [[-5.0, 0.15, 9.0], [-3.2, 1.65, 13.5]],
            [[1.6, 0.1, 16.0], [3.4, 1.65, 20.0]],
            [[-2.1, -4.0, 8.0], [-1.95, 1.65, 8.15]],
            [[5.0, -5.0, 12.0], [5.2, 1.65, 12.2]],
            [[-9.0, 0.2, 10.0], [-7.5, 1.65, 30.0]],
            [[-30.0, -8.0, 42.0], [30.0, 1.65, 43.0]],
        ];
        Self { boxes }
    }

    /// Distance along a ray to the first box, in lengths of `direction`.
    fn cast(&self, origin: &Point3<f64>, direction: &Vector3<f64>) -> Option<f64> {
        let hit = |[low, high]: &[[f64; 3]; 2]| {
            let (mut enter, mut leave) = (0.0f64, f64::INFINITY);
            for axis in 0..3 {
                let a = (low[axis] - origin[axis]) / direction[axis];
                let b = (high[axis] - origin[axis]) / direction[axis];
                enter = enter.max(a.min(b));
                leave = leave.min(a.max(b));
            }
            (enter <= leave && enter > 0.0).then_some(enter)
        };
        self.boxes.iter().filter_map(hit).min_by(f64::total_cmp)
    }

    /// One sweep over the forward half, in the lidar's frame.
    pub(super) fn sweep(
        &self,
        camera_from_lidar: &Pose<Camera, Lidar>,
        azimuth_step_deg: f64,
        elevations_deg: &[f64],
    ) -> Vec<[f32; 3]> {
        let origin = Point3::from(camera_from_lidar.translation);
        let mut points = Vec::new();
        for i in 0..(100.0 / azimuth_step_deg) as usize {
            // Off a round number, so that no ray grazes a box along its face.
            let azimuth = (-50.0 + azimuth_step_deg * (i as f64 + 0.3)).to_radians();
            for elevation in elevations_deg.iter().map(|deg| deg.to_radians()) {
                let (sin, cos) = elevation.sin_cos();
                let ray = Vector3::new(cos * azimuth.cos(), cos * azimuth.sin(), sin);
                if let Some(range_m) = self.cast(&origin, &camera_from_lidar.rotate(&ray)) {
                    points.push((ray * range_m).cast::<f32>().into());
                }
            }
        }
        points
    }

    /// Nothing lies between the camera and a point in its frame.
    pub(super) fn sees(&self, p_in_camera: &Point3<f64>) -> bool {
        self.cast(&Point3::origin(), &p_in_camera.coords).is_none_or(|range| range > 0.999)
    }
}
