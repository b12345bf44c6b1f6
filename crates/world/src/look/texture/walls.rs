//! What is built: bricks, render, tiles, planks, metal. Tiles' second axis points up.

use super::pattern::{cells, courses, fractal, noise, step, unit};
use super::sheet::{Dice, Sheet};
use super::tile::{Hues, NEUTRAL, Texel, Tile};

/// A brick with its joint, metres (German normal format: 24 x 7.1 cm and a joint of 1.2 cm).
pub(super) const BRICK_M: [f32; 2] = [0.25, 0.083_333_336];

/// Bricks, each of its own tone, some burnt, in pale mortar with rain's dirt.
pub(super) fn brick() -> Tile {
    const TILE_M: f32 = 2.0;
    Tile::bake(9, TILE_M, Hues::Tinted([1.04, 1.0, 0.92]), |p| brickwork(p, TILE_M))
}

pub(super) fn brickwork(p: [f32; 2], tile_m: f32) -> Texel {
    let p_m = p.map(|t| t * tile_m);
    let scale = |per_metre: f32| [(per_metre * tile_m).round().max(1.0) as u32; 2];
    let stone = courses(p_m, BRICK_M, tile_m, 101);
    let rough = fractal(p, scale(12.0), 5, 0.75, 102);
    let tone = unit(stone.id, 1);
    let burnt = step(0.86, 0.95, unit(stone.id, 2));
    let bright = (0.74 + 0.5 * tone) * (1.0 - 0.45 * burnt) * (1.0 + 0.17 * rough);
    let warm = 1.0 + 0.14 * (unit(stone.id, 3) - 0.5);
    let joint = step(0.0085, 0.0045, stone.to_joint_m + 0.002 * rough);
    let dirt = 1.0 + 0.12 * fractal(p, scale(0.8), 4, 0.7, 103);
    let mortar = 0.25 * (1.0 + 0.18 * rough) * dirt;
    let face = Texel { rgb: [bright * warm, bright, bright / warm], ..Texel::tinted(bright) };
    face.times(dirt)
        .high(0.006 * step(0.002, 0.012, stone.to_joint_m) + 0.0008 * rough)
        .mixed(Texel::own([mortar, 0.96 * mortar, 0.88 * mortar], 0.0), joint)
}

/// Rough render with streaks below, hairline cracks and mended places.
pub(super) fn plaster() -> Tile {
    const TILE_M: f32 = 3.0;
    let mut dice = Dice::new(111);
    let (mut crack, mut mend) = (Sheet::new(512, 0.0), Sheet::new(512, 0.0));
    for _ in 0..7 {
        let start = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        crack.crack(start, dice.range(0.3, 1.6) / TILE_M, 0.006 / TILE_M, 0.5, &mut dice);
    }
    for _ in 0..3 {
        let at = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        mend.rectangle(at, [dice.range(0.02, 0.1), dice.range(0.02, 0.08)], dice.range(-1.0, 1.0));
    }
    Tile::bake(9, TILE_M, NEUTRAL, move |p| {
        render(p, TILE_M).times(1.0 - 0.4 * crack.at(p)).times(1.0 + 0.07 * mend.at(p))
    })
}

pub(super) fn render(p: [f32; 2], tile_m: f32) -> Texel {
    let scale = |per_metre: f32| (per_metre * tile_m).round().max(1.0) as u32;
    let grain = fractal(p, [scale(22.0); 2], 3, 0.9, 112);
    let mottle = fractal(p, [scale(0.9); 2], 6, 0.68, 113);
    let run =
        noise(p, [scale(7.0), scale(0.34)], 114) + 0.4 * noise(p, [scale(19.0), scale(0.7)], 115);
    let streak = step(0.15, 1.1, run);
    let bright = 1.0 + 0.07 * mottle + 0.06 * grain - 0.17 * streak;
    let rgb = [bright, bright * (1.0 - 0.012 * streak), bright * (1.0 - 0.04 * streak)];
    Texel { rgb, ..Texel::tinted(bright) }.high(0.0016 * grain)
}

