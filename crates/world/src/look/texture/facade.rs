//! Fronts of houses: an atlas of 4 by 4 bays, 3 m each. The lowest row holds ground floors, the others
//! windows; the shader picks a bay for each place by its hash, so that no two storeys repeat.

use super::pattern::{fractal, hash, noise, step, unit};
use super::tile::{Hues, Texel, Tile};
use super::walls::{brickwork, render};

/// A bay's width and a storey's height, metres.
pub(crate) const BAY_M: f32 = 3.0;
/// Bays of the atlas in each direction, and the logarithm of their number to base 2.
const BAYS: u32 = 1 << LOG2_BAYS;
pub(crate) const LOG2_BAYS: u32 = 2;
/// Kinds of front.
pub(crate) const STYLES: u32 = 4;

/// How the windows of one kind of front sit in their bays: metres from the bay's lower left corner.
struct Style {
    window: [f32; 4],
    frame_m: f32,
    /// Panes across and down.
    panes: [u32; 2],
    sill: bool,
    surround: bool,
    bricks: bool,
    frame: [f32; 3],
    /// Bands of another tone between storeys.
    band: bool,
}

const STYLE: [Style; STYLES as usize] = [
    // A rendered house of the 1900s: tall windows with surrounds.
    Style {
        window: [0.9, 0.75, 2.1, 2.6],
        frame_m: 0.06,
        panes: [2, 3],
        sill: true,
        surround: true,
        bricks: false,
        frame: [0.72, 0.70, 0.66],
        band: true,
    },
    // A block of the 1960s: wide windows.
    Style {
        window: [0.55, 0.95, 2.45, 2.35],
        frame_m: 0.05,
        panes: [2, 1],
        sill: true,
        surround: false,
        bricks: false,
        frame: [0.62, 0.62, 0.60],
        band: false,
    },
    // Brick with sash windows.
    Style {
        window: [0.95, 0.8, 2.05, 2.45],
        frame_m: 0.05,
        panes: [2, 4],
        sill: true,
        surround: false,
        bricks: true,
        frame: [0.66, 0.65, 0.62],
        band: false,
    },
    // An office: glass from pillar to pillar.
    Style {
        window: [0.14, 0.7, 2.86, 2.75],
        frame_m: 0.05,
        panes: [3, 1],
        sill: false,
        surround: false,
        bricks: false,
        frame: [0.10, 0.10, 0.11],
        band: false,
    },
];

/// One kind of front.
pub(super) fn facade(style: u32) -> Tile {
    let kind = &STYLE[(style % STYLES) as usize];
    let tile_m = BAY_M * BAYS as f32;
    Tile::bake(10, tile_m, Hues::Own, move |p| {
        let wall = wall(kind, p, tile_m);
        let place = p.map(|t| t * BAYS as f32);
        let bay = place.map(|t| t.floor() as u32);
        let at_m = [(place[0] - bay[0] as f32) * BAY_M, (place[1] - bay[1] as f32) * BAY_M];
        let id = hash(bay[0], bay[1], 0xfaca + style);
        if bay[1] == 0 {
            ground_floor(kind, wall, at_m, p, id)
        } else {
            storey(kind, wall, at_m, p, id)
        }
    })
}

fn wall(kind: &Style, p: [f32; 2], tile_m: f32) -> Texel {
    if kind.bricks { brickwork(p, tile_m) } else { render(p, tile_m) }
}

/// Signed distance to a rectangle `[left, bottom, right, top]`, negative inside.
fn outside([left, bottom, right, top]: [f32; 4], [x, y]: [f32; 2]) -> f32 {
    let dx = (left - x).max(x - right);
    let dy = (bottom - y).max(y - top);
    if dx > 0.0 && dy > 0.0 { dx.hypot(dy) } else { dx.max(dy) }
}

