//! Rays, alone and in packets of 16.

use super::{Vector, cross, dot, minus, normalised, plus, scaled};
use crate::simd::FLOATS;

/// Rays in a packet.
pub const RAYS: usize = FLOATS;

/// Index of a triangle or an instance where nothing was hit.
pub const NOTHING: u32 = u32::MAX;

/// One ray.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ray {
    /// Start in the scene, metres.
    pub origin_m: [f64; 3],
    /// Direction in the scene; distances are in units of its length.
    pub direction: [f32; 3],
    /// What lies farther is not seen, in units of the direction.
    pub reach: f32,
    /// When within the exposure, 0 to 1; see [`super::Placement::keys`].
    pub time: f32,
}

/// What 16 rays meet first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hits {
    /// Distance in units of each ray's direction; infinite for nothing.
    pub distance: [f32; RAYS],
    /// Index of the triangle in its tree, or [`NOTHING`].
    pub triangle: [u32; RAYS],
    /// Index of the placement, or [`NOTHING`].
    pub instance: [u32; RAYS],
}

/// The rectangle that a packet's rays span: the axes of its frame and its extent along two of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// Orthonormal: across, across, along the rays.
    pub(super) axes: [Vector; 3],
    /// Least and most along the first axis, then along the second.
    pub(super) extent: [[f32; 2]; 2],
}

/// 16 rays from one point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pencil {
    pub(super) origin_m: [f64; 3],
    /// x, y, z of all directions; those of rays that are not active repeat another one's.
    pub(super) directions: [[f32; RAYS]; 3],
    pub(super) active: u16,
    pub(super) time: f32,
    pub(super) window: Window,
    /// Cosine between each ray and the middle times its length; 0 for rays that are not active.
    pub(super) along: [f32; RAYS],
}

/// Rays farther than this from the middle one (cosine) do not make a packet.
const LEAST_COSINE: f32 = 0.2;
/// By what a window is wider than its rays, for rounding.
const MARGIN: f32 = 2e-6;

impl Pencil {
    /// From a start in the scene (metres) and x, y, z of 16 directions, of which the `active` ones
    /// count; distances are in units of their lengths. `time`: within the exposure, 0 to 1.
    ///
    /// `None` if a number is not finite, none is active, or the rays spread too far to be followed
    /// together (more than 78 degrees from the middle one): cast them one by one.
    pub fn new(
        origin_m: [f64; 3],
        mut directions: [[f32; RAYS]; 3],
        active: u16,
        time: f32,
    ) -> Option<Self> {
        let first = (active != 0).then(|| active.trailing_zeros() as usize)?;
        for lane in (0..RAYS).filter(|lane| active >> lane & 1 == 0) {
            directions.iter_mut().for_each(|axis| axis[lane] = axis[first]);
        }
        let ray = |lane: usize| [0, 1, 2].map(|axis| directions[axis][lane]);
        let last = 15 - active.leading_zeros() as usize;
        let middle = normalised([0, 1, 2].map(|axis| directions[axis].iter().sum::<f32>()))?;
        // Packets are rows or tiles of pixels, whose first rays lie in one row.
        let across = minus(ray(if first < 3 && active & 8 != 0 { 3 } else { last }), ray(first));
        let axes = frame(middle, across);
        let mut extent = [[f32::INFINITY, f32::NEG_INFINITY]; 2];
        let mut along = [0.0; RAYS];
        let mut least_cosine = f32::INFINITY;
        for lane in 0..RAYS {
            let d = ray(lane);
            let (x, y, z) = (dot(d, axes[0]), dot(d, axes[1]), dot(d, axes[2]));
            let squared = dot(d, d);
            // Written so that NaN counts as too wide.
            least_cosine =
                if z / squared.sqrt() >= least_cosine { least_cosine } else { z / squared.sqrt() };
            along[lane] = if active >> lane & 1 == 1 { z } else { 0.0 };
            for (extent, at) in extent.iter_mut().zip([x / z, y / z]) {
                *extent = [extent[0].min(at), extent[1].max(at)];
            }
        }
        let finite = origin_m.iter().all(|x| x.is_finite()) && time.is_finite();
        if !(finite && least_cosine > LEAST_COSINE) {
            return None;
        }
        let extent = extent.map(|[low, high]| {
            let margin = MARGIN * (1.0 + low.abs().max(high.abs()));
            [low - margin, high + margin]
        });
        Some(Self { origin_m, directions, active, time, window: Window { axes, extent }, along })
    }
}

/// 16 parallel rays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beam {
    /// A point near the starts.
    pub(super) origin_m: [f64; 3],
    /// Starts along the window's axes, from the point.
    pub(super) starts: [[f32; RAYS]; 3],
    pub(super) active: u16,
    pub(super) length_m: f32,
    pub(super) time: f32,
    pub(super) window: Window,
}

impl Beam {
    /// From a direction in the scene, a point in the scene and x, y, z of 16 starts relative to it
    /// (metres), of which the `active` ones count. Looks `length_m` far. `time`: within the exposure,
    /// 0 to 1. `None` if a number is not finite, the direction is zero or none is active.
    pub fn new(
        direction: [f32; 3],
        origin_m: [f64; 3],
        from_origin_m: &[[f32; RAYS]; 3],
        active: u16,
        (length_m, time): (f32, f32),
    ) -> Option<Self> {
        let first = (active != 0).then(|| active.trailing_zeros() as usize)?;
        let axes = frame(normalised(direction)?, [1.0, 0.0, 0.0]);
        let mut starts = [[0.0; RAYS]; 3];
        for lane in 0..RAYS {
            let from = if active >> lane & 1 == 1 { lane } else { first };
            let p = [0, 1, 2].map(|axis| from_origin_m[axis][from]);
            for axis in 0..3 {
                starts[axis][lane] = dot(p, axes[axis]);
            }
        }
        let finite = starts.iter().flatten().all(|x| x.is_finite())
            && origin_m.iter().all(|x| x.is_finite())
            && time.is_finite()
            && !length_m.is_nan();
        let extent = [0, 1].map(|axis| {
            let low = starts[axis].iter().fold(f32::INFINITY, |low, &x| low.min(x));
            let high = starts[axis].iter().fold(f32::NEG_INFINITY, |high, &x| high.max(x));
            let margin = MARGIN * (low.abs().max(high.abs()) + 1e-3);
            [low - margin, high + margin]
        });
        let window = Window { axes, extent };
        finite.then_some(Self { origin_m, starts, active, length_m, time, window })
    }
}

/// An orthonormal frame whose third axis is `along` (of length 1) and whose first lies near `across`.
fn frame(along: Vector, across: Vector) -> [Vector; 3] {
    let rejected = |v: Vector| plus(v, scaled(along, -dot(v, along)));
    let axis = (0..3).min_by(|&i, &j| along[i].abs().total_cmp(&along[j].abs())).unwrap_or(0);
    let mut other = [0.0; 3];
    other[axis] = 1.0;
    let first = normalised(rejected(across))
        .and_then(|near| normalised(rejected(near)))
        .or_else(|| normalised(rejected(other)))
        .unwrap_or(other);
    [first, cross(along, first), along]
}
