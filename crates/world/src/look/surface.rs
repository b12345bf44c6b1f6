//! What a texture says about one point of a surface.

use super::shader::SurfaceHit;
use super::texture::{BAY_M, LOG2_BAYS, Lay, PRINTS, Place, STYLES, Sample, Taps, grain, lay};
use super::vector::{add, dot, lerp, mul, normalise, scale, smoothstep, sub};
use super::{Material, Texture};

/// A material with the textures that it needs.
pub(crate) struct Prepared {
    material: Material,
    /// One for each style of it; empty for one colour.
    lays: Vec<Lay>,
}

/// A point of a surface, ready for light.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surface {
    pub(crate) albedo: [f32; 3],
    pub(crate) gloss: f32,
    /// In `World`, bent by the texture.
    pub(crate) normal: [f32; 3],
    /// Windows: panes. Ground: where water stands.
    pub(crate) mark: f32,
    /// Light of its own, of facades by night.
    pub(crate) pane: u32,
}

/// Slant beyond which several samples are taken along the ray, and how many at most.
const SLANT: f32 = 1.7;
const MOST_TAPS: usize = 4;
/// Shares of a level that are added for each tap, so that two taps or four blend two levels.
const TURNS: [f32; MOST_TAPS] = [0.0, 0.5, 0.25, 0.75];

impl Prepared {
    pub(crate) fn new(material: &Material) -> Self {
        let styles = match material.texture {
            Texture::Facade => STYLES,
            Texture::Sign => PRINTS,
            _ => 1,
        };
        let lays = (0..styles).filter_map(|style| lay(material.texture, style)).collect();
        Self { material: *material, lays }
    }

    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    /// Looks up the textures. `hash` is the instance's.
    pub(crate) fn surface(&self, hit: &SurfaceHit, hash: u32) -> Surface {
        let material = &self.material;
        let plain = Surface {
            albedo: material.colour,
            gloss: material.gloss,
            normal: hit.normal_in_world,
            mark: 0.0,
            pane: 0,
        };
        if self.lays.is_empty() {
            return plain;
        }
        let lay = &self.lays[(hash >> 8) as usize % self.lays.len()];
        let chart = Chart::new(hit);
        let facade = material.texture == Texture::Facade;
        if facade && chart.axis == 2 {
            // Flat roofs: gravel and felt.
            let coarse =
                lay.coarse.tap(lay.coarse.place(chart.p_m), lay.coarse.level(chart.mean_m) + 0.5);
            let albedo = mul([0.17, 0.165, 0.16], coarse.times);
            return Surface { albedo, gloss: 0.0, mark: coarse.mark, ..plain };
        }
        let mut p_m = chart.p_m;
        if lay.shifts {
            p_m[0] += (hash & 0xffff) as f32 * (97.0 / 65536.0);
            p_m[1] += (hash >> 16) as f32 * (97.0 / 65536.0);
        }
        let (fine, pane) = chart.fine(lay, p_m, facade.then_some(hash));
        let coarse = lay.coarse.tap(lay.coarse.place(p_m), lay.coarse.level(chart.mean_m) + 0.5);
        let mut bright = 1.0 + lay.spread * ((hash >> 4 & 0xff) as f32 / 127.5 - 1.0);
        if chart.across_m < 0.7 * lay.fine.metres / 512.0 {
            bright *= grain().tap(grain().place(p_m), grain().level(chart.across_m)).times[1];
        }
        let stuff = add(mul(fine.times, material.colour), fine.own);
        let albedo = scale(mul(stuff, coarse.times), bright);
        let gloss = fine.gloss + fine.times[1].min(1.0) * material.gloss + coarse.gloss;
        let bend = add(
            scale(chart.along, fine.slope[0] * lay.bump),
            scale(chart.up, fine.slope[1] * lay.bump),
        );
        let normal = normalise(sub(hit.normal_in_world, bend));
        let mark =
            if facade || material.texture == Texture::Glass { fine.mark } else { coarse.mark };
        Surface { albedo: albedo.map(|a| a.min(0.95)), gloss: gloss.min(1.0), normal, mark, pane }
    }
}

/// A box projection: the plane of the part's axes that the face looks away from least.
struct Chart {
    axis: usize,
    p_m: [f32; 2],
    /// The chart's axes in `World`.
    along: [f32; 3],
    up: [f32; 3],
    /// The ray on the chart, and how much longer its footprint is along it than across.
    ray: [f32; 2],
    slant: f32,
    across_m: f32,
    mean_m: f32,
}

