//! Plane curves of roads: lines, arcs, clothoids and cubics, by arc length.

use nalgebra::{Point2, Rotation2, Vector2};

/// A place on a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CurvePoint {
    pub(crate) p_m: Point2<f64>,
    pub(crate) heading_rad: f64,
    pub(crate) curvature_per_m: f64,
}

impl CurvePoint {
    /// Unit vector to the left.
    pub(crate) fn left(&self) -> Vector2<f64> {
        Vector2::new(-self.heading_rad.sin(), self.heading_rad.cos())
    }

    /// Unit vector ahead.
    pub(crate) fn ahead(&self) -> Vector2<f64> {
        Vector2::new(self.heading_rad.cos(), self.heading_rad.sin())
    }
}

/// The form of one piece, in a frame at its start with x along its tangent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Curvature changes linearly: lines, arcs, clothoids.
    Clothoid { start_per_m: f64, rate_per_m2: f64 },
    /// Cubics `u(p)`, `v(p)` with `p` by arc length from a table of equal steps.
    Cubic { u: [f64; 4], v: [f64; 4], p_by_s: Vec<f64> },
}

#[derive(Debug, Clone, PartialEq)]
struct Piece {
    s_m: f64,
    length_m: f64,
    start: CurvePoint,
    shape: Shape,
}

/// Pieces end to end. Positions are by arc length from the start, extrapolated along the end tangents.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Curve {
    pieces: Vec<Piece>,
    length_m: f64,
}

impl Curve {
    pub(crate) fn length_m(&self) -> f64 {
        self.length_m
    }

    /// Adds a piece at a given place (as files do).
    pub(crate) fn push(&mut self, p_m: Point2<f64>, heading_rad: f64, length_m: f64, shape: Shape) {
        let start = CurvePoint { p_m, heading_rad, curvature_per_m: 0.0 };
        self.pieces.push(Piece { s_m: self.length_m, length_m, start, shape });
        self.length_m += length_m;
    }

    /// A curve that begins at a place, without any length yet.
    pub(crate) fn from(p_m: Point2<f64>, heading_rad: f64) -> Self {
        let mut curve = Self::default();
        curve.push(p_m, heading_rad, 0.0, Shape::Clothoid { start_per_m: 0.0, rate_per_m2: 0.0 });
        curve
    }

    /// Goes on from the end with curvature from `start_per_m` to `end_per_m`.
    pub(crate) fn bend(&mut self, length_m: f64, start_per_m: f64, end_per_m: f64) {
        let end = self.at(self.length_m);
        let rate_per_m2 = (end_per_m - start_per_m) / length_m;
        self.push(end.p_m, end.heading_rad, length_m, Shape::Clothoid { start_per_m, rate_per_m2 });
    }

    /// The same curve from its end to its start; of lines, arcs and clothoids only.
    pub(crate) fn reversed(&self) -> Self {
        let end = self.at(self.length_m);
        let mut curve = Self::from(end.p_m, end.heading_rad + std::f64::consts::PI);
        for piece in self.pieces.iter().rev().filter(|piece| piece.length_m > 0.0) {
            if let Shape::Clothoid { start_per_m, rate_per_m2 } = piece.shape {
                let last_per_m = start_per_m + rate_per_m2 * piece.length_m;
                curve.bend(piece.length_m, -last_per_m, -start_per_m);
            }
        }
        curve
    }

    /// Lowest and highest corner of a box around the curve, without what it is extrapolated to.
    pub(crate) fn around_m(&self) -> [Point2<f64>; 2] {
        let mut corners = [f64::INFINITY, f64::NEG_INFINITY].map(|value| Point2::new(value, value));
        for p in self.pieces.iter().flat_map(Piece::outline_m) {
            corners = [corners[0].inf(&p), corners[1].sup(&p)];
        }
        let margin = Vector2::repeat(0.5 * OUTLINE_M);
        [corners[0] - margin, corners[1] + margin]
    }

    pub(crate) fn at(&self, s_m: f64) -> CurvePoint {
        let after = self.pieces.partition_point(|piece| piece.s_m <= s_m);
        let piece = &self.pieces[after.saturating_sub(1)];
        let along = (s_m - piece.s_m).clamp(0.0, piece.length_m);
        let mut point = piece.at(along);
        let beyond = s_m.max(0.0) - self.length_m;
        if s_m < 0.0 {
            point.p_m += point.ahead() * s_m;
        } else if beyond > 0.0 {
            point.p_m += point.ahead() * beyond;
        }
        point
    }
}

