//! Surface colour with detail at every scale, so that features track and stereo matches as on real streets.

use nalgebra::{Point3, Vector3};

use crate::noise::{detail, mix, unit};

/// How a surface is coloured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Material {
    /// Mean linear colour, 0 to 1.
    pub rgb: [f64; 3],
    /// Amplitude of the brightness detail.
    pub contrast: f64,
    /// Wavelength of the coarsest detail, metres.
    pub coarsest_m: f64,
    /// A structure on top of the detail.
    pub pattern: Pattern,
    /// Distinguishes surfaces of the same kind.
    pub seed: u64,
}

/// Structures that are not noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    /// Detail only.
    Plain,
    /// Rows of windows: width and height of one bay, metres.
    Windows([f64; 2]),
    /// Slabs with joints: edge of a slab, metres.
    Slabs(f64),
    /// Leaves: strong fine detail with holes of shadow.
    Leaves,
}

impl Material {
    /// Linear colour at a point of the body with this normal, both in the body frame, seen by a pixel
    /// that covers `footprint_m`.
    pub fn colour(&self, p: &Point3<f64>, normal: &Vector3<f64>, footprint_m: f64) -> [f64; 3] {
        let noise = detail(self.seed, p, self.coarsest_m, 0.86, footprint_m);
        let structure = match self.pattern {
            Pattern::Plain => 1.0,
            Pattern::Windows(bay) => windows(self.seed, p, normal, bay),
            Pattern::Slabs(edge) => slabs(self.seed, p, edge, footprint_m),
            Pattern::Leaves => 0.75 + 0.6 * detail(self.seed ^ 1, p, 0.35, 0.9, footprint_m),
        };
        let brightness = ((1.0 + self.contrast * noise) * structure).max(0.04);
        // A slow drift of hue keeps large surfaces from being one colour.
        let warm = 1.0 + 0.15 * detail(self.seed ^ 2, p, 4.0 * self.coarsest_m, 0.5, footprint_m);
        [self.rgb[0] * brightness * warm, self.rgb[1] * brightness, self.rgb[2] * brightness / warm]
    }
}

/// Dark panes in a wall, each with its own brightness. Horizontal faces have none.
fn windows(seed: u64, p: &Point3<f64>, normal: &Vector3<f64>, [width, height]: [f64; 2]) -> f64 {
    if normal.z.abs() > 0.5 {
        return 1.0;
    }
    let along = if normal.x.abs() > normal.y.abs() { p.y } else { p.x };
    let (u, v) = (along / width, p.z / height);
    let inside = |f: f64, margin: f64| (margin..1.0 - margin).contains(&(f - f.floor()));
    if !inside(u, 0.28) || !inside(v, 0.25) {
        return 1.0;
    }
    let pane = mix(seed ^ mix(u.floor() as i64 as u64) ^ (v.floor() as i64 as u64));
    0.18 + 0.5 * unit(pane)
}

/// Paving slabs: joints between them and a brightness of each.
fn slabs(seed: u64, p: &Point3<f64>, edge: f64, footprint_m: f64) -> f64 {
    let (u, v) = (p.x / edge, p.y / edge);
    let slab = mix(seed ^ mix(u.floor() as i64 as u64) ^ (v.floor() as i64 as u64));
    let to_joint = |f: f64| (f - f.round()).abs() * edge;
    let joint = to_joint(u).min(to_joint(v)) < 0.012;
    let fade = (edge / (4.0 * footprint_m)).clamp(0.0, 1.0);
    let brightness = 0.85 + 0.3 * unit(slab) - if joint { 0.35 } else { 0.0 };
    1.0 + fade * (brightness - 1.0)
}