impl Chart {
    fn new(hit: &SurfaceHit) -> Self {
        let (n, p) = (hit.normal_in_part, hit.p_in_part);
        let size = n.map(f32::abs);
        let axis = if size[2] >= size[0].max(size[1]) {
            2
        } else if size[0] > size[1] {
            0
        } else {
            1
        };
        // Parts stand upright or nearly so: walls tell how far they are turned about the vertical.
        let w = hit.normal_in_world;
        let (dot_flat, cross_flat) = (n[0] * w[0] + n[1] * w[1], n[0] * w[1] - n[1] * w[0]);
        let length = (dot_flat * dot_flat + cross_flat * cross_flat).sqrt();
        let (cos, sin) = if axis == 2 || length < 1e-3 {
            (1.0, 0.0)
        } else {
            (dot_flat / length, cross_flat / length)
        };
        let (x_axis, y_axis) = ([cos, sin, 0.0], [-sin, cos, 0.0]);
        let d = hit.direction;
        let (dx, dy) = (dot(d, x_axis), dot(d, y_axis));
        let (p_m, along, up, ray) = match axis {
            0 => ([p[1], p[2]], y_axis, [0.0, 0.0, 1.0], [dy, d[2]]),
            1 => ([p[0], p[2]], x_axis, [0.0, 0.0, 1.0], [dx, d[2]]),
            _ => ([p[0], p[1]], x_axis, y_axis, [dx, dy]),
        };
        let facing = dot(d, w).abs().max(0.02);
        let slant = 1.0 / facing;
        let (across_m, mean_m) = (hit.footprint_m, hit.footprint_m * slant.sqrt());
        Self { axis, p_m, along, up, ray, slant, across_m, mean_m }
    }

    /// Samples along the footprint. Facades come with the bay's hash.
    fn fine(&self, lay: &Lay, p_m: [f32; 2], facade: Option<u32>) -> (Sample, u32) {
        let placed = |place: Place| match facade {
            Some(hash) => bay(place, self.axis, hash, self.mean_m),
            None => (place, 0),
        };
        let place = lay.fine.place(p_m);
        let level = lay.fine.level(self.mean_m);
        if self.slant < SLANT || level > 6.0 {
            let (place, pane) = placed(place);
            return (lay.fine.sample(place, level), pane);
        }
        let taps = if self.slant < 2.0 * SLANT { 2 } else { MOST_TAPS };
        let each = 1.0 / taps as f32;
        let level = lay.fine.level(self.across_m * (self.slant * each).max(1.0));
        // The footprint's long axis on the chart, metres.
        let flat = (self.ray[0] * self.ray[0] + self.ray[1] * self.ray[1]).sqrt().max(1e-6);
        let reach = self.across_m * self.slant.min(12.0) / flat * each;
        // Half a step, since the middle lies between two taps.
        let half = lay.fine.place(self.ray.map(|along| 0.5 * along * reach));
        let mut sum = Taps::default();
        let mut pane = 0;
        for tap in 0..taps {
            let (at, id) = placed(place.moved(half, 2 * tap as i64 + 1 - taps as i64));
            pane = if tap == taps / 2 { id } else { pane };
            // The taps take turns on the next level, as many as the fraction says.
            sum.add(lay.fine, at, level + TURNS[tap] + 0.5 * each);
        }
        (sum.mean(lay.fine, taps), pane)
    }
}

/// Which bay of the atlas stands at a place of a front, so that neighbours differ.
#[inline]
fn bay(place: Place, axis: usize, hash: u32, footprint_m: f32) -> (Place, u32) {
    if footprint_m > 0.4 * BAY_M {
        return (place, 0);
    }
    const SHIFT: u32 = 32 - LOG2_BAYS;
    const WITHIN: i64 = (1 << SHIFT) - 1;
    let (column, storey) = (place.0[0] >> SHIFT, (place.0[1] >> SHIFT).max(0));
    let mut h = hash ^ (column as u32).wrapping_mul(0x9e37_79b1);
    h ^= (storey as u32 * 2 + axis as u32).wrapping_mul(0x85eb_ca77);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h ^= h >> 13;
    let to_column = i64::from(h & ((1 << LOG2_BAYS) - 1));
    // The lowest row of the atlas holds ground floors.
    let to_storey = if storey == 0 { 0 } else { 1 + i64::from((h >> 4) % ((1 << LOG2_BAYS) - 1)) };
    let within = [place.0[0] & WITHIN, place.0[1].max(0) & WITHIN];
    (Place([(to_column << SHIFT) | within[0], (to_storey << SHIFT) | within[1]]), h | 1)
}

/// What rain does to ground: it darkens, shines, and stands where it can.
pub(crate) fn wet(surface: &mut Surface, up: [f32; 3], wetness: f32, porous: bool) {
    let flat = smoothstep(0.75, 0.97, up[2]);
    let soaked = wetness * smoothstep(0.2, 0.8, up[2].max(0.3));
    if soaked <= 0.0 {
        return;
    }
    let stands = flat * smoothstep(1.05 - 0.75 * wetness, 1.45 - 0.75 * wetness, surface.mark);
    let dark = if porous { 0.5 } else { 0.15 };
    surface.albedo = scale(surface.albedo, 1.0 - dark * soaked);
    surface.gloss = surface.gloss.max(0.62 * soaked).max(0.97 * stands);
    surface.normal = normalise(lerp(surface.normal, up, (0.5 * soaked).max(stands)));
}
