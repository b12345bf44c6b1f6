//! What is on the front of a building: shops, doors, balconies, cornices.

use nalgebra::Point3;

use super::{BAY_M, Draft};
use crate::look::Texture;
use crate::noise::Stream;
use crate::roads::Setting;
use crate::surroundings::kit::{Kit, pick};
use crate::surroundings::solid::Solid;

/// A block of flats.
pub(super) fn block(
    draft: &Draft,
    setting: Setting,
    stream: &mut Stream,
    solid: &mut Solid,
    kit: &mut Kit<'_>,
) {
    let half = 0.5 * draft.width_m();
    let trim = kit.paint("building", Texture::Plaster, [0.62, 0.6, 0.55]);
    // Cornice and a band over the ground floor.
    let top = draft.height_m();
    solid.block([-half, -0.28, top - 0.32], [half, 0.0, top - 0.02], trim);
    solid.block([-half, -0.1, BAY_M - 0.12], [half, 0.0, BAY_M + 0.08], trim);
    if setting == Setting::Urban && stream.range(0.0, 1.0) < 0.7 {
        shops(draft, stream, solid, kit);
    }
    let chance = stream.range(0.0, 1.0);
    if chance < 0.45 {
        balconies(draft, stream, solid, kit);
    } else if chance < 0.65 && draft.storeys > 2 {
        oriel(draft, stream, solid, kit);
    }
    pipe(draft, half - 0.25, solid, kit);
}

/// Panes, signs and awnings along the ground floor, and a door.
fn shops(draft: &Draft, stream: &mut Stream, solid: &mut Solid, kit: &mut Kit<'_>) {
    const SIGNS: [[f32; 3]; 7] = [
        [0.55, 0.06, 0.05],
        [0.05, 0.16, 0.42],
        [0.06, 0.30, 0.12],
        [0.75, 0.55, 0.05],
        [0.10, 0.10, 0.11],
        [0.70, 0.68, 0.62],
        [0.38, 0.08, 0.30],
    ];
    let glow = if kit.lit { 0.012 } else { 0.0 };
    let glass = kit.paint_with("building", Texture::Glass, [0.06, 0.07, 0.08], [0.9, glow]);
    let frame = kit.paint("building", Texture::Metal, [0.12, 0.12, 0.13]);
    let half = 0.5 * draft.width_m();
    let mut x = -half + 0.15;
    while x + BAY_M - 0.3 <= half {
        let bays = if x + 2.0 * BAY_M <= half && stream.range(0.0, 1.0) < 0.5 { 2.0 } else { 1.0 };
        let width = bays * BAY_M - 0.3;
        let tone = pick(stream, &SIGNS);
        let sign = kit.paint_with("building", Texture::Sign, tone, [0.3, glow]);
        solid.block([x, -0.05, 0.35], [x + width, -0.01, 2.35], glass);
        for share in 0..=(2 * bays as usize) {
            let at = x + width * share as f64 / (2.0 * bays);
            solid.block([at - 0.04, -0.1, 0.0], [at + 0.04, 0.0, 2.4], frame);
        }
        solid.block([x - 0.05, -0.16, 2.38], [x + width + 0.05, 0.0, 2.86], sign);
        if stream.range(0.0, 1.0) < 0.35 {
            let cloth = kit.paint("building", Texture::Cloth, tone);
            let (near, far) = (-0.14, -1.15);
            let corners = [
                Point3::new(x, far, 2.3),
                Point3::new(x + width, far, 2.3),
                Point3::new(x + width, near, 2.8),
                Point3::new(x, near, 2.8),
            ];
            solid.face(&corners, cloth);
            solid.face(&[corners[3], corners[2], corners[1], corners[0]], cloth);
            solid.block([x, far - 0.01, 2.12], [x + width, far + 0.01, 2.3], cloth);
        }
        x += bays * BAY_M;
    }
}