fn storey(kind: &Style, wall: Texel, at: [f32; 2], p: [f32; 2], id: u32) -> Texel {
    let mut texel = wall;
    let distance = outside(kind.window, at);
    if kind.band {
        let band = step(0.16, 0.13, (at[1] - 0.16).abs());
        texel = texel.times(1.0 + 0.16 * band).high(texel.height_m + 0.05 * band);
        texel = texel.times(1.0 - 0.35 * step(0.02, 0.0, (at[1] - 0.02).abs()));
    }
    if kind.surround {
        let rim = step(0.19, 0.17, distance);
        texel = texel.mixed(Texel { tint: 0.45, ..texel.times(0.75) }, rim);
        texel = texel.high(texel.height_m + 0.04 * rim);
    }
    let [left, bottom, right, _] = kind.window;
    if kind.sill {
        let ledge = outside([left - 0.09, bottom - 0.09, right + 0.09, bottom], at);
        let on = step(0.012, 0.0, ledge);
        texel =
            texel.mixed(Texel::own([0.36, 0.35, 0.33], 0.1), on).high(texel.height_m + 0.06 * on);
        // Rain runs off the sill's ends and darkens the wall.
        let below = step(0.0, 0.5, bottom - 0.09 - at[1]) * step(1.1, 0.2, bottom - at[1]);
        let ends = step(0.28, 0.0, ((at[0] - left).abs()).min((at[0] - right).abs()));
        texel = texel.times(1.0 - 0.22 * below * ends * (0.6 + 0.4 * noise(p, [190, 8], 201)));
    }
    // The reveal throws a shadow from above and the side.
    texel = texel.times(1.0 - 0.3 * step(0.05, 0.0, distance) * step(-0.3, 0.3, at[1] - bottom));
    if distance < 0.0 {
        texel = window(kind, at, p, id);
    }
    texel
}

/// A window's frame, panes and what one sees behind them.
fn window(kind: &Style, at: [f32; 2], p: [f32; 2], id: u32) -> Texel {
    let [left, bottom, right, top] = kind.window;
    let (u, v) = ((at[0] - left) / (right - left), (at[1] - bottom) / (top - bottom));
    let across = (u * kind.panes[0] as f32).fract();
    let down = (v * kind.panes[1] as f32).fract();
    let pane_m = [(right - left) / kind.panes[0] as f32, (top - bottom) / kind.panes[1] as f32];
    let to_bar = (across.min(1.0 - across) * pane_m[0]).min(down.min(1.0 - down) * pane_m[1]);
    let to_rim = -outside(kind.window, at);
    let bar_m = if to_rim < kind.frame_m * 1.4 { kind.frame_m * 1.4 } else { kind.frame_m * 0.5 };
    let frame = step(bar_m + 0.006, bar_m - 0.006, to_bar.min(to_rim));
    let glass = inside(u, v, p, id);
    // The lintel's shadow on the panes.
    let shade = 1.0 - 0.5 * step(0.82, 1.0, v);
    let wood = Texel::own(kind.frame, 0.15).times(0.9 + 0.1 * noise(p, [300; 2], 202)).high(0.02);
    glass.times(shade).mixed(wood.times(shade), frame)
}

/// Dark rooms, curtains, blinds, plants.
fn inside(u: f32, v: f32, p: [f32; 2], id: u32) -> Texel {
    let kind = unit(id, 5);
    let fold = 0.5 + 0.5 * (40.0 * u + 2.0 * noise([p[0], 0.3], [60, 1], 203)).sin();
    let depth = 0.020 + 0.028 * unit(id, 1) + 0.020 * fractal(p, [40; 2], 3, 0.7, 204).abs();
    let room = [depth * (1.0 + 0.5 * unit(id, 2)), depth * 1.05, depth * (1.3 - 0.4 * unit(id, 2))];
    let cloth = 0.16 + 0.22 * unit(id, 3);
    let tone = [cloth, cloth * (0.9 + 0.1 * unit(id, 4)), cloth * (0.75 + 0.25 * unit(id, 6))];
    let curtain = tone.map(|c| c * (0.55 + 0.45 * fold));
    let open = 0.12 + 0.22 * unit(id, 7);
    let covered = if kind < 0.36 {
        // Drawn aside.
        step(open + 0.02, open - 0.02, u.min(1.0 - u))
    } else if kind < 0.52 {
        // A blind, some way down.
        step(0.02, 0.0, (0.25 + 0.7 * unit(id, 8)) - v).min(1.0)
    } else if kind < 0.62 {
        // Net curtains.
        0.6
    } else {
        // Things on the sill.
        0.8 * step(0.05, 0.0, v - 0.10 - 0.12 * noise([p[0], 0.7], [36, 1], 205).abs())
    };
    let rgb = std::array::from_fn(|c| room[c] + covered * (curtain[c] - room[c]));
    Texel { mark: 1.0 - 0.35 * covered, ..Texel::own(rgb, 0.9) }
}

