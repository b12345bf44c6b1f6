//! Overlap of rectangles that are turned about the vertical.

/// A box that stands upright: `a` and `b` span the ground plane, `c` points up or down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UprightBox {
    /// Centre in the ground plane, metres.
    pub center_m: [f64; 2],
    /// Extent along the heading and across it, metres.
    pub size_m: [f64; 2],
    /// Heading, from `a` to `b`, radians.
    pub yaw_rad: f64,
    /// Least and largest third coordinate, metres.
    pub vertical_m: [f64; 2],
}

/// Most corners of two rectangles' common part, with room for one in passing.
const MAX_CORNERS: usize = 12;

/// A convex polygon.
#[derive(Clone, Copy)]
struct Polygon {
    corners: [[f64; 2]; MAX_CORNERS],
    count: usize,
}

impl Polygon {
    fn push(&mut self, corner: [f64; 2]) {
        // Two convex quadrilaterals share at most eight corners.
        if self.count < MAX_CORNERS {
            self.corners[self.count] = corner;
            self.count += 1;
        }
    }

    fn area(&self) -> f64 {
        let corners = &self.corners[..self.count];
        let Some(&origin) = corners.first() else { return 0.0 };
        // From a corner, so that places far from the origin lose no digits.
        let from = |p: [f64; 2]| [p[0] - origin[0], p[1] - origin[1]];
        let cross = |pair: &[[f64; 2]]| {
            let [p, q] = [from(pair[0]), from(pair[1])];
            p[0] * q[1] - p[1] * q[0]
        };
        corners.windows(2).map(cross).sum::<f64>().abs() / 2.0
    }
}

impl UprightBox {
    /// Corners in the ground plane, counter-clockwise where the size is positive, from `origin`.
    fn corners(&self, origin: [f64; 2]) -> [[f64; 2]; 4] {
        let (sin, cos) = self.yaw_rad.sin_cos();
        let [x, y] = [self.center_m[0] - origin[0], self.center_m[1] - origin[1]];
        let [l, w] = self.size_m.map(|side| side / 2.0);
        [[l, w], [-l, w], [-l, -w], [l, -w]]
            .map(|[u, v]| [x + cos * u - sin * v, y + sin * u + cos * v])
    }

    /// Area in the ground plane, square metres.
    pub fn area_m2(&self) -> f64 {
        self.size_m[0] * self.size_m[1]
    }

    /// Height, metres.
    pub fn height_m(&self) -> f64 {
        self.vertical_m[1] - self.vertical_m[0]
    }

    /// Common area in the ground plane, square metres. Sutherland and Hodgman's clipping.
    pub fn common_area_m2(&self, other: &Self) -> f64 {
        let reach = |b: &Self| (b.size_m[0].hypot(b.size_m[1])) / 2.0;
        let [dx, dy] = [0, 1].map(|i| other.center_m[i] - self.center_m[i]);
        if dx.hypot(dy) > reach(self) + reach(other) {
            return 0.0;
        }
        let clip = other.corners(self.center_m);
        let mut polygon = Polygon { corners: [[0.0; 2]; MAX_CORNERS], count: 0 };
        self.corners(self.center_m).into_iter().for_each(|corner| polygon.push(corner));
        for i in 0..4 {
            polygon = clipped(&polygon, clip[i], clip[(i + 1) % 4]);
        }
        polygon.area()
    }

    /// Intersection over union in the ground plane; 0 where there is no area.
    pub fn ground_iou(&self, other: &Self) -> f64 {
        let common = self.common_area_m2(other);
        share(common, self.area_m2() + other.area_m2() - common)
    }

    /// Intersection over union of the volumes; 0 where there is none.
    pub fn volume_iou(&self, other: &Self) -> f64 {
        let top = self.vertical_m[1].min(other.vertical_m[1]);
        let bottom = self.vertical_m[0].max(other.vertical_m[0]);
        let common = self.common_area_m2(other) * (top - bottom).max(0.0);
        let volume = |b: &Self| b.area_m2() * b.height_m();
        share(common, volume(self) + volume(other) - common)
    }
}

fn share(common: f64, union: f64) -> f64 {
    if union > 0.0 { common / union } else { 0.0 }
}

/// The part left of the line from `a` to `b`.
fn clipped(polygon: &Polygon, a: [f64; 2], b: [f64; 2]) -> Polygon {
    let side = |p: [f64; 2]| (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
    let mut kept = Polygon { corners: [[0.0; 2]; MAX_CORNERS], count: 0 };
    for i in 0..polygon.count {
        let (from, to) = (polygon.corners[i], polygon.corners[(i + 1) % polygon.count]);
        let (at_from, at_to) = (side(from), side(to));
        if at_from >= 0.0 {
            kept.push(from);
        }
        if (at_from > 0.0 && at_to < 0.0) || (at_from < 0.0 && at_to > 0.0) {
            let t = at_from / (at_from - at_to);
            kept.push([0, 1].map(|k| from[k] + t * (to[k] - from[k])));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_4;

    use proptest::prelude::*;

    use super::*;

    fn upright(x: f64, y: f64, l: f64, w: f64, yaw_rad: f64) -> UprightBox {
        UprightBox { center_m: [x, y], size_m: [l, w], yaw_rad, vertical_m: [0.0, 2.0] }
    }

    #[test]
    fn by_hand() {
        let check = |a: UprightBox, b: UprightBox, expected: f64| {
            assert!((a.common_area_m2(&b) - expected).abs() < 1e-12, "{}", a.common_area_m2(&b));
        };
        let unit = upright(0.0, 0.0, 2.0, 2.0, 0.0);
        check(unit, unit, 4.0);
        check(unit, upright(1.0, 1.0, 2.0, 2.0, 0.0), 1.0);
        check(unit, upright(5.0, 0.0, 2.0, 2.0, 0.3), 0.0);
        // A square turned by 45 degrees leaves an octagon.
        check(unit, upright(0.0, 0.0, 2.0, 2.0, FRAC_PI_4), 8.0 * (2f64.sqrt() - 1.0));
        check(unit, upright(0.0, 0.0, 1.0, 1.0, 0.7), 1.0);
        let high = UprightBox { vertical_m: [1.0, 3.0], ..unit };
        assert_eq!((unit.volume_iou(&high), unit.ground_iou(&high)), (1.0 / 3.0, 1.0));
    }

    fn any_box() -> impl Strategy<Value = UprightBox> {
        (-3.0f64..3.0, -3.0f64..3.0, 0.1f64..5.0, 0.1f64..5.0, -4.0f64..4.0)
            .prop_map(|(x, y, l, w, yaw)| upright(x, y, l, w, yaw))
    }

    proptest! {
        #[test]
        fn both_sides_are_alike(a in any_box(), b in any_box()) {
            prop_assert!((a.volume_iou(&b) - b.volume_iou(&a)).abs() < 1e-9);
            prop_assert!((0.0..=1.0 + 1e-9).contains(&a.ground_iou(&b)));
        }

        #[test]
        fn with_itself_it_is_one(a in any_box(), far in -1e5f64..1e5) {
            let a = UprightBox { center_m: [a.center_m[0] + far, a.center_m[1]], ..a };
            prop_assert!((a.volume_iou(&a) - 1.0).abs() < 1e-9);
        }
    }
}