/// Rows of curved tiles, 30 cm by 25 cm, with lichen.
pub(super) fn tiles() -> Tile {
    const TILE_M: f32 = 3.0;
    Tile::bake(9, TILE_M, Hues::Tinted([1.04, 1.0, 0.64]), |p| {
        let (x, y) = (p[0] * TILE_M / 0.25, p[1] * TILE_M / 0.3);
        let (column, row) = (x.floor(), y.floor());
        let (fx, fy) = (x - column, y - row);
        let id = super::pattern::hash(column as u32, row as u32, 121);
        let rough = fractal(p, [24; 2], 5, 0.75, 122);
        let lichen = step(0.55, 1.1, fractal(p, [9; 2], 5, 0.8, 123));
        let curve = (std::f32::consts::PI * fx).sin();
        let lip = step(0.10, 0.0, fy);
        let bright = (0.78 + 0.4 * unit(id, 1)) * (1.0 + 0.17 * rough) * (1.0 - 0.55 * lip);
        let warm = 1.0 + 0.1 * (unit(id, 2) - 0.5);
        Texel { rgb: [bright * warm, bright, bright / warm], ..Texel::tinted(bright) }
            .high(0.025 * curve + 0.02 * (1.0 - fy))
            .mixed(Texel::own([0.26, 0.25, 0.16], 0.0), 0.6 * lichen)
    })
}

/// Upright planks of 14 cm with grain, knots, gaps.
pub(super) fn wood() -> Tile {
    const TILE_M: f32 = 1.96;
    Tile::bake(9, TILE_M, Hues::Tinted([1.2, 1.0, 0.85]), |p| {
        let x = p[0] * 14.0;
        let plank = x.floor();
        let id = super::pattern::hash(plank as u32, 7, 131);
        let across = x - plank;
        let shifted = [p[0], (p[1] + unit(id, 1)).fract()];
        let knot = cells(shifted, [14, 5], 132);
        let ring = step(0.16, 0.08, knot.near) * step(0.75, 0.8, unit(knot.id, 1));
        let bend = 0.35 * noise(shifted, [14, 4], 133) + 0.5 * step(0.5, 0.0, knot.near);
        let grain = noise([(p[0] + 0.01 * bend).rem_euclid(1.0), shifted[1]], [170, 6], 134);
        let fibre = fractal(p, [210, 9], 2, 0.7, 135);
        let grey = step(0.0, 1.0, fractal(p, [3; 2], 3, 0.6, 136));
        let bright = (0.82 + 0.34 * unit(id, 2)) * (1.0 + 0.15 * grain + 0.10 * fibre - 0.4 * ring);
        let gap = step(0.025, 0.012, across.min(1.0 - across) * 0.5);
        let rgb = [bright, bright * (0.97 + 0.03 * grey), bright * (0.9 + 0.12 * grey)];
        Texel { rgb, ..Texel::tinted(bright) }
            .high(0.004 * step(0.0, 0.06, across.min(1.0 - across)) + 0.0006 * grain)
            .mixed(Texel::own([0.015, 0.012, 0.01], 0.0), gap)
    })
}

/// Galvanised sheet: spangles, scratches, spots of rust.
pub(super) fn metal() -> Tile {
    const TILE_M: f32 = 1.5;
    let mut dice = Dice::new(141);
    let mut scratch = Sheet::new(512, 0.0);
    for _ in 0..60 {
        let start = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        scratch.crack(start, dice.range(0.02, 0.2), 0.0016, 0.02, &mut dice);
    }
    Tile::bake(9, TILE_M, Hues::Tinted([2.3, 1.0, 0.42]), move |p| {
        let spangle = cells(p, [46; 2], 142);
        let mottle = fractal(p, [4; 2], 6, 0.7, 143);
        let rust = step(0.85, 1.35, fractal(p, [7; 2], 6, 0.75, 144));
        let bright = 0.9 + 0.2 * unit(spangle.id, 1) + 0.12 * mottle - 0.2 * scratch.at(p);
        Texel::tinted(bright)
            .high(0.0004 * mottle)
            .mixed(Texel::own([0.20, 0.085, 0.035], 0.0), 0.85 * rust)
    })
}
