//! Periodic noise: a tile's left edge continues on its right.

use crate::look::vector::floor;

/// A well-mixed hash of a lattice point (the finaliser of MurmurHash3; Appleby 2011).
#[inline]
pub(super) fn hash(x: u32, y: u32, seed: u32) -> u32 {
    let mut h = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77) ^ seed;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// Uniform in `[0, 1)`: some bits of a hash, `which` choosing them anew.
#[inline]
pub(super) fn unit(h: u32, which: u32) -> f32 {
    (hash(h, which, 0x51ed_270b) >> 8) as f32 / (1 << 24) as f32
}

/// A lattice index at most one period outside.
#[inline]
fn wrap(i: i32, period: u32) -> u32 {
    let period = period as i32;
    let inside = if i < 0 { i + period } else { i };
    (if inside >= period { inside - period } else { inside }) as u32
}

/// Gradient noise (Perlin 2002) with `across` and `down` lattice cells on the tile, about `[-1, 1]`.
#[inline]
pub(super) fn noise([u, v]: [f32; 2], [across, down]: [u32; 2], seed: u32) -> f32 {
    let (x, y) = (u * across as f32, v * down as f32);
    let (x0, y0) = (floor(x), floor(y));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let (left, right) = (wrap(x0, across), wrap(x0 + 1, across));
    let (top, bottom) = (wrap(y0, down), wrap(y0 + 1, down));
    let slope = |i: u32, j: u32, dx: f32, dy: f32| {
        // Half of `hash`: gradients need less mixing than ids, and this is where baking spends its time.
        let h = (i.wrapping_mul(0x9e37_79b1) ^ j.wrapping_mul(0x85eb_ca77) ^ seed)
            .wrapping_mul(0x2c1b_3c6d);
        let h = (h ^ (h >> 15)).wrapping_mul(0xc2b2_ae35);
        let (a, b) = ((h & 0xffff) as f32 / 32768.0 - 1.0, (h >> 16) as f32 / 32768.0 - 1.0);
        a * dx + b * dy
    };
    let ease = |t: f32| t * t * t * (t * (6.0 * t - 15.0) + 10.0);
    let (sx, sy) = (ease(fx), ease(fy));
    let above = slope(left, top, fx, fy);
    let above = above + sx * (slope(right, top, fx - 1.0, fy) - above);
    let below = slope(left, bottom, fx, fy - 1.0);
    let below = below + sx * (slope(right, bottom, fx - 1.0, fy - 1.0) - below);
    1.6 * (above + sy * (below - above))
}

/// Lattice cells beyond which a tile has no texels for them.
const FINEST: u32 = 512;

/// Octaves of [`noise`]: `cells` on the tile in the coarsest, doubling, each `gain` times weaker. Its
/// deviation is about 0.4.
pub(super) fn fractal(p: [f32; 2], cells: [u32; 2], octaves: u32, gain: f32, seed: u32) -> f32 {
    let (mut sum, mut amplitude, mut power) = (0.0, 1.0, 0.0);
    for octave in 0..octaves {
        if cells[0].max(cells[1]) << octave > FINEST {
            break;
        }
        sum += amplitude * noise(p, cells.map(|c| c << octave), seed.wrapping_add(octave * 7919));
        power += amplitude * amplitude;
        amplitude *= gain;
    }
    sum / power.sqrt()
}

/// The nearest of scattered points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// Distance to it, in cells.
    pub(super) near: f32,
    /// How much farther the second is: 0 on borders between two.
    pub(super) border: f32,
    /// Hash of the nearest point.
    pub(super) id: u32,
}

/// Cellular noise (Worley 1996): one point somewhere in each lattice cell.
pub(super) fn cells([u, v]: [f32; 2], [across, down]: [u32; 2], seed: u32) -> Cell {
    let (x, y) = (u * across as f32, v * down as f32);
    let (x0, y0) = (floor(x), floor(y));
    let (mut first, mut second, mut id) = (9.0f32, 9.0f32, 0);
    for j in -1..=1 {
        for i in -1..=1 {
            let (cx, cy) = (x0 + i, y0 + j);
            let h = hash(wrap(cx, across), wrap(cy, down), seed);
            let dx = cx as f32 + (h & 0xffff) as f32 / 65536.0 - x;
            let dy = cy as f32 + (h >> 16) as f32 / 65536.0 - y;
            let squared = dx * dx + dy * dy;
            if squared < first {
                (second, first, id) = (first, squared, h);
            } else {
                second = second.min(squared);
            }
        }
    }
    Cell { near: first.sqrt(), border: second.sqrt() - first.sqrt(), id }
}

/// Stones or bricks in courses, every second one moved by half a stone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// Distance to the nearest joint's middle, metres.
    pub(super) to_joint_m: f32,
    /// Hash of the stone.
    pub(super) id: u32,
}

/// `stone_m`: width and height of a stone with its joint; the tile must hold whole ones and an even number
/// of courses.
pub(super) fn courses(p_m: [f32; 2], stone_m: [f32; 2], tile_m: f32, seed: u32) -> Course {
    let row = (p_m[1] / stone_m[1]).floor();
    let shift = if (row as i32).rem_euclid(2) == 1 { 0.5 } else { 0.0 };
    let along = p_m[0] / stone_m[0] + shift;
    let column = along.floor();
    let (fx, fy) = (along - column, p_m[1] / stone_m[1] - row);
    let to_edge = |f: f32, length: f32| f.min(1.0 - f) * length;
    let columns = (tile_m / stone_m[0]).round() as i32;
    let rows = (tile_m / stone_m[1]).round() as i32;
    let id = hash(
        (column as i32).rem_euclid(columns) as u32,
        (row as i32).rem_euclid(rows) as u32,
        seed,
    );
    Course { to_joint_m: to_edge(fx, stone_m[0]).min(to_edge(fy, stone_m[1])), id }
}

/// 0 below `low`, 1 above `high`, smooth between.
#[inline]
pub(super) fn step(low: f32, high: f32, x: f32) -> f32 {
    crate::look::vector::smoothstep(low, high, x)
}
