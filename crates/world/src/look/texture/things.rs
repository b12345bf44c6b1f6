//! Vehicles, people, signs.

use super::pattern::{cells, fractal, hash, noise, step, unit};
use super::tile::{Hues, NEUTRAL, Texel, Tile};

/// Lacquer with a little dust and water marks.
pub(super) fn lacquer() -> Tile {
    Tile::bake(8, 2.0, Hues::Tinted([1.08, 1.0, 0.86]), |p| {
        let dust = step(0.1, 1.2, fractal(p, [3; 2], 6, 0.75, 401));
        let flake = unit(cells(p, [200; 2], 402).id, 1) - 0.5;
        let wave = noise(p, [9; 2], 403);
        Texel::tinted(1.0 + 0.03 * flake)
            .mixed(Texel::own([0.24, 0.22, 0.19], 0.3), 0.14 * dust)
            .high(0.0003 * wave)
    })
}

/// Panes: dark behind, a film of dust.
pub(super) fn glass() -> Tile {
    Tile::bake(7, 2.0, Hues::Tinted([1.03, 1.0, 0.93]), |p| {
        let behind = 0.9 + 0.25 * fractal(p, [3; 2], 4, 0.6, 411);
        let dust = step(0.0, 1.3, fractal(p, [4; 2], 5, 0.7, 412));
        Texel { mark: 1.0, ..Texel::tinted(behind) }
            .mixed(Texel::own([0.3, 0.29, 0.27], 0.8), 0.05 * dust)
    })
}

/// Tyres and plastics: moulded grain, dust, scuffs.
pub(super) fn rubber() -> Tile {
    Tile::bake(8, 0.8, Hues::Tinted([1.13, 1.0, 0.8]), |p| {
        let grain = unit(cells(p, [120; 2], 421).id, 1) - 0.5;
        let dust = step(0.2, 1.6, fractal(p, [4; 2], 6, 0.75, 422));
        let groove = step(0.12, 0.04, ((p[0] * 16.0).fract() - 0.5).abs());
        Texel::tinted(1.0 + 0.25 * grain - 0.3 * groove)
            .mixed(Texel::own([0.17, 0.15, 0.12], 0.0), 0.16 * dust)
            .high(0.0006 * grain - 0.001 * groove)
    })
}

/// Weave, folds, seams, wear.
pub(super) fn cloth() -> Tile {
    const TILE_M: f32 = 0.8;
    Tile::bake(8, TILE_M, NEUTRAL, |p| {
        let weave = (p[0] * 500.0).sin() * (p[1] * 500.0).sin();
        let fold = fractal([p[0], p[1]], [5, 3], 3, 0.6, 431);
        let wear = fractal(p, [8; 2], 4, 0.7, 432);
        let seam = step(
            0.012,
            0.004,
            ((p[0] + 0.02 * noise(p, [3; 2], 433)) * 2.0).fract().min(0.5) * 0.5,
        );
        Texel::tinted((1.0 + 0.05 * weave + 0.20 * fold + 0.08 * wear) * (1.0 - 0.35 * seam))
            .high(0.006 * fold)
    })
}

/// Skin and fur.
pub(super) fn skin() -> Tile {
    Tile::bake(8, 0.6, NEUTRAL, |p| {
        let mottle = fractal(p, [5; 2], 5, 0.7, 441);
        let hair = fractal(p, [90, 12], 2, 0.7, 442);
        let red = 1.0 + 0.05 * mottle;
        let bright = 1.0 + 0.09 * mottle + 0.07 * hair;
        Texel { rgb: [bright * red, bright, bright / red], ..Texel::tinted(bright) }
            .high(0.001 * hair)
    })
}

/// Kinds of printed face.
pub(crate) const PRINTS: u32 = 4;
/// Side of a printed face, metres.
const PRINT_M: f32 = 1.2;

/// A printed face on the material's colour: a border, blocks, lines of letters, a symbol.
pub(super) fn sign(print: u32) -> Tile {
    Tile::bake(9, PRINT_M, Hues::Own, move |p| {
        let seed = hash(print, 5, 451);
        let rim = p[0].min(p[1]).min(1.0 - p[0]).min(1.0 - p[1]);
        let scuff = 1.0 + 0.07 * fractal(p, [5; 2], 5, 0.7, 452);
        let own = [unit(seed, 1), unit(seed, 2), unit(seed, 3)].map(|c| 0.02 + 0.5 * c * c);
        let ink = if print.is_multiple_of(2) { [0.75, 0.75, 0.73] } else { [0.025, 0.025, 0.03] };
        let mut texel = Texel { gloss: 0.3, ..Texel::tinted(1.0) };
        let block = 0.3 + 0.4 * unit(seed, 4);
        if p[1] > block && print >= 2 {
            texel = Texel::own(own, 0.3);
        }
        let printed = if p[1] > 0.58 { symbol(p, seed) } else { letters(p, seed) };
        let border = (0.025..0.05).contains(&rim);
        if printed || border {
            texel = Texel::own(ink, 0.3);
        }
        texel.times(scuff)
    })
}

/// Lines of blocky letters.
fn letters(p: [f32; 2], seed: u32) -> bool {
    let (row, line) = ((p[1] * 9.0).floor(), (p[1] * 9.0).fract());
    let size = 14.0 + 6.0 * unit(hash(row as u32, 1, seed), 1);
    let (column, across) = ((p[0] * size).floor(), (p[0] * size).fract());
    let h = hash(column as u32, row as u32, seed);
    if !(0.2..0.8).contains(&line)
        || across > 0.78
        || unit(h, 1) < 0.18
        || !(0.08..0.92).contains(&p[0])
    {
        return false;
    }
    let (x, y) = ((across / 0.78 * 3.0) as u32, ((line - 0.2) / 0.6 * 5.0) as u32);
    (h >> (x.min(2) + 3 * y.min(4))) & 1 == 1 || x == 0 && unit(h, 2) < 0.5
}

/// A ring, an arrow or a square.
fn symbol(p: [f32; 2], seed: u32) -> bool {
    let (x, y) = ((p[0] - 0.5) / 0.16, (p[1] - 0.77) / 0.16);
    match seed % 3 {
        0 => (0.6..1.0).contains(&x.hypot(y)) || (x.abs() < 0.12 && y.abs() < 0.4),
        1 => (x.abs() < 0.18 && (-1.0..0.4).contains(&y)) || (y > 0.1 && x.abs() < 1.0 - y),
        _ => x.abs().max(y.abs()) < 0.9 && (x + y).abs() > 0.3,
    }
}