/// Shop windows, doors, garages, plinths.
fn ground_floor(kind: &Style, wall: Texel, at: [f32; 2], p: [f32; 2], id: u32) -> Texel {
    // A plinth with splashes, on every front.
    let plinth = step(0.52, 0.48, at[1]);
    let splash = step(0.9, 0.1, at[1]) * (0.5 + 0.5 * fractal(p, [30; 2], 4, 0.7, 211));
    let base = wall.times(1.0 - 0.16 * splash);
    let stone =
        Texel::own([0.21, 0.20, 0.185], 0.1).times(1.0 + 0.2 * fractal(p, [90; 2], 4, 0.7, 212));
    let texel = base.mixed(stone.times(1.0 - 0.3 * splash), 0.8 * plinth);
    match (id >> 7) % 4 {
        0 => shop(texel, at, p, id),
        1 => door(texel, at, p, id),
        2 => storey_window(kind, texel, at, p, id),
        _ => garage(texel, at, p, id),
    }
}

fn storey_window(kind: &Style, texel: Texel, at: [f32; 2], p: [f32; 2], id: u32) -> Texel {
    if outside(kind.window, at) < 0.0 { window(kind, at, p, id) } else { texel }
}

fn shop(texel: Texel, at: [f32; 2], p: [f32; 2], id: u32) -> Texel {
    let board = outside([0.15, 2.42, 2.85, 2.85], at);
    if board < 0.0 {
        let hue = [unit(id, 1), unit(id, 2), unit(id, 3)].map(|c| 0.04 + 0.4 * c * c);
        let letters = noise(p, [150, 34], 221) > 0.25
            && (at[1] - 2.63).abs() < 0.12
            && (0.5..2.5).contains(&at[0]);
        let rgb = if letters { [0.7, 0.68, 0.6] } else { hue };
        return Texel { mark: if letters { 1.0 } else { 0.3 }, ..Texel::own(rgb, 0.35) };
    }
    let pane = outside([0.15, 0.35, 2.85, 2.38], at);
    if pane > 0.0 {
        return texel;
    }
    let goods = fractal(p, [70, 44], 4, 0.8, 222);
    let shelf = step(0.2, 0.7, goods) * step(1.7, 1.2, at[1]);
    let colour = [unit(id, 4), unit(id, 5), unit(id, 6)].map(|c| 0.03 + 0.2 * c);
    let room = 0.05 + 0.03 * goods;
    let rgb = std::array::from_fn(|c| room + shelf * (colour[c] * (1.0 + goods) - room));
    let bar = step(0.06, 0.045, (-pane).min((at[0] - 1.5).abs()));
    Texel { mark: 1.0, ..Texel::own(rgb, 0.9) }.mixed(Texel::own([0.12; 3], 0.3), bar)
}

fn door(texel: Texel, at: [f32; 2], p: [f32; 2], id: u32) -> Texel {
    let steps = step(0.02, 0.0, outside([0.8, 0.0, 2.2, 0.17], at));
    let texel = texel.mixed(Texel::own([0.28, 0.27, 0.25], 0.1), steps);
    let frame = outside([0.92, 0.17, 2.08, 2.55], at);
    if frame > 0.0 {
        return texel;
    }
    let light = outside([1.02, 2.2, 1.98, 2.48], at);
    if light < 0.0 {
        return Texel { mark: 1.0, ..Texel::own([0.05, 0.055, 0.06], 0.9) };
    }
    let tone = 0.03 + 0.12 * unit(id, 1);
    let hue = [unit(id, 4), unit(id, 2), unit(id, 3)].map(|c| tone * (0.55 + 0.6 * c));
    let panel = outside([1.12, 0.4, 1.88, 1.05], at).max(-outside([1.12, 1.2, 1.88, 2.0], at));
    let groove = step(0.03, 0.0, panel.abs());
    let grain = 1.0 + 0.1 * noise(p, [260, 20], 231);
    Texel::own(hue, 0.35).times(grain * (1.0 - 0.4 * groove)).high(0.02 * groove)
}

fn garage(texel: Texel, at: [f32; 2], p: [f32; 2], id: u32) -> Texel {
    let gate = outside([0.2, 0.0, 2.8, 2.35], at);
    if gate > 0.0 {
        return texel;
    }
    let rib = (at[1] * 8.0).fract();
    let tone = 0.12 + 0.35 * unit(id, 1);
    let dirt = 1.0 + 0.15 * fractal(p, [30; 2], 4, 0.7, 241);
    let paint = step(0.35, 0.75, fractal(p, [14, 20], 4, 0.6, 242)) * step(1.9, 1.4, at[1]);
    let sprayed = [unit(id, 2), unit(id, 3), unit(id, 4)].map(|c| 0.5 * c);
    Texel::own([tone, tone, tone * 1.03], 0.25)
        .mixed(Texel::own(sprayed, 0.2), if unit(id, 5) < 0.4 { 0.7 * paint } else { 0.0 })
        .times(dirt * (0.75 + 0.25 * step(0.0, 0.2, rib)))
        .high(0.02 * step(0.0, 0.3, rib))
}
