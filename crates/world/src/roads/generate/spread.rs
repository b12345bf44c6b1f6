//! How far from the middle of a junction its arms begin.

use std::f64::consts::TAU;

use crate::roads::build::RING_HALF_WIDTH_M;

/// An arm before it is laid: direction against the main road's, half the carriageway's width (m).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spoke {
    pub(crate) heading_rad: f64,
    pub(crate) half_m: f64,
}

/// Distances from the middle to the mouths, so that the corners have room.
pub(crate) fn mouths(spokes: &[Spoke], corner_m: f64, ring_m: f64) -> Vec<f64> {
    const MARGIN_M: f64 = 1.0;
    let count = spokes.len();
    let mut distances = vec![0.0f64; count];
    for k in 0..count {
        let next = (k + 1) % count;
        let (a, b) = (spokes[k].half_m, spokes[next].half_m);
        if ring_m > 0.0 {
            let outer = ring_m + RING_HALF_WIDTH_M;
            let along = ((outer + corner_m).powi(2) - (a + corner_m).powi(2)).max(0.0).sqrt();
            distances[k] = distances[k].max(along + MARGIN_M);
            continue;
        }
        let angle = (spokes[next].heading_rad - spokes[k].heading_rad).rem_euclid(TAU);
        if angle > 2.8 {
            // No corner there; as far as the other side asks for.
            distances[k] = distances[k].max(0.5 * (a + b));
            continue;
        }
        let (sin, cos) = angle.sin_cos();
        let tangent = corner_m / (0.5 * angle).tan();
        distances[k] = distances[k].max((b + a * cos) / sin + tangent + MARGIN_M);
        distances[next] = distances[next].max((a + b * cos) / sin + tangent + MARGIN_M);
    }
    distances
}
