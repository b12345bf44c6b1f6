//! Roads, pavements, earth.

use super::pattern::{cells, courses, fractal, noise, step, unit};
use super::sheet::{Dice, Sheet};
use super::tile::{Hues, NEUTRAL, Texel, Tile};

/// Binder and stones of 5 to 15 mm, worn bright, some of other rock.
pub(super) fn asphalt() -> Tile {
    const TILE_M: f32 = 1.6;
    Tile::bake(9, TILE_M, NEUTRAL, |p| {
        let stone = cells(p, [150; 2], 11);
        let small = cells(p, [290; 2], 12);
        let dirt = fractal(p, [4; 2], 5, 0.75, 13);
        let rock = unit(stone.id, 1);
        let (hue, worn) = (unit(stone.id, 2), fractal(p, [9; 2], 3, 0.6, 14));
        let top = step(0.62, 0.25, stone.near) * step(0.35, 0.75, rock + 0.25 * worn);
        let bright = 0.72 + 1.1 * rock * rock;
        let warm = 1.0 + 0.10 * (hue - 0.5);
        let binder = 0.78 + 0.28 * unit(small.id, 1) - 0.22 * step(0.25, 0.0, small.border);
        let grey = binder + top * (bright - binder);
        let grain = fractal(p, [22; 2], 3, 0.8, 15);
        let grey = grey * (1.0 + 0.26 * dirt + 0.14 * grain).max(0.3);
        let height = 0.0022 * top * (1.0 - stone.near) + 0.0006 * (1.0 - small.near);
        Texel { rgb: [grey * warm, grey, grey / warm], ..Texel::tinted(grey) }.high(height)
    })
}

/// Patches, sealed and open cracks, oil, worn wheel tracks: what tens of metres of road gather. The
/// colour multiplies that of [`asphalt`]; the mark says where water stands.
pub(super) fn asphalt_wear() -> Tile {
    const TILE_M: f32 = 37.0;
    const SIZE: usize = 1024;
    let mut dice = Dice::new(21);
    let (mut patch, mut seam) = (Sheet::new(SIZE, 0.0), Sheet::new(SIZE, 0.0));
    for _ in 0..9 {
        let centre = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        let half = [dice.range(0.3, 2.2) / TILE_M, dice.range(0.25, 0.9) / TILE_M];
        let half = if dice.range(0.0, 1.0) < 0.4 { [half[1], half[0]] } else { half };
        let rim = half.map(|h| h + 0.04 / TILE_M);
        seam.rectangle(centre, rim, 1.0);
        seam.rectangle(centre, half, 0.0);
        let shade = dice.range(0.3, 1.0) * if dice.range(0.0, 1.0) < 0.3 { -0.6 } else { 1.0 };
        patch.rectangle(centre, half, shade);
    }
    let (mut open, mut oil) = (Sheet::new(SIZE, 0.0), Sheet::new(SIZE, 0.0));
    for _ in 0..34 {
        let start = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        let length = dice.range(0.6, 7.0) / TILE_M;
        open.crack(start, length, 0.022 / TILE_M, 0.45, &mut dice);
    }
    for _ in 0..7 {
        let start = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        let length = dice.range(2.0, 8.0) / TILE_M;
        seam.crack(start, length, 0.06 / TILE_M, 0.12, &mut dice);
    }
    for _ in 0..90 {
        let at = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        oil.dab(at, dice.range(0.03, 0.35) / TILE_M, dice.range(0.15, 0.7));
    }
    let mut skid = Sheet::new(SIZE, 0.0);
    for _ in 0..6 {
        let start = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        skid.crack(start, dice.range(3.0, 12.0) / TILE_M, 0.11 / TILE_M, 0.012, &mut dice);
    }
    Tile::bake(10, TILE_M, NEUTRAL, |p| {
        let broad = fractal(p, [3; 2], 5, 0.6, 22);
        let fine = fractal(p, [40; 2], 4, 0.7, 23);
        let laid = patch.at(p);
        let mut bright = 1.0 + 0.14 * broad + 0.20 * fine - 0.32 * laid;
        bright *= 1.0 - 0.55 * open.at(p) * step(-0.7, 0.3, fine);
        bright *= 1.0 - 0.45 * seam.at(p);
        bright *= 1.0 - 0.45 * oil.at(p) * step(-0.8, 0.4, fine);
        bright *= 1.0 - 0.30 * skid.at(p) * step(-0.6, 0.5, fine);
        let dust = step(0.2, 1.4, fractal(p, [6; 2], 4, 0.6, 24));
        let rgb = [bright * (1.0 + 0.12 * dust), bright * (1.0 + 0.07 * dust), bright];
        let water = step(-0.1, 0.55, fractal(p, [11; 2], 4, 0.5, 25) - 0.6 * broad - 0.2);
        Texel { rgb, gloss: 0.25 * seam.at(p), mark: water, ..Texel::tinted(1.0) }
    })
}

