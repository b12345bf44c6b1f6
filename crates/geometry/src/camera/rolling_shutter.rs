//! Projection while the camera moves and its lines are exposed one after the other.

use nalgebra::{Point2, Point3, Vector6};
use serde::{Deserialize, Serialize};

use super::CameraModel;
use crate::{Camera, Duration, Pose, Timestamp};

/// The edge at which a rolling shutter starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadoutDirection {
    /// First row first.
    TopToBottom,
    /// Last row first.
    BottomToTop,
    /// First column first.
    LeftToRight,
    /// Last column first.
    RightToLeft,
}

/// When each line of an image is exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollingShutter {
    /// From the first line's exposure to the last one's.
    pub readout: Duration,
    /// Which line comes first.
    pub direction: ReadoutDirection,
    /// Image width, pixels.
    pub width: u32,
    /// Image height, pixels.
    pub height: u32,
}

impl RollingShutter {
    /// When a pixel is exposed, seconds after the image's timestamp (the middle of all lines).
    /// Beside the image the nearest line's time holds.
    pub fn offset_s(&self, pixel: &Point2<f64>) -> f64 {
        let (along, lines) = match self.direction {
            ReadoutDirection::TopToBottom | ReadoutDirection::BottomToTop => (pixel.y, self.height),
            ReadoutDirection::LeftToRight | ReadoutDirection::RightToLeft => (pixel.x, self.width),
        };
        // Line i has its centre at i + 0.5.
        let share = ((along - 0.5) / f64::from(lines.max(2) - 1)).clamp(0.0, 1.0) - 0.5;
        match self.direction {
            ReadoutDirection::TopToBottom | ReadoutDirection::LeftToRight => {
                share * self.readout.as_secs_f64()
            }
            ReadoutDirection::BottomToTop | ReadoutDirection::RightToLeft => {
                -share * self.readout.as_secs_f64()
            }
        }
    }
}

/// A camera that moves with constant velocity in its own frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConstantVelocity<W> {
    /// Pose at the image's timestamp.
    pub world_from_camera: Pose<W, Camera>,
    /// `[m/s; rad/s]`, on the right: `world_from_camera * exp(t velocity)`.
    pub velocity: Vector6<f64>,
}

impl<W> ConstantVelocity<W> {
    /// Through two poses, seen from the image at `at`. `None` if both have the same time.
    pub fn through(
        first: (Timestamp, Pose<W, Camera>),
        second: (Timestamp, Pose<W, Camera>),
        at: Timestamp,
    ) -> Option<Self> {
        let span_s = (second.0 - first.0).as_secs_f64();
        if span_s == 0.0 {
            return None;
        }
        let velocity = (first.1.inverse() * second.1).log() / span_s;
        let world_from_camera = first.1.retract(&(velocity * (at - first.0).as_secs_f64()));
        Some(Self { world_from_camera, velocity })
    }

    /// The pose `offset_s` seconds after the image's timestamp.
    pub fn pose(&self, offset_s: f64) -> Pose<W, Camera> {
        self.world_from_camera.retract(&(self.velocity * offset_s))
    }
}

/// Fixed-point iterations; each gains the digits of (line speed of the point) / (readout speed).
const MAX_ITERATIONS: usize = 50;

/// Converged when the pixel moves less, pixels.
const TOLERANCE_PX: f64 = 1e-7;

