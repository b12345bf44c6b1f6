//! Where the cells of the features look: how the network knows its cameras and how they are mounted.

use burn::tensor::{Device, Tensor, TensorData};
use nalgebra::Point2;
use ommatidia_geometry::CameraModel;
use ommatidia_scene::{CameraSensor, Rig};
use rayon::prelude::*;

use crate::Moment;

/// Numbers of each cell.
pub(crate) const CHANNELS: usize = 5;

/// Distance in units of which the level ground is told.
const GROUND_UNIT_M: f64 = 4.0;

/// Lowest height of a camera that is told apart, metres.
const LOWEST_M: f64 = 0.2;

/// `[batch * cameras, 5, rows, columns]`: the direction in the ego frame that the middle of each cell looks in
/// (forward, left, up), its cosine to the optical axis, and the inverse distance of level ground along it, in
/// units of 1 / (4 m), 0 above the horizon. All zero where no ray meets a pixel.
///
/// A convolution sees the same everywhere; given this, the ground's depth is a function of its input, under any
/// calibration (Facil et al. 2019, "CAM-Convs"; Li et al. 2023, "BEVDepth", section 3.3).
pub(crate) fn rays(moments: &[&Moment], size: [usize; 2], device: &Device) -> Tensor<4> {
    let mut all: Vec<f32> = Vec::new();
    let mut last: Option<(&Rig, usize)> = None;
    for moment in moments {
        let start = all.len();
        match last.filter(|(rig, _)| **rig == moment.rig) {
            // Samples of one drive share their rig, unless it is augmented.
            Some((_, start)) => all.extend_from_within(start..),
            None => all.extend(of_rig(&moment.rig, size)),
        }
        last = Some((&moment.rig, start));
    }
    let images = all.len() / (CHANNELS * size[0] * size[1]);
    Tensor::from_data(TensorData::new(all, [images, CHANNELS, size[0], size[1]]), device)
}

/// Of one rig, `[camera, channel, row, column]` in C order.
pub(crate) fn of_rig(rig: &Rig, size: [usize; 2]) -> Vec<f32> {
    let cameras: Vec<Vec<f32>> =
        rig.cameras.par_iter().map(|camera| of_camera(camera, size)).collect();
    cameras.concat()
}

fn of_camera(camera: &CameraSensor, [rows, columns]: [usize; 2]) -> Vec<f32> {
    let plane = rows * columns;
    let mut numbers = vec![0.0; CHANNELS * plane];
    let height_m = camera.ego_from_camera.translation.z.max(LOWEST_M);
    for cell in 0..plane {
        let along = |at: usize, cells: usize, pixels: u32| {
            (at as f64 + 0.5) / cells as f64 * f64::from(pixels)
        };
        let x = along(cell % columns, columns, camera.width);
        let y = along(cell / columns, rows, camera.height);
        let Some(ray_in_camera) = camera.intrinsics.unproject(&Point2::new(x, y)) else { continue };
        let ray = camera.ego_from_camera.rotation * ray_in_camera.into_inner();
        let ground = GROUND_UNIT_M * (-ray.z).max(0.0) / height_m;
        for (channel, value) in [ray.x, ray.y, ray.z, ray_in_camera.z, ground].iter().enumerate() {
            numbers[channel * plane + cell] = *value as f32;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use nalgebra::{UnitQuaternion, Vector3};
    use ommatidia_geometry::{Camera, Ego, Intrinsics, Pose, camera::Pinhole};
    use ommatidia_scene::Shutter;

    use super::*;

    /// Looks forward, 1.5 m above the ground, 45 degrees to each side and down.
    fn forward() -> CameraSensor {
        let ego_from_camera: Pose<Ego, Camera> = Pose::from_row_major(&[
            0.0, 0.0, 1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.5, 0.0, 0.0, 0.0, 1.0,
        ])
        .unwrap();
        let intrinsics = Intrinsics::Pinhole(Pinhole { fx: 32.0, fy: 32.0, cx: 32.0, cy: 32.0 });
        CameraSensor {
            name: "front".to_owned(),
            width: 64,
            height: 64,
            intrinsics,
            ego_from_camera,
            shutter: Shutter::Global,
        }
    }

    fn check(
        camera: &CameraSensor,
        size: [usize; 2],
        [row, column]: [usize; 2],
        expected: [f32; 5],
    ) {
        let numbers = of_camera(camera, size);
        let cell = row * size[1] + column;
        for (channel, expected) in expected.into_iter().enumerate() {
            let found = numbers[channel * size[0] * size[1] + cell];
            assert!(
                (found - expected).abs() < 1e-6,
                "{row} {column} {channel}: {found} {expected}"
            );
        }
    }

    #[test]
    fn ahead_to_the_side_and_down() {
        let camera = forward();
        check(&camera, [1, 1], [0, 0], [1.0, 0.0, 0.0, 1.0, 0.0]);
        // Through pixel (16, 32): half a unit to the left of the axis.
        let norm = 1.25_f32.sqrt();
        check(&camera, [1, 2], [0, 0], [1.0 / norm, 0.5 / norm, 0.0, 1.0 / norm, 0.0]);
        // Through pixel (32, 48): meets the ground at 3 m ahead, 1.5 m below.
        let away_m = (3.0_f32.powi(2) + 1.5_f32.powi(2)).sqrt();
        check(&camera, [2, 1], [1, 0], [1.0 / norm, 0.0, -0.5 / norm, 1.0 / norm, 4.0 / away_m]);
        check(&camera, [2, 1], [0, 0], [1.0 / norm, 0.0, 0.5 / norm, 1.0 / norm, 0.0]);
    }

    #[test]
    fn turned_with_its_mounting() {
        let left = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), std::f64::consts::FRAC_PI_2);
        let turn: Pose<Ego, Ego> = Pose::new(left, Vector3::zeros());
        let camera =
            CameraSensor { ego_from_camera: turn * forward().ego_from_camera, ..forward() };
        check(&camera, [1, 1], [0, 0], [0.0, 1.0, 0.0, 1.0, 0.0]);
    }
}
