//! What grows: grass, bark, leaves.

use super::pattern::{cells, fractal, noise, step, unit};
use super::sheet::{Dice, Sheet};
use super::tile::{Hues, NEUTRAL, Texel, Tile};

/// Blades over blades, drier and lusher places, clover and dead leaves.
pub(super) fn grass() -> Tile {
    const TILE_M: f32 = 1.6;
    const SIZE: usize = 512;
    let mut dice = Dice::new(301);
    let (mut tone, mut dry) = (Sheet::new(SIZE, 0.18), Sheet::new(SIZE, 0.4));
    for layer in 0..15_000 {
        let at = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        let long = dice.range(0.015, 0.05) / TILE_M;
        let (angle, share) = (dice.range(0.0, 3.2), layer as f32 / 15_000.0);
        let bright = (0.35 + 0.9 * share) * dice.range(0.6, 1.3);
        let dryness = dice.range(0.0, 1.0).powi(2);
        let wide = dice.range(0.0022, 0.0045) / TILE_M;
        tone.leaf(at, [long, wide], angle, |[x, y]| {
            bright * (1.0 + 0.3 * x) * (1.0 - 0.35 * y.abs())
        });
        dry.leaf(at, [long, wide], angle, |_| dryness);
    }
    for _ in 0..140 {
        let at = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        let size = dice.range(0.008, 0.02) / TILE_M;
        let (angle, bright) = (dice.range(0.0, 6.3), dice.range(0.8, 1.5));
        tone.leaf(at, [size, 0.7 * size], angle, |[_, y]| bright * (1.0 - 0.3 * y));
        dry.leaf(at, [size, 0.7 * size], angle, |_| if bright > 1.35 { 1.6 } else { 0.05 });
    }
    Tile::bake(9, TILE_M, NEUTRAL, move |p| {
        let (bright, dryness) = (tone.at(p), dry.at(p));
        let clump = 1.0 + 0.22 * fractal(p, [5; 2], 4, 0.7, 302);
        let patch = (dryness + 0.35 * fractal(p, [3; 2], 3, 0.6, 303)).clamp(0.0, 1.6);
        let rgb = [
            bright * (0.72 + 0.95 * patch),
            bright * (0.95 + 0.25 * patch),
            bright * (0.75 + 0.5 * patch),
        ];
        Texel { rgb: rgb.map(|c| c * clump), ..Texel::tinted(1.0) }.high(0.006 * bright)
    })
}

/// Lusher, drier and bare places over tens of metres of grass.
pub(super) fn meadow() -> Tile {
    Tile::bake(8, 31.0, NEUTRAL, |p| {
        let dry = fractal(p, [4; 2], 6, 0.7, 311);
        let bright = 1.0 + 0.22 * fractal(p, [6; 2], 5, 0.7, 312);
        let rgb =
            [bright * (1.0 + 0.30 * dry), bright * (1.0 + 0.12 * dry), bright * (1.0 - 0.05 * dry)];
        Texel { rgb, mark: step(0.2, 0.8, fractal(p, [9; 2], 3, 0.5, 313)), ..Texel::tinted(1.0) }
    })
}

/// Ridges along the trunk, furrows, lichen. The second axis points up.
pub(super) fn bark() -> Tile {
    Tile::bake(9, 1.2, Hues::Tinted([0.9, 1.0, 0.6]), |p| {
        let bend = 0.012 * noise(p, [6, 8], 321);
        let bent = [(p[0] + bend).rem_euclid(1.0), p[1]];
        let plate = cells(bent, [26, 9], 322);
        let furrow = step(0.28, 0.02, plate.border);
        let rough = fractal(p, [30, 14], 5, 0.75, 323);
        let lichen = step(0.5, 1.0, fractal(p, [6; 2], 5, 0.75, 324));
        let bright = (0.85 + 0.4 * unit(plate.id, 1)) * (1.0 + 0.2 * rough) * (1.0 - 0.65 * furrow);
        Texel { rgb: [bright, bright * 0.97, bright * 0.93], ..Texel::tinted(bright) }
            .high(0.014 * (1.0 - furrow) + 0.002 * rough)
            .mixed(Texel::own([0.22, 0.25, 0.15], 0.0), 0.4 * lichen * (1.0 - furrow))
    })
}

/// Leaves in many layers: the lower lie in the shade of the upper.
pub(super) fn foliage() -> Tile {
    const TILE_M: f32 = 1.6;
    const SIZE: usize = 512;
    let mut dice = Dice::new(331);
    let (mut tone, mut hue) = (Sheet::new(SIZE, 0.06), Sheet::new(SIZE, 0.5));
    let mut height = Sheet::new(SIZE, 0.0);
    const LEAVES: usize = 2600;
    for index in 0..LEAVES {
        let share = index as f32 / LEAVES as f32;
        let at = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        // Twigs: gaps stay open where no branch is.
        let branch = fractal(at.map(|t| t.rem_euclid(1.0)), [5; 2], 3, 0.7, 332);
        if branch + dice.range(-0.3, 0.9) < 0.0 {
            continue;
        }
        let long = dice.range(0.022, 0.05) / TILE_M;
        let wide = long * dice.range(0.35, 0.6);
        let (angle, tilt) = (dice.range(0.0, 6.3), dice.range(-0.35, 0.35));
        let bright = (0.22 + 1.15 * share * share) * dice.range(0.65, 1.25);
        let own = dice.range(0.0, 1.0);
        let lift = share * 0.05;
        tone.leaf(at, [long, wide], angle, |[x, y]| {
            let rib = if y.abs() < 0.08 { 0.82 } else { 1.0 };
            bright * rib * (1.0 + tilt * y + 0.15 * x)
        });
        hue.leaf(at, [long, wide], angle, |_| own);
        height.leaf(at, [long, wide], angle, |[x, y]| lift + 0.008 * (tilt * y + 0.3 * x));
    }
    Tile::bake(9, TILE_M, NEUTRAL, move |p| {
        let (bright, own) = (tone.at(p) * (1.0 + 0.2 * fractal(p, [3; 2], 3, 0.6, 333)), hue.at(p));
        let rgb = [
            bright * (0.75 + 0.55 * own),
            bright * (0.95 + 0.15 * own),
            bright * (1.1 - 0.5 * own),
        ];
        Texel { rgb: rgb.map(|c| 1.35 * c), ..Texel::tinted(1.0) }.high(height.at(p) * 0.4)
    })
}

/// Heaps of cloud: the mark is their density, the slope that of the density.
pub(super) fn clouds() -> Tile {
    const TILE: f32 = 64.0;
    Tile::bake(9, TILE, NEUTRAL, |p| {
        let bend = [0.02 * noise(p, [5; 2], 341), 0.02 * noise(p, [5; 2], 342)];
        let bent = [(p[0] + bend[0]).rem_euclid(1.0), (p[1] + bend[1]).rem_euclid(1.0)];
        let heap = 1.0 - cells(bent, [7; 2], 343).near;
        let soft = fractal(bent, [4; 2], 8, 0.7, 344);
        let density = (0.42 + 0.40 * soft + 0.18 * (heap - 0.5)).clamp(0.0, 1.0);
        Texel { mark: density, ..Texel::tinted(1.0) }.high(3.0 * density)
    })
}