fn balconies(draft: &Draft, stream: &mut Stream, solid: &mut Solid, kit: &mut Kit<'_>) {
    let slab = kit.paint("building", Texture::Concrete, [0.45, 0.44, 0.43]);
    let rail = kit.paint("building", Texture::Metal, [0.16, 0.16, 0.17]);
    let panel = pick(stream, &[[0.5, 0.55, 0.55], [0.65, 0.62, 0.56], [0.3, 0.2, 0.14]]);
    let panel = kit.paint("building", Texture::Plain, panel);
    let solid_front = stream.range(0.0, 1.0) < 0.4;
    let step = 1 + (stream.range(0.0, 2.0) as usize);
    for storey in 1..draft.storeys {
        let z = storey as f64 * BAY_M + 0.05;
        for bay in (0..draft.bays).step_by(step) {
            let x = (bay as f64 - 0.5 * draft.bays as f64) * BAY_M + 0.25;
            let (width, out) = (BAY_M - 0.5, -1.15);
            solid.block([x, out, z - 0.15], [x + width, 0.0, z], slab);
            solid.block([x, out, z + 1.0], [x + width, out + 0.05, z + 1.05], rail);
            for side in [x, x + width - 0.05] {
                solid.block([side, out, z + 1.0], [side + 0.05, 0.0, z + 1.05], rail);
            }
            if solid_front {
                solid.block([x, out, z], [x + width, out + 0.03, z + 0.95], panel);
                continue;
            }
            let bars = 16;
            for bar in 0..=bars {
                let at = x + (width - 0.02) * f64::from(bar) / f64::from(bars);
                solid.block([at, out + 0.01, z], [at + 0.02, out + 0.03, z + 1.0], rail);
            }
        }
    }
}

/// A bay that stands out over the ground floor.
fn oriel(draft: &Draft, stream: &mut Stream, solid: &mut Solid, kit: &mut Kit<'_>) {
    let tone = pick(stream, &[[0.62, 0.55, 0.42], [0.68, 0.64, 0.56], [0.55, 0.4, 0.3]]);
    let wall = kit.paint_with("building", Texture::Facade, tone, [0.15, 0.0]);
    let roof = kit.paint("building", Texture::Metal, [0.2, 0.28, 0.25]);
    let x = if draft.bays.is_multiple_of(2) { 0.0 } else { -0.5 * BAY_M };
    let top = (draft.storeys - 1) as f64 * BAY_M;
    solid.block([x, -0.9, BAY_M], [x + BAY_M, 0.0, top], wall);
    solid.block([x - 0.1, -1.0, top], [x + BAY_M + 0.1, 0.0, top + 0.15], roof);
}

/// A rain pipe.
fn pipe(draft: &Draft, x: f64, solid: &mut Solid, kit: &mut Kit<'_>) {
    let metal = kit.paint("building", Texture::Metal, [0.28, 0.28, 0.28]);
    let line = [Point3::new(x, -0.12, 0.1), Point3::new(x, -0.12, draft.height_m() - 0.3)];
    solid.tube(&line.map(|p| (p, 0.05)), 6, metal);
}

/// A house: a door with a canopy and steps, a garage beside it.
pub(super) fn house(draft: &Draft, stream: &mut Stream, solid: &mut Solid, kit: &mut Kit<'_>) {
    let half = 0.5 * draft.width_m();
    let tone =
        pick(stream, &[[0.25, 0.08, 0.06], [0.07, 0.16, 0.1], [0.6, 0.58, 0.55], [0.1, 0.12, 0.2]]);
    let door = kit.paint("building", Texture::Wood, tone);
    let stone = kit.paint("building", Texture::Concrete, [0.4, 0.39, 0.37]);
    let x = BAY_M * (stream.range(0.0, draft.bays as f64) as usize) as f64 - half + 0.95;
    solid.block([x, -0.06, 0.3], [x + 1.1, 0.0, 2.4], door);
    solid.block([x - 0.2, -1.0, 0.0], [x + 1.3, 0.0, 0.15], stone);
    solid.block([x - 0.1, -0.6, 0.15], [x + 1.2, 0.0, 0.3], stone);
    solid.block([x - 0.3, -0.9, 2.5], [x + 1.4, 0.0, 2.6], stone);
    pipe(draft, half - 0.2, solid, kit);
}

/// A barn: one large gate.
pub(super) fn barn(draft: &Draft, solid: &mut Solid, kit: &mut Kit<'_>) {
    let gate = kit.paint("building", Texture::Wood, [0.2, 0.11, 0.06]);
    let high = (draft.height_m() - 0.4).min(4.2);
    solid.block([-2.1, -0.08, 0.0], [-0.03, 0.0, high], gate);
    solid.block([0.03, -0.08, 0.0], [2.1, 0.0, high], gate);
}