/// The box around a curve takes places this far apart at most, metres.
const OUTLINE_M: f64 = 10.0;

impl Piece {
    /// Points in whose box, widened by half of [`OUTLINE_M`], the piece lies.
    fn outline_m(&self) -> Vec<Point2<f64>> {
        if let Shape::Cubic { u, v, p_by_s } = &self.shape {
            let [u, v] = [u, v].map(|c| control(c, p_by_s.last().copied().unwrap_or(0.0)));
            let turned = Rotation2::new(self.start.heading_rad);
            return (0..4).map(|i| self.start.p_m + turned * Vector2::new(u[i], v[i])).collect();
        }
        let steps = (self.length_m / OUTLINE_M).ceil().max(1.0);
        let place = |step: usize| self.at(self.length_m * step as f64 / steps).p_m;
        (0..=steps as usize).map(place).collect()
    }

    fn at(&self, s_m: f64) -> CurvePoint {
        let (local, turn, curvature_per_m) = match &self.shape {
            Shape::Clothoid { start_per_m, rate_per_m2 } => (
                clothoid(s_m, *start_per_m, *rate_per_m2),
                s_m * (start_per_m + 0.5 * rate_per_m2 * s_m),
                start_per_m + rate_per_m2 * s_m,
            ),
            Shape::Cubic { u, v, p_by_s } => cubic_at(u, v, table(p_by_s, s_m / self.length_m)),
        };
        let heading_rad = self.start.heading_rad;
        CurvePoint {
            p_m: self.start.p_m + Rotation2::new(heading_rad) * local,
            heading_rad: heading_rad + turn,
            curvature_per_m,
        }
    }
}