/// Where a world point (metres) appears, in pixels, and when: seconds after the image's timestamp.
/// `world_from_camera` is the pose at such a time.
///
/// Solves `pixel = project(pose(offset(pixel)) p)` by fixed-point iteration on the time. `None`
/// where the point leaves the model's domain on the way, or crosses lines faster than they are read
/// (turning by the whole field within one readout), so that the iteration does not settle.
///
/// Source: Hedborg, Forssén, Felsberg and Ringaby, *Rolling shutter bundle adjustment*, 2012.
pub fn project_rolling<W>(
    model: &impl CameraModel,
    shutter: &RollingShutter,
    world_from_camera: impl Fn(f64) -> Pose<W, Camera>,
    p_in_world: &Point3<f64>,
) -> Option<(Point2<f64>, f64)> {
    let pixel_at =
        |offset_s: f64| model.project(&(world_from_camera(offset_s).inverse() * *p_in_world));
    let mut pixel = pixel_at(0.0)?;
    for _ in 0..MAX_ITERATIONS {
        let offset_s = shutter.offset_s(&pixel);
        let next = pixel_at(offset_s)?;
        if (next - pixel).norm() <= TOLERANCE_PX {
            return Some((next, offset_s));
        }
        pixel = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::World;
    use crate::camera::Pinhole;

    const CAMERA: Pinhole = Pinhole { fx: 900.0, fy: 900.0, cx: 640.0, cy: 400.0 };

    fn shutter(direction: ReadoutDirection) -> RollingShutter {
        RollingShutter { readout: Duration(30_000_000), direction, width: 1280, height: 800 }
    }

    #[test]
    fn lines_are_exposed_in_order_around_the_timestamp() {
        let check = |direction, x: f64, y: f64, expected_s: f64| {
            let found = shutter(direction).offset_s(&Point2::new(x, y));
            assert!((found - expected_s).abs() < 1e-12, "{direction:?}: {found}");
        };
        check(ReadoutDirection::TopToBottom, 9.0, 0.5, -0.015);
        check(ReadoutDirection::TopToBottom, 9.0, 799.5, 0.015);
        check(ReadoutDirection::TopToBottom, 9.0, 5000.0, 0.015);
        check(ReadoutDirection::BottomToTop, 9.0, 0.5, 0.015);
        check(ReadoutDirection::LeftToRight, 640.0, 3.0, 0.0);
        check(ReadoutDirection::RightToLeft, 1279.5, 3.0, -0.015);
    }

    #[test]
    fn constant_velocity_passes_through_both_poses() {
        let first = Pose::<World, Camera>::exp(&Vector6::new(1.0, 2.0, 3.0, 0.1, -0.2, 0.3));
        let second = first.retract(&Vector6::new(0.5, 0.1, -0.2, 0.05, 0.02, -0.04));
        let (early, late, at) = (Timestamp(0), Timestamp(100_000_000), Timestamp(40_000_000));
        let motion = ConstantVelocity::through((early, first), (late, second), at).unwrap();
        for (offset_s, expected) in [(-0.04, first), (0.06, second)] {
            let off = (motion.pose(offset_s).inverse() * expected).log().norm();
            assert!(off < 1e-9, "{off}");
        }
        assert_eq!(ConstantVelocity::through((early, first), (early, second), at), None);
    }

    #[test]
    fn a_point_that_outruns_the_readout_is_not_projected() {
        // The lines are read at 26,667 per second; the point crosses 31,500 against them.
        let velocity = Vector6::new(0.0, 0.0, 0.0, -35.0, 0.0, 0.0);
        let motion =
            ConstantVelocity { world_from_camera: Pose::<World, Camera>::identity(), velocity };
        let shutter = shutter(ReadoutDirection::TopToBottom);
        let p = Point3::new(0.0, 1.0, 10.0);
        assert_eq!(project_rolling(&CAMERA, &shutter, |t| motion.pose(t), &p), None);
    }

    proptest! {
        #[test]
        fn agrees_with_a_search_over_all_times(
            x in -4.0..4.0f64, y in -3.0..3.0f64, z in 8.0..40.0f64,
            v in prop::array::uniform3(-15.0..15.0f64), w in prop::array::uniform3(-0.6..0.6f64),
        ) {
            let velocity = Vector6::new(v[0], v[1], v[2], w[0], w[1], w[2]);
            let motion =
                ConstantVelocity { world_from_camera: Pose::<World, Camera>::identity(), velocity };
            let p = Point3::new(x, y, z);
            for direction in [ReadoutDirection::TopToBottom, ReadoutDirection::RightToLeft] {
                let shutter = shutter(direction);
                let lag = |t: f64| {
                    let pixel = CAMERA.project(&(motion.pose(t).inverse() * p)).unwrap();
                    shutter.offset_s(&pixel) - t
                };
                let (mut low, mut high) = (-0.015, 0.015);
                for _ in 0..60 {
                    let middle = 0.5 * (low + high);
                    if lag(middle) > 0.0 { low = middle } else { high = middle }
                }
                let expected = CAMERA.project(&(motion.pose(low).inverse() * p)).unwrap();
                let (pixel, offset_s) =
                    project_rolling(&CAMERA, &shutter, |t| motion.pose(t), &p).unwrap();
                prop_assert!((pixel - expected).norm() < 1e-5, "{} {}", pixel, expected);
                prop_assert!((offset_s - low).abs() < 1e-8);
            }
        }
    }
}