/// Stains of any outdoor surface over tens of metres.
pub(super) fn weathering() -> Tile {
    Tile::bake(8, 23.0, NEUTRAL, |p| {
        let broad = fractal(p, [3; 2], 5, 0.65, 31);
        let warm = 1.0 + 0.05 * fractal(p, [4; 2], 3, 0.5, 32);
        let bright = 1.0 + 0.13 * broad;
        let water = step(0.0, 0.7, fractal(p, [9; 2], 4, 0.5, 33));
        Texel { rgb: [bright * warm, bright, bright / warm], mark: water, ..Texel::tinted(1.0) }
    })
}

/// Slabs of 1 m with joints, pores, rust and dirt.
pub(super) fn concrete() -> Tile {
    const TILE_M: f32 = 2.0;
    Tile::bake(9, TILE_M, Hues::Tinted([1.08, 1.0, 0.8]), |p| {
        let p_m = [p[0] * TILE_M, p[1] * TILE_M];
        let slab = courses(p_m, [1.0, 1.0], TILE_M, 41);
        let mottle = fractal(p, [4; 2], 8, 0.72, 42);
        let pore = cells(p, [90; 2], 43);
        let hole = step(0.22, 0.1, pore.near) * step(0.6, 0.9, unit(pore.id, 1));
        let grain = unit(cells(p, [250; 2], 44).id, 1) - 0.5;
        let streak = step(0.3, 1.2, noise(p, [22, 2], 45) + 0.5 * mottle);
        let bright = (0.9 + 0.2 * unit(slab.id, 1)) * (1.0 + 0.16 * mottle + 0.16 * grain);
        let bright = bright * (1.0 - 0.45 * hole) * (1.0 - 0.14 * streak);
        let joint = step(0.009, 0.004, slab.to_joint_m + 0.002 * mottle);
        let rgb = [bright, bright * (1.0 - 0.02 * streak), bright * (1.0 - 0.07 * streak)];
        Texel { rgb, ..Texel::tinted(bright) }
            .high(0.003 * (1.0 - joint) - 0.002 * hole)
            .mixed(Texel::own([0.07, 0.065, 0.05], 0.0), 0.85 * joint)
    })
}

/// Stones of 20 by 10 cm with sandy joints, some chipped, moss and chewing gum.
pub(super) fn paving() -> Tile {
    const TILE_M: f32 = 2.0;
    let mut dice = Dice::new(51);
    let mut gum = Sheet::new(512, 0.0);
    for _ in 0..26 {
        let at = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        gum.dab(at, dice.range(0.008, 0.02) / TILE_M, dice.range(0.5, 1.0));
    }
    Tile::bake(9, TILE_M, Hues::Tinted([1.0, 1.0, 0.68]), move |p| {
        let p_m = [p[0] * TILE_M, p[1] * TILE_M];
        let stone = courses(p_m, [0.2, 0.1], TILE_M, 52);
        let grain = unit(cells(p, [260; 2], 53).id, 1) - 0.5;
        let mottle = fractal(p, [7; 2], 7, 0.75, 54);
        let rough = 0.0025 * noise(p, [60; 2], 55);
        let tone = unit(stone.id, 1);
        let bright = (0.78 + 0.42 * tone) * (1.0 + 0.24 * grain + 0.15 * mottle);
        let warm = 1.0 + 0.10 * (unit(stone.id, 2) - 0.5);
        let joint = step(0.0065, 0.002, stone.to_joint_m + rough);
        let moss = step(0.1, 0.9, fractal(p, [5; 2], 3, 0.6, 56));
        let sand = [0.13 - 0.05 * moss, 0.115 - 0.015 * moss, 0.085 - 0.045 * moss];
        let edge = step(0.012, 0.0, stone.to_joint_m);
        let face = Texel { rgb: [bright * warm, bright, bright / warm], ..Texel::tinted(bright) };
        face.times(1.0 - 0.22 * edge)
            .times(1.0 - 0.5 * gum.at(p))
            .high(0.004 * step(0.0, 0.012, stone.to_joint_m) + 0.0006 * grain)
            .mixed(Texel::own(sand, 0.0), joint)
    })
}

