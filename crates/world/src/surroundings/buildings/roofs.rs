//! Roofs.

use nalgebra::Point3;

use super::{Draft, Kind, outline};
use crate::look::Texture;
use crate::noise::Stream;
use crate::surroundings::kit::{Kit, pick};
use crate::surroundings::solid::{Paint, Solid};

/// Adds a roof.
pub(super) fn roof(draft: &Draft, stream: &mut Stream, solid: &mut Solid, kit: &mut Kit<'_>) {
    let flat = match draft.kind {
        Kind::Block => stream.range(0.0, 1.0) < 0.5,
        Kind::House => stream.range(0.0, 1.0) < 0.1,
        Kind::Barn => false,
    };
    if flat {
        level(draft, stream, solid, kit);
    } else {
        pitched(draft, stream, solid, kit);
    }
    chimneys(draft, stream, solid, kit);
}

/// Gravel behind a parapet, with the top of the lift.
fn level(draft: &Draft, stream: &mut Stream, solid: &mut Solid, kit: &mut Kit<'_>) {
    let gravel = kit.paint("building", Texture::Soil, [0.3, 0.29, 0.27]);
    let edge = kit.paint("building", Texture::Concrete, [0.42, 0.41, 0.4]);
    let (half, depth, top) = (0.5 * draft.width_m(), draft.depth_m(), draft.height_m());
    solid.block([-half, 0.0, top], [half, depth, top + 0.05], gravel);
    let (out, high) = (0.12, top + 0.7);
    for [x0, x1, y0, y1] in [
        [-half - out, half + out, -out, 0.2],
        [-half - out, half + out, depth - 0.2, depth + out],
        [-half - out, -half + 0.2, 0.2, depth - 0.2],
        [half - 0.2, half + out, 0.2, depth - 0.2],
    ] {
        solid.block([x0, y0, top - 0.15], [x1, y1, high], edge);
    }
    let x = stream.range(-0.6, 0.2) * half;
    solid.block([x, 0.5 * depth, top], [x + 3.0, 0.5 * depth + 2.8, top + 2.3], edge);
}

/// Two slopes with eaves; the ridge runs along the street or, on narrow blocks, across it.
fn pitched(draft: &Draft, stream: &mut Stream, solid: &mut Solid, kit: &mut Kit<'_>) {
    let tone = pick(
        stream,
        &[
            [0.36, 0.13, 0.08],
            [0.28, 0.11, 0.08],
            [0.14, 0.14, 0.15],
            [0.22, 0.16, 0.13],
            [0.42, 0.2, 0.11],
        ],
    );
    let tiles = kit.paint("building", Texture::Tiles, tone);
    let gable = kit.paint("building", Texture::Plaster, [0.6, 0.56, 0.48]);
    let gutter = kit.paint("building", Texture::Metal, [0.3, 0.3, 0.3]);
    let pitch = stream.range(0.6, 1.0);
    let [a, _, c, _] = outline(draft);
    let across = draft.kind != Kind::Block && stream.range(0.0, 1.0) < 0.35;
    // Along u lies the ridge, across it v.
    let place =
        |u: f64, v: f64, z: f64| if across { Point3::new(v, u, z) } else { Point3::new(u, v, z) };
    let (low, high) = if across { ([a.y, a.x], [c.y, c.x]) } else { ([a.x, a.y], [c.x, c.y]) };
    let (top, eaves) = (draft.height_m(), if draft.kind == Kind::Block { 0.35 } else { 0.55 });
    let ends = if draft.kind == Kind::Block { 0.0 } else { 0.4 };
    let middle = 0.5 * (low[1] + high[1]);
    let rise = pitch * (middle - low[1]);
    let drop = pitch * eaves;
    let thick = 0.18;
    let slab = |v_low: f64, solid: &mut Solid| {
        let lower = [(low[0] - ends, v_low), (high[0] + ends, v_low)];
        let points = |up: f64| {
            [
                place(lower[0].0, lower[0].1, top - drop + up),
                place(lower[1].0, lower[1].1, top - drop + up),
                place(high[0] + ends, middle, top + rise + up),
                place(low[0] - ends, middle, top + rise + up),
            ]
        };
        slab_of(points(0.0), points(thick), tiles, solid);
    };
    slab(low[1] - eaves, solid);
    slab(high[1] + eaves, solid);
    for u in [low[0], high[0]] {
        let (p, q, r) =
            (place(u, low[1], top), place(u, high[1], top), place(u, middle, top + rise));
        solid.face(&[p, q, r], gable);
        solid.face(&[r, q, p], gable);
    }
    for v in [low[1] - eaves, high[1] + eaves] {
        let line = [place(low[0] - ends, v, top - drop), place(high[0] + ends, v, top - drop)];
        solid.tube(&line.map(|p| (p, 0.07)), 6, gutter);
    }
    if !across && draft.kind != Kind::Barn {
        dormers(draft, (pitch, tiles), stream, solid, kit);
    }
}

/// A slab between two equal faces, from whichever side they are seen.
fn slab_of(lower: [Point3<f64>; 4], upper: [Point3<f64>; 4], paint: Paint, solid: &mut Solid) {
    let normal = (upper[1] - upper[0]).cross(&(upper[2] - upper[0]));
    let up = normal.z > 0.0;
    let facing = |mut corners: Vec<Point3<f64>>, flip: bool| {
        if flip {
            corners.reverse();
        }
        corners
    };
    solid.face(&facing(upper.to_vec(), !up), paint);
    solid.face(&facing(lower.to_vec(), up), paint);
    for i in 0..4 {
        let j = (i + 1) % 4;
        solid.face(&facing(vec![lower[i], lower[j], upper[j], upper[i]], !up), paint);
    }
}

/// Small gabled windows in the front slope.
fn dormers(
    draft: &Draft,
    (pitch, tiles): (f64, Paint),
    stream: &mut Stream,
    solid: &mut Solid,
    kit: &mut Kit<'_>,
) {
    if stream.range(0.0, 1.0) < 0.4 {
        return;
    }
    let wall = kit.paint("building", Texture::Plaster, [0.55, 0.53, 0.5]);
    let glass = kit.paint_with("building", Texture::Glass, [0.05, 0.06, 0.07], [0.9, 0.0]);
    let top = draft.height_m();
    let count = draft.bays / 2;
    for index in 0..count {
        let x = draft.width_m() * ((index as f64 + 0.5) / count as f64 - 0.5);
        let (y, z) = (0.9, top + 0.9 * pitch + 0.1);
        let back = (1.7 / pitch).min(0.45 * draft.depth_m());
        solid.block([x - 0.7, y, z - 0.5], [x + 0.7, y + back, z + 1.25], wall);
        solid.block([x - 0.45, y - 0.03, z + 0.1], [x + 0.45, y + 0.02, z + 1.1], glass);
        solid.block([x - 0.85, y - 0.25, z + 1.25], [x + 0.85, y + back + 0.3, z + 1.37], tiles);
    }
}

fn chimneys(draft: &Draft, stream: &mut Stream, solid: &mut Solid, kit: &mut Kit<'_>) {
    let brick = kit.paint("building", Texture::Brick, [0.34, 0.15, 0.11]);
    let count = if draft.kind == Kind::Barn { 0 } else { 1 + draft.bays / 4 };
    for _ in 0..count {
        let x = 0.4 * draft.width_m() * stream.range(-1.0, 1.0);
        let y = draft.depth_m() * stream.range(0.45, 0.7);
        let z = draft.height_m();
        solid.block([x, y, z], [x + 0.6, y + 0.6, z + 0.5 * draft.depth_m() + 0.6], brick);
    }
}