/// End of a clothoid that starts at the origin along x: the integral of `(cos, sin)` of
/// `k0 s + k' s^2 / 2`, by Gauss-Legendre with five nodes on stretches of at most half a radian.
/// The file reader bounds the turn of a piece, and so their number.
fn clothoid(s_m: f64, start_per_m: f64, rate_per_m2: f64) -> Vector2<f64> {
    const NODES: [(f64, f64); 5] = [
        (0.0, 0.568_888_888_888_888_9),
        (-0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
        (0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
        (-0.906_179_845_938_664, 0.236_926_885_056_189_08),
        (0.906_179_845_938_664, 0.236_926_885_056_189_08),
    ];
    let turn = s_m * (start_per_m.abs() + rate_per_m2.abs() * s_m);
    let stretches = (turn / 0.5).ceil().max(1.0);
    let half = 0.5 * s_m / stretches;
    let mut sum = Vector2::zeros();
    for stretch in 0..stretches as usize {
        let middle = (2.0 * stretch as f64 + 1.0) * half;
        for (node, weight) in NODES {
            let s = middle + half * node;
            let angle = s * (start_per_m + 0.5 * rate_per_m2 * s);
            sum += Vector2::new(angle.cos(), angle.sin()) * (weight * half);
        }
    }
    sum
}

/// Position, turn and curvature of a parametric cubic.
fn cubic_at(u: &[f64; 4], v: &[f64; 4], p: f64) -> (Vector2<f64>, f64, f64) {
    let value = |c: &[f64; 4]| c[0] + p * (c[1] + p * (c[2] + p * c[3]));
    let first = |c: &[f64; 4]| c[1] + p * (2.0 * c[2] + p * 3.0 * c[3]);
    let second = |c: &[f64; 4]| 2.0 * c[2] + 6.0 * p * c[3];
    let (du, dv) = (first(u), first(v));
    let speed = du.hypot(dv).max(1e-12);
    let curvature = (du * second(v) - dv * second(u)) / speed.powi(3);
    (Vector2::new(value(u), value(v)), dv.atan2(du), curvature)
}

/// Bézier control values of a cubic from 0 to `end`: it stays between the lowest and the highest.
pub(crate) fn control(&[a, b, c, d]: &[f64; 4], end: f64) -> [f64; 4] {
    let third = b * end / 3.0;
    let square = c * end * end;
    [a, a + third, a + 2.0 * third + square / 3.0, a + b * end + square + d * end.powi(3)]
}

/// Linear look-up in a table of equal steps.
fn table(values: &[f64], share: f64) -> f64 {
    let steps = share.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let index = (steps as usize).min(values.len() - 2);
    values[index] + (values[index + 1] - values[index]) * (steps - index as f64)
}

/// Parameters at equal steps of arc length along a parametric cubic from 0 to `end`, and the length.
pub(crate) fn by_arc_length(u: &[f64; 4], v: &[f64; 4], end: f64) -> (Vec<f64>, f64) {
    const FINE: usize = 1024;
    const COARSE: usize = 256;
    let mut lengths = vec![0.0];
    let mut last = cubic_at(u, v, 0.0).0;
    for step in 1..=FINE {
        let next = cubic_at(u, v, end * step as f64 / FINE as f64).0;
        lengths.push(lengths[step - 1] + (next - last).norm());
        last = next;
    }
    let total = lengths[FINE];
    let parameter = |step: usize| {
        let wanted = total * step as f64 / COARSE as f64;
        let index = lengths.partition_point(|&length| length < wanted).clamp(1, FINE);
        let (low, high) = (lengths[index - 1], lengths[index]);
        let share = if high > low { (wanted - low) / (high - low) } else { 0.0 };
        end * (index as f64 - 1.0 + share) / FINE as f64
    };
    ((0..=COARSE).map(parameter).collect(), total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_PI_2, PI};

    #[test]
    fn arcs_close_and_clothoids_match_fresnel() {
        let mut circle = Curve::from(Point2::new(3.0, 4.0), 0.7);
        circle.bend(2.0 * PI * 25.0, 1.0 / 25.0, 1.0 / 25.0);
        let end = circle.at(circle.length_m());
        assert!((end.p_m - Point2::new(3.0, 4.0)).norm() < 1e-9);
        assert!((end.heading_rad - 0.7 - 2.0 * PI).abs() < 1e-12);

        // Unit clothoid, curvature pi s: ends at the Fresnel integrals C(1), S(1)
        // (Abramowitz & Stegun, table 7.7).
        let mut spiral = Curve::from(Point2::origin(), 0.0);
        spiral.bend(1.0, 0.0, PI);
        let end = spiral.at(1.0);
        assert!((end.p_m - Point2::new(0.779_893_400_4, 0.438_259_147_4)).norm() < 1e-9);
        assert!((end.heading_rad - FRAC_PI_2).abs() < 1e-12);
    }

    #[test]
    fn cubics_go_by_arc_length() {
        let (u, v) = ([0.0, 30.0, 0.0, 0.0], [0.0, 0.0, 10.0, -4.0]);
        let (p_by_s, length_m) = by_arc_length(&u, &v, 1.0);
        let mut curve = Curve::default();
        curve.push(Point2::origin(), 0.0, length_m, Shape::Cubic { u, v, p_by_s });
        let step = length_m / 100.0;
        for i in 0..100 {
            let (a, b) = (curve.at(f64::from(i) * step), curve.at(f64::from(i + 1) * step));
            assert!(((b.p_m - a.p_m).norm() - step).abs() < 1e-3 * step);
        }
        assert!((curve.at(length_m).p_m - Point2::new(30.0, 6.0)).norm() < 1e-9);
    }

    #[test]
    fn boxes_hold_their_curves() {
        let (u, v) = ([0.0, 40.0, 0.0, -10.0], [0.0, 90.0, -270.0, 180.0]);
        let (p_by_s, length_m) = by_arc_length(&u, &v, 1.0);
        let mut curve = Curve::from(Point2::new(7.0, -3.0), 0.4);
        curve.bend(120.0, -0.05, 0.08);
        curve.push(Point2::new(40.0, 9.0), 2.0, length_m, Shape::Cubic { u, v, p_by_s });
        let [low, high] = curve.around_m();
        let margin = Vector2::repeat(60.0);
        for step in 0..=500 {
            let p_m = curve.at(curve.length_m() * f64::from(step) / 500.0).p_m;
            assert!(low <= p_m && p_m <= high, "{p_m} is outside of {low} to {high}");
        }
        assert!((high - low).norm() < 200.0 && low + margin <= high, "{low} to {high}");
    }
}