/// Thick paint with glass beads on the stones below, worn through where it is driven on.
pub(super) fn road_paint() -> Tile {
    const TILE_M: f32 = 2.5;
    let mut dice = Dice::new(61);
    let mut crack = Sheet::new(512, 0.0);
    for _ in 0..45 {
        let start = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        crack.crack(start, dice.range(0.05, 0.5) / TILE_M, 0.004 / TILE_M, 0.5, &mut dice);
    }
    Tile::bake(9, TILE_M, NEUTRAL, |p| {
        let stone = cells(p, [250; 2], 11);
        let wear = fractal(p, [4; 2], 6, 0.8, 62) + 0.45 * (0.5 - stone.near);
        let worn = step(0.55, 0.85, wear).max(crack.at(p));
        let dirt = fractal(p, [3; 2], 6, 0.7, 63);
        let bright = 0.95 + 0.12 * dirt + 0.10 * (unit(stone.id, 1) - 0.5);
        let below = 0.07 + 0.09 * unit(stone.id, 2);
        let paint = Texel { rgb: [bright, bright, bright * 0.97], ..Texel::tinted(bright) };
        paint
            .high(0.0015 * (1.0 - stone.near))
            .mixed(Texel::own([below, below, below * 1.03], 0.0), 0.88 * worn)
    })
}

/// Crumbs and pebbles of all sizes, dead leaves.
pub(super) fn soil() -> Tile {
    const TILE_M: f32 = 2.0;
    let mut dice = Dice::new(71);
    let (mut leaf, mut leaf_tone) = (Sheet::new(512, 0.0), Sheet::new(512, 0.0));
    for _ in 0..110 {
        let at = [dice.range(0.0, 1.0), dice.range(0.0, 1.0)];
        let long = dice.range(0.012, 0.035) / TILE_M;
        let (angle, tone) = (dice.range(0.0, 6.3), dice.range(0.4, 1.0));
        leaf.leaf(at, [long, 0.5 * long], angle, |_| 1.0);
        leaf_tone.leaf(at, [long, 0.5 * long], angle, |[_, y]| tone * (1.0 - 0.3 * y));
    }
    Tile::bake(9, TILE_M, Hues::Tinted([1.5, 1.0, 0.42]), move |p| {
        let (coarse, fine) = (cells(p, [40; 2], 72), cells(p, [210; 2], 73));
        let broad = fractal(p, [4; 2], 8, 0.75, 74);
        let pebble = step(0.45, 0.3, coarse.near) * step(0.55, 0.65, unit(coarse.id, 1));
        let crumb = 0.7 + 0.6 * unit(fine.id, 1) - 0.3 * step(0.2, 0.0, fine.border);
        let bright = crumb * (1.0 + 0.28 * broad);
        let grey = 0.9 + 0.9 * unit(coarse.id, 2);
        let height =
            0.006 * pebble * (0.5 - coarse.near) + 0.002 * (1.0 - fine.near) + 0.004 * broad;
        let earth = Texel { rgb: [bright, bright * 0.95, bright * 0.88], ..Texel::tinted(bright) };
        let tone = leaf_tone.at(p);
        earth
            .mixed(Texel { rgb: [grey, grey, grey * 1.05], ..Texel::tinted(grey) }, 0.8 * pebble)
            .high(height)
            .mixed(Texel::own([0.26 * tone, 0.17 * tone, 0.07 * tone], 0.0), 0.9 * leaf.at(p))
    })
}

/// Grain of stone and paint below a texture's own texels.
pub(super) fn grain() -> Tile {
    Tile::bake(8, 0.35, NEUTRAL, |p| Texel::tinted(1.0 + 0.17 * fractal(p, [18; 2], 4, 0.85, 81)))
}
