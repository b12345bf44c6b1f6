//! A picture with a depth buffer that takes flat convex polygons.

use nalgebra::{Point3, Vector3};
use ommatidia_scene::RgbImage;

use super::colour::Rgb;

/// A pinhole looking from one place at another; z is up in the scene.
#[derive(Debug, Clone, Copy)]
pub(super) struct Eye {
    place: Point3<f64>,
    right: Vector3<f64>,
    down: Vector3<f64>,
    ahead: Vector3<f64>,
    focal_px: f64,
    centre_px: [f64; 2],
}

impl Eye {
    pub(super) fn looking(
        place: Point3<f64>,
        target: Point3<f64>,
        focal_px: f64,
        size: [usize; 2],
    ) -> Self {
        let ahead = (target - place).normalize();
        let right = ahead.cross(&Vector3::z()).normalize();
        let centre_px = size.map(|pixels| pixels as f64 / 2.0);
        Self { place, right, down: ahead.cross(&right), ahead, focal_px, centre_px }
    }

    /// Pixel and depth along the view.
    fn see(&self, p: &Point3<f64>) -> [f64; 3] {
        let ray = p - self.place;
        let z = ray.dot(&self.ahead);
        let along =
            |axis: &Vector3<f64>, i: usize| self.centre_px[i] + self.focal_px * ray.dot(axis) / z;
        [along(&self.right, 0), along(&self.down, 1), z]
    }

    /// The eye is on the side that a face's normal points to.
    pub(super) fn is_in_front_of(&self, p: &Point3<f64>, normal: &Vector3<f64>) -> bool {
        (self.place - p).dot(normal) > 0.0
    }

    /// Distance to a place.
    pub(super) fn distance(&self, p: &Point3<f64>) -> f64 {
        (self.place - p).norm()
    }
}

/// Nearer than this to the eye, nothing is drawn, metres.
const NEAR_M: f64 = 0.5;

/// Colours with the inverse depth of what gave them.
pub(super) struct Raster {
    width: usize,
    height: usize,
    colours: Vec<Rgb>,
    nearness: Vec<f32>,
}

impl Raster {
    /// `background` gives each row's colour.
    pub(super) fn new(width: usize, height: usize, background: impl Fn(usize) -> Rgb) -> Self {
        let colours = (0..height).flat_map(|row| vec![background(row); width]).collect();
        Self { width, height, colours, nearness: vec![0.0; width * height] }
    }

    /// Fills a convex, flat polygon.
    pub(super) fn fill(&mut self, eye: &Eye, corners: &[Point3<f64>], colour: Rgb) {
        let seen: Vec<[f64; 3]> = corners.iter().map(|corner| eye.see(corner)).collect();
        if seen.iter().any(|corner| corner[2] < NEAR_M) {
            return;
        }
        for i in 2..seen.len() {
            self.triangle([seen[0], seen[i - 1], seen[i]], colour);
        }
    }

    fn triangle(&mut self, [a, b, c]: [[f64; 3]; 3], colour: Rgb) {
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        if area.abs() < 1e-9 {
            return;
        }
        let range = |axis: usize, size: usize| {
            let low = a[axis].min(b[axis]).min(c[axis]).floor().max(0.0) as usize;
            let high = a[axis].max(b[axis]).max(c[axis]).ceil().clamp(0.0, size as f64) as usize;
            low..high
        };
        // Inverse depth is linear in the picture.
        let nearness = [a, b, c].map(|corner| 1.0 / corner[2]);
        for y in range(1, self.height) {
            for x in range(0, self.width) {
                let (px, py) = (x as f64 + 0.5, y as f64 + 0.5);
                let share = |p: [f64; 3], q: [f64; 3]| {
                    ((q[0] - p[0]) * (py - p[1]) - (q[1] - p[1]) * (px - p[0])) / area
                };
                let (wc, wa, wb) = (share(a, b), share(b, c), share(c, a));
                // A little over the edge, so that neighbours leave no seam.
                if wa < -1e-3 || wb < -1e-3 || wc < -1e-3 {
                    continue;
                }
                let near = (wa * nearness[0] + wb * nearness[1] + wc * nearness[2]) as f32;
                let index = y * self.width + x;
                if near > self.nearness[index] {
                    self.nearness[index] = near;
                    self.colours[index] = colour;
                }
            }
        }
    }

    /// The picture at half the size, each pixel the mean of four.
    pub(super) fn halved(&self) -> RgbImage {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut data = Vec::with_capacity(3 * width * height);
        for y in 0..height {
            for x in 0..width {
                for channel in 0..3 {
                    let at = |dx: usize, dy: usize| {
                        let index = (2 * y + dy) * self.width + 2 * x + dx;
                        u16::from(self.colours[index][channel])
                    };
                    data.push(((at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) / 4) as u8);
                }
            }
        }
        RgbImage::new(width, height, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_face_wins_whatever_the_order() {
        let eye = Eye::looking(Point3::origin(), Point3::new(1.0, 0.0, 0.0), 10.0, [20, 20]);
        let face = |x: f64| {
            [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]].map(|[y, z]| Point3::new(x, y, z))
        };
        let (near, far) = ((face(2.0), [255, 0, 0]), (face(4.0), [0, 0, 255]));
        for order in [[&near, &far], [&far, &near]] {
            let mut raster = Raster::new(20, 20, |_| [0; 3]);
            order.iter().for_each(|(corners, colour)| raster.fill(&eye, corners, *colour));
            assert_eq!(raster.halved().at(5, 5), [255, 0, 0]);
            assert_eq!(raster.halved().at(0, 0), [0, 0, 0]);
        }
    }

    #[test]
    fn left_is_left_and_up_is_up() {
        let eye = Eye::looking(Point3::origin(), Point3::new(1.0, 0.0, 0.0), 10.0, [20, 20]);
        let [x, y, z] = eye.see(&Point3::new(2.0, 0.5, 0.5));
        assert_eq!((x, y, z), (7.5, 7.5, 2.0));
    }
}
