//! Rectangles on the ground: what stands where, and who touches whom.

use nalgebra::{Point2, Vector2};

/// A rectangle on the ground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Footprint {
    /// Middle, metres.
    pub centre_m: Point2<f64>,
    /// Direction of its length, radians.
    pub heading_rad: f64,
    /// Half length and half width, metres.
    pub half_m: [f64; 2],
}

impl Footprint {
    /// A rectangle around a point.
    pub(crate) fn new(centre_m: Point2<f64>, half_m: [f64; 2], heading_rad: f64) -> Self {
        Self { centre_m, heading_rad, half_m }
    }

    /// The square around a circle.
    pub(crate) fn round(centre_m: Point2<f64>, radius_m: f64) -> Self {
        Self::new(centre_m, [radius_m; 2], 0.0)
    }

    /// A point of it, in its own axes.
    pub(crate) fn at(&self, x_m: f64, y_m: f64) -> Point2<f64> {
        let [x, y] = self.axes();
        self.centre_m + x * x_m + y * y_m
    }

    /// Both overlap, edges included.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.gap_m(other) <= 0.0
    }

    fn axes(&self) -> [Vector2<f64>; 2] {
        let (sin, cos) = self.heading_rad.sin_cos();
        [Vector2::new(cos, sin), Vector2::new(-sin, cos)]
    }

    /// Half of the diagonal, metres.
    pub fn radius_m(&self) -> f64 {
        self.half_m[0].hypot(self.half_m[1])
    }

    /// Both overlap, or come closer than `margin_m` to each other along some side's normal. Separating
    /// axes; exact for overlap.
    pub fn touches(&self, other: &Self, margin_m: f64) -> bool {
        let offset = other.centre_m - self.centre_m;
        let reach = self.radius_m() + other.radius_m() + margin_m;
        if offset.norm_squared() > reach * reach {
            return false;
        }
        self.gap_m(other) < margin_m
    }

    /// The largest gap along a side's normal, metres; negative where no side parts them.
    fn gap_m(&self, other: &Self) -> f64 {
        let offset = other.centre_m - self.centre_m;
        let (mine, theirs) = (self.axes(), other.axes());
        let extent = |axes: &[Vector2<f64>; 2], half: &[f64; 2], axis: &Vector2<f64>| {
            axes[0].dot(axis).abs() * half[0] + axes[1].dot(axis).abs() * half[1]
        };
        let gap = |axis: &Vector2<f64>| {
            let reach = extent(&mine, &self.half_m, axis) + extent(&theirs, &other.half_m, axis);
            offset.dot(axis).abs() - reach
        };
        mine.iter().chain(&theirs).map(gap).fold(f64::NEG_INFINITY, f64::max)
    }

    /// Points along its edge, at most `step_m` apart.
    pub(crate) fn outline(&self, step_m: f64) -> Vec<Point2<f64>> {
        let [x, y] = self.axes();
        let [l, w] = self.half_m;
        let along = (2.0 * l / step_m).ceil().max(1.0) as usize;
        let across = (2.0 * w / step_m).ceil().max(1.0) as usize;
        let mut points = Vec::with_capacity(2 * (along + across) + 2);
        for i in 0..=along {
            let u = l * (2.0 * i as f64 / along as f64 - 1.0);
            points.extend([self.centre_m + x * u + y * w, self.centre_m + x * u - y * w]);
        }
        for i in 1..across {
            let v = w * (2.0 * i as f64 / across as f64 - 1.0);
            points.extend([self.centre_m + x * l + y * v, self.centre_m - x * l + y * v]);
        }
        points
    }

    /// A point is within it.
    pub fn holds(&self, p: &Point2<f64>) -> bool {
        let offset = p - self.centre_m;
        let [x, y] = self.axes();
        offset.dot(&x).abs() <= self.half_m[0] && offset.dot(&y).abs() <= self.half_m[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rectangle() -> impl Strategy<Value = Footprint> {
        (-4.0..4.0, -4.0..4.0, -7.0..7.0, 0.3..3.0, 0.3..1.5).prop_map(|(x, y, heading, l, w)| {
            Footprint { centre_m: Point2::new(x, y), heading_rad: heading, half_m: [l, w] }
        })
    }

    proptest! {
        #[test]
        fn agrees_with_sampling(a in rectangle(), b in rectangle()) {
            let inside = |from: &Footprint, to: &Footprint| {
                let [x, y] = from.axes();
                (0..=20).any(|i| (0..=20).any(|j| {
                    let u = from.half_m[0] * (f64::from(i) / 10.0 - 1.0);
                    let v = from.half_m[1] * (f64::from(j) / 10.0 - 1.0);
                    to.holds(&(from.centre_m + x * u + y * v))
                }))
            };
            if inside(&a, &b) || inside(&b, &a) {
                prop_assert!(a.touches(&b, 0.0));
            }
            prop_assert_eq!(a.touches(&b, 0.0), b.touches(&a, 0.0));
            // The largest gap over the axes cannot be more than what parts the nearest samples.
            if !a.touches(&b, 0.0) {
                prop_assert!(!inside(&a, &b) && !inside(&b, &a));
            }
        }
    }
}
