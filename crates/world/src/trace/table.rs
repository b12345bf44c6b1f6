//! The rays of a camera, made once.

use nalgebra::Point2;
use ommatidia_geometry::CameraModel;
use ommatidia_geometry::camera::{ReadoutDirection, RollingShutter};
use ommatidia_kernels::raycast::RAYS;
use ommatidia_scene::{CameraSensor, Shutter};
use rayon::prelude::*;

/// Directions of 16 neighbouring pixels of one line, in the camera's frame, of length 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rays {
    pub(super) directions: [[f32; RAYS]; 3],
    /// Bit per pixel that the model has a ray for.
    pub(super) active: u16,
}

/// A camera's rays by lines: rows, or columns where the shutter reads columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub(super) camera: CameraSensor,
    /// Lines are columns.
    pub(super) by_columns: bool,
    /// Number of lines, and pixels of each.
    pub(super) lines: usize,
    pub(super) length: usize,
    /// Packets of one line after the other.
    rays: Vec<Rays>,
    /// Angle between neighbouring rays of a line, radians, one per packet.
    pixel_rad: Vec<f32>,
    pub(super) shutter: Option<RollingShutter>,
}

impl Table {
    /// The rays of a camera.
    pub fn new(camera: &CameraSensor) -> Self {
        let (width, height) = (camera.width as usize, camera.height as usize);
        let shutter = match camera.shutter {
            Shutter::Global => None,
            Shutter::Rolling { readout_ns: readout, direction } => Some(RollingShutter {
                readout,
                direction,
                width: camera.width,
                height: camera.height,
            }),
        };
        let by_columns = shutter.is_some_and(|shutter| {
            matches!(
                shutter.direction,
                ReadoutDirection::LeftToRight | ReadoutDirection::RightToLeft
            )
        });
        let (lines, length) = if by_columns { (width, height) } else { (height, width) };
        let mut table = Self {
            camera: camera.clone(),
            by_columns,
            lines,
            length,
            rays: Vec::new(),
            pixel_rad: Vec::new(),
            shutter,
        };
        let packets = table.packets();
        let made: Vec<(Rays, f32)> = (0..lines * packets)
            .into_par_iter()
            .map(|index| table.packet(index / packets, index % packets))
            .collect();
        (table.rays, table.pixel_rad) = made.into_iter().unzip();
        table
    }

    /// Packets of a line.
    pub(super) fn packets(&self) -> usize {
        self.length.div_ceil(RAYS)
    }

    pub(super) fn rays(&self, line: usize, packet: usize) -> (&Rays, f32) {
        let index = line * self.packets() + packet;
        (&self.rays[index], self.pixel_rad[index])
    }

    /// Direction of one pixel in the camera's frame; `None` where the model has no ray.
    #[inline]
    pub(super) fn ray(&self, line: usize, along: usize) -> Option<[f32; 3]> {
        let rays = &self.rays[line * self.packets() + along / RAYS];
        let lane = along % RAYS;
        (rays.active >> lane & 1 == 1).then(|| [0, 1, 2].map(|axis| rays.directions[axis][lane]))
    }

    /// Centre of a pixel.
    pub(super) fn pixel(&self, line: usize, along: usize) -> Point2<f64> {
        let (line, along) = (line as f64 + 0.5, along as f64 + 0.5);
        if self.by_columns { Point2::new(line, along) } else { Point2::new(along, line) }
    }

    /// Seconds after the image's timestamp at which a line is exposed.
    pub(super) fn offset_s(&self, line: usize) -> f64 {
        self.shutter.map_or(0.0, |shutter| shutter.offset_s(&self.pixel(line, 0)))
    }

    /// From the first line's exposure to the last one's, seconds.
    pub fn readout_s(&self) -> f64 {
        self.shutter.map_or(0.0, |shutter| shutter.readout.as_secs_f64().abs())
    }

    fn packet(&self, line: usize, packet: usize) -> (Rays, f32) {
        let mut rays = Rays { directions: [[0.0; RAYS]; 3], active: 0 };
        let first = packet * RAYS;
        for lane in 0..RAYS.min(self.length - first) {
            let pixel = self.pixel(line, first + lane);
            let Some(ray) = self.camera.intrinsics.unproject(&pixel) else { continue };
            for axis in 0..3 {
                rays.directions[axis][lane] = ray[axis] as f32;
            }
            rays.active |= 1 << lane;
        }
        let middle = self.pixel(line, first + (RAYS / 2).min(self.length - first - 1));
        (rays, self.angle(&middle))
    }

    /// Angle between the rays of a pixel and of its neighbour, radians.
    fn angle(&self, pixel: &Point2<f64>) -> f32 {
        let (here, there) = (
            self.camera.intrinsics.unproject(pixel),
            self.camera.intrinsics.unproject(&Point2::new(pixel.x + 1.0, pixel.y)),
        );
        let angle =
            here.zip(there).map(|(here, there)| (there.into_inner() - here.into_inner()).norm());
        angle.unwrap_or_else(|| 1.0 / self.camera.intrinsics.focal_px().0) as f32
    }
}
