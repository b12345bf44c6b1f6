//! Who touches whom: oriented boxes in plan.

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
        let (mine, theirs) = (self.axes(), other.axes());
        mine.iter().chain(&theirs).all(|axis| {
            let extent = |axes: &[Vector2<f64>; 2], half: &[f64; 2]| {
                axes[0].dot(axis).abs() * half[0] + axes[1].dot(axis).abs() * half[1]
            };
            let gap = offset.dot(axis).abs()
                - extent(&mine, &self.half_m)
                - extent(&theirs, &other.half_m);
            gap < margin_m
        })
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
