//! Bends: clothoid, arc, clothoid, as road design does, so that curvature is continuous.

use crate::noise::Stream;
use crate::roads::curve::Curve;

/// How a stretch of road may bend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bends {
    /// Largest curvature, 1/m.
    pub(crate) curvature_per_m: f64,
    /// Usual length of one bend, metres.
    pub(crate) length_m: f64,
    /// Directions stay within this angle of `toward_rad`.
    pub(crate) within_rad: f64,
    /// Overall direction.
    pub(crate) toward_rad: f64,
}

/// Goes on for `length_m` with bends; curvature is zero at both ends.
pub(crate) fn wind(curve: &mut Curve, length_m: f64, bends: &Bends, stream: &mut Stream) {
    if length_m < 30.0 || bends.curvature_per_m < 1e-6 {
        if length_m > 1e-6 {
            curve.bend(length_m, 0.0, 0.0);
        }
        return;
    }
    let count = (length_m / (bends.length_m * stream.range(0.8, 1.3))).round().max(1.0);
    let each = length_m / count;
    for _ in 0..count as usize {
        let ease = each * stream.range(0.2, 0.35);
        let hold = each - 2.0 * ease;
        let sign = if stream.range(0.0, 1.0) < 0.5 { -1.0 } else { 1.0 };
        let mut curvature = sign * bends.curvature_per_m * stream.range(0.35, 1.0);
        let heading = curve.at(curve.length_m()).heading_rad - bends.toward_rad;
        let turn = |curvature: f64| curvature * (hold + ease);
        if (heading + turn(curvature)).abs() > bends.within_rad {
            curvature = -curvature;
        }
        let beyond = (heading + turn(curvature)).abs() / bends.within_rad;
        if beyond > 1.0 {
            curvature = (bends.within_rad * 0.9 * curvature.signum() - heading) / (hold + ease);
            curvature = curvature.clamp(-bends.curvature_per_m, bends.curvature_per_m);
        }
        curve.bend(ease, 0.0, curvature);
        curve.bend(hold, curvature, curvature);
        curve.bend(ease, curvature, 0.0);
    }
}
